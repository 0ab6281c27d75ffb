"""Whether a fit can be trusted: what its optimum says of itself, in numbers and in sentences."""

import numpy as np
import pandas as pd

from scalekit.words import FitError

# Condition of the scaled Jacobian: four digits are lost; its square is past float64.
_CONDITION_WARN, _CONDITION_FAIL = 1e4, 1e10
# Another minimum this close to the best is a rival.
_RIVAL = 1.01


def examine(problem, u, objective, starts, noise=None):
    """Look at an optimum u (K,) and at how its starts fared: refuse it, or say how far to trust it.

    `noise` (n,) are standard deviations of the rows as the user gave them.

    Returns the fields of a `Fit` that tell of this, by their names.
    """
    n, k = problem.n, len(u)
    params, zero = _estimates(problem, u)
    edges = _edges(problem, u, params, zero)
    free = ~params.index.isin(list(edges))
    jac = problem.jacobian(u)[:, free] * np.sqrt(problem.w)[:, None]
    if not np.isfinite(jac).all():
        raise FitError(
            f"fit: the derivatives of {problem.law.formula} are not finite at its best fit: a "
            "parameter has run off to where these runs do not constrain it; use a law with fewer "
            "parameters."
        )
    condition, root = whiten(jac)
    if condition > _CONDITION_FAIL:
        raise FitError(
            f"fit: the parameters of {problem.law.formula} are not separately identified by these "
            f"runs (condition {condition:.1e}); drop a parameter or add runs that vary differently."
        )
    r = problem.residuals(u[None])[0]
    sd = np.sqrt(np.sum(problem.w * r**2) / (n - k))
    doubts = list(edges.values())
    if condition > _CONDITION_WARN:
        doubts.append(f"The parameters trade off against one another (condition {condition:.1e}).")
    # standard errors of the logarithms
    log_se = sd * np.sqrt((root**2).sum(1))
    loose = params.index[free][problem.positive[free] & (log_se > 1)]
    if len(loose):
        doubts.append(f"These runs fix {', '.join(loose)} no better than to a factor of e.")
    if starts.share < 0.5:
        doubts.append(
            f"Only {starts.share:.0%} of {starts.polished} polished starts reached this optimum."
        )
    if starts.rival is not None and starts.rival < _RIVAL * objective:
        doubts.append("Another minimum lies within 1 % of this objective.")
    if n < 2 * k:
        doubts.append(f"{n} runs for {k} parameters leave little to check the law with.")
    floor, odd = _against_noise(problem, r, noise, n - k)
    return {
        "params": params,
        "at_bound": tuple(edges),
        "condition": condition,
        "residual_sd": float(sd * problem.residual_unit),
        "floor": floor,
        "warnings": tuple(doubts + odd),
    }


@np.errstate(all="ignore")
def _estimates(problem, u):
    """Parameters in the user's units, and which of them are zero in effect."""
    zero = problem.negligible(u)
    raw = np.where(zero, 0.0, problem.to_raw(u[None])[0])
    params = pd.Series(raw, index=list(problem.law.params), name="estimate")
    odd = params.index[~np.isfinite(raw)]
    if len(odd):
        raise FitError(
            f"fit: {odd[0]} is beyond the largest number in the units of the runs; they do not "
            "constrain it, or an exponent that goes with it."
        )
    return params, zero


def _edges(problem, u, params, zero):
    """Parameters at a limit, each with a sentence; a limit that nobody has set is refused."""
    law, edges = problem.law, {}
    margin = 1e-6 * np.maximum(1.0, np.abs(u))
    outside = (u <= problem.lo + margin) | (u >= problem.hi - margin)
    lost = zero | (problem.idle(u) & ~problem.exponent)
    for i in np.flatnonzero(outside | lost):
        name = law.params[i]
        free = name not in law.bounds
        mend = f"allow the other sign with sk.Law(..., real=[{name!r}])"
        if lost[i]:
            what = "went to zero" if zero[i] else f"= {params.iloc[i]:.2g} does nothing here"
            edges[name] = f"{name} {what}: these runs fit best without it. Drop it, or {mend}."
            continue
        side = "upper" if u[i] > (problem.lo[i] + problem.hi[i]) / 2 else "lower"
        edges[name] = f"{name} = {params.iloc[i]:.4g} is at its {side} bound."
        if free:
            also = f", or {mend}" * bool(side == "lower" and problem.positive[i])
            raise FitError(
                f"{edges[name][:-1]}; these runs do not constrain it: they span too little in "
                f"{' or '.join(law.inputs)}, or the law has a term too many{also}."
            )
    return edges


def _against_noise(problem, r, noise, freedom):
    """By how much the noise given exceeds residuals r (n,), at least 1, and what to say of it."""
    if noise is None:
        return 1.0, []
    ratio = np.sqrt(np.sum((r * problem.residual_unit / noise[problem.order]) ** 2) / freedom)
    floor = float(max(1.0, 1.0 / ratio))
    # chi-squared if the law holds: its cube root is nearly normal (Wilson and Hilferty 1931)
    spread = 2 / (9 * freedom)
    off = (ratio ** (2 / 3) - 1 + spread) / np.sqrt(spread)
    # one per cent on either side
    if abs(off) <= 2.33:
        return floor, []
    why = "the law misses by more than noise" if ratio > 1 else "these runs show less"
    return floor, [f"Residuals are {ratio:.2g} times the noise given: {why}."]


@np.errstate(all="ignore")
def whiten(jac):
    """Condition number of J (n, k) with columns of length 1, and R (k, k): R R' = (J' J)^-1."""
    size = np.sqrt((jac**2).sum(0))
    size = np.where(size > 0, size, 1.0)
    _, s, vt = np.linalg.svd(jac / size, full_matrices=False)
    # a singular value may come as -0.0
    condition = abs(s.max(initial=1.0) / s.min(initial=1.0))
    return float(condition), vt.T / s / size[:, None]


def standard_errors(fit):
    """Roots of the diagonal of s^2 (J' W J)^-1, in the parameters' units; NaN at a limit."""
    problem, free = fit.problem, ~fit.params.index.isin(fit.at_bound)
    _, root = whiten(problem.jacobian(fit.u)[:, free] * np.sqrt(problem.w)[:, None])
    h = 1e-6
    steps = h * np.eye(len(fit.u))[free]
    # d raw / d u, (k, k)
    slopes = (problem.to_raw(fit.u + steps) - problem.to_raw(fit.u - steps)).T[free] / (2 * h)
    se = pd.Series(np.nan, index=fit.params.index)
    sd = fit.floor * fit.residual_sd / problem.residual_unit
    se[free] = sd * np.sqrt(((slopes @ root) ** 2).sum(1))
    return se
