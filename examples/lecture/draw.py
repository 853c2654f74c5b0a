"""Draws what the scripts beside it compute: `python examples/lecture/draw.py NAME...` writes pictures/NAME.png."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gate
import gradient_descent as descent
import numpy as np
import parameter_efficiency as efficiency
import why_deep as deep
from numpy.typing import NDArray

from nnmnist.plots.boundary import MARKERS
from nnmnist.plots.style import BLUE, COLOURS, GREY, RED, house_style, panels, save

PICTURES = Path(__file__).resolve().parent / "pictures"
Axes = Any  # matplotlib is imported only where it draws


def gradient_descent() -> Any:
    """The cost surface over (b, w): the paths of three step lengths, and of three minibatch sizes."""
    points = descent.examples()
    figure, (lengths, sizes) = panels(2, height=4.7)
    for (name, rate), steps in zip(descent.RATES.items(), (20, 20, 8), strict=True):
        _path(lengths, descent.descend(points, rate, steps), f"{name}, {rate:g}")
    for size, rate in ((1, 0.01), (10, 0.1), (100, descent.RATES["right"])):
        every = 100 // size
        _path(
            sizes,
            descent.descend(points, rate, 6 * every, size),
            f"{size}, step length {rate:g}",
            every,
        )
    lowest = descent.minimum(points)
    b, w = np.meshgrid(np.linspace(-2, 4, 120), np.linspace(-1.6, 5.4, 120))
    J = descent.surface(b, w, points) - descent.surface(*lowest, points)
    for axes, title in (
        (lengths, "step length (a mark a step)"),
        (sizes, "examples a step (a mark a pass)"),
    ):
        axes.contour(
            b, w, J, levels=0.02 * 4.0 ** np.arange(6), colors="0.75", linewidths=1, zorder=0
        )
        axes.plot(*lowest, "+", color="black", markersize=14, zorder=4)
        axes.set(xlabel="$b$", ylabel="$w$", xlim=(b.min(), b.max()), ylim=(w.min(), w.max()))
        axes.legend(
            title=title, fontsize="small", title_fontsize="small", loc="upper left", frameon=True
        )
        axes.grid(visible=False)
    return figure


def _path(axes: Axes, path: NDArray[Any], label: str, every: int = 1) -> None:
    k = len(axes.lines)
    look = {"color": COLOURS[k], "linewidth": 1.3, "markersize": 5.5, "markevery": every}
    axes.plot(*path.T, MARKERS[k] + "-", label=label, **look)


def gates() -> Any:
    """The largest error of the multiplication gate against lambda."""
    figure, (axes,) = panels(1, 6.5, 4.3)
    for k, name in enumerate(gate.SECOND_DERIVATIVES):
        axes.loglog(
            gate.LAMBDAS,
            gate.errors(name),
            MARKERS[k] + "-",
            color=COLOURS[k],
            label=name,
        )
    lambdas = np.array([2.0**-10, 1.0])
    axes.loglog(lambdas, 0.04 * lambdas**2, "--", color=GREY, label=r"$\propto \lambda^2$")
    axes.loglog(
        lambdas / 2**14,
        2e-17 / (lambdas / 2**14) ** 2,
        ":",
        color=GREY,
        label=r"$\propto \lambda^{-2}$",
    )
    axes.set_xlabel(r"$\lambda$")
    axes.set_ylabel("largest error on $[-1, 1]^2$")
    figure.legend(loc="outside right center")
    return figure


def parameter_efficiency() -> Any:
    """Test error against parameters, at the same number of examples."""
    networks, products = efficiency.curves()
    figure, (axes,) = panels(1, 6.2, 4.3)
    axes.semilogy(*networks.T, "o-", color=BLUE, label="networks, by hidden units")
    axes.semilogy(
        *products.T, "s", color=RED, markersize=9, label="linear regression on all products"
    )
    for width, point in zip(efficiency.WIDTHS, networks, strict=True):
        axes.annotate(
            str(width),
            point,
            (-3, -19),
            textcoords="offset points",
            ha="center",
            color=BLUE,
        )
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_ylim(0.015, 1)
    axes.set_xlabel("parameters")
    axes.set_ylabel("test error ($1 - R^2$)")
    figure.legend(loc="outside lower center")
    return figure


def why_deep() -> Any:
    """What it takes to multiply n numbers: parameters of a deep network, units of a flat one, monomials."""
    rows = deep.rows(6)
    n = [row.n for row in rows]
    counts = {
        "monomials of degree $n$": [10**row.log10_monomials for row in rows],
        "units of one hidden layer, $2^n$": [10**row.log10_flat for row in rows],
        r"parameters of $\log_2 n$ layers": [row.parameters for row in rows],
        "of these not zero": [row.nonzero for row in rows],
    }
    figure, (axes,) = panels(1, 6.2, 4.6)
    for k, (name, count) in enumerate(counts.items()):
        axes.loglog(n, count, MARKERS[k] + "-", color=COLOURS[k], label=name)
    axes.set_xticks(n, [str(each) for each in n])
    axes.minorticks_off()
    axes.set_xlabel("numbers to multiply, $n$")
    axes.set_ylabel("how many it takes")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return figure


DRAWINGS = {
    "gradient_descent": gradient_descent,
    "gate": gates,
    "parameter_efficiency": parameter_efficiency,
    "why_deep": why_deep,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="+", choices=DRAWINGS, metavar="NAME", help=", ".join(DRAWINGS)
    )
    for name in parser.parse_args().names:
        with house_style():
            save(DRAWINGS[name](), PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
