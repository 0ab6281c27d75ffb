"""What all figures share. Only `style` changes matplotlib's settings, and when you call it."""

from collections.abc import Iterable
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import colors, ticker
from numpy.typing import ArrayLike

from scalekit.words import require

LABELS = {
    "C": "Training compute C (FLOP)",
    "N": "Parameters N",
    "D": "Training tokens D",
    "L": "Loss L (nats/token)",
    "D_per_N": "Tokens per parameter D/N",
}
COLORS = sns.color_palette("colorblind")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = (0, (4, 2))


def style() -> None:
    """Set a plain seaborn theme for the session: white, colour-blind palette, 7 by 4.5 inches.

    Examples
    --------
    >>> style()
    """
    sns.set_theme(
        style="ticks",
        palette="colorblind",
        font_scale=0.95,
        rc={
            "figure.figsize": (7, 4.5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "0.92",
            "legend.frameon": False,
        },
    )


def human(x: float, _: object = None) -> str:
    """Write a count as people say it: 10M, 1B, 1.4T.

    Examples
    --------
    >>> human(1.4e12), human(10e6), human(350), human(6e18)
    ('1.4T', '10M', '350', '6e18')
    """
    if x and not 1e-3 <= abs(x) < 1e15:
        mantissa, exponent = f"{x:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        # What rounds to a thousand in three digits is one of the next size.
        if abs(x) >= 0.9995 * size:
            return f"{float(f'{x / size:.3g}'):g}{letter}"
    return f"{x:.3g}"


def axis(ax: plt.Axes, which: str, column: str, values: ArrayLike | None = None) -> None:
    """Label the x or y axis (`which`) for a column; logarithmic unless a value drawn is <= 0."""
    require(which in ("x", "y"), f"axis: which = {which!r} is unknown; use 'x' or 'y'.")
    ax.set(**{f"{which}label": LABELS.get(column, column)})
    if values is None or not np.any(np.asarray(values) <= 0):
        ax.set(**{f"{which}scale": "log"})
        own = getattr(ax, f"{which}axis")
        if column == "C":
            own.set(major_locator=ticker.LogLocator(numticks=9), minor_locator=ticker.NullLocator())
        else:
            round_ticks(own)


def round_ticks(own: plt.matplotlib.axis.Axis) -> None:
    """Give an x or y axis round ticks, written as people say them."""
    own.set(major_locator=_RoundTicks(), minor_locator=ticker.NullLocator(), major_formatter=human)


class _RoundTicks(ticker.MaxNLocator):
    """A handful of round ticks on a log axis, at most eight."""

    def tick_values(self, vmin, vmax):
        low, high = sorted((vmin, vmax))
        if low <= 0:
            return ticker.MaxNLocator(6).tick_values(low, high)
        for enough, ticks in _tries(low, high):
            inside = ticks[(ticks >= low) & (ticks <= high)]
            if len(inside) >= enough:
                break
        return inside[:: max(1, -(-len(inside) // 8))]


def _tries(low, high):
    """Yield how many ticks must lie inside and which: round ones, then evenly spaced ones."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for digits in ([1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7]):
        yield 4, np.outer(decades, digits).ravel()
    for bins in (6, 9):
        yield 3, ticker.MaxNLocator(bins, steps=[1, 2, 5, 10]).tick_values(low, high)


def new_axes() -> plt.Axes:
    """Return the Axes of a new figure."""
    return plt.subplots(figsize=(7, 4.5), layout="constrained")[1]


def finish(
    ax: plt.Axes, x: str, y: str, values: tuple = (), title: str | None = None, most: float = 6
) -> plt.Axes:
    """Prepare both axes, `values` as in `axis`, and the legend: outside if of more than `most`."""
    axis(ax, "x", x, *values[:1])
    axis(ax, "y", y, *values[1:])
    entries = len(ax.get_legend_handles_labels()[0])
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if entries > most else {}
    if entries:
        ax.legend(title=title, frameon=False, fontsize="small", **place)
    return ax


def distinct(items: Iterable, first: int = 0) -> Iterable[tuple]:
    """Pair each item with a marker and a colour (from the `first` on), over and over again."""
    return zip(items, cycle(MARKERS), cycle(COLORS[first:] + COLORS[:first]), strict=False)


def gradient(values: ArrayLike) -> plt.cm.ScalarMappable:
    """Return colours of ordered values: viridis, in logs if all are positive, else in steps.

    More than ten different values get six bins with round edges: an eye tells six colours apart.
    """
    different = np.unique(np.asarray(values, float))
    low, high = different[[0, -1]]
    if len(different) > 10:
        edges = _edges(low, high)
        # Viridis stops short of its end, which is too pale on white.
        steps = colors.ListedColormap(plt.cm.viridis(np.linspace(0, 0.9, len(edges) - 1)))
        return plt.cm.ScalarMappable(colors.BoundaryNorm(edges, steps.N), steps)
    if 0 < low < high:
        norm = colors.LogNorm(low, high * (high / low) ** 0.1)
    else:
        norm = colors.Normalize(low, high + 0.1 * (high - low or high))
    return plt.cm.ScalarMappable(norm, "viridis")


def _edges(low, high):
    """Return about seven round numbers that cover a range evenly, in logs where it is positive."""
    if low <= 0:
        return ticker.MaxNLocator(6).tick_values(low, high)
    inner = np.geomspace(low, high, 7)[1:-1]
    # as many digits as tell neighbours apart
    digits = max(0, int(np.ceil(-np.log10(inner[1] / inner[0] - 1))))
    unit = 10.0 ** (np.floor(np.log10([low, high])) - digits)
    ends = np.floor(low / unit[0]) * unit[0], np.ceil(high / unit[1]) * unit[1]
    return np.unique([ends[0], *(float(f"{v:.{digits}e}") for v in inner), ends[1]])


def colorbar(ax: plt.Axes, colours: plt.cm.ScalarMappable, column: str) -> None:
    """Draw the bar that reads the colours of a column."""
    bar = ax.figure.colorbar(colours, ax=ax, pad=0.02, label=LABELS.get(column, column))
    if isinstance(colours.norm, colors.BoundaryNorm):
        bar.set_ticks(colours.norm.boundaries, labels=map(human, colours.norm.boundaries))
        bar.ax.minorticks_off()
    else:
        round_ticks(bar.ax.yaxis)
    bar.outline.set_visible(False)


def label_lines(ax: plt.Axes) -> None:
    """Write the label of each line at its right end, in its colour, in place of the legend.

    Call it last: labels that would touch are moved apart by the limits that the axes then have.

    Examples
    --------
    >>> ax = new_axes()
    >>> line = ax.plot([1, 2], [1, 2], label="twice as large")
    >>> label_lines(ax)
    """
    # limits and layout are settled late
    ax.figure.draw_without_rendering()
    ends = [(*_right_end(ax, line), line) for line in ax.get_lines() if line.get_label()[:1] != "_"]
    height = 1.3 * 9 * ax.figure.dpi / 72
    placed = []
    for x, y, line in sorted(ends, key=lambda end: end[1]):
        beside = [other + height for at, other in placed if abs(at - x) < 8 * height]
        placed.append((x, max([y, *beside])))
        up = (placed[-1][1] - y) * 72 / ax.figure.dpi
        at = ax.transData.inverted().transform((x, y))
        look = {"color": line.get_color(), "fontsize": 9, "va": "center"}
        ax.annotate(line.get_label(), at, (5, up), textcoords="offset points", **look)
    if ax.get_legend():
        ax.get_legend().remove()


def _right_end(ax, line):
    """Return where, in pixels, the last visible point of a line lies, its dashed part included."""
    parts = [other for other in ax.get_lines() if other.get_label()[:1] == "_"]
    same = [other for other in parts if colors.same_color(other.get_color(), line.get_color())]
    # (points, 2) in pixels
    points = np.vstack([ax.transData.transform(part.get_xydata()) for part in (line, *same)])
    low, high = ax.bbox.min, ax.bbox.max
    inside = points[((points >= low - 1) & (points <= high + 1)).all(axis=1)]
    return inside[inside[:, 0].argmax()] if len(inside) else ax.bbox.max


def solid_inside(
    ax: plt.Axes, x: ArrayLike, y: ArrayLike, inside: tuple, label: str | None, **look: object
) -> None:
    """Draw a curve, solid for x in the range `inside`, dashed outside."""
    x, y = _with_ends(np.asarray(x, float), np.asarray(y, float), inside)
    low, high = inside
    # The ends of the range, which may be off by rounding, belong to both parts: these meet.
    near = 1 + 1e-9
    for outside in (x <= low * near, x >= high / near):
        if outside.sum() > 1:
            ax.plot(x[outside], y[outside], ls=DASHES, **look)
    within = (x >= low / near) & (x <= high * near)
    ax.plot(x[within], y[within], ls="-", label=label, **look)


def _with_ends(x, y, inside):
    """Return a curve with points at the ends of a range, where it passes these between two."""
    between = [v for v in inside if x[0] < v < x[-1] and not np.isclose(x, v, 1e-9, 0).any()]
    to, back = even(bool((x > 0).all() and (y > 0).all()))
    new = back(np.interp(to(between), to(x), to(y)))
    at = np.searchsorted(x, between)
    return np.insert(x, at, between), np.insert(y, at, new)


def even(positive: bool) -> tuple:
    """Return the way to an even scale and back: logs of what is positive, else nothing."""
    return (np.log, np.exp) if positive else (np.asarray, np.asarray)


def wanted(thing: object, kind: type, who: str, what: str) -> None:
    """Raise a ValueError unless a thing is of the kind that is wanted."""
    require(isinstance(thing, kind), f"{who}: {what} is wanted; got {type(thing).__name__}.")
