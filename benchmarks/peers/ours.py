"""nnmnist, called like the other programs: times epochs without start-up and data."""

import numpy as np
from common import arguments, mnist, report

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.threads import blas_threads

options = arguments()
x, y, x_test, y_test = mnist()
pixels = np.round(x * 255).astype(np.uint8)
train = Examples(pixels, y, np.arange(len(y)), 10)
test = Examples(np.round(x_test * 255).astype(np.uint8), y_test, np.arange(len(y_test)), 10)
del x, x_test
settings = TrainingConfig(
    epochs=options.epochs,
    batch_size=options.batch,
    learning_rate=options.rate,
    momentum=options.momentum,
    schedule="one_cycle",
    warmup=options.warmup,
    centre_inputs=bool(options.centre),
    principal_components=options.components or None,
    label_smoothing=options.smoothing,
)
network = Network((784, *options.hidden, 10))
network.initialize(np.random.default_rng(options.seed))
no_validation = Examples(pixels, y, np.arange(0), 10)
epochs = [
    len(y) / epoch.examples_per_second
    for epoch in fit(network, train, no_validation, settings, options.seed, cores=blas_threads())
]
report("nnmnist", epochs, evaluate(network, test).accuracy)
