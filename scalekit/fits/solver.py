"""The solver: from many starts, or for many resamples at once, by damped Newton steps.

Lanes of a batch never see one another: each row of u is its own minimisation.
"""

import numpy as np

# Relative decrease of the objective, promised by the quadratic model, at which a lane has arrived.
TOLERANCE = 1e-13
# Rows that screening and polishing look at; the last word is always all rows.
_SCREEN_ROWS, _POLISH_ROWS, _LAST_ROWS = 256, 1024, 16_384
_POLISHED = 32
# Up to so many rows resamples share a look at each.
_SPREAD_ROWS = 500
# Most arrive within ten; the best of a valley between kinks are followed for hundreds.
_STEPS, _LAST_STEPS = 60, 600
# Starts spread evenly in the logarithm.
_EXPONENT_START = (np.log(0.03), np.log(2.0))
_NEAR, _FAR = 3.0, 18.0
# The longest step of a logarithm, and of any other coordinate relative to its size.
_LOG_STEP, _REAL_STEP = 3.0, 10.0
_SHORTER_DAMPED = [np.array([t]) for t in (0.25, 0.0625, 0.015625)]
_SHORTER = np.split(0.5 ** np.arange(1, 25), [4, 8, 16])
# Sizes at which a term is held, as shares of the largest that it may have.
SIZES = np.arange(1, 20) / 20
# Parts of their arguments over which Max and Min are rounded off.
_ROUNDING = 0.1 * 0.25 ** np.arange(11)
# Of Levenberg-Marquardt steps, between which starts that have met become one.
_ROUNDS = 4, 4, 8, 284
# Curvature that counts as none, in units of the curve's slopes.
_FLAT = 1e-8
# Of Levenberg-Marquardt steps, in units of the largest curvature.
_DAMPING = 1e-3

# descent ------------------------------------------------------------------------------------------


def newton(
    problem, u, w=None, delta=None, steps=100, tol=TOLERANCE, fixed=(), gauss=False, damping=None
):
    """Minimise from each row of u; return coordinates and objectives.

    w : weights (n,) or (P, n). fixed : indices of coordinates that stay where they are.
    gauss : take Levenberg-Marquardt steps instead of Newton's, with `damping` (P,) to begin with,
    which is changed in place.
    """
    delta = problem.delta if delta is None else delta
    w = np.broadcast_to(problem.w if w is None else w, (len(u), problem.n))
    how = delta, steps, tol, list(fixed), gauss
    if damping is None:
        damping = np.full(len(u), _DAMPING if gauss else 0.0)
    parts = problem.chunks(len(u))
    found = [_newton(problem, u[part], w[part], damping[part], *how) for part in parts]
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _newton(problem, u, w, damping, delta, steps, tol, fixed, gauss):
    u, value = u.copy(), problem.objective(u, w, delta)
    lanes = np.flatnonzero(np.isfinite(value))
    while steps and len(lanes):
        steps -= 1
        v, here = u[lanes], value[lanes]
        rows = w[lanes] if len(lanes) < len(u) else w
        bends = problem.newton_system(v, rows, delta, gauss)
        step, gain, ok = _step(problem, v, bends, damping[lanes], fixed, gauss)
        length, trial = _line_search(problem, v, rows, delta, step, here, gauss)
        better = trial < here
        if gauss:
            # relax the damping after a full step, stiffen it after a short or a failed one
            factor = np.where(length == 1.0, 0.2, np.where(length == 0.25, 1.0, 4.0))
            damping[lanes] = np.maximum(damping[lanes] * factor, np.where(better, 0.0, 1e-4))
        arrived = gain <= tol * np.abs(here) + 1e-300
        # Newton's step goes down unless rounding forbids; a damped one may do so later
        stuck = ~better & (damping[lanes] > 1e4 if gauss else True)
        take = lanes[better]
        u[take] = problem.clip(v[better] + length[better, None] * step[better])
        value[take] = trial[better]
        lanes = lanes[~(arrived | stuck | ~ok)]
    return u, value


@np.errstate(all="ignore")
def _step(problem, v, bends, damping, fixed, gauss):
    """Step (P, K), the decrease that its model promises (P,), and whether that is finite (P,).

    `bends` are gradient, Hessian and scale of the coordinates. The step is -(|H| + damping)^-1 g
    in coordinates scaled by the size of the curve's slopes.
    """
    g, h, scale = bends
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
    # without any bend the longest step that is allowed
    top = np.maximum(lam.max(1, keepdims=True), _FLAT)
    lam = np.maximum(lam, 1e-12 * top)
    c = np.matmul(vec.transpose(0, 2, 1), gs[:, :, None])[:, :, 0]
    damped = c / (lam + damping[:, None] * top)
    step = -np.matmul(vec, damped[:, :, None])[:, :, 0] / scale
    step = np.where(free & np.isfinite(step), step, 0.0)
    limit = np.where(problem.positive, _LOG_STEP, _REAL_STEP * np.maximum(np.abs(v), 1.0))
    step /= np.maximum(1.0, np.max(np.abs(step) / limit, axis=1, keepdims=True))
    return step, 0.5 * (c**2 / lam).sum(1), ok


def _line_search(problem, v, w, delta, step, value, gauss):
    """Find a step length that lowers the objective, for each lane: the full one, or else shorter.

    Of the shorter ones several are tried at once and the best is taken: along a valley between
    kinks of the loss the way down is short, and a step that overshoots it would not be seen.
    """
    length, best = np.ones(len(v)), problem.objective(problem.clip(v + step), w, delta)
    for fan in _SHORTER_DAMPED if gauss else _SHORTER:
        todo = np.flatnonzero(~(best < value))
        if not len(todo):
            break
        # (lanes, lengths, K), flat
        trial = (v[todo, None] + fan[:, None] * step[todo, None]).reshape(-1, v.shape[1])
        rows = np.repeat(w[todo], len(fan), axis=0)
        found = problem.objective(problem.clip(trial), rows, delta).reshape(-1, len(fan))
        shortest = np.where(np.isfinite(found), found, np.inf).argmin(1)
        length[todo], best[todo] = fan[shortest], found[np.arange(len(todo)), shortest]
    return length, best


def spread(problem, u, w):
    """Start resamples with weights w (P, n) one step of Newton from a common u (K,): (P, K).

    Derivatives are sums over rows, so those of all resamples come from one look at each row.
    """
    lanes = np.tile(u, (len(w), 1))
    if problem.n > min(len(w), _SPREAD_ROWS):
        return lanes
    g, h, scale = problem.newton_system(
        np.tile(u, (problem.n, 1)), np.eye(problem.n), problem.delta
    )
    bends = w @ g, np.tensordot(w, h, 1), np.sqrt(w @ scale**2)
    step, _, _ = _step(problem, lanes, bends, np.zeros(len(w)), [], False)
    there = problem.clip(lanes + step)
    here = np.hstack(
        [
            problem.objective(v[part], w[part], problem.delta)
            for v in (lanes, there)
            for part in problem.chunks(len(w))
        ]
    )
    before, after = np.split(here, 2)
    return np.where((after < before)[:, None], there, lanes)


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
    return newton(problem, u, w, steps=_STEPS, tol=tol, fixed=fixed)


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
    polished = value
    # the user's own start as it is, so that a fit is never above it
    more = [newton(few, own[:1], steps=_LAST_STEPS)] if len(own) else []
    best = distinct(value, 2)
    if len(best) and (agree < 0.9 or _doubtful(few, u[best[0]])):
        more.append(regrow(few, u[best]))
    u, value = (np.concatenate(both) for both in zip((u, value), *more, strict=True))
    # the best distinct minima are followed to their end
    best = distinct(value, 3)
    u[best], value[best] = newton(few, u[best], steps=_LAST_STEPS)
    if few.kernel.softened and len(best):
        u[best], value[best] = _along_kinks(few, u[best], value[best])
    if few.n < problem.n and len(best):
        # on more rows, and the best of them on all
        last, _ = newton(problem.thin(_LAST_ROWS), u[best], steps=_STEPS)
        whole = np.hstack(
            [problem.objective(v[None], problem.w[None], problem.delta) for v in last]
        )
        last = np.vstack([*own[:1], last[whole.argmin()]])
        u, whole = newton(problem, last, steps=_STEPS)
        polished, value = polished * (whole.min() / (value.min() or 1.0)), whole
    return u, value, screened, polished


def _along_kinks(problem, u, value):
    """Follow minima along kinks of Max and Min, which no slope shows: rounded off less and less."""
    v, soft = u, problem.kernel.softened
    for h in _ROUNDING:
        x = [*problem.x, np.full(problem.n, h)]
        v, _ = newton(problem.but(kernel=soft, x=x), v, steps=30, tol=1e-9)
    v, lower = newton(problem, v, steps=_STEPS)
    return np.where((lower < value)[:, None], v, u), np.minimum(lower, value)


def _polish(problem, u):
    """Follow starts to minima, first by Levenberg-Marquardt steps, which leave poor regions."""
    widest = wide_delta(problem, u)
    tol = 1e-15 if np.isinf(widest) else 1e-8
    # starts that have met go on as one
    origin, few = np.arange(len(u)), problem.thin(_SCREEN_ROWS)
    damping = np.full(len(u), _DAMPING)
    for steps in _ROUNDS:
        how = {"steps": steps, "tol": tol, "gauss": True, "damping": damping}
        u, _ = newton(few, u, delta=widest, **how)
        alone, index = _meet(problem, u)
        u, origin, damping = u[alone], index[origin], damping[alone]
    u, value = descend(problem, u, widest=widest)
    return u[origin], value[origin]


def _meet(problem, u):
    """Tell which rows of u stand for all, and for each row the place of its own among these."""
    return np.unique(_same(problem, u[:, None], u[None]).argmax(1), return_inverse=True)


def _same(problem, u, v):
    """Say whether coordinates u and v (..., K) are one place."""
    size = np.where(problem.positive, 1.0, np.abs(u) + 1e-300)
    return (np.abs(u - v) < 1e-3 * size).all(-1)


def apart(problem, u):
    """Return the rows of u (P, K), in order, that are not the place of an earlier one."""
    return u[np.sort(_meet(problem, u)[0])] if len(u) else u


@np.errstate(all="ignore")
def regrow(problem, u, w=None, sizes=SIZES):
    """Look for a lower minimum from each u (P, K): with a parameter held at many values, released.

    While delta is wide a constant, or a term, may shrink to zero, where no slope leads back.
    Returns the lower of old and new: coordinates (P, K) and objectives (P,), with weights w (P, n).
    """
    w = np.broadcast_to(problem.w if w is None else w, (len(u), problem.n))
    best, lowest = u.copy(), problem.objective(u, w, problem.delta)
    m = len(sizes)
    for i in _to_hold(problem, u):
        lane, rows = np.repeat(np.arange(len(u)), m), np.repeat(w, m, axis=0)
        trial = u[lane]
        trial[:, i] = _values(problem, u, i, sizes).ravel()
        held = problem.but(linear=[j for j in problem.linear if j != i])
        trial = held.solve_linear(problem.clip(trial), rows)
        for delta in (4 * problem.delta, problem.delta):
            trial, value = newton(problem, trial, rows, delta, steps=6, tol=1e-3, fixed=[i])
        # the lowest of the values, and each that is lower than its neighbours
        profile = np.pad(value.reshape(-1, m), ((0, 0), (1, 1)), constant_values=np.inf)
        low = (profile[:, 1:-1] <= np.minimum(profile[:, 2:], profile[:, :-2])).ravel()
        trial, rows, lane = trial[low], rows[low], lane[low]
        trial, value = newton(problem, trial, rows, steps=8)
        # what comes back to where it came from, or stays far above, is not followed further
        go = (value < 1.5 * lowest[lane]) & ~_same(problem, trial, u[lane])
        trial, rows, lane = trial[go], rows[go], lane[go]
        if len(trial):
            trial, value = newton(problem, trial, rows, steps=_STEPS)
            # the lowest of a lane is written last
            order = np.argsort(-value)
            order = order[value[order] < lowest[lane[order]]]
            best[lane[order]], lowest[lane[order]] = trial[order], value[order]
    return best, lowest


def _doubtful(problem, u):
    """Say whether a minimum u (K,) is one that other values of a parameter may undercut."""
    return problem.n < 3 * len(u) or problem.negligible(u).any()


def _to_hold(problem, u):
    """List the constants added to the law and the terms that are zero; with few runs all."""
    slope = problem.kernel.gradient(problem.x, problem.params(u[:1]))[1][0]
    if problem.n < 3 * len(slope):
        return np.arange(len(slope))
    constant = np.ptp(slope, axis=1) == 0
    term = problem.positive & np.isin(np.arange(len(slope)), problem.linear)
    zero = np.any([problem.negligible(v) for v in u], axis=0)
    return np.flatnonzero(term & (constant | zero))


@np.errstate(all="ignore")
def _values(problem, u, i, sizes):
    """Coordinates (P, m) at which parameter i is held, around each u."""
    if problem.positive[i] and i in problem.linear:
        # shares of the size at which the term alone would touch the lowest output
        slope = problem.kernel.gradient(problem.x, problem.params(u))[1][:, i]
        return np.log(np.min(np.abs(problem.y / slope), axis=1))[:, None] + np.log(sizes)
    spread = 1.0 if problem.exponent[i] else 3.0
    around = spread * (2 * sizes - 1)
    return u[:, i, None] + around * np.where(problem.positive[i], 1.0, np.abs(u[:, i, None]))


def _look_further(problem, starts, u, value):
    """Follow more starts of a rugged objective, by Newton's steps alone."""
    more, lower = descend(problem, starts, widest=wide_delta(problem, starts))
    u, value = np.vstack([u, more]), np.r_[value, lower]
    if np.isinf(problem.delta):
        # a long bent valley takes more steps than that: follow the best to its end
        best = np.argsort(value, kind="stable")[:4]
        u[best], value[best] = newton(problem, u[best], steps=1000, tol=1e-15, gauss=True)
    return u, value


def wide_delta(problem, u):
    """Delta at which most residuals of the first of u count as squares."""
    widest = max(4 * float(np.median(np.abs(problem.residuals(u[:1])))), problem.delta)
    return widest if np.isfinite(widest) or np.isinf(problem.delta) else 1.0


def distinct(value, most, share=1e-6):
    """List the indices of the lowest objectives that differ from one another by this share."""
    order = np.argsort(value, kind="stable")[: np.isfinite(value).sum()]
    ranked = value[order]
    new = np.diff(ranked, prepend=-np.inf) > share * np.abs(ranked)
    return order[new][:most]
