"""Approach 3 of Hoffmann et al. 2022: the minimum of a fitted law on ``C = 6 N D``."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scalekit.answers.frontier import as_budgets, with_ends
from scalekit.fits import reach
from scalekit.fits.bands import widened
from scalekit.fits.fit import Fit
from scalekit.formulas.law import Law
from scalekit.formulas.zoo import as_law
from scalekit.tables.check import inputs
from scalekit.words import FitError, is_number, require, tails


def closed_form(
    C: ArrayLike,
    A: ArrayLike,
    B: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    flops_per_param_token: float = 6,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Compute-optimal N and D of ``L = E + A/N**alpha + B/D**beta``.

    .. math:: N = G (C/6)^{a}, \quad D = (C/6)^{b}/G, \quad a = \beta/(\alpha+\beta) = 1 - b,
              \quad G = (\alpha A / \beta B)^{1/(\alpha+\beta)}

    (arXiv:2203.15556, equation 4). C in FLOP and the constants are broadcast together;
    `flops_per_param_token` is the 6 of ``C = 6 N D``.

    Notes
    -----
    How this misleads: G raises a ratio of two poorly known constants to a power near 1.4; take A,
    B, alpha and beta from one fit, unrounded.

    Examples
    --------
    >>> N, D = closed_form(5.76e23, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    >>> f"{N:.3g} parameters, {D / N:.1f} tokens each"
    '3.22e+10 parameters, 92.6 tokens each'
    """
    given = {"C": C, "A": A, "B": B, "alpha": alpha, "beta": beta}
    given["flops_per_param_token"] = flops_per_param_token
    given = inputs(given, None, given, who="closed_form", positive=given)
    C, A, B, alpha, beta, six = given.values()
    half = C / six
    N = np.exp((np.log(alpha * A) - np.log(beta * B) + beta * np.log(half)) / (alpha + beta))
    return N, half / N


def optimal(
    law: Fit | Law | str,
    C: ArrayLike,
    params: str | dict | pd.Series | None = None,
    *,
    level: float = 0.95,
    flops_per_param_token: float = 6,
) -> pd.DataFrame:
    """Approach 3: the N and D of least loss on ``C = 6 N D``, for any law in N and D.

    `law` is a fit (with draws: intervals too), or a law, its name in the zoo or its formula, with
    `params`, a key of ``law.published`` or a mapping of constants. C are budgets in FLOP;
    `flops_per_param_token` is 6 times `flops.Shape.ratio` for an exact count.

    Returns ``C, N, D, D_per_N, L``, a row a budget; with draws ``N_low, N_high`` and so on; of a
    fit, ``reach`` as well, how many times beyond the runs the optimum lies (see `Fit.predict`).
    The interval of L holds the law's own error beyond the runs. Those of N, D and their ratio hold
    the noise only, as in the papers. ``attrs["C_range"]`` is that of the runs, if they have C.

    A loss that falls to an edge, one parameter or token, is a FitError (arXiv:2203.15556, section
    3.3; arXiv:2404.10102).

    Notes
    -----
    How this misleads: the intervals of N and D know the scatter of the runs, not the choice of the
    law, nor what N counts; far outside the data, two laws that fit alike may differ by more than
    both. Past ten times beyond the runs a warning says so.

    Examples
    --------
    >>> law = "L(N, D) = E + A/N**alpha + B/D**beta"
    >>> best = optimal(law, C=1e21, params=dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28))
    >>> [f"{v:.4g}" for v in best.loc[0, ["N", "D_per_N", "L"]]]
    ['1.824e+09', '50.08', '2.329']
    """
    ends = tails(level, "optimal")
    C, six = as_budgets(C, "optimal"), flops_per_param_token
    require(
        is_number(six) and 0 < six < np.inf,
        f"optimal: flops_per_param_token = {six!r} is not a number above zero; 6 is usual.",
    )
    fit, own, draws = None, None, None
    if isinstance(law, Fit):
        fit, law, own, draws = law, law.law, law.params, law.draws
    law = as_law(law, "optimal")
    require(
        (own is None) != (params is None),
        "optimal: a law needs constants, params= a key such as 'besiroglu2024' or a mapping; "
        "a Fit brings its own: pass its .law with params= to use others.",
    )
    require(
        set(law.inputs) == {"N", "D"},
        f"optimal: {law.formula!r} has the inputs {', '.join(law.inputs)}; it must tell "
        "parameters N from tokens D, and need nothing else: write other values into it.",
    )
    constants = law.at(params if own is None else own)
    inputs(law.params, None, constants, who="optimal")
    # (1 + draws, parameters)
    constants = pd.concat([pd.DataFrame([constants]), draws])
    best, edge = _minimum(law, C, constants, six)
    if edge[0].any():
        at = edge[0].argmax()
        raise FitError(
            f"optimal: at C = {C[at]:.3g} the loss keeps falling to the edge, N = "
            f"{best['N'][0, at]:.3g}: an optimum does not exist there for these constants."
        )
    share = edge.sum(0).max() / max(1, len(edge) - 1)
    if share > ends[0]:
        raise FitError(
            f"optimal: {share:.0%} of the draws have no optimum at a budget, more than an interval "
            f"of {level:.0%} leaves out; these runs do not settle whether one exists."
        )
    out = with_ends(C, best, ends)
    out.attrs["level"] = level
    if fit is None:
        return out
    if "C" in fit.runs:
        out.attrs["C_range"] = (float(fit.runs["C"].min()), float(fit.runs["C"].max()))
    error, out["reach"] = reach.law_error(fit, {name: best[name][0] for name in law.inputs})
    if draws is not None:
        found = widened(fit.space, best["L"][0], out[["L_low", "L_high"]].T, error, level)
        out[["L_low", "L_high"]] = found.T
        reach.warn_far("optimal", out["reach"].to_numpy())
    return out


@np.errstate(all="ignore")
def _minimum(law, C, constants, six):
    """Optimum at each budget by row of constants, each (rows, budgets), and whether at an edge."""
    half = C / six
    if half.min() <= 1:
        raise FitError(f"optimal: C = {C.min():.3g} does not pay for one parameter and one token.")
    constants = [constants[[name]].to_numpy() for name in law.params]

    def loss(N, half):
        given = {"N": N, "D": half / N}
        values = law.value(*[given[name] for name in law.inputs], *constants)
        return np.where(np.isfinite(values), values, np.inf)

    N, edge = np.empty((2, len(constants[0]), len(C)))
    for j, h in enumerate(half):
        # ln N from one parameter to one token
        grid = np.linspace(0, np.log(h), 401)
        best = loss(np.exp(grid)[None], h).argmin(1)
        edge[:, j] = (best == 0) | (best == len(grid) - 1)
        low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
        # golden section: 0.618**45 of two grid steps is 1e-10 in ln N
        for _ in range(45):
            step = 0.618034 * (high - low)
            left, right = high - step, low + step
            falls = loss(np.exp(left)[:, None], h) < loss(np.exp(right)[:, None], h)
            low, high = np.where(falls[:, 0], [low, right], [left, high])
        N[:, j] = np.exp((low + high) / 2)
    D = half / N
    return {"N": N, "D": D, "D_per_N": D / N, "L": loss(N, half)}, edge.astype(bool)
