"""Draw the results of the other scripts: `draw.py NAME...` writes runs/lecture/NAME.png."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import gate
import gradient_descent as descent
import local_minima as local
import numpy as np
import parameter_efficiency as efficiency
import why_deep as deep
from numpy.typing import NDArray

from nnmnist.plots.boundary import MARKERS
from nnmnist.plots.curves import curves
from nnmnist.plots.style import BLUE, COLOURS, GREY, RED, house_style, panels, save
from nnmnist.runs import history

# where the lecture writes its runs and pictures; git ignores it
RUNS = Path("runs/lecture")
Axes = Any  # matplotlib is imported only when a figure is drawn


def gradient_descent() -> Any:
    """The cost over (b, w), with paths for three learning rates and for three batch sizes."""
    points = descent.line_points()
    figure, (rates, sizes, end) = panels(3, 4.6, 5.6)
    figure.set_layout_engine("compressed")  # for axes with equal units
    for (name, rate), steps in zip(descent.RATES.items(), (20, 20, 6), strict=True):
        _draw_path(rates, descent.descend(points, rate, steps), f"{name}, {rate:g}")
    for size, rate in sorted(descent.BATCH_RATES.items(), reverse=True):
        steps = 100 // size  # per epoch
        path = descent.descend(points, rate, 12 * steps, size)
        label = f"{size} example{'s' * (size > 1)}, rate {rate:g}"
        _draw_path(sizes, path, label, steps)
        _draw_path(end, path[::steps], label)
    wide = ((-2.2, 4.4), (-1.6, 5.0))
    b, w = descent.minimum(points)
    close = ((b - 0.06, b + 0.06), (w - 0.06, w + 0.06))
    _draw_contours(rates, points, "Three learning rates\n(a mark after each step)", wide)
    _draw_contours(sizes, points, "Three sizes of a batch\n(a mark after each epoch)", wide)
    _draw_contours(end, points, "The same epochs,\nenlarged around the minimum", close)
    return figure


def _draw_path(axes: Axes, path: NDArray[Any], label: str, steps_per_mark: int = 1) -> None:
    k = len(axes.lines)
    style = {"color": COLOURS[k], "linewidth": 1.3, "markersize": 5.5, "markevery": steps_per_mark}
    axes.plot(*path.T, MARKERS[k] + "-", label=label, **style)


def _draw_contours(axes: Axes, points: Any, title: str, limits: Any) -> None:
    """Contour lines of J, with a cross at its minimum; each line is four times higher."""
    minimum = descent.minimum(points)
    b, w = np.meshgrid(*(np.linspace(*ends, 160) for ends in limits))
    J = descent.surface(b, w, points) - descent.surface(*minimum, points)
    levels = 0.02 * 4.0 ** np.arange(-8, 6)
    axes.contour(b, w, J, levels=levels, colors="0.75", linewidths=1, zorder=0)
    # below the paths, so that their ends are seen
    axes.plot(*minimum, "+", color="black", markersize=18, zorder=1)
    axes.set(xlabel="$b$", ylabel="$w$", xlim=limits[0], ylim=limits[1], aspect="equal")
    axes.set_title(title, fontsize="medium")
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes.grid(visible=False)


def local_minima() -> Any:
    """A cost surface with three minima, the paths to them, and what each of them means."""
    points = local.bump()
    paths = [local.descend(start, points) for start in local.STARTS]
    found = local.minima(paths, points)
    figure, (plane, lines) = panels(2, 5.6, 4.8)
    figure.set_layout_engine("compressed")  # for axes with equal units
    b, w = np.meshgrid(np.linspace(-5, 7, 160), np.linspace(-6, 6, 160))
    J = local.cost(b, w, points)
    filled = plane.contourf(b, w, J, levels=30, cmap="Greys", alpha=0.75)
    figure.colorbar(filled, ax=plane, label="cost $J$", ticks=[0.2, 0.4, 0.6, 0.8])
    colours = dict(zip(local.NAMES, COLOURS, strict=False))
    for path in paths:
        colour = colours[local.name_of(path, found)]
        plane.plot(*path.T, color=colour, linewidth=2)
        plane.plot(*path[0], "o", color=colour, markersize=7)
    x = np.linspace(-3, 3, 300)[:, None]
    lines.scatter(points.x, points.y, s=14, color="0.6", label="data")
    for name, (end_b, end_w) in zip(local.NAMES, found, strict=True):
        J_end = local.cost(np.array(end_b), np.array(end_w), points)
        plane.plot(end_b, end_w, "*", color=colours[name], markersize=19, markeredgecolor="white")
        plane.annotate(
            name,
            (end_b, end_w),
            (12, 6),
            textcoords="offset points",
            weight="bold",
            fontsize="large",
        )
        p = local.model(end_b, end_w).predict(x)
        lines.plot(x, p, color=colours[name], label=f"{name}: $J = {J_end:.3f}$")
    plane.set(xlabel="$b$", ylabel="$w$", aspect="equal")
    plane.set_title("Paths from 7 starts (dots) to 3 minima (stars)", fontsize="medium")
    plane.grid(visible=False)
    lines.set(xlabel="input $x$", ylabel="output")
    lines.set_title(r"The data and $\sigma(w x + b)$ in each minimum", fontsize="medium")
    lines.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return figure


def gates() -> Any:
    """The largest error of the multiplication gate against lambda."""
    figure, (axes,) = panels(1, 7.0, 4.6)
    for k, name in enumerate(gate.SECOND_DERIVATIVES):
        errors = gate.errors(name)
        axes.loglog(gate.LAMBDAS, errors, MARKERS[k] + "-", color=COLOURS[k], label=name)
    large = np.array([2.0**-10, 1.0])
    small = large / 2**14
    axes.loglog(large, 0.04 * large**2, "--", color=GREY, label=r"$\propto \lambda^2$")
    axes.loglog(small, 2e-17 / small**2, ":", color=GREY, label=r"$\propto \lambda^{-2}$")
    axes.set_xlabel(r"$\lambda$")
    axes.set_ylabel("largest error on $[-1, 1]^2$")
    axes.set_title("Error of a gate, for three activations", fontsize="medium")
    figure.legend(loc="outside right center")
    return figure


def gate_surface() -> Any:
    """The product of two numbers, beside the product that a network has learned."""
    from matplotlib.figure import Figure

    n = 41
    x = gate.grid(n)
    learned = gate.trained_gate().predict(x.astype(np.float32))[:, 0]
    true = x[:, 0] * x[:, 1]
    side = [column.reshape(n, n) for column in x.T]
    figure = Figure(figsize=(11, 4), layout="constrained")
    for k, (title, z) in enumerate(
        {"$x_1 x_2$": true, "learned by four hidden units": learned}.items()
    ):
        axes = figure.add_subplot(1, 3, k + 1, projection="3d")
        axes.plot_surface(*side, z.reshape(n, n), cmap="viridis", vmin=-1, vmax=1)
        axes.set(xlabel="$x_1$", ylabel="$x_2$", zlim=(-1, 1), box_aspect=(1, 1, 0.75))
        for name in "xyz":
            axes.locator_params(axis=name, nbins=4)
        axes.view_init(28, -58)
        axes.set_title(title, fontsize="medium")
    axes = figure.add_subplot(1, 3, 3, aspect="equal")
    error = (learned - true).reshape(n, n)
    most = float(np.abs(error).max())
    image = axes.pcolormesh(*side, error, cmap="RdBu_r", vmin=-most, vmax=most, rasterized=True)
    figure.colorbar(image, ax=axes, shrink=0.85)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_title("learned minus true", fontsize="medium")
    axes.grid(visible=False)
    return figure


def hand_in() -> Any:
    """The learning curves of the three parts of the hand-in, from its runs."""
    titles = ["1: all examples in a step", "2: minibatches", "3: several layers"]
    histories = [
        history.read(RUNS / f"hand_in_{k}", title) for k, title in enumerate(titles, start=1)
    ]
    return curves(histories, apart=True)


def parameter_efficiency() -> Any:
    """Test error against the number of parameters, with the same number of examples."""
    networks, products = efficiency.compare_models()
    figure, (axes,) = panels(1, 6.2, 4.3)
    axes.semilogy(
        *networks.T, "o-", color=BLUE, label="networks; the number is that of their hidden units"
    )
    label = "linear regression on all products"
    axes.semilogy(*products.T, "s", color=RED, markersize=9, label=label)
    style = {"textcoords": "offset points", "ha": "center", "color": BLUE}
    for width, point in zip(efficiency.WIDTHS, networks, strict=True):
        axes.annotate(str(width), point, (-3, -19), **style)
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_ylim(0.015, 1)
    axes.set_title("Same examples, models of different size", fontsize="medium")
    axes.set_xlabel("parameters")
    axes.set_ylabel("test error ($1 - R^2$)")
    figure.legend(loc="outside lower center", fontsize="small")
    return figure


def why_deep() -> Any:
    """What multiplying n numbers needs: parameters of a deep network, flat units, monomials."""
    rows = deep.rows(6)
    n = [row.n for row in rows]
    counts = {
        "monomials of degree $n$": [10**row.log10_monomials for row in rows],
        "units of one hidden layer, $2^n$": [10**row.log10_flat for row in rows],
        r"parameters of $\log_2 n$ layers": [row.parameters for row in rows],
        "of these, not zero": [row.nonzero for row in rows],
    }
    figure, (axes,) = panels(1, 6.2, 4.6)
    for k, (name, count) in enumerate(counts.items()):
        axes.loglog(n, count, MARKERS[k] + "-", color=COLOURS[k], label=name)
    axes.set_xticks(n, [str(each) for each in n])
    axes.minorticks_off()
    axes.set_xlabel("numbers to multiply, $n$")
    axes.set_ylabel("number needed")
    axes.set_title("What a product of $n$ numbers needs", fontsize="medium")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return figure


DRAWINGS = {
    "gradient_descent": gradient_descent,
    "local_minima": local_minima,
    "gate": gates,
    "gate_surface": gate_surface,
    "hand_in": hand_in,
    "parameter_efficiency": parameter_efficiency,
    "why_deep": why_deep,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="+", choices=DRAWINGS, metavar="NAME", help=", ".join(DRAWINGS)
    )
    os.environ["MPLBACKEND"] = "agg"  # pictures are files, also in a notebook
    names = parser.parse_args().names
    RUNS.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = RUNS / f"{name}.png"
        with house_style():
            save(DRAWINGS[name](), path)
        print(path)


if __name__ == "__main__":
    main()
