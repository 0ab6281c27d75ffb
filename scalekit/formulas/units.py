"""How a law's parameters change with the units of its inputs and its output."""

import numpy as np

from scalekit.formulas.parse import compiled

# Units enter a formula with whole powers, halves or thirds.
_STEPS = 6
# Largest relative miss of the scaling identity: rounding, squared for safety.
_MISS = 1e-8


def units(law) -> tuple[tuple, np.ndarray | None, frozenset]:
    """Find how each parameter scales with the units of the inputs and of the output.

    Returns, for each input, None or d of shape (K, 1 + K): scaling the input by s leaves the law as
    it is if parameter k is scaled by ``s**(d[k, 0] + d[k, 1:] @ p)``; None or d of shape (K,):
    scaling parameter k by ``s**d[k]`` scales the law by s; the names of those that carry a unit.

    The identities ``x df/dx + sum_k d_k p_k df/dp_k = 0`` (input) and
    ``sum_k d_k p_k df/dp_k = f`` (output) are solved for d at random points, and accepted only if
    they hold at all of them.
    """
    f, xg, pg, p = _probe(law)
    k = len(law.params)
    if len(f) <= 2 * k * (k + 1):
        return (None,) * len(law.inputs), None, frozenset()
    output = _scaling(f, pg, p, depths=(0,))
    inputs = [_scaling(-slope, pg, p, depths=(0, k)) for slope in xg]
    carriers = _carriers([*inputs, output])
    powers = {j for d in inputs if d is not None for j in np.flatnonzero(d[:, 1:].any(0))}
    if powers & carriers:
        # an exponent that itself carries a unit: leave the inputs as they are
        inputs = [None] * len(inputs)
        carriers = _carriers([output])
    # a bound is stated in the user's unit, so its parameter must not be rescaled
    bounded = [law.params.index(name) for name in law.bounds]
    inputs = tuple(None if d is None or d[bounded].any() else d for d in inputs)
    if output is not None:
        output = None if output[bounded].any() else output[:, 0]
    return inputs, output, frozenset(law.params[i] for i in carriers)


@np.errstate(all="ignore")
def _probe(law):
    """Value (m,), x df/dx an input (m,), p df/dp (m, K) and p (m, K) at random points."""
    rng, k = np.random.default_rng(0), len(law.params)
    m = 60 + 4 * k * (k + 1)
    x = rng.uniform(0.4, 2.5, (len(law.inputs), m))
    p = rng.uniform(0.3, 1.7, (m, k))
    symbols = list(law.symbols.values())
    probed = compiled(symbols, [law.expr, *(s * law.expr.diff(s) for s in symbols)])
    # (1 + inputs + K, m)
    values = np.array([np.broadcast_to(v, m) for v in probed(*x, *p.T)])
    ok = np.isfinite(values).all(0)
    f, xg, pg = np.split(values[:, ok], [1, 1 + len(x)])
    return f[0], xg, pg.T, p[ok]


def _carriers(scalings):
    """Return the indices of the parameters that any of the scalings moves."""
    return {i for d in scalings if d is not None for i in np.flatnonzero(d.any(1))}


def _scaling(target, pg, p, depths):
    """Solve ``sum_k (d[k, 0] + d[k, 1:] @ p) pg[:, k] = target`` for d (K, 1 + K), or None.

    With depth 0 the powers are plain numbers; with depth K they may be linear in the parameters.
    """
    k = p.shape[1]
    for depth in depths:
        factors = np.column_stack([np.ones(len(p)), p[:, :depth]])
        # a column for each product of a slope and a factor: (m, K * (1 + depth))
        columns = (pg[:, :, None] * factors[:, None, :]).reshape(len(p), -1)
        found = np.linalg.lstsq(columns, target, rcond=1e-10)[0]
        found = np.round(_STEPS * found) / _STEPS
        miss = np.abs(columns @ found - target).max(initial=0.0)
        if miss <= _MISS * np.abs(target).max(initial=1e-300):
            d = np.zeros((k, 1 + k))
            d[:, : 1 + depth] = found.reshape(k, 1 + depth)
            return d
    return None
