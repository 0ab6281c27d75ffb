"""A law compiled: value, gradient and Hessian over many parameter vectors at once."""

from functools import cached_property

import numpy as np
import sympy

from scalekit.formulas.parse import Larger, Smaller, compiled
from scalekit.words import require

# Operations in the first derivatives: the zoo's longest law has a fifth, and takes a second.
_BUDGET = 1500


class Kernel:
    """A law compiled over a batch of parameter vectors.

    Inputs x are a list of arrays of shape (n,), parameters p an array of shape (P, K).
    `logs` says which inputs come as their logarithms. A soft one rounds Max and Min off over a part
    h of their arguments, and takes h as its last input.
    """

    def __init__(self, law, logs, soft=False):
        self.law, self.logs, self.k = law, logs, len(law.params)
        xs = [sympy.Symbol(f"_x{i}", real=True) for i in range(len(law.inputs))]
        self._ps = [sympy.Symbol(f"_p{i}", **law.assumptions(n)) for i, n in enumerate(law.params)]
        given = [sympy.exp(x) if log else x for x, log in zip(xs, logs, strict=True)]
        swap = dict(zip(law.symbols.values(), [*given, *self._ps], strict=True))
        self._expr = sympy.expand_power_base(law.expr.subs(swap, simultaneous=True))
        if soft:
            xs.append(sympy.Symbol("_h", positive=True))
            for kind, sign in ((Larger, 1), (Smaller, -1)):
                self._expr = self._expr.replace(kind, _rounded(sign, xs[-1]))
        self._arguments = xs + self._ps
        self._slopes = [self._expr.diff(p) for p in self._ps]
        work = sum(slope.count_ops() for slope in self._slopes)
        require(
            work <= _BUDGET,
            f"Law: the derivatives of {law.formula[:60]!r} take {work} operations, more than the "
            f"{_BUDGET} that are compiled; write it with fewer parameters, or nest it less.",
        )

    def __reduce__(self):
        # compiled functions cannot travel to another process; they are rebuilt there
        return self.law.kernel, (self.logs,)

    @cached_property
    def softened(self):
        """The same with the kinks of Max and Min rounded off; None where there are none."""
        kinks = self._expr.has(Larger, Smaller)
        return Kernel(self.law, self.logs, soft=True) if kinks else None

    @cached_property
    def second(self):
        """Second derivatives that are not identically zero, by the pair of parameters."""
        found = {}
        for i, j in zip(*np.triu_indices(self.k), strict=True):
            h = self._slopes[i].diff(self._ps[j])
            if h != 0:
                found[int(i), int(j)] = h
        return found

    @cached_property
    def linear(self):
        """Indices of parameters in which the law is jointly linear, taken greedily in order."""
        chosen = []
        for i, name in enumerate(self.law.params):
            crosses = any((j, i) in self.second for j in [*chosen, i])
            if not crosses and name not in self.law.bounds:
                chosen.append(i)
        return chosen

    @cached_property
    def value(self):
        """Compiled ``value(*x, *columns)``, with a column of shape (P, 1) for each parameter."""
        return compiled(self._arguments, self._expr)

    @cached_property
    def _with_gradient(self):
        return compiled(self._arguments, [self._expr, *self._slopes])

    @cached_property
    def _with_hessian(self):
        return compiled(self._arguments, [self._expr, *self._slopes, *self.second.values()])

    def gradient(self, x, p):
        """Value (P, n) and gradient (P, K, n)."""
        return self._evaluate(self._with_gradient, x, p)[:2]

    def derivatives(self, x, p):
        """Value (P, n), gradient (P, K, n), second derivatives (P, len(second), n)."""
        return self._evaluate(self._with_hessian, x, p)

    def _evaluate(self, function, x, p):
        parts = function(*x, *p.T[:, :, None])
        # constants come as numbers, the rest as (P, n): one array holds them all
        out = np.empty((len(p), len(parts), len(x[0])))
        for i, part in enumerate(parts):
            # a power of a negative number has no value
            real = part if np.isrealobj(part) else np.where(np.imag(part), np.nan, np.real(part))
            out[:, i] = real
        return out[:, 0], out[:, 1 : 1 + self.k], out[:, 1 + self.k :]


def _rounded(sign, h):
    """Return max (sign 1) or min (-1) with its kink rounded off over a part h of its arguments."""
    return lambda a, b: (a + b + sign * sympy.sqrt((a - b) ** 2 + h**2 * (a**2 + b**2))) / 2
