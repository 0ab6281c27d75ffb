"""Figures of the compute-optimal frontier: the bowls, the envelope, and optima against compute."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from scalekit.answers.frontier import Frontier
from scalekit.pictures import axes
from scalekit.words import check_known, require


def isoflop(frontier: Frontier, *, ax: Axes | None = None) -> Axes:
    """Draw where the best size lies at each budget: the bowls and minima of `scalekit.isoflop`.

    Notes
    -----
    How this misleads: the star is as good as the runs on both sides of it; a bowl seen from one
    side has a bottom only on paper.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = isoflop(sk.isoflop(sk.load("chinchilla"), [6e19, 1e20, 3e20, 6e20, 1e21]))
    """
    require(
        isinstance(frontier, Frontier) and frontier.curves is not None,
        "plot.isoflop: the result of sk.isoflop is wanted; that of sk.envelope has plot.envelope.",
    )
    runs, curves, best = frontier.runs, frontier.curves, frontier.points
    colours = axes.gradient(runs["budget"])
    ax = ax or axes.new_axes()
    for C, group in runs.groupby("budget"):
        color, curve = colours.to_rgba(C), curves[curves["C"] == C]
        refused = C not in set(best["C"])
        label = axes.human(C) + " (refused)" * refused
        ax.plot(group["N"], group["L"], "o", ms=3.5, color=color, alpha=0.8, label=label)
        ax.plot(curve["N"], curve["L"], ":" if refused else "-", color=color, lw=1.4)
    # (2, points): how far the ends of each interval lie from its optimum.
    reach = best[["N_low", "N_high"]].sub(best["N"], axis="index").abs().T
    star = {"color": "crimson", "mec": "white", "label": f"optimum, {frontier.level:.0%} interval"}
    ax.errorbar(best["N"], best["L"], xerr=reach, fmt="*", ms=11, lw=1.2, zorder=5, **star)
    return axes.finish(ax, "N", "L", title="Budget C (FLOP)")


def envelope(frontier: Frontier, *, ax: Axes | None = None) -> Axes:
    """Draw which model is best at each budget: the training curves of `scalekit.envelope`.

    Notes
    -----
    How this misleads: curves that touch at a slant hand over the envelope late; which model is
    lowest between two sizes is not known.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = envelope(sk.envelope(sk.load("gpt3_curves"), n=100))
    """
    require(
        isinstance(frontier, Frontier) and frontier.runs is not None and "model" in frontier.runs,
        "plot.envelope: the result of sk.envelope is wanted; that of sk.isoflop has plot.isoflop.",
    )
    runs, best = frontier.runs, frontier.points
    colours = axes.gradient(runs["N"])
    many = runs["model"].nunique() > 10
    ax = ax or axes.new_axes()
    for (N, _), group in runs.sort_values("C").groupby(["N", "model"]):
        label = None if many else f"N = {axes.human(N)}"
        ax.plot(group["C"], group["L"], "-o", ms=2, lw=1, color=colours.to_rgba(N), label=label)
    if many:
        axes.colorbar(ax, colours, "N")
    label = "lowest, between two others"
    ax.plot(best["C"], best["L"], lw=3, color="crimson", alpha=0.75, zorder=4, label=label)
    return axes.finish(ax, "C", "L")


def frontier(
    fronts: dict[str, Frontier | pd.DataFrame],
    quantity: str = "N",
    *,
    C: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how large a model a budget should buy: optima against compute, a line a method.

    `fronts` are, by label, results of `scalekit.envelope` and `scalekit.isoflop`, or tables of
    `scalekit.optimal`. `quantity` is the column drawn: N, D, D_per_N or, for tables only, L. The
    line of a Frontier reaches all the budgets of `fronts` and those in `C` (FLOP).

    Notes
    -----
    How this misleads: on log axes lines that differ by a factor of two lie close together, and
    bands that overlap do not make methods agree when they share their runs.

    Examples
    --------
    >>> import scalekit as sk
    >>> fit = sk.fit("chinchilla", sk.load("chinchilla"))
    >>> ax = frontier({"law": sk.optimal(fit, C=[1e20, 1e22, 1e24])})
    """
    require(
        isinstance(fronts, dict) and len(fronts) > 0,
        "plot.frontier: pass what to draw by label, as in {'law': sk.optimal(fit, C=[...])}.",
    )
    optima = {label: _optima(label, front, quantity) for label, front in fronts.items()}
    budgets = np.hstack([[] if C is None else C, pd.concat(optima)["C"]])
    grid = np.geomspace(budgets.min(), budgets.max(), 80)
    ax = ax or axes.new_axes()
    levels = set()
    for (label, table), marker, color in axes.distinct(optima.items()):
        dots = {"ls": "none", "marker": marker, "ms": 5, "color": color, "mec": "white", "mew": 0.5}
        front, low, high = fronts[label], f"{quantity}_low", f"{quantity}_high"
        if isinstance(front, Frontier):
            ax.plot(table["C"], table[quantity], markevery=max(1, len(table) // 25), **dots)
            table = _traced(front, grid)
        # The marker is in the legend only.
        _line(ax, table, quantity, label=label, color=color, marker=marker, markevery=[])
        if not isinstance(front, Frontier):
            ax.plot(table["C"], table[quantity], markevery=max(1, len(table) // 8), **dots)
        if low in table:
            ax.fill_between("C", low, high, data=table, color=color, alpha=0.15, lw=0)
            levels.add(f"{table.attrs.get('level', 0.95):.0%}")
    # Two entries of the legend that are nowhere in the picture.
    if levels:
        label = f"{' and '.join(sorted(levels))} confidence"
        label += ", with the law's own error" * (quantity == "L")
        ax.fill_between([], [], color="0.6", alpha=0.4, lw=0, label=label)
    ax.plot([], [], color="0.4", ls=axes.DASHES, label="outside the runs")
    return axes.finish(ax, "C", quantity, most=np.inf)


def _optima(label, front, quantity):
    """Return the optima of a Frontier, or a table of them, by budget."""
    table = front
    if isinstance(front, Frontier):
        table = front.points[["C", "N", "D"]].eval("D_per_N = D / N")
    who = f"plot.frontier, {label!r}"
    check_known(who, "column", ["C", quantity], getattr(table, "columns", ()))
    return table.sort_values("C")


def _traced(front, grid):
    """Return the power laws of a Frontier as a table like that of `scalekit.optimal`."""
    inside = front.points["C"].min(), front.points["C"].max()
    table = front.predict(np.union1d(grid, inside))
    table.attrs = {"C_range": inside, "level": front.level}
    return table


def _line(ax, table, quantity, **look):
    """Draw the line of a table: solid inside its runs, or of dots and dashes if it has none."""
    if "C_range" in table.attrs:
        axes.solid_inside(ax, table["C"], table[quantity], table.attrs["C_range"], lw=1.7, **look)
    else:
        ax.plot(table["C"], table[quantity], "-.", lw=1.3, **look)
