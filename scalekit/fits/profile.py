"""Profiles: the objective along some parameters, the others refitted."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from scalekit.fits import solver
from scalekit.words import FitError, check_known, tails

_POINTS = 41
# Values are spread wider, by factors of two, until the objective passes its limit on both sides.
_WIDENINGS = 6
_WIDEST = 8


def held(
    fit, values: Mapping[str, Sequence], tol: float = 1e-7
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Refit all other parameters with some held, at each of their values (m,), all at once.

    Returns all parameters and the objective as reported, each of shape (m,).
    """
    names, problem = list(fit.law.params), fit.problem.in_raw_units()
    fixed = [names.index(name) for name in values]
    columns = np.column_stack(list(values.values()))
    raw = np.tile(fit.params.to_numpy(float), (len(columns), 1))
    raw[:, fixed] = columns
    problem = problem.but(linear=[i for i in problem.linear if i not in fixed])
    u = problem.solve_linear(problem.from_raw(raw))
    u, value = solver.descend(problem, u, widest=64 * problem.delta, fixed=fixed, tol=tol)
    return dict(zip(names, problem.to_raw(u).T, strict=True)), value * problem.reported


def profile(fit, name: str, values: Sequence | None, level: float) -> pd.DataFrame:
    """Objective along one parameter, all others refitted at each value; see `Fit.profile`."""
    check_known("profile", "parameter", [name], fit.params.index)
    limit = _limit(fit, level)
    found = (
        _widen(fit, name, limit) if values is None else _along(fit, name, _given(fit, name, values))
    )
    sides = [_crossing(found, limit, fit[name], side) for side in (-1, 1)]
    found.attrs.update(interval=tuple(sides), limit=limit, name=name, best=fit[name], level=level)
    return found


def _along(fit, name, values):
    """Table of the parameter, the objective, and the other parameters at each value."""
    others, objective = held(fit, {name: values}, solver.TOLERANCE)
    del others[name]
    return pd.DataFrame({name: values, "objective": objective, **others})


def _limit(fit, level):
    """Objective that the runs do not rule out at this level, by the likelihood ratio."""
    from scipy import stats

    problem, free = fit.problem, fit.n_obs - len(fit.params)
    _, upper = tails(level, "profile")
    if fit.loss == "squared":
        return fit.objective * (1 + stats.t.ppf(upper, free) ** 2 / free)
    r, w = problem.residuals(fit.u[None])[0], problem.w
    psi = problem.psi(r, problem.delta)
    # means of psi' and of psi^2, the derivative of the loss
    slope, square = np.average(psi == r, weights=w), np.average(psi**2, weights=w)
    if slope == 0:
        raise FitError(
            "profile: no run lies within delta of the curve, so there is no limit; use a larger "
            "delta."
        )
    return fit.objective + stats.chi2.ppf(level, 1) * square / slope / 2 * problem.reported


def _ends(fit, name):
    """Limits of a parameter in its own unit."""
    problem, i = fit.problem.in_raw_units(), list(fit.params.index).index(name)
    ends = np.array([problem.lo[i], problem.hi[i]])
    return np.exp(ends) if problem.positive[i] else ends


def _given(fit, name, values):
    values, ends = np.asarray(values, float), _ends(fit, name)
    if values.ndim != 1 or not np.allclose(values, np.clip(values, *ends), rtol=1e-9, atol=0):
        raise ValueError(
            f"profile: values of {name} must be a list of numbers inside its limits, "
            f"{ends[0]:.4g} to {ends[1]:.4g}; got {values}."
        )
    return values


def _widen(fit, name, limit):
    """Profile around the optimum until both ends are above the limit; upwards only from zero."""
    best, positive, se = fit[name], name not in fit.law.real, fit.se[name]
    from_zero = positive and best == 0
    unit = _scale_at_zero(fit, name) if from_zero else abs(best) or 1.0
    width = 4 * se / abs(best) if np.isfinite(se) and best else 0.2
    limits = _ends(fit, name)
    for _ in range(_WIDENINGS):
        grid = width * np.linspace(0 if from_zero else -1, 1, _POINTS)
        values = best * np.exp(grid) if positive and best else best + unit * grid
        found = _along(fit, name, np.unique(np.clip(values, *limits)))
        ends = found["objective"].iloc[[-1 if from_zero else 0, -1]]
        if ends.min() > limit or width > _WIDEST:
            break
        width *= 2
    return found


def _scale_at_zero(fit, name):
    """As much of a parameter as moves the curve by five residual standard deviations."""
    problem, i = fit.problem, list(fit.params.index).index(name)
    slope = np.abs(problem.jacobian(fit.u)[:, i]).max() / problem.to_raw(fit.u[None])[0, i]
    return 5 * fit.residual_sd / problem.residual_unit / slope


def _crossing(found, limit, best, side):
    """Where the profile first passes the limit on one side of the optimum; NaN if nowhere."""
    away = (found.iloc[:, 0] - best) * side
    part = found.loc[away[away >= 0].sort_values().index]
    above = np.flatnonzero(part["objective"] > limit)
    if not len(above):
        return np.nan
    if above[0] == 0:
        return best
    (a, low), (b, high) = part.iloc[[above[0] - 1, above[0]], :2].to_numpy()
    return float(a + (limit - low) / (high - low) * (b - a))
