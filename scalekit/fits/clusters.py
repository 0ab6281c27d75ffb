"""Whether rows are independent: groups of runs whose residuals lie on one side together."""

from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import fdtrc, ndtr

# Chance of an alarm on independent rows, over all columns and both tests together.
_ALARM = 0.01
# Plain where what a group shares has twice the variance that independent rows would give it.
_PLAIN = 2.0
# Coarse groups are kept if the means of the fine ones inside differ by this ordinary level.
_NESTED = 0.01
# Below FEW clusters no interval is to be trusted; below FEWEST single rows do no worse.
FEW, FEWEST = 6, 4
# Residuals this small, relative to the output, are rounding.
_ROUNDING = 1e-9


class Cluster(NamedTuple):
    """A column whose values are groups of rows that belong together, and what tells so."""

    column: str
    groups: int
    # of the stronger test, times the number of tests
    p: float
    # between groups, on ranks; and the correlation of neighbours within groups
    F: float
    lag: float
    # the group of each row, in the problem's order
    codes: np.ndarray

    @property
    def inflation(self) -> float:
        """Variance of what a group shares, over what independent rows would give it."""
        return max(self.F, (1 + self.lag) / (1 - self.lag))

    def describe(self) -> str:
        """Say in one sentence what tells that the rows are not independent, and what follows."""
        then = f"; fit.bootstrap resamples whole groups of {self.column}."
        if self.groups < FEW:
            then = f", and {self.groups} groups are too few to resample: trust no interval."
        return (
            f"Rows of one {self.column} lie on one side of the curve together (p = "
            f"{max(self.p, 1e-99):.0e}; F on ranks {self.F:.3g}, correlation of neighbours "
            f"{self.lag:.2f}): a cluster or a misfit; either way they are not independent{then}"
        )


@np.errstate(all="ignore")
def find(fit) -> Cluster | None:
    """Find the column whose groups of rows are plainly not independent, or None.

    Looks at labels, at whole numbers, and at the inputs. Residuals enter as ranks, for their tails
    are heavy. Two tests: whether groups differ (F on ranks, as Kruskal and Wallis 1952), and
    whether neighbours in a group, in the order of the input that moves most there, are alike.

    Notes
    -----
    How this misleads: a law that bends otherwise than the runs leaves such residuals too.
    """
    problem = fit.problem
    r = problem.residuals(fit.u[None])[0]
    if np.abs(r).max() < _ROUNDING:
        return None
    root = np.sqrt(problem.w)
    z = ranks(r * root)
    # (n, K) the directions in which the fit has made the residuals vanish
    slopes = problem.jacobian(fit.u) * root[:, None]
    spent = np.linalg.qr(slopes[:, slopes.any(0)])[0]
    columns = candidates(fit)
    looked = [_look(problem, z, spent, name, codes, 2 * len(columns)) for name, codes in columns]
    plain = [c for c in looked if c.p < _ALARM and c.inflation > _PLAIN]
    gone = set()
    for fine, coarse in permutations(plain, 2):
        over = _over(fine, coarse)
        if over is not None and not gone & {fine.column, coarse.column}:
            gone.add((fine if _explains(coarse, over, fine, z) else coarse).column)
    left = [c for c in plain if c.column not in gone]
    return max(left, key=lambda c: c.inflation, default=None)


def candidates(fit):
    """Columns that may name groups, labels first: (name, codes in the problem's order) each."""
    law, found = fit.law, []
    for name, column in fit.runs.items():
        if name in law.inputs or (name != law.output and _is_label(column)):
            # the bare array: a Series would copy the card of the table
            codes, known = pd.factorize(column.array, use_na_sentinel=False)
            # groups of fewer than two rows on average hardly matter
            if 1 < len(known) <= len(codes) / 2:
                found.append((name, codes[fit.problem.order]))
    return sorted(found, key=lambda c: c[0] in law.inputs)


def _is_label(column):
    """Say whether a column holds text or whole numbers, as names do; measured values do not."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(float, na_value=0.0)
        return column.dtype != bool and bool((values == np.round(values)).all())
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "categorical")


def _look(problem, z, spent, name, codes, tests):
    """Test the groups of one column."""
    F, p = f_test(z, codes, spent.T)
    # (inputs, rows): the input that moves most within the groups
    x = np.array(problem.raw_x)
    moves = [_between(_standard(row), codes) for row in x]
    order = np.lexsort([x[np.argmin(moves)], codes])
    pairs = (z[order][1:] * z[order][:-1])[np.diff(codes[order]) == 0]
    p_lag = ndtr(-pairs.sum() / np.sqrt((pairs**2).sum()))
    return Cluster(name, int(codes.max()) + 1, tests * min(p, p_lag), F, pairs.mean(), codes)


def f_test(z, codes, spent=()):
    """F of the means of groups of standardised values, and its p-value.

    spent : directions (K, n) of length 1 that a fit has taken from the values, the mean among them.
    """
    n, k, between = len(z), codes.max() + 1, _between(z, codes)
    # degrees of freedom lost between groups, and in all
    lost = max(1.0, sum(_between(direction, codes) for direction in spent))
    free, rest = max(1.0, k - lost), n - k - (max(1, len(spent)) - lost)
    F = between / free / ((n - between) / rest)
    return F, fdtrc(free, rest, F)


def _between(z, codes):
    """Sum of squares of the means of groups, each counted for its rows."""
    return np.sum(np.bincount(codes, z) ** 2 / np.bincount(codes))


def _standard(values):
    return (values - values.mean()) / values.std()


def ranks(values):
    """Ranks of some values, standardised."""
    return _standard(pd.Series(values).rank().to_numpy())


def _over(fine, coarse):
    """Return the coarse group of each fine one, or None where they are not nested."""
    over = np.zeros(fine.groups, int)
    over[fine.codes] = coarse.codes
    return over if (over[fine.codes] == coarse.codes).all() else None


def _explains(coarse, over, fine, z):
    """Say whether the means of fine groups still differ between the coarse ones."""
    means = np.bincount(fine.codes, z) / np.bincount(fine.codes)
    return coarse.groups < fine.groups and f_test(ranks(means), over)[1] < _NESTED
