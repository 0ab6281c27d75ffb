"""Figures of runs and laws: observations, always; curves, solid in their range, dashed outside."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm

from scalekit.fits.bands import intervals, widened
from scalekit.fits.fit import Fit
from scalekit.fits.profile import held
from scalekit.formulas.law import Law
from scalekit.pictures import axes
from scalekit.words import check_known, require, tails

# Of the objective over its minimum, in `valley`.
_HEIGHTS = (1, 1.01, 1.03, 1.1, 1.3, 2, 4, 10, 30)


def runs(
    runs: pd.DataFrame, x: str = "C", y: str = "L", hue: str | None = "N", *, ax: Axes | None = None
) -> Axes:
    """Draw what the runs look like: a point each, over columns x and y, coloured by a third.

    Up to ten different numbers of `hue` are drawn as curves with a legend, more as points with a
    colour bar; words get a colour and a marker each.

    Notes
    -----
    How this misleads: on a log axis equal steps are equal ratios, so a floor in the loss looks like
    a bend, and many runs at one budget look like more evidence than they are.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = runs(sk.load("chinchilla"), x="C", y="L", hue="N")
    """
    axes.wanted(runs, pd.DataFrame, "plot", "a table of runs, as sk.load('chinchilla') gives,")
    check_known("plot", "column", [x, y, hue or x], runs.columns)
    ax = ax or axes.new_axes()
    if hue is None:
        ax.plot(runs[x], runs[y], "o", ms=4, alpha=0.7, color=axes.COLORS[0])
    elif not pd.api.types.is_numeric_dtype(runs[hue]):
        for (word, group), marker, color in axes.distinct(runs.groupby(hue, sort=False)):
            ax.plot(group[x], group[y], marker, ms=3.5, color=color, label=word)
    elif runs[hue].nunique() > 10:
        _dots(ax, runs[x], runs[y], runs[hue], lw=0.3, edgecolors="white")
    else:
        colours = axes.gradient(runs[hue])
        for (v, group), marker, _ in axes.distinct(runs.sort_values(x).groupby(hue)):
            look = {"color": colours.to_rgba(v), "label": axes.human(v)}
            ax.plot(group[x], group[y], f"-{marker}", ms=3.5, lw=1, **look)
    return axes.finish(ax, x, y, (runs[x], runs[y]), title=axes.LABELS.get(hue, hue))


def _dots(ax, x, y, values, **look):
    """Draw points coloured by many numbers, and their colour bar."""
    colours = axes.gradient(values)
    ax.scatter(x, y, s=18, c=colours.to_rgba(values), **look)
    axes.colorbar(ax, colours, values.name)


def fit(
    fit: Fit,
    x: str | None = None,
    hue: str | None = None,
    *,
    at: Sequence[float] | None = None,
    level: float = 0.95,
    floor: str | None = None,
    extend: float = 10.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the law passes through the runs, at a few values of another input.

    `x` and `hue` are inputs, by default the law's first and next; any other is held at its median,
    which the title says. The curves are at the values `at` of `hue`, by default four that spread
    evenly over the runs, in logs. They go on, dashed, a factor `extend` beyond the runs either way.

    A `floor`, a parameter such as ``"E"``, is subtracted from runs and curves: then a power law is
    a straight line. Runs at or below it are not drawn; the legend counts them. Without a floor, a
    fit that has draws gets a band of this `level`, and a lighter one around it beyond the runs,
    with the law's own error (see `Fit.predict`).

    Notes
    -----
    How this misleads: a dot may lie off every curve and fit well, for its colour may belong between
    two of them. The bands are the curve's, not those of a new run; the darker one holds outside the
    runs only if the law does.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = fit(sk.fit("chinchilla", sk.load("chinchilla")), x="D", hue="N")
    """
    axes.wanted(fit, Fit, "plot.fit", "the result of sk.fit")
    law, runs, y = fit.law, fit.runs, fit.law.output
    x = x or law.inputs[0]
    hue = hue or next((name for name in law.inputs if name != x), None)
    check_known(f"plot.fit of {law.formula!r}", "input", [x, hue or x], law.inputs)
    base, above = 0.0, runs
    if floor is not None:
        check_known(f"plot.fit of {law.formula!r}", "parameter", [floor], law.params)
        base = fit[floor]
        above = runs[runs[y] > base]
    dots = {"color": axes.COLORS[0]}
    curves = [({}, {"color": axes.COLORS[1], "label": "fitted law"})]
    if hue is not None:
        colours = axes.gradient(runs[hue])
        dots = {"c": colours.to_rgba(above[hue])}
        at = _spread(runs[hue]) if at is None else at
        curves = [*_by_value(hue, at, colours, "law at ")]
    ax = ax or axes.new_axes()
    lost = len(runs) - len(above)
    dots |= {"label": "runs" + f" ({lost} at or below {floor})" * (lost > 0), "zorder": 3}
    ax.scatter(above[x], above[y] - base, s=16, lw=0.3, edgecolors="white", **dots)
    low, high = float(runs[x].min()), float(runs[x].max())
    grid = np.linspace(low, high, 160)
    if low > 0:
        grid = np.union1d(np.geomspace(low / extend, high * extend, 160), [low, high])
    others = runs[list(law.inputs)].median().drop([x, hue], errors="ignore")
    banded = fit.draws is not None and floor is None
    for fixed, look in curves:
        inputs = pd.DataFrame({**others, **fixed, x: grid})
        axes.solid_inside(ax, grid, fit.predict(inputs) - base, (low, high), lw=1.6, **look)
        if banded:
            # low and high say where the curve is; pred_low and pred_high, where a new run falls.
            band = intervals(fit, inputs[list(law.inputs)], level, law=False)
            dark = band[["low", "high"]].to_numpy().T
            light = widened(
                fit.space, band["value"].to_numpy(), dark, band["law"].to_numpy(), level
            )
            for ends, alpha in ((light, 0.1), (dark, 0.14)):
                ax.fill_between(grid, *ends, color=look["color"], alpha=alpha, lw=0)
    if banded and curves:
        ax.collections[-1].set_label(f"{level:.0%} confidence")
        ax.collections[-2].set_label("with the law's own error")
    if len(others):
        ax.set_title(", ".join(others.index + " = " + others.map(axes.human)), fontsize="small")
    axes.finish(ax, x, y, (runs[x], above[y] - base))
    if floor is not None:
        ax.set_ylabel(f"{axes.LABELS.get(y, y)} above {floor} = {base:.3g}")
    return ax


def _by_value(hue, at, colours, before=""):
    """Yield, for each value of an input, what a curve holds fixed, and its colour and label."""
    for v in at:
        yield {hue: v}, {"color": colours.to_rgba(v), "label": f"{before}{hue} = {axes.human(v)}"}


def _spread(values):
    """Return four values that spread evenly over those given."""
    to, back = axes.even((values > 0).all())
    return back(np.unique(np.quantile(to(values), (0.05, 0.35, 0.65, 0.95))))


def curve(
    law: Law,
    constants: str | Mapping[str, float],
    x: str,
    span: tuple[float, float],
    *,
    inside: tuple[float, float] | None = None,
    hue: str | None = None,
    at: Sequence[float] | None = None,
    label: str | None = None,
    ax: Axes | None = None,
    **style: object,
) -> Axes:
    """Draw what a law claims at printed constants, and where it was measured.

    `constants` is a key of ``law.published``, or a value for every parameter. The input `x` runs
    over `span`; the curve is solid in the range that the authors measured, `inside` (all of `span`
    if not given), and dashed elsewhere. `hue` is an input that tells curves apart, one for each of
    its values `at`, which label them. `label` and `style` are for matplotlib's ``plot``.

    Notes
    -----
    How this misleads: a printed constant is rounded, and a curve drawn from it goes on where nobody
    measured.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = curve(sk.law("chinchilla"), "besiroglu2024", "D", (1e9, 1e12), hue="N", at=[1e8, 1e9])
    """
    check_known(f"plot.curve of {law.formula!r}", "input", [x, hue or x], law.inputs)
    require(hue is None or at is not None, f"plot.curve: hue = {hue!r} needs at=[values].")
    inside = span if inside is None else inside
    grid = np.union1d(np.geomspace(*span, 200), np.clip(inside, *span))
    inputs = {x: grid, **law.at(constants)}
    curves = [({}, {})] if hue is None else _by_value(hue, at, axes.gradient(at))
    ax = ax or axes.new_axes()
    style = {"lw": 1.7, "color": axes.COLORS[0], "label": label, **style}
    for fixed, look in curves:
        axes.solid_inside(ax, grid, law(**inputs, **fixed), inside, **{**style, **look})
    return axes.finish(ax, x, law.output)


def residuals(
    fit: Fit, x: str | None = None, hue: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw what the law misses: the residuals against a column of the runs, `x`.

    By default against the law's first input; `hue` is a column too. A curve or a fan says that the
    law does not hold. They are per cent of the fitted value in log space, else in its unit.

    Notes
    -----
    How this misleads: runs that share a model or a reading error lean together; a trend that they
    make is no fault of the law.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = residuals(sk.fit("chinchilla", sk.load("chinchilla")), x="D")
    """
    axes.wanted(fit, Fit, "plot.residuals", "the result of sk.fit")
    x = x or fit.law.inputs[0]
    check_known("plot.residuals", "column", [x, hue or x], fit.runs.columns)
    r, unit = fit.residuals(), "observed - fitted"
    if fit.space == "log":
        r, unit = 100 * np.expm1(r), "% of the fitted value"
    ax = ax or axes.new_axes()
    if hue is None:
        ax.scatter(fit.runs[x], r, s=18, color=axes.COLORS[0], alpha=0.75, lw=0)
    else:
        _dots(ax, fit.runs[x], r, fit.runs[hue], lw=0)
    ax.axhline(0, color="0.3", lw=1)
    axes.axis(ax, "x", x, fit.runs[x])
    ax.set_ylabel(f"Residual of {fit.law.output} ({unit})")
    return ax


def valley(
    fit: Fit, p: str, q: str, *, marks: Mapping | None = None, n: int = 41, ax: Axes | None = None
) -> Axes:
    """Draw which pairs of parameters fit about as well: the objective, the others refitted.

    Colours give the objective over its minimum at n values of `p` (x axis) and of `q` (y axis);
    dots are draws, if the fit has them. The axes cover the middle 98 % of these, or a factor of two
    about the estimate, and the marks: constants by label, of which only p and q are used, such as
    ``{"Hoffmann": law.published["hoffmann2022"]}``.

    Notes
    -----
    How this misleads: the picture is a slice of what the objective allows, not a probability; two
    pairs on its floor can still predict different losses far outside the runs.

    Examples
    --------
    >>> import scalekit as sk
    >>> ax = valley(sk.fit("chinchilla", sk.load("chinchilla")), "A", "alpha", n=11)
    """
    axes.wanted(fit, Fit, "plot.valley", "the result of sk.fit")
    check_known(f"plot.valley of {fit.law.formula!r}", "parameter", [p, q], fit.law.params)
    require(p != q, f"plot.valley: {p!r} and {q!r} must be two parameters.")
    marks = marks or {}
    for label, mark in marks.items():
        check_known(f"plot.valley, mark {label!r}", "constant", [p, q], mark)
    p_grid, q_grid = _cover(fit, p, marks, n), _cover(fit, q, marks, n)
    P, Q = _mesh(fit, p, q, p_grid, q_grid)
    height = held(fit, {p: P.ravel(), q: Q.ravel()})[1].reshape(P.shape) / fit.objective
    # Refitted to a tolerance, the objective may come out a trifle below its minimum.
    height = np.clip(height, 1, None)
    ax = ax or axes.new_axes()
    norm = BoundaryNorm(_HEIGHTS, 256, extend="max")
    drawn = ax.contourf(P, Q, height, _HEIGHTS, norm=norm, cmap="viridis_r", extend="max")
    bar = {"label": "Objective over its minimum", "ticks": _HEIGHTS, "format": "%g"}
    ax.figure.colorbar(drawn, ax=ax, pad=0.02, **bar)
    if fit.draws is not None:
        ax.plot(p, q, ".", data=fit.draws.head(500), ms=2, color="0.15", alpha=0.4, label="draws")
    ax.plot(fit[p], fit[q], "*", ms=13, color="white", mec="black", label="this fit")
    for (label, mark), marker, color in axes.distinct(marks.items(), first=1):
        ax.plot(mark[p], mark[q], marker, ms=8, color=color, mec="black", label=label)
    axes.axis(ax, "x", p, p_grid)
    axes.axis(ax, "y", q, q_grid)
    ax.set(xlim=p_grid[[0, -1]], ylim=q_grid[[0, -1]])
    ax.legend(fontsize="small", loc="upper left", framealpha=0.85, frameon=True)
    return ax


def _cover(fit, name, marks, n):
    """Return n values of a parameter over the draws or about the estimate, and over the marks."""
    to, back = axes.even(name not in fit.law.real)
    v = fit[name]
    ends = (v - 1 - abs(v), v + 1 + abs(v)) if name in fit.law.real else (v / 2, v * 2)
    if fit.draws is not None:
        ends = fit.draws[name].quantile(tails(0.98))
    shown = to([*ends, *(mark[name] for mark in marks.values())])
    margin = 0.05 * np.ptp(shown)
    return back(np.linspace(shown.min() - margin, shown.max() + margin, n))


def _mesh(fit, p, q, p_grid, q_grid):
    """Return points that crowd about the bottom of the valley: two arrays of shape (q, p)."""
    to, back = axes.even(p not in fit.law.real)
    low, high = to(p_grid[[0, -1]])
    # (q, 1): at each q the best p, about which the others are spaced by cubes.
    best = np.clip(to(held(fit, {q: q_grid})[0][p]), low, high)[:, None]
    # Of odd length, so that the middle one is the best itself.
    steps = np.linspace(-1, 1, len(p_grid) | 1) ** 3
    P = best + np.where(steps > 0, high - best, best - low) * steps
    return back(P), np.broadcast_to(q_grid[:, None], P.shape)
