"""Intervals of what follows from the parameters: of curves, new runs and derived quantities."""

import numpy as np
import pandas as pd
import sympy

from scalekit.formulas.parse import compiled, expression, names, to_sympy
from scalekit.words import check_known, require, tails

# Curve values that `intervals` holds at once, 32 MB.
_AT_ONCE = 4_000_000


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


def noisy(fit, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add to curves (draws, points) the residual of a run, widened for the parameters spent."""
    widen = np.sqrt(fit.n_obs / (fit.n_obs - len(fit.params)))
    noise = rng.choice(fit.residuals().to_numpy() * widen, drawn.shape)
    return drawn * np.exp(noise) if fit.space == "log" else drawn + noise


def intervals(fit, inputs, level: float) -> pd.DataFrame:
    """Value, confidence and prediction interval of the law at `inputs`; see `Fit.predict`."""
    draws, quantiles = draws_of(fit, "predict"), tails(level)
    rng = np.random.default_rng(fit.seed)
    points = pd.DataFrame({name: np.ravel(values) for name, values in inputs.items()})
    step = max(1, _AT_ONCE // len(draws))
    parts = []
    for i in range(0, len(points), step):
        drawn = curves(fit.law, points[i : i + step], draws)
        both = [drawn, noisy(fit, drawn, rng)]
        # low and high of each, (4, points)
        parts.append(np.vstack([np.quantile(c, quantiles, axis=0) for c in both]))
    ends = ["low", "high", "pred_low", "pred_high"]
    found = pd.DataFrame(np.hstack(parts).T, columns=ends)
    found.insert(0, "value", fit.law(**points, **fit.params))
    return found


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
