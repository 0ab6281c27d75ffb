"""Name the shape of a trend, such as positive, inverse or U-shaped, and say how sure that is."""

from dataclasses import dataclass
from functools import lru_cache
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scalekit.words import is_number, require

SHAPES = ("flat", "positive", "inverse", "U-shaped", "inverted-U")
# Noise-only data sets behind every p-value: they resolve p = .05 to about +-.003.
_DRAWS = 4000
# Below this p even one free turn does not explain the points, and nothing is claimed.
_MISFIT = 0.01
# Points; the work grows with their cube.
_MAX = 24


@dataclass(frozen=True)
class Trend:
    """What `trend` found: `label`, one of `SHAPES` or undecided, and what speaks for it.

    `evidence` has a row a shape: chi2 of its best curve, freedom (effective number of parameters),
    weight. `p_monotone`, `p_turn` and `p_misfit` are the chances, were there only noise, of so
    large a gain of a monotone curve over a constant, of one turn over a monotone curve, and of
    points so far from the best curve with one turn. `turn` is x between the two points where the
    best curve turns; NaN unless the leading shape turns. `x`, `y` and `se` are the points in order
    of x, `se` with the scatter added, and `curves` the best curve of each shape there.
    """

    label: str
    evidence: pd.DataFrame
    p_monotone: float
    p_turn: float
    p_misfit: float
    turn: float
    x: np.ndarray
    y: np.ndarray
    se: np.ndarray
    curves: pd.DataFrame
    alpha: float = 0.05

    def __repr__(self):
        weights = ", ".join(f"{k} {w:.2f}" for k, w in self.evidence["weight"].items())
        return f"Trend({self.label!r}; {weights}; {len(self.x)} points)"

    def describe(self) -> str:
        """Return one plain sentence: the label, its evidence and what speaks against it."""
        w = self.evidence["weight"]
        lead, rival = w.sort_values(ascending=False).index[:2]
        end = f"; it turns near {self.turn:.3g}." if np.isfinite(self.turn) else "."
        if self.p_misfit < _MISFIT:
            end = (
                f". The points scatter more than their standard errors allow ({_p(self.p_misfit)})."
            )
        return (
            f"{self.label}: {lead} holds {w[lead]:.0%} of the evidence, {rival} {w[rival]:.0%}; "
            f"{_p(self.p_monotone)} for a slope, {_p(self.p_turn)} for a turn{end}"
        )


def _p(value):
    return f"p = {value:.2g}" if value > 1.5 / _DRAWS else f"p < {2 / _DRAWS:.2g}"


def trend(
    x: ArrayLike, y: ArrayLike, se: ArrayLike, *, scatter: float = 0.0, alpha: float = 0.05
) -> Trend:
    """Name the shape of an accuracy along size, tokens or compute, with the evidence for each.

    ``q = chi2 + 2 k``, ``weight = exp(-q/2)`` over their sum (Akaike 1974)

    for five nested shapes: a constant; a curve that never falls (positive) or never rises
    (inverse); one that falls, then rises (U-shaped), or rises, then falls (inverted-U). Each is
    fitted by weighted least squares under that restriction alone (Robertson, Wright and Dykstra
    1988), so a straight line, a sigmoid and a plateau are all simply positive. k is its effective
    number of parameters (Meyer and Woodroofe 2000), simulated on noise with these weights.

    The label is the shape with more than half of the weight. A slope must also reject the constant,
    and a turn the monotone curve, at level `alpha`, against 4000 data sets of pure noise. Anything
    else is **undecided**, as are points that even a turn leaves unexplained (p < .01).

    `x`, shape (n,), is size, tokens or compute at 4 to 24 points; the label needs their order. `y`
    is the accuracy, 0 to 1, and `se` its standard error, of each or of all. The standard deviation
    `scatter` between runs that differ only in their seed is added to `se` in quadrature.

    Notes
    -----
    How this misleads: binomial standard errors know nothing of the seed. Where runs scatter more
    and `scatter` is left at 0, turns are found that are not there. The shape is that of the range
    seen: an inverse trend may turn beyond the last point. Flat means that no trend was shown, and
    positive or inverse that no turn was; undecided is not flat.

    Error rates, on planted trends of 4 to 16 points with true standard errors: no trend at all gets
    a name in 4 to 9 % (two tests at 5 %); a line or a sigmoid of five standard errors or more gets
    a turn in up to 5 %, **but one jump** between level stretches in 4 to 7 % in the middle and 5 to
    12 % at an end, where only one monotone curve competes with the turn. Where five or six answers
    are expected to be right (or wrong), the standard error is noise itself, and no trend at all
    gets a name in about 16 %; from nine on, in up to 11 %. A trend of 1.5 standard errors is flat
    in up to 40 %. A parabola under AICc, which follows no plateau, calls almost half of the planted
    monotone curves U-shaped or inverted-U; it was ruled out before any real label was looked at.

    Examples
    --------
    >>> x = [1e8, 3e8, 1e9, 3e9, 1e10, 3e10]
    >>> trend(x, [0.50, 0.42, 0.33, 0.35, 0.44, 0.52], 0.015).label
    'U-shaped'
    """
    x, y, se = _points(x, y, se)
    require(
        is_number(scatter) and 0 <= scatter <= 0.5,
        f"trend: scatter must be a number from 0 to 0.5, in the unit of y; got {scatter!r}.",
    )
    require(
        is_number(alpha) and 0 < alpha < 0.5,
        f"trend: alpha must lie between 0 and 0.5, as in 0.05; got {alpha!r}.",
    )
    se = np.hypot(se, scatter)
    w = 1 / se**2
    freedom, noise = _noise(tuple(float(f"{v:.3g}") for v in w / w.max()))
    chi2, cuts = _chi2(y[None], w)
    q = chi2[0] + 2 * freedom
    weight = np.exp(-0.5 * (q - q.min()))
    weight /= weight.sum()
    best = int(weight.argmax())
    # the share of noise-only data sets whose statistic is at least as large, this one counted in
    as_large = (noise >= _statistics(chi2)).sum(axis=1)
    p_monotone, p_turn, p_misfit = p = ((1 + as_large) / (1 + _DRAWS)).tolist()
    against = (0.0, p_monotone, p_monotone, p_turn, p_turn)[best]
    sure = weight[best] > 0.5 and against <= alpha and p_misfit >= _MISFIT
    turn = np.nan
    if best >= 3:
        # the geometric mean of the points before and after it
        turn = float(np.sqrt(x[cuts[best - 3, 0] - 1 :][:2]).prod())
    evidence = pd.DataFrame({"chi2": chi2[0], "freedom": freedom, "weight": weight}, index=SHAPES)
    curves = pd.DataFrame(_curves(y, w, *cuts[:, 0]), index=x, columns=evidence.index)
    label = SHAPES[best] if sure else "undecided"
    return Trend(label, evidence, *p, turn, x, y, se, curves, alpha)


def _numbers(name, values):
    values = np.asarray(values)
    require(
        values.dtype.kind in "biuf" or all(isinstance(v, Real) for v in values.flat),
        f"trend: {name} must hold numbers, got {values!s:.60}; sizes such as '70m' are 70e6.",
    )
    values = values.astype(float)
    bad = (~np.isfinite(values)).sum()
    require(not bad, f"trend: {name} holds {bad} values that are not finite; drop those points.")
    return values


def _points(x, y, se):
    x, y, se = _numbers("x", x), _numbers("y", y), _numbers("se", se)
    require(
        x.ndim == 1 and 4 <= x.size <= _MAX,
        f"trend: 4 to {_MAX} points are wanted, got {x.size}, shape {x.shape}. With fewer all "
        "shapes fit; with more, average neighbours.",
    )
    require(
        y.shape == x.shape and se.shape in ((), x.shape),
        f"trend: {x.size} values of x, {y.size} of y and {se.size} of se; give one y for each x, "
        "and one se for each or for all.",
    )
    require(
        (x > 0).all() and np.unique(x).size == x.size,
        "trend: x must be positive and distinct; average the runs of one size first.",
    )
    require(
        y.min() >= 0 and y.max() <= 1,
        f"trend: y must lie between 0 and 1, got {y.min():g} to {y.max():g}; divide per cent by "
        "100.",
    )
    se = np.broadcast_to(se, x.shape)
    zero = np.flatnonzero(se <= 0).tolist()
    require(
        not zero,
        f"trend: {len(zero)} standard errors are <= 0 (points {zero[:5]}); an accuracy of 0 or 1 "
        "is not exact: use sqrt(p(1-p)/n) with p = (right + 1)/(n + 2).",
    )
    # p(1 - p) is at most 1/4; 1e-6 would take 1e11 questions
    require(
        se.min() >= 1e-6 and se.max() <= 0.5,
        f"trend: standard errors run from {se.min():g} to {se.max():g}, and no accuracy has one "
        "below 1e-6 or above 0.5; divide per cent by 100.",
    )
    order = np.argsort(x)
    return x[order], y[order], se[order]


@lru_cache(maxsize=256)
def _noise(weights):
    """Return each shape's freedom, and the statistics, (3, _DRAWS), where there is only noise."""
    w = np.array(weights)
    z = np.random.default_rng(0).standard_normal((_DRAWS, len(w))) / np.sqrt(w)
    # A part at a time, which bounds the memory that all pairs of points take.
    step = max(1, 2_000_000 // len(w) ** 2)
    chi2 = np.vstack([_chi2(z[i : i + step], w)[0] for i in range(0, _DRAWS, step)])
    # A fit to noise explains as much of it as it has parameters.
    freedom = (w * z**2).sum(1).mean() - chi2.mean(0)
    return freedom, _statistics(chi2)


def _statistics(chi2):
    """Gain of a monotone curve over the constant, of a turn over that, and what a turn leaves."""
    monotone, turn = chi2[:, 1:3].min(1), chi2[:, 3:5].min(1)
    return np.stack([chi2[:, 0] - monotone, monotone - turn, turn])


def _chi2(y, w):
    """Return chi2 of the shapes for data sets y (P, n): (P, 5), and where two turn: (2, P)."""

    def rising(v, w):
        return (w * (v - _isotonic(v, w)) ** 2).sum(1)

    flat = (w * (y - (w * y).sum(1, keepdims=True) / w.sum()) ** 2).sum(1)
    # Falls, then rises; rises, then falls; the second part begins at point m: (2, n - 1, P).
    turning = np.array(
        [
            [rising(-v[:, :m], w[:m]) + rising(v[:, m:], w[m:]) for m in range(1, len(w))]
            for v in (y, -y)
        ]
    )
    chi2 = np.stack([flat, rising(y, w), rising(-y, w), *turning.min(1)], axis=1)
    return chi2, 1 + turning.argmin(1)


def _curves(y, w, low, high):
    """Fit each shape once, columns as SHAPES; `low` and `high` are the points after the turns."""

    def fitted(sign, i=None, j=None):
        return sign * _isotonic(sign * y[None, i:j], w[i:j])[0]

    u_shaped = np.r_[fitted(-1, j=low), fitted(1, low)]
    inverted = np.r_[fitted(1, j=high), fitted(-1, high)]
    return np.column_stack(
        [0 * y + np.average(y, weights=w), fitted(1), fitted(-1), u_shaped, inverted]
    )


def _isotonic(y, w):
    """Return the best curve that never falls, for each row of y, by the max-min formula."""
    # whether b >= a, for all pairs of points
    ordered = np.tri(len(w), dtype=bool).T
    outside = np.where(ordered, 0.0, np.inf)
    # sums over the points a..b as differences of sums from the first point on.
    cw, cy = np.zeros(len(w) + 1), np.zeros((len(y), len(w) + 1))
    np.cumsum(w, out=cw[1:])
    np.cumsum(w * y, axis=1, out=cy[:, 1:])
    size = np.where(ordered, cw[1:] - cw[:-1, None], 1.0)
    # mean of the points a..b, (rows, a, b); then the least over b >= i, the most over a <= i
    mean = (cy[:, None, 1:] - cy[:, :-1, None]) / size + outside
    least = np.minimum.accumulate(mean[:, :, ::-1], axis=2)[:, :, ::-1]
    return (least - outside).max(1)
