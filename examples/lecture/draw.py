"""Draw the results of the other scripts: `draw.py NAME...` writes pictures/NAME.png."""

from __future__ import annotations

import argparse
import os
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
Axes = Any  # matplotlib is imported only when a figure is drawn


def gradient_descent() -> Any:
    """The cost over (b, w), with paths for three learning rates and for three batch sizes."""
    points = descent.line_points()
    figure, (rates, sizes) = panels(2, height=4.7)
    for (name, rate), steps in zip(descent.RATES.items(), (20, 20, 8), strict=True):
        _draw_path(rates, descent.descend(points, rate, steps), f"{name}, {rate:g}")
    for size, rate in sorted(descent.BATCH_RATES.items()):
        steps = 100 // size  # per epoch
        path = descent.descend(points, rate, 6 * steps, size)
        _draw_path(sizes, path, f"{size}, learning rate {rate:g}", steps)
    _draw_contours(rates, points, "learning rate (one mark per step)")
    _draw_contours(sizes, points, "batch size (one mark per epoch)")
    return figure


def _draw_path(axes: Axes, path: NDArray[Any], label: str, steps_per_mark: int = 1) -> None:
    k = len(axes.lines)
    style = {"color": COLOURS[k], "linewidth": 1.3, "markersize": 5.5, "markevery": steps_per_mark}
    axes.plot(*path.T, MARKERS[k] + "-", label=label, **style)


def _draw_contours(axes: Axes, points: Any, title: str) -> None:
    """Contour lines of J, with a cross at its minimum; each line is four times higher."""
    minimum = descent.minimum(points)
    b, w = np.meshgrid(np.linspace(-2, 4, 120), np.linspace(-1.6, 5.4, 120))
    J = descent.surface(b, w, points) - descent.surface(*minimum, points)
    levels = 0.02 * 4.0 ** np.arange(6)
    axes.contour(b, w, J, levels=levels, colors="0.75", linewidths=1, zorder=0)
    axes.plot(*minimum, "+", color="black", markersize=14, zorder=4)
    axes.set(xlabel="$b$", ylabel="$w$", xlim=(b.min(), b.max()), ylim=(w.min(), w.max()))
    axes.legend(
        title=title, fontsize="small", title_fontsize="small", loc="upper left", frameon=True
    )
    axes.grid(visible=False)


def gates() -> Any:
    """The largest error of the multiplication gate against lambda."""
    figure, (axes,) = panels(1, 6.5, 4.3)
    for k, name in enumerate(gate.SECOND_DERIVATIVES):
        errors = gate.errors(name)
        axes.loglog(gate.LAMBDAS, errors, MARKERS[k] + "-", color=COLOURS[k], label=name)
    large = np.array([2.0**-10, 1.0])
    small = large / 2**14
    axes.loglog(large, 0.04 * large**2, "--", color=GREY, label=r"$\propto \lambda^2$")
    axes.loglog(small, 2e-17 / small**2, ":", color=GREY, label=r"$\propto \lambda^{-2}$")
    axes.set_xlabel(r"$\lambda$")
    axes.set_ylabel("largest error on $[-1, 1]^2$")
    figure.legend(loc="outside right center")
    return figure


def parameter_efficiency() -> Any:
    """Test error against the number of parameters, with the same number of examples."""
    networks, products = efficiency.compare_models()
    figure, (axes,) = panels(1, 6.2, 4.3)
    axes.semilogy(*networks.T, "o-", color=BLUE, label="networks, by hidden units")
    label = "linear regression on all products"
    axes.semilogy(*products.T, "s", color=RED, markersize=9, label=label)
    style = {"textcoords": "offset points", "ha": "center", "color": BLUE}
    for width, point in zip(efficiency.WIDTHS, networks, strict=True):
        axes.annotate(str(width), point, (-3, -19), **style)
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_ylim(0.015, 1)
    axes.set_xlabel("parameters")
    axes.set_ylabel("test error ($1 - R^2$)")
    figure.legend(loc="outside lower center")
    return figure


def why_deep() -> Any:
    """What multiplying n numbers needs: parameters of a deep network, flat units, monomials."""
    rows = deep.rows(6)
    n = [row.n for row in rows]
    counts = {
        "monomials of degree $n$": [10**row.log10_monomials for row in rows],
        "units of one hidden layer, $2^n$": [10**row.log10_flat for row in rows],
        r"parameters of $\log_2 n$ layers": [row.parameters for row in rows],
        "those that are not zero": [row.nonzero for row in rows],
    }
    figure, (axes,) = panels(1, 6.2, 4.6)
    for k, (name, count) in enumerate(counts.items()):
        axes.loglog(n, count, MARKERS[k] + "-", color=COLOURS[k], label=name)
    axes.set_xticks(n, [str(each) for each in n])
    axes.minorticks_off()
    axes.set_xlabel("numbers to multiply, $n$")
    axes.set_ylabel("number needed")
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
    os.environ["MPLBACKEND"] = "agg"  # pictures are files, also in a notebook
    for name in parser.parse_args().names:
        with house_style():
            save(DRAWINGS[name](), PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
