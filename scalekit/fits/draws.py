"""How sure: bootstrap draws, each the fit of a resample, and their audit."""

import numpy as np
import pandas as pd

from scalekit.fits import solver
from scalekit.words import FitError, check_known

# Resamples that are solved again, and from how many starts each.
_AUDITED, _AUDIT_STARTS = 16, 12


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
