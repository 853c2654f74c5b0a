"""PyTorch on the CPU: tensors in memory without a DataLoader, nn.Sequential, fused optimizer."""

import time

import torch
from common import arguments, mnist, one_cycle, report

options = arguments()
torch.manual_seed(options.seed)
x, y, x_test, y_test = map(torch.from_numpy, mnist(options.centre, options.components))

layers: list[torch.nn.Module] = []
for n_in, n_out in zip((x.shape[1], *options.hidden), options.hidden, strict=False):
    layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
for layer in layers[::2]:
    torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
with torch.no_grad():  # the first layer starts as one of 784 inputs, in nnmnist too
    layers[0].weight *= (x.shape[1] / 784) ** 0.5
model = torch.nn.Sequential(*layers, torch.nn.Linear(options.hidden[-1], 10))
optimizer = torch.optim.SGD(
    model.parameters(), lr=options.rate, momentum=options.momentum, fused=True
)
steps = -(-len(x) // options.batch)
rate = one_cycle(options.rate, steps * options.epochs, options.warmup)
loss_function = torch.nn.CrossEntropyLoss(label_smoothing=options.smoothing)

seconds, step = [], 0
for _ in range(options.epochs):
    started = time.perf_counter()
    for rows in torch.randperm(len(x)).split(options.batch):
        optimizer.param_groups[0]["lr"] = rate(step)
        step += 1
        loss = loss_function(model(x[rows]), y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    seconds.append(time.perf_counter() - started)

with torch.inference_mode():
    accuracy = (model(x_test).argmax(dim=1) == y_test).float().mean().item()
report("pytorch", seconds, accuracy)
