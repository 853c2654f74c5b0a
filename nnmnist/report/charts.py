"""Charts as SVG text; the page gives the colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.evaluation.calibration import Calibration
from nnmnist.evaluation.evaluate import wilson_interval
from nnmnist.runs.history import History
from nnmnist.types import Array

MOST_POINTS = 60  # points of a curve that are marked one by one


@dataclass(frozen=True)
class Frame:
    """A rectangle (left, top) to (right, bottom) of the drawing, and the values at its sides."""

    x: tuple[float, float]
    y: tuple[float, float]  # of bottom and top
    left: float = 52
    top: float = 26
    right: float = 428
    bottom: float = 252

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The position of a point in the drawing."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * (self.right - self.left), self.bottom - up * (
            self.bottom - self.top
        )

    def path(self, x: Array, y: Array) -> str:
        """A line through points, as SVG path data."""
        points = (self.at(*point) for point in zip(x.tolist(), y.tolist(), strict=True))
        return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)

    def axes(
        self, x_label: str, title: str, form_x: str, form_y: str, whole: bool = False
    ) -> list[str]:
        """Grid, ticks and labels; with `whole`, only integers on the x axis."""
        parts = [f'<text class=name x="{self.left}" y="14">{title}</text>']
        for value in ticks(*self.y):
            _, y = self.at(self.x[0], value)
            parts.append(f'<path class=rule d="M{self.left} {y:.1f}H{self.right}"/>')
            parts.append(
                f'<text class=end x="{self.left - 6}" y="{y + 4:.1f}">{form_y.format(value)}</text>'
            )
        for value in ticks(*self.x):
            if whole and value % 1:
                continue
            x, _ = self.at(value, self.y[0])
            text, y = form_x.format(value), self.bottom + 17
            parts.append(f'<text class=middle x="{x:.1f}" y="{y}">{text}</text>')
        middle = (self.left + self.right) / 2
        parts.append(f'<path class=axis d="M{self.left} {self.bottom}H{self.right}"/>')
        parts.append(f'<text class=middle x="{middle}" y="{self.bottom + 36}">{x_label}</text>')
        return parts


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers from `low` to `high`, in steps of 1, 2 or 5 times a power of ten."""
    step = 10.0 ** np.floor(np.log10((high - low) / most))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) < most)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{n * step:.10g}") for n in range(first, last + 1)]


def curves(history: History) -> str:
    """Cost and, for classes, accuracy against the epochs: one drawing each."""
    drawings = [_curve(history, "cost", "cost", 1.0, "{:.4g}")]
    if np.isfinite(history.splits["training"].accuracy).any():
        drawings.append(_curve(history, "accuracy", "accuracy (%)", 100.0, "{:.4g}"))
    return "\n".join(drawings)


def _curve(history: History, figure: str, title: str, unit: float, form: str) -> str:
    lines = {}
    for split, series in history.splits.items():
        steps, values = series.steps, unit * getattr(series, figure)
        known = np.isfinite(values)
        lines[split] = steps[known], values[known]
    every = np.concatenate([values for _, values in lines.values()])
    low, high = float(every.min()), float(every.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    last = max(float(steps[-1]) for steps, _ in lines.values() if len(steps))
    bottom = max(0.0, low - margin) if low >= 0 else low - margin
    frame = Frame((0.0, last), (bottom, high + margin))
    parts = frame.axes("epoch", title, "{:g}", form, whole=True)
    for split, (steps, values) in lines.items():
        if len(steps) > 1:
            parts.append(f'<path class="line {split}" d="{frame.path(steps, values)}"/>')
        if len(steps) <= MOST_POINTS:
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                x, y = frame.at(step, value)
                label = f"{split}, epoch {int(np.ceil(step))}: {form.format(value)}"
                size = 5 if split == "test" else 3
                parts.append(
                    f'<circle class={split} cx="{x:.1f}" cy="{y:.1f}" r="{size}">'
                    f"<title>{label}</title></circle>"
                )
    return _drawing(parts, 440, 296, f"{title} against the epoch")


def reliability(found: Calibration) -> str:
    """The fraction of correct predictions against their confidence, and their number below."""
    frame = Frame((0.0, 1.0), (0.0, 1.0), left=48, right=428, top=26, bottom=300)
    parts = frame.axes("", "right", "{:.0%}", "{:.0%}")
    parts.append(f'<path class=ideal d="{frame.path(np.array([0, 1]), np.array([0, 1]))}"/>')
    strip = Frame((0.0, 1.0), (0.0, float(np.log10(found.count.max() + 1))), 48, 346, 428, 396)
    bins = len(found.count)
    for m, (n, right, sure) in enumerate(
        zip(found.count.tolist(), found.correct.tolist(), found.confidence.tolist(), strict=True)
    ):
        if not n:
            continue
        label = f"{n:,} predictions with a mean confidence of {sure:.1%}: {right / n:.1%} correct"
        (x, low), (_, high) = (frame.at(sure, end) for end in wilson_interval(right, n))
        _, y = frame.at(sure, right / n)
        (left, top), (end, bottom) = (
            strip.at(m / bins, np.log10(n + 1)),
            strip.at((m + 1) / bins, 0),
        )
        parts.append(
            f'<g><title>{label}</title><path class=interval d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
            f'<circle class=validation cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            f'<rect class=count x="{left + 1:.1f}" y="{top:.1f}" width="{end - left - 2:.1f}" '
            f'height="{bottom - top:.1f}"/></g>'
        )
    parts.append(f'<path class=axis d="M{strip.left} {strip.bottom}H{strip.right}"/>')
    parts.append(f'<text class=middle x="238" y="{strip.bottom + 20}">confidence</text>')
    return _drawing(parts, 440, 424, "fraction of correct predictions against their confidence")


def _drawing(parts: list[str], width: int, height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role=img aria-label="{label}">\n'
        + "\n".join(parts)
        + "\n</svg>"
    )
