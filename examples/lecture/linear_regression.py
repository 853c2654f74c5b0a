"""Linear regression twice, by gradient descent until the cost stands still and by least squares: the same W and b."""

from __future__ import annotations

import numpy as np

from nnmnist.config.loading import find_config, load_config
from nnmnist.data.examples import Splits
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.setup import build_network, load_data

# and how the names of their recipes end
METHODS = {"gradient descent": "", "least squares": "_exact"}


def both(problem: str) -> tuple[dict[str, Network], Splits]:
    """The networks of both recipes of `problem`, trained, and its examples."""
    networks = {}
    for method, ending in METHODS.items():
        settings = load_config(find_config(f"lecture/{problem}{ending}"))
        splits = load_data(settings.data, settings.seed)
        network = networks[method] = build_network(settings, splits)
        before = np.inf
        for epoch in fit(
            network, splits.train, splits.validation, settings.training, settings.seed
        ):
            if (
                settings.training.tolerance
                and abs(before - epoch.cost) <= settings.training.tolerance
            ):
                break
            before = epoch.cost
    return networks, splits


def main() -> None:
    for problem in ("line", "planes"):
        networks, _ = both(problem)
        descent, exact = (network.parameters() for network in networks.values())
        print(f"{problem:<12}" + "".join(f"{method:>18}" for method in networks))
        for name in descent:
            for index in np.ndindex(descent[name].shape):
                place = ", ".join(str(i + 1) for i in index)
                print(
                    f"{f'{name}[{place}]':<12}{descent[name][index]:18.6f}{exact[name][index]:18.6f}"
                )
        a, b = (network.theta for network in networks.values())
        print(f"largest difference {np.abs(a - b).max():.0e}\n")


if __name__ == "__main__":
    main()
