"""The solver: from many starts, or for many resamples at once, by damped Newton steps.

Lanes of a batch never see one another: each row of u is its own minimisation.
"""

import numpy as np

# Relative decrease of the objective, promised by the quadratic model, at which a lane has arrived.
TOLERANCE = 1e-13
# Rows that screening and polishing look at; the last word is always all rows.
_SCREEN_ROWS, _POLISH_ROWS = 256, 4096
_POLISHED = 32
# Starts spread evenly in the logarithm.
_EXPONENT_START = (np.log(0.03), np.log(2.0))
_NEAR, _FAR = 3.0, 18.0
# The longest step of a logarithm, and of any other coordinate relative to its size.
_LOG_STEP, _REAL_STEP = 3.0, 10.0
_STEP_LENGTHS = (1.0, 0.25, 0.0625, 0.015625)

# descent ------------------------------------------------------------------------------------------


def newton(problem, u, w=None, delta=None, steps=100, tol=TOLERANCE, fixed=(), gauss=False):
    """Minimise from each row of u; return coordinates and objectives.

    w : weights (n,) or (P, n). fixed : indices of coordinates that stay where they are.
    gauss : take Levenberg-Marquardt steps instead of Newton's.
    """
    delta = problem.delta if delta is None else delta
    w = np.broadcast_to(problem.w if w is None else w, (len(u), problem.n))
    how = delta, steps, tol, list(fixed), gauss
    found = [_newton(problem, u[part], w[part], *how) for part in problem.chunks(len(u))]
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _newton(problem, u, w, delta, steps, tol, fixed, gauss):
    u, value = u.copy(), problem.objective(u, w, delta)
    damping = np.full(len(u), 1e-3 if gauss else 0.0)
    lanes = np.flatnonzero(np.isfinite(value))
    while steps and len(lanes):
        steps -= 1
        v, here = u[lanes], value[lanes]
        rows = w[lanes] if len(lanes) < len(u) else w
        step, gain, ok = _step(problem, v, rows, delta, damping[lanes], fixed, gauss)
        length, trial = _line_search(problem, v, rows, delta, step, here)
        better = trial < here
        # relax the damping after a full step, stiffen it after a short or a failed one
        factor = np.where(length == 1.0, 0.2, np.where(length == 0.25, 1.0, 4.0))
        damping[lanes] = np.maximum(damping[lanes] * factor, np.where(better, 0.0, 1e-4))
        arrived = gain <= tol * np.abs(here) + 1e-300
        stuck = ~better & (damping[lanes] > 1e4)
        take = lanes[better]
        u[take] = problem.clip(v[better] + length[better, None] * step[better])
        value[take] = trial[better]
        lanes = lanes[~(arrived | stuck | ~ok)]
    return u, value


@np.errstate(all="ignore")
def _step(problem, v, w, delta, damping, fixed, gauss):
    """Step (P, K), the decrease that its model promises (P,), and whether that is finite (P,).

    The step is -(|H| + damping)^-1 g in coordinates scaled by the size of the curve's slopes.
    """
    g, h, scale = problem.newton_system(v, w, delta, gauss)
    ok = np.isfinite(g).all(1) & np.isfinite(h).all((1, 2))
    # a coordinate at the box stays where the objective falls outwards
    free = ~(((v <= problem.lo) & (g > 0)) | ((v >= problem.hi) & (g < 0)))
    free[:, fixed] = False
    scale = np.maximum(scale, 1e-150)
    gs = np.where(free & ok[:, None], g, 0.0) / scale
    hs = h / (scale[:, :, None] * scale[:, None, :])
    hs = np.where(free[:, :, None] & free[:, None, :] & np.isfinite(hs), hs, 0.0)
    k = np.arange(g.shape[1])
    hs[:, k, k] += ~free
    # |H|: a direction that bends down is walked down as one that bends up
    lam, vec = np.linalg.eigh(hs)
    lam = np.abs(lam)
    top = lam.max(1, keepdims=True)
    lam = np.maximum(lam, 1e-12 * top) + damping[:, None] * np.maximum(top, 1e-300)
    c = np.matmul(vec.transpose(0, 2, 1), gs[:, :, None])[:, :, 0]
    step = -np.matmul(vec, (c / lam)[:, :, None])[:, :, 0] / scale
    step = np.where(free & np.isfinite(step), step, 0.0)
    limit = np.where(problem.positive, _LOG_STEP, _REAL_STEP * np.maximum(np.abs(v), 1.0))
    step /= np.maximum(1.0, np.max(np.abs(step) / limit, axis=1, keepdims=True))
    return step, 0.5 * (c**2 / lam).sum(1), ok


def _line_search(problem, v, w, delta, step, value):
    """Find the longest of the step lengths that lowers the objective, for each lane."""
    length, best = np.ones(len(v)), np.full(len(v), np.inf)
    todo = np.arange(len(v))
    for t in _STEP_LENGTHS:
        trial = problem.objective(problem.clip(v[todo] + t * step[todo]), w[todo], delta)
        length[todo], best[todo] = t, trial
        todo = todo[~(trial < value[todo])]
        if not len(todo):
            break
    return length, best


def descend(problem, u, w=None, widest=None, fixed=(), tol=TOLERANCE):
    """Minimise at a wide delta first, then down to the wanted one by factors of four.

    By factors of two, and with care, where the wanted delta makes the objective nearly |r|.
    """
    delta = widest or problem.delta
    sharp = problem.delta < 1e-3 * delta
    factor, steps, rough = (2.0, 60, 1e-10) if sharp else (4.0, 12, 1e-4)
    while np.isfinite(problem.delta) and delta > 1.5 * problem.delta:
        u, _ = newton(problem, u, w, delta, steps=steps, tol=rough, fixed=fixed)
        delta /= factor
    return newton(problem, u, w, steps=150, tol=tol, fixed=fixed)


# starts -------------------------------------------------------------------------------------------


def screen(problem, seed, own=()):
    """Coordinates of many starts, best first, and their sums of |r|; `own` (m, K) are added."""
    own = np.reshape(own, (-1, len(problem.positive)))
    few = problem.thin(_SCREEN_ROWS)
    scattered = _scatter(problem, np.random.default_rng(seed))
    u = np.vstack([own, few.solve_linear(np.vstack([own, scattered]))])
    value = np.abs(few.residuals(u)) @ few.w
    best = np.argsort(value, kind="stable")
    return u[best], value[best]


def _scatter(problem, rng):
    """Coordinates (n, K) of starts: a Latin hypercube in the parameters that are not linear."""
    k = len(problem.law.params)
    free = [i for i in range(k) if i not in problem.linear]
    n = 1 if not free else 512 if len(free) <= 2 else 2048
    cells = rng.permuted(np.tile(np.arange(n), (k, 1)), axis=1).T
    unit = (cells + rng.random((n, k))) / n
    u = np.zeros((n, k))
    # half of the starts near, half of them anywhere
    reach = np.where(np.arange(n) % 2 == 0, _NEAR, _FAR)
    for i in free:
        low, high = _EXPONENT_START if problem.exponent[i] else (-reach, reach)
        u[:, i] = low + unit[:, i] * (high - low)
        if not problem.positive[i]:
            u[:, i] = np.exp(np.clip(u[:, i], -7, 7)) * rng.choice([-1.0, 1.0], n)
    u = problem.clip(u)
    return _in_start_ranges(problem, u, unit) if problem.law.start else u


def _in_start_ranges(problem, u, unit):
    """Put the parameters with a start range of their own into it."""
    law, raw = problem.law, problem.to_raw(u)
    for name, (low, high) in law.start.items():
        i = law.params.index(name)
        spread = problem.positive[i] and low > 0
        share = unit[:, i]
        raw[:, i] = low * (high / low) ** share if spread else low + share * (high - low)
    return problem.from_raw(raw)


def solve(problem, seed, own=()):
    """Screen, polish, finish; `own` (m, K) are the user's starts.

    Returns minima (P, K), their objectives (P,), the number of starts screened, and the objectives
    of all starts followed to a minimum; None if the law is not finite at any start.
    """
    starts, rough = screen(problem, seed, own)
    screened, starts = len(starts), starts[np.isfinite(rough)]
    if not len(starts):
        return None
    few = problem.thin(_POLISH_ROWS)
    u, value = _polish(few, np.vstack([*own, *starts[:_POLISHED]]))
    agree = np.mean(value <= value.min() * (1 + 1e-6))
    if agree < 0.25 and len(starts) > _POLISHED:
        u, value = _look_further(few, starts[: 2 * _POLISHED], u, value)
    if few.n < problem.n and np.isfinite(value).any():
        # only the best distinct minima of the thinned table are followed on all of it
        u, best = newton(problem, u[_distinct(value, 3)], steps=150)
        return u, best, screened, value * (best.min() / (value.min() or 1.0))
    return u, value, screened, value


def _polish(problem, u):
    """Follow starts to minima, first by Levenberg-Marquardt steps, which leave poor regions."""
    widest = _wide_delta(problem, u)
    tol = 1e-15 if np.isinf(widest) else 1e-8
    u, _ = newton(problem, u, delta=widest, steps=300, tol=tol, gauss=True)
    # starts that have met go on as one
    size = np.where(problem.positive, 1.0, np.abs(u) + 1e-300)
    met = (np.abs(u[:, None] - u[None]) < 1e-3 * size).all(2)
    alone, index = np.unique(met.argmax(1), return_inverse=True)
    u, value = descend(problem, u[alone], widest=widest)
    return u[index], value[index]


def _look_further(problem, starts, u, value):
    """Follow more starts of a rugged objective, by Newton's steps alone."""
    more, lower = descend(problem, starts, widest=_wide_delta(problem, starts))
    u, value = np.vstack([u, more]), np.r_[value, lower]
    if np.isinf(problem.delta):
        # a long bent valley takes more steps than that: follow the best to its end
        best = np.argsort(value, kind="stable")[:4]
        u[best], value[best] = newton(problem, u[best], steps=1000, tol=1e-15, gauss=True)
    return u, value


def _wide_delta(problem, u):
    """Delta at which most residuals of the first of u count as squares."""
    widest = max(4 * float(np.median(np.abs(problem.residuals(u[:1])))), problem.delta)
    return widest if np.isfinite(widest) or np.isinf(problem.delta) else 1.0


def _distinct(value, most):
    """List the indices of the lowest objectives that differ from one another."""
    order = np.argsort(value, kind="stable")[: np.isfinite(value).sum()]
    ranked = value[order]
    new = np.diff(ranked, prepend=-np.inf) > 1e-6 * np.abs(ranked)
    return order[new][:most]
