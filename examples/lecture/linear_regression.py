"""Linear regression by gradient descent and by least squares: both find the same W and b."""

from __future__ import annotations

import numpy as np

from nnmnist.config.loading import find_config, load_config
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.setup import build_network, load_data

# The recipe of a method is the name of the problem with this suffix.
METHODS = {"gradient descent": "", "least squares": "_exact"}


def train(recipe: str) -> Network:
    """Train a recipe until the cost changes by no more than its tolerance."""
    settings = load_config(find_config(recipe))
    splits = load_data(settings.data, settings.seed)
    network = build_network(settings, splits)
    tolerance, previous_cost = settings.training.tolerance, np.inf
    for epoch in fit(network, splits.train, splits.validation, settings.training, settings.seed):
        if tolerance and abs(previous_cost - epoch.cost) <= tolerance:
            break
        previous_cost = epoch.cost
    return network


def train_both(problem: str) -> dict[str, Network]:
    """The trained networks of both methods."""
    return {method: train(f"lecture/{problem}{suffix}") for method, suffix in METHODS.items()}


def print_parameters(problem: str, networks: dict[str, Network]) -> None:
    """One line per parameter, with its value from both methods."""
    print(f"{problem:<12}" + "".join(f"{method:>18}" for method in networks))
    descent, exact = (network.parameters() for network in networks.values())
    for name in descent:
        for index in np.ndindex(descent[name].shape):
            label = f"{name}[{', '.join(str(i + 1) for i in index)}]"
            print(f"{label:<12}{descent[name][index]:18.6f}{exact[name][index]:18.6f}")
    a, b = (network.theta for network in networks.values())
    print(f"largest difference {np.abs(a - b).max():.0e}\n")


def main() -> None:
    for problem in ("line", "planes"):
        print_parameters(problem, train_both(problem))


if __name__ == "__main__":
    main()
