"""How new runs scatter about a curve, where the noise may differ from place to place."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from scalekit.fits import clusters

# Fewer independent rows tell no trend of the noise; one is plain below this p-value.
_FEWEST, _PLAIN = 12, 0.1
# A residual counts as at most this many typical ones; the steps are many more than it takes.
_MOST, _STEPS = 3.0, 30


def noisy(
    fit, points: pd.DataFrame | Mapping, drawn: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Add to curves (draws, points) the residual of a run, as large as they are near the point.

    `points` holds the inputs of the law by name, each (points,) or (draws, points). Residuals are
    widened for the parameters spent, and by `fit.floor`. Weights do not enter: of a new run none is
    known, so it is one like those of the table near by, as loud or as quiet as these were.
    """
    r = fit.residuals().to_numpy()
    near_runs, near_points = scales(fit, np.abs(r), points)
    widen = fit.floor * np.sqrt(fit.n_obs / (fit.n_obs - len(fit.params)))
    # sorted: the order of the runs changes no interval
    noise = rng.choice(np.sort(r / near_runs) * widen, drawn.shape) * near_points
    return drawn * np.exp(noise) if fit.space == "log" else drawn + noise


@np.errstate(all="ignore")
def scales(fit, size: np.ndarray, points: pd.DataFrame | Mapping) -> tuple:
    r"""Scale of the noise at the runs, (n,), and at points: 1.0 both, unless it plainly changes.

    .. math:: \ln \mathrm{scale} = \sum_j b_j \ln x_j

    with the inputs as they are where they may be zero, and no more or less than at any run beyond
    them. A change is plain if ranks of the residuals' sizes (n,) go with the inputs (F test).

    Notes
    -----
    How this misleads: noise that is largest in the middle of the runs is not seen.
    """
    law = fit.law
    # (n, inputs), of which some may go together or stand still
    at = np.array([_place(law, name, fit.runs) for name in law.inputs]).T
    middle, spread = at.mean(0), at.std(0)
    at = np.where(spread > 1e-9 * np.abs(middle), (at - middle) / spread, 0.0)
    inverse = np.linalg.pinv(at, rcond=1e-6)
    share = np.mean((at @ (inverse @ clusters.ranks(size))) ** 2)
    rank = np.linalg.matrix_rank(inverse)
    rows = fit.n_obs if fit.cluster is None else fit.cluster.groups
    rest = rows - rank - 1
    if rows < _FEWEST or not fdtrc(rank, rest, share / rank / (1 - share) * rest) < _PLAIN:
        return 1.0, 1.0
    level, slopes = np.log(size.mean()), np.zeros(len(middle))
    for _ in range(_STEPS):
        # regression with a gamma's variance, of which large residuals have a bounded say
        off = np.minimum(size / np.exp(level + at @ slopes), _MOST) - 1
        level, slopes = level + off.mean(), slopes + inverse @ off
    trend, there = at @ slopes, 0.0
    for name, slope, m, s in zip(law.inputs, slopes, middle, spread, strict=True):
        there = there + np.where(slope, slope * (_place(law, name, points) - m) / s, 0.0)
    return np.exp(trend), np.exp(np.clip(there, trend.min(), trend.max()))


def _place(law, name, table):
    """Return an input, as its logarithm where it is positive."""
    x = np.asarray(table[name], float)
    return np.log(x) if name in law.positive_inputs else x
