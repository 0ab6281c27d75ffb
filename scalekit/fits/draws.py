"""How sure: bootstrap draws, and intervals of whatever follows from the parameters."""

import numpy as np
import pandas as pd
import sympy

from scalekit.fits import solver
from scalekit.formulas.parse import compiled, expression, names, to_sympy
from scalekit.words import FitError, check_known, require, tails

# Curve values that `intervals` holds at once, 32 MB.
_AT_ONCE = 4_000_000
# Resamples that are solved again, and from how many starts each.
_AUDITED, _AUDIT_STARTS = 16, 12


def draws_of(fit, who: str) -> pd.DataFrame:
    """Return the draws of a fit, or say how to get them."""
    if fit.draws is None:
        raise ValueError(
            f"{who}: this fit has no draws, so nothing is known of its uncertainty; "
            "call fit = fit.bootstrap(1000) first."
        )
    return fit.draws


# bootstrap ----------------------------------------------------------------------------------------


def bootstrap(fit, n, seed, by, stratify):
    """Refit n resamples, each a set of weights, all at once; see `Fit.bootstrap`.

    Returns the draws, a note on them, and the doubts that their audit raises.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"bootstrap: n must be a whole number of at least 2 draws, got {n!r}.")
    problem = fit.problem
    counts = resample(fit, n, np.random.default_rng(seed), by, stratify)
    weights = counts[:, problem.order] * problem.w
    # a narrow delta makes the objective nearly |r|: come from a wide one
    spread = float(np.median(np.abs(problem.residuals(fit.u[None])[0])))
    widest = 4 * spread if problem.delta < spread / 4 else None
    u, value = solver.descend(problem, np.tile(fit.u, (n, 1)), weights, widest=widest)
    audit, doubts = _audit(fit, u, value, weights, widest)
    good = np.isfinite(value)
    if good.mean() < 0.95:
        raise FitError(
            f"bootstrap: {(~good).sum()} of {n} resamples could not be fitted; the law leans on "
            "too few runs."
        )
    draws = pd.DataFrame(problem.to_raw(u[good]), np.flatnonzero(good), list(fit.params.index))
    # what `chain` pairs draws by
    draws.attrs["resample"] = {"n": int(n), "seed": seed, "by": by, "stratify": stratify}
    how = f", whole {by} together" * bool(by) + f", within {stratify}" * bool(stratify)
    note = f"{len(draws)} bootstrap draws (seed {seed}{how}). {audit}"
    at_edge = (u <= problem.lo + 1e-6) | (u >= problem.hi - 1e-6)
    edges = draws.columns[at_edge.mean(0) > 0.01]
    if len(edges):
        note += f" At a bound in some resamples: {', '.join(edges)}."
    return draws, note, doubts


def resample(fit, n, rng, by, stratify):
    """Draw how often each row counts in each resample, shape (n, rows)."""
    rows = np.arange(fit.n_obs)
    unit = rows if by is None else _codes(fit, by, "by")
    stratum = 0 * rows if stratify is None else _codes(fit, stratify, "stratify")
    counts = np.zeros((n, fit.n_obs))
    for s in range(stratum.max() + 1):
        inside = np.flatnonzero(stratum == s)
        units, code = np.unique(unit[inside], return_inverse=True)
        drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=n)
        counts[:, inside] = drawn[:, code]
    return counts


def _codes(fit, column, what):
    check_known("bootstrap", f"column for {what}", [column], list(fit.runs.columns))
    codes, values = pd.factorize(fit.runs[column], sort=True, use_na_sentinel=False)
    if len(values) < 2:
        raise ValueError(
            f"bootstrap: {what}={column!r} has one value only ({values[0]!r}); nothing to resample."
        )
    return codes


@np.errstate(all="ignore")
def _audit(fit, u, value, weights, widest):
    """Solve some resamples again from many starts; write lower minima into u and value.

    Returns a sentence on what was found, and a doubt where too many had a lower minimum.
    """
    rows = np.arange(0, len(u), max(1, len(u) // _AUDITED))[:_AUDITED]
    found, reached = solve_again(fit, weights[rows], widest)
    gain = np.where(value[rows] > 0, 1 - reached / value[rows], 0.0)
    # nothing is gained where the new solution is not finite
    gain = np.where(np.isfinite(gain), gain, 0.0)
    better = gain > 0
    u[rows[better]], value[rows[better]] = found[better], reached[better]
    lower = (gain > 1e-6).sum()
    by = f", by {gain.max():.1e} of their objective at most" if lower else ""
    said = f"Audit: {lower} of {len(rows)} resamples had a lower minimum elsewhere{by}."
    if lower <= len(rows) / 4:
        return said, ()
    return said, (
        f"The bootstrap's minima are not all global ({lower} of {len(rows)} audited were not).",
    )


def solve_again(fit, weights, widest):
    """Coordinates (m, K) and objectives (m,) of resamples, from the best starts screened."""
    problem, m = fit.problem, len(weights)
    starts, rough = solver.screen(problem, fit.seed)
    # the fit's own optimum makes up for starts at which the law is not finite
    starts = np.vstack([starts[np.isfinite(rough)], fit.u])[:_AUDIT_STARTS]
    u, w = np.tile(starts, (m, 1)), np.repeat(weights, len(starts), axis=0)
    wide = widest or 4 * problem.delta
    u, _ = solver.newton(problem, u, w, delta=wide, steps=300, tol=1e-8, gauss=True)
    u, value = solver.descend(problem, u, w, widest=widest)
    value = value.reshape(m, -1)
    best = np.nanargmin(np.where(np.isfinite(value), value, np.inf), axis=1)
    rows = np.arange(m)
    return u.reshape(m, len(starts), -1)[rows, best], value[rows, best]


# intervals ----------------------------------------------------------------------------------------


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
