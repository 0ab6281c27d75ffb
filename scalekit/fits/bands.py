"""Intervals of what follows from the parameters: of curves, new runs and derived quantities."""

import numpy as np
import pandas as pd
import sympy
from scipy.special import ndtri

from scalekit.fits import reach, scatter
from scalekit.formulas.parse import compiled, expression, names, to_sympy
from scalekit.words import check_known, require, tails

# Curve values that `intervals` holds at once, 32 MB.
_AT_ONCE = 4_000_000
_ENDS = ["low", "high", "pred_low", "pred_high"]
# Between these quantiles lie two standard deviations of a normal.
_MIDDLE = (0.15866, 0.84134)


def draws_of(fit, who: str) -> pd.DataFrame:
    """Return the draws of a fit, or say how to get them."""
    if fit.draws is None:
        raise ValueError(
            f"{who}: this fit has no draws, so nothing is known of its uncertainty; "
            "call fit = fit.bootstrap(1000) first."
        )
    return fit.draws


def interval(drawn: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return the percentile interval of each column of some draws: low and high, a row a column."""
    return drawn.quantile(list(tails(level))).T.set_axis(["low", "high"], axis=1)


def curves(law, inputs, draws: pd.DataFrame) -> np.ndarray:
    """Evaluate the law at each draw (rows) and each input (columns)."""
    flat = {name: np.ravel(values)[None, :] for name, values in inputs.items()}
    return law(**flat, **{p: draws[p].to_numpy()[:, None] for p in draws})


def intervals(fit, inputs, level: float, law: bool) -> pd.DataFrame:
    """Value, intervals, their parts and the reach of the law at `inputs`; see `Fit.predict`."""
    draws, quantiles = draws_of(fit, "predict"), tails(level)
    rng = np.random.default_rng(fit.seed)
    points = pd.DataFrame({name: np.ravel(values) for name, values in inputs.items()}, dtype=float)
    step = max(1, _AT_ONCE // len(draws))
    parts = []
    for i in range(0, len(points), step):
        part = points[i : i + step]
        drawn = curves(fit.law, part, draws)
        where = np.quantile(drawn, quantiles, axis=0)
        # low and high of both, and the middle of a new run: (6, points)
        new = np.quantile(scatter.noisy(fit, part, drawn, rng), (*quantiles, *_MIDDLE), axis=0)
        parts.append(np.vstack([where, new]))
    *ends, below, above = np.hstack(parts)
    value = fit.law(**points, **fit.params)
    error, far = reach.law_error(fit, {name: x.to_numpy() for name, x in points.items()})
    if law:
        # curve and new run, low and high, points
        ends = widened(fit.space, value, np.reshape(ends, (2, 2, -1)), error, level)
    found = pd.DataFrame(np.reshape(ends, (4, -1)).T, columns=_ENDS)
    found.insert(0, "value", value)
    noise = reach.apart(fit.space, below, above) / 2
    return found.assign(noise=noise, law=error, reach=far)


def widened(space: str, value, ends: np.ndarray, error, level: float) -> np.ndarray:
    """Widen intervals, (..., 2, points), by the law's error: squares of half-widths add."""
    side = np.array([[-1], [1]])
    half = np.maximum(side * reach.apart(space, value, ends), 0)
    move = side * (np.hypot(half, ndtri(tails(level)[1]) * error) - half)
    return ends * np.exp(move) if space == "log" else ends + move


@np.errstate(all="ignore")
def derive(fit, formula: str, level: float | None) -> pd.Series:
    """Carry a formula in the parameters through the draws; see `Fit.derive`."""
    quantity, used = _quantity(formula, list(fit.params.index))
    draws = [] if fit.draws is None else fit.draws[used].to_numpy()
    # the estimates are the first row, the draws the others
    rows = np.vstack([fit.params[used], *draws])
    values = np.broadcast_to(quantity(*rows.T), len(rows))
    bad = (~np.isfinite(values)).sum()
    require(
        not bad, f"derive: {formula!r} is not finite for {bad} of {len(rows)} parameter values."
    )
    out = pd.Series(np.nan, ["value", "se", "low", "high"], name=formula)
    out["value"] = values[0]
    if len(draws):
        out["se"] = values[1:].std(ddof=1)
        out[["low", "high"]] = np.quantile(values[1:], tails(level))
    return out


def _quantity(formula, known):
    """Compile a formula in known names; return the function and the names it takes."""
    require(
        isinstance(formula, str),
        f"derive: a formula such as 'beta/(alpha + beta)' is wanted, got {type(formula).__name__}.",
    )
    tree = expression(formula)
    used = names(tree)
    check_known("derive", "parameter", used, known)
    require(used, f"derive: {formula!r} holds no parameter; there are {', '.join(known)}.")
    symbols = {name: sympy.Symbol(name, real=True) for name in used}
    return compiled(list(symbols.values()), to_sympy(tree, symbols)), used
