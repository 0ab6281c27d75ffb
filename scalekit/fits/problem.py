"""One law on one table: residuals, objective and derivatives over many parameter vectors at once.

Everything here works in coordinates u in which a law looks the same whatever the units of its
inputs: inputs are divided by their geometric mean where the law allows it, and positive parameters
enter as logarithms. P counts parameter vectors ("lanes"), K parameters, n rows of the table.
"""

import copy
from itertools import product

import numpy as np

# Half-width, in natural logarithms, of the box of a positive parameter without bounds.
WIDE = 60.0
_EXPONENT_BOX = (np.log(1e-4), np.log(50.0))
_REAL_BOX = 1e15
# As far as floats go: the box of a problem in raw units.
_FARTHEST_LOG, _FARTHEST = 690.0, 1e300
# Array elements that a chunk of lanes may fill per quantity: stays within the processor's cache.
_CHUNK = 60_000
# A term that contributes less than this share of the curve anywhere is zero in effect.
_NEGLIGIBLE = 1e-7


class Problem:
    """What is minimised, as a function of coordinates u (P, K).

    x is a list of arrays of shape (n,), as are the output y and the weights w; the rest is as in
    `scalekit.fit`.
    """

    def __init__(self, law, x, y, w, loss, delta, space):
        # a canonical order: results do not depend on the order of the rows
        self.order = np.lexsort([*x[::-1], w, y])
        x = [column[self.order] for column in x]
        # weights count as shares: their unit changes nothing but the objective reported
        self.n, size = len(y), float(w.mean())
        self.w = w[self.order] / size
        self.law, self.space = law, space
        self.logs = tuple(bool((column > 0).all()) for column in x)
        self.kernel = law.kernel(self.logs)
        self.linear = self.kernel.linear
        self.positive = np.array([p not in law.real for p in law.params])
        self.exponent = self.positive & [p in law.exponents for p in law.params]
        self.x_dims, self.y_dims, _ = law.units
        self._scale_inputs(x)
        self._scale_output(y[self.order])
        # residuals in linear space carry the unit of y, the objective its square
        self.residual_unit = 1.0 if space == "log" else float(np.exp(self.y_log_scale))
        self.reported = self.residual_unit**2 * size * (2.0 if loss == "squared" else 1.0)
        self.delta = np.inf if loss == "squared" else delta / self.residual_unit
        self.one_sided = loss == "one-sided"
        # objectives this small are rounding: residuals of 1e-10 of y
        typical = 1.0 if space == "log" else float(np.mean(self.w * self.y**2))
        self.rounding = 1e-20 * self.n * typical
        self.lo, self.hi = self._box()

    def _scale_inputs(self, x):
        """Divide each input by its typical size where the law has a unit for it."""
        self.raw_x = [np.log(c) if log else c for c, log in zip(x, self.logs, strict=True)]
        self.x, self.log_scale = list(self.raw_x), np.zeros(len(x))
        for i, column in enumerate(x):
            if self.x_dims[i] is not None and column.any():
                # the geometric mean, or the root mean square where there are zeros or signs
                square = np.sqrt(np.mean(column**2))
                scale = self.raw_x[i].mean() if self.logs[i] else np.log(square)
                self.log_scale[i] = scale
                self.x[i] = self.raw_x[i] - scale if self.logs[i] else column / np.exp(scale)

    def _scale_output(self, y):
        self.y_log_scale = 0.0
        if self.y_dims is not None:
            mean = np.exp(np.log(y).mean()) if self.space == "log" else np.sqrt(np.mean(y**2))
            self.y_log_scale = float(np.log(mean or 1.0))
        self.y = y / np.exp(self.y_log_scale)
        self.target = np.log(self.y) if self.space == "log" else self.y

    @np.errstate(all="ignore")
    def _box(self):
        """Limits of the coordinates, each of shape (K,)."""
        hi = np.where(self.positive, WIDE, _REAL_BOX)
        lo = -hi
        lo[self.exponent], hi[self.exponent] = _EXPONENT_BOX
        for name, ends in self.law.bounds.items():
            i = self.law.params.index(name)
            low, hi[i] = np.log(ends) if self.positive[i] else ends
            # a lower bound of zero has no logarithm
            wide = self.positive[i] and not self.exponent[i]
            lo[i] = max(low, lo[i] if wide else -_FARTHEST)
        return lo, hi

    # coordinates ----------------------------------------------------------------------------------

    def params(self, u):
        """Scaled parameters (P, K) from coordinates."""
        return np.where(self.positive, np.exp(np.where(self.positive, u, 0.0)), u)

    def to_raw(self, u):
        """Parameters in the user's units (P, K) from coordinates."""
        p = self.params(u)
        return p * np.exp(self._log_factor(p))

    @np.errstate(all="ignore")
    def from_raw(self, raw):
        """Coordinates (P, K) of parameters in the user's units; zeros land on the box."""
        raw = np.atleast_2d(np.asarray(raw, float))
        # the factor needs only dimensionless parameters, of which raw and scaled are the same
        p = raw * np.exp(-self._log_factor(raw))
        return self.clip(np.where(self.positive, np.log(np.where(self.positive, p, 1.0)), p))

    def _log_factor(self, p):
        """ln(raw / scaled) of each parameter, shape (P, K), given scaled parameters p (P, K)."""
        out = self.y_log_scale * self.y_dims if self.y_log_scale else np.zeros(p.shape)
        for scale, dims in zip(self.log_scale, self.x_dims, strict=True):
            if scale:
                out = out + scale * (dims[:, 0] + p @ dims[:, 1:].T)
        return out

    def clip(self, u):
        """Coordinates moved into the box."""
        return np.clip(u, self.lo, self.hi)

    # the same problem, changed --------------------------------------------------------------------

    def but(self, **changes):
        """Return a copy with some attributes changed, such as ``w``; arrays are shared."""
        part = copy.copy(self)
        part.__dict__.update(changes)
        return part

    def thin(self, most):
        """Return the problem on at most `most` evenly spaced `rows` of the canonical order."""
        keep = np.unique(np.linspace(0, self.n - 1, most).round().astype(int))
        x = [column[keep] for column in self.x]
        y, target = self.y[keep], self.target[keep]
        return self.but(x=x, y=y, target=target, w=self.w[keep], n=len(keep), rows=keep)

    def in_raw_units(self):
        """Return the problem with inputs as they are: holding a coordinate holds a parameter."""
        kept = self.exponent | [p in self.law.bounds for p in self.law.params]
        far = np.where(self.positive, _FARTHEST_LOG, _FARTHEST)
        lo, hi = np.where(kept, self.lo, -far), np.where(kept, self.hi, far)
        return self.but(x=self.raw_x, log_scale=np.zeros(len(self.x)), lo=lo, hi=hi)

    # values and derivatives -----------------------------------------------------------------------

    def chunks(self, lanes):
        """Slices of the lanes, each small enough for the processor's cache."""
        step = max(1, _CHUNK // self.n)
        return [slice(i, min(i + step, lanes)) for i in range(0, lanes, step)]

    @np.errstate(all="ignore")
    def residuals(self, u):
        """Return ln y - ln f in log space, y - f in linear space, (P, n); inf where not defined."""
        r = self._off(u)
        return np.where(np.isfinite(r), r, np.inf)

    def _off(self, u):
        f = self.kernel.value(*self.x, *self.params(u).T[:, :, None])
        f = np.broadcast_to(f, (len(u), self.n))
        return self.target - (np.log(f) if self.space == "log" else f)

    @np.errstate(all="ignore")
    def objective(self, u, w, delta):
        """Sum of Huber (or half the sum of squares) with weights w (P, n), shape (P,)."""
        r = self._off(u)
        # r^2/2 up to delta, the line delta (|r| - delta/2) beyond
        c = self.psi(r, delta)
        total = np.einsum("pn,pn->p", c * (r - 0.5 * c), w)
        return np.where(np.isfinite(total), total, np.inf)

    def psi(self, r, delta):
        """Return the derivative of the loss at residuals r: r within delta, else its end there."""
        # one-sided: a run below the curve counts by its square, however far
        return np.clip(r, -np.inf if self.one_sided else -delta, delta)

    @np.errstate(all="ignore")
    def newton_system(self, u, w, delta, gauss=False):
        """Gradient (P, K), Hessian (P, K, K) and the scale of each coordinate (P, K).

        With `gauss` the Hessian is that of reweighted least squares: positive, and steady far from
        the optimum.
        """
        # (P, n), (P, K, n), (P, pairs, n)
        evaluate = self.kernel.gradient if gauss else self.kernel.derivatives
        f, slopes, *bends = evaluate(self.x, self.params(u))
        log = self.space == "log"
        r = self.target - (np.log(f) if log else f)
        # d(ln f) = df / f
        inverse = 1.0 / f if log else 1.0
        psi = self.psi(r, delta)
        if gauss:
            # psi / r
            curvature = np.where(psi == r, 1.0, delta / np.maximum(np.abs(r), 1e-300))
        else:
            # d2(ln f) has a term -(df/f)^2
            curvature = (psi == r) + (psi if log else 0.0)
        first, bend = w * psi * inverse, w * curvature * inverse**2
        # dp/du: p where u is its logarithm
        jac = np.where(self.positive, self.params(u), 1.0)
        grad = -(slopes @ first[:, :, None])[:, :, 0] * jac
        hess = np.matmul(slopes * bend[:, None, :], slopes.transpose(0, 2, 1))
        if not gauss:
            second = (bends[0] @ first[:, :, None])[:, :, 0]
            for m, (i, j) in enumerate(self.kernel.second):
                hess[:, [i, j], [j, i]] -= second[:, [m, m]]
        hess *= jac[:, :, None] * jac[:, None, :]
        if not gauss:
            # d2p/du2 = p where u is its logarithm
            k = np.arange(len(self.positive))
            hess[:, k, k] += np.where(self.positive, grad, 0.0)
        weight = np.broadcast_to(w * inverse**2, first.shape)
        scale = np.sqrt(np.matmul(slopes**2, weight[:, :, None])[:, :, 0]) * jac
        return grad, hess, scale

    @np.errstate(all="ignore")
    def jacobian(self, u):
        """Slopes of the fitted values (log space: of their logarithm) in u: (n, K), rows sorted."""
        # a law at its edge may overflow: the caller looks for that
        f, slopes = self.kernel.gradient(self.x, self.params(u[None]))
        jac = slopes[0].T * np.where(self.positive, self.params(u[None])[0], 1.0)
        return jac / f[0][:, None] if self.space == "log" else jac

    def negligible(self, u):
        """Mark the positive, linear parameters whose term adds nothing to the curve, (K,)."""
        return self.idle(u) & np.isin(np.arange(len(u)), self.linear)

    @np.errstate(all="ignore")
    def idle(self, u):
        """Mark the positive parameters of which a part more or less moves no value, (K,)."""
        f, slopes = self.kernel.gradient(self.x, self.params(u[None]))
        # a curve in linear space may pass through zero
        whole = np.maximum(np.abs(f[0]), 1e-6 * np.abs(f).max())
        share = np.abs(slopes[0] * self.params(u[None])[0][:, None] / whole).max(1)
        return self.positive & (share < _NEGLIGIBLE)

    # linear parameters ----------------------------------------------------------------------------

    def solve_linear(self, u, w=None):
        """Put the linear parameters at their least squares, given the others, (P, K)."""
        if not self.linear:
            return u
        # (n,) for all, or (P, n)
        rows = [self.w if w is None else w[part] for part in self.chunks(len(u))]
        parts = zip(self.chunks(len(u)), rows, strict=True)
        return np.vstack([self._project(u[part], w) for part, w in parts])

    @np.errstate(all="ignore")
    def _project(self, u, w):
        """Variable projection (Golub and Pereyra 1973) with ln y linearised at y."""
        lin, p = self.linear, self.params(u)
        # with all linear parameters at one, a slope is the whole term
        p[:, lin] = 1.0
        f, slopes = self.kernel.gradient(self.x, p)
        basis = slopes[:, lin]
        rest = self.y - (f - basis.sum(1))
        ok = np.isfinite(basis).all((1, 2)) & np.isfinite(rest).all(1)
        basis[~ok], rest[~ok] = 1.0, 1.0
        w = w / self.y**2 if self.space == "log" else w
        # below, squares are no numbers any more
        size = np.maximum(np.sqrt((basis**2 @ w[..., None])[:, :, 0]), 1e-150)
        basis /= size[:, :, None]
        # normal equations: (P, lin, lin) and (P, lin)
        gram = np.matmul(basis * w[..., None, :], basis.transpose(0, 2, 1))
        rhs = np.matmul(basis, (w * rest)[:, :, None])[:, :, 0]
        signed = self.positive[lin]
        coef = _least_squares(gram, rhs, signed) / size
        out = u.copy()
        # terms at zero get a millionth of the largest, so that Newton's steps can revive them
        top = np.maximum(np.abs(coef).max(1, keepdims=True), 1e-300)
        out[:, lin] = np.where(signed, np.log(np.maximum(coef, 1e-6 * top)), coef)
        out[~ok] = np.nan
        return self.clip(out)


def _least_squares(gram, rhs, signed):
    """Solve the normal equations with the signed coefficients positive, dropping some to zero."""
    best, coef = np.full(len(rhs), np.inf), np.zeros(rhs.shape)
    for on in _active_sets(signed):
        ridge = 1e-13 * np.eye(int(on.sum()))
        c = np.linalg.solve(gram[:, on][:, :, on] + ridge, rhs[:, on, None])[:, :, 0]
        # the drop of the sum of squares at the solution
        gain = -np.einsum("pk,pk->p", c, rhs[:, on])
        good = (c[:, signed[on]] > 0).all(1) & (gain < best)
        best[good] = gain[good]
        coef[good] = 0.0
        coef[np.ix_(good, on)] = c[good]
    return coef


def _active_sets(signed):
    """Masks of the coefficients to solve for: any of the signed ones may be left out."""
    if len(signed) > 4:
        # too many to try each
        return [np.ones(len(signed), bool)]
    choices = [(False, True) if may_go else (True,) for may_go in signed]
    return [np.array(on) for on in product(*choices) if any(on)]
