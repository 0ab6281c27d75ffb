"""Where two fitted curves meet, and how surely."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from scalekit.fits.bands import curves
from scalekit.fits.fit import Fit
from scalekit.tables.check import inputs
from scalekit.words import is_number, require, tails


@dataclass(frozen=True)
class Crossover:
    """Where two curves meet: `x` and the `value` there, None where they do not within reach.

    `low` and `high` are the 95 % interval; an end may be 0 or infinite. `share` is the part of the
    draws that cross within reach, `ahead` the curve (1 or 2) that is lower beyond the crossing, or
    throughout. `inside`: whether x is in the range of both fits' runs. `others`: further crossings.
    """

    along: str
    x: float | None
    value: float | None
    low: float
    high: float
    share: float
    ahead: int
    searched: tuple
    inside: bool
    others: tuple = ()

    def describe(self) -> str:
        """Say in one sentence whether, where and how surely they cross."""
        share = f"{self.share:.0%} of the draws cross"
        drawn = self.share >= 0
        if self.x is None:
            first, last = self.searched
            near = f"; {share}, at {self.low:.3g} or beyond (95% interval)"
            doubt = (near if np.isfinite(self.low) else f"; {share}") * drawn
            return (
                f"They do not cross within reach ({self.along} from {first:.3g} to {last:.3g}): "
                f"curve {self.ahead} is lower throughout{doubt}."
            )
        text = f"They cross at {self.along} = {self.x:.3g}; beyond it curve {self.ahead} is lower."
        if drawn:
            text += f" 95% interval {_end(self.low)} to {_end(self.high)}; {share} within reach."
        else:
            text += " Its uncertainty was not estimated."
        if not self.inside:
            text += " That is outside the range of the runs of at least one of them."
        others = ", ".join(map("{:.3g}".format, self.others))
        return text + f" They also meet at {others}." * bool(others)


def _end(x):
    return {0.0: "below reach", np.inf: "beyond reach"}.get(x, f"{x:.3g}")


def crossover(
    fit1: Fit, fit2: Fit, *, along: str | None = None, at: dict | None = None, reach: float = 100.0
) -> Crossover:
    """Find where two fitted curves meet, with an interval, or say that they do not within reach.

    `along` names the input to move along, needed where the laws have more than one; `at` gives the
    others: numbers, or functions of the one that moves, ``{"D": lambda N: 20 * N}``. Looked at is
    the range of the runs and a factor of `reach` beyond it on both sides. The crossing gets a 95 %
    interval if both fits have draws, paired in order, which is right for fits to different runs.

    Notes
    -----
    How this misleads: curves of nearly equal slope cross anywhere; look at the interval, not at x.
    An infinite end says only that draws do not cross within reach, not that they never do. A draw
    that does not counts as beyond reach, or as below it where it is throughout as the estimates
    are after their crossing; if these do not cross, always as beyond.

    Examples
    --------
    >>> import pandas as pd
    >>> from scalekit.fits.fit import fit
    >>> N = np.logspace(6, 9, 8)
    >>> one = fit("L(N) = A/N**alpha", pd.DataFrame({"N": N, "L": 9 / N**0.1}))
    >>> two = fit("L(N) = A/N**alpha", pd.DataFrame({"N": N, "L": 36 / N**0.2}))
    >>> round(crossover(one, two).x, 3)
    1048576.0
    """
    need_fits("crossover", fit1, fit2)
    along = _moving(fit1.law, fit2.law, along)
    first, last = zip(fit1.data_range[along], fit2.data_range[along], strict=True)
    require(
        is_number(reach) and reach >= 1 and min(first) > 0,
        f"crossover: reach must be at least 1 and {along} positive; got {reach!r} and runs "
        f"from {along} = {min(first):.3g}.",
    )
    ends = (min(first) / reach, max(last) * reach)
    grid = np.geomspace(*ends, 401)

    def values(fit, x, constants):
        places = {**(at or {}), along: x}
        given = {k: v(x) if callable(v) else v for k, v in places.items() if k in fit.law.inputs}
        given = inputs(fit.law.inputs, None, given, who="crossover, at")
        return curves(fit.law, given, constants)

    def gap(x, constants1, constants2):
        return values(fit1, x, constants1) - values(fit2, x, constants2)

    best = fit1.params.to_frame().T, fit2.params.to_frame().T
    here = gap(grid, *best)[0]
    require(here.any(), "crossover: the two curves are one and the same.")
    lower = here < 0
    roots = [
        brentq(lambda x: gap(x, *best).item(), *grid[i : i + 2], rtol=1e-12)
        for i in np.flatnonzero(np.diff(lower))
    ]
    middle = np.sqrt(max(first) * min(last))
    x = min(roots, key=lambda root: abs(np.log(root / middle)), default=None)
    value, inside, after = None, False, lower[-1]
    if x is not None:
        value = values(fit1, x, best[0]).item()
        inside = max(first) <= x <= min(last)
        after = lower[min(np.searchsorted(grid, x, side="right"), len(grid) - 1)]
    low, high, share = 0.0, np.inf, np.nan
    if fit1.draws is not None and fit2.draws is not None:
        n = min(len(fit1.draws), len(fit2.draws))
        gaps = gap(grid, fit1.draws.iloc[:n], fit2.draws.iloc[:n])
        low, high, share = _drawn(grid, gaps, x, middle, after)
    ahead = 1 if after else 2
    others = tuple(root for root in roots if root != x)
    return Crossover(along, x, value, low, high, share, ahead, ends, inside, others)


def _moving(law1, law2, along):
    require(
        law1.output == law2.output,
        f"crossover: one law gives {law1.output}, the other {law2.output}; they cannot meet.",
    )
    names = sorted({*law1.inputs, *law2.inputs})
    if along is None and len(names) == 1:
        along = names[0]
    require(
        along in law1.inputs and along in law2.inputs,
        f"crossover: along must name an input of both laws ({', '.join(names)}), got {along!r}.",
    )
    return along


def _drawn(grid, gaps, x, middle, after):
    """Where draws cross, gaps (draws, grid): a 95 % interval, and the share that cross in reach."""
    draw, i = np.nonzero(np.diff(gaps < 0))
    part = gaps[draw, i] / (gaps[draw, i] - gaps[draw, i + 1])
    chord = grid[i] * (grid[i + 1] / grid[i]) ** part
    # a draw without a crossing: below reach if it is throughout as after the crossing, else beyond;
    # where the estimates do not cross there is no after
    below = x is not None and (gaps[:, -1] < 0) == after
    places = np.where(below, 0.0, np.full(len(gaps), np.inf))
    # the last to be written stays: the chord (in ln x) nearest to x
    order = np.argsort(-np.abs(np.log(chord / (x or middle))))
    places[draw[order]] = chord[order]
    low, high = np.quantile(places, tails(0.95), method="nearest")
    return float(low), float(high), len(np.unique(draw)) / len(gaps)


def need_fits(who: str, *fits: Fit) -> None:
    """Refuse what is no fit."""
    for found in fits:
        require(
            isinstance(found, Fit),
            f"{who}: got {type(found).__name__} where a fit belongs; make one with "
            "sk.fit(law, runs).",
        )
