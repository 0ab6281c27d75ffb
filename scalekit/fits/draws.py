"""How sure: bootstrap draws, each the fit of a resample, and their audit."""

import numpy as np
import pandas as pd

from scalekit.fits import clusters, solver
from scalekit.words import FitError, check_known, require, whole_number

# A term A/N**alpha of a draw below this overflows only where it is nothing.
_LARGEST = 1e290
# Weights of resamples that are held at once, 8 MB, and of those that an audit looks at.
_AT_ONCE, _AUDITED = 1_000_000, 2_000_000
# One resample in so many is solved anew, within these limits, and from how many starts.
_ONE_IN, _FEWEST, _MOST, _AUDIT_STARTS = 64, 24, 48, 4
# Rows of a table on which an audit begins.
_THINNED = 2048
# Minima found by an audit that all resamples are then started from.
_NEW_STARTS = 6
# A minimum is lower if it is so by this share of the objective.
_LOWER = 1e-6
# Relative decrease, promised by the quadratic model, of the last step that a draw takes.
_TOLERANCE = 1e-9


def bootstrap(fit, n, seed, by, stratify):
    """Refit n resamples, each a set of weights, all at once; see `Fit.bootstrap`.

    Returns the draws, a note on them, and the doubts that their audit raises.
    """
    whole_number("bootstrap", "n", n, 2)
    whole_number("bootstrap", "seed", seed)
    auto = by == "auto"
    by = _cluster(fit, stratify) if auto else by
    resamples = Resamples(fit, int(n), seed, by, stratify)
    few = _too_few(resamples, by, stratify)
    fixed = resamples.hold(len(fit.u))
    loose = f"{(~fixed).sum()} of {n} resamples hold fewer inputs than the law has parameters"
    if fixed.mean() < 0.5:
        raise FitError(f"bootstrap: {loose}; the law leans on too few runs.")
    u, value, audit, doubts = _all_minima(fit, resamples, np.flatnonzero(fixed))
    # no narrower than the noise that the user knows of allows
    u = fit.problem.clip(fit.u + fit.floor * (u - fit.u))
    with np.errstate(over="ignore"):
        raw = fit.problem.to_raw(u)
    near = (np.abs(raw) < _LARGEST).all(1) | ~fixed
    good = np.isfinite(value) & near & fixed
    if good.sum() < 0.95 * fixed.sum():
        raise FitError(
            f"bootstrap: {(fixed & ~good).sum()} of {n} resamples could not be fitted, or only by "
            "a parameter beyond the largest number; the law leans on too few runs."
        )
    draws = pd.DataFrame(raw[good], np.flatnonzero(good), list(fit.params.index))
    # what `chain` pairs draws by
    about = {"n": int(n), "seed": seed, "by": by, "stratify": stratify}
    draws.attrs["resample"] = about | {"rows": resamples.rows}
    why = ", as its rows are not independent" * auto
    how = f", whole {by} together{why}" * bool(by) + f", within {stratify}" * bool(stratify)
    note = f"{len(draws)} bootstrap draws (seed {seed}{how}). {audit}"
    if fit.cluster is not None and by is None:
        note += f" Rows of one {fit.cluster.column} came apart, though they are not independent."
    if not near.all():
        note += f" Left out: {(~near).sum()} whose parameters pass {_LARGEST:g}."
    if not fixed.all():
        note += f" Left out: {loose}."
    at_edge = (u[good] <= fit.problem.lo + 1e-6) | (u[good] >= fit.problem.hi - 1e-6)
    edges = draws.columns[at_edge.mean(0) > 0.01]
    if len(edges):
        note += f" At a bound in some resamples: {', '.join(edges)}."
    return draws, note, few + doubts


# resamples ----------------------------------------------------------------------------------------


class Resamples:
    """Weights of n resamples, made anew a part at a time: they do not fit into memory together.

    They do not depend on the order of the rows: these are taken in the order of their hashes.
    """

    def __init__(self, fit, n, seed, by, stratify):
        self.n, self.seed, self.problem = n, seed, fit.problem
        hashes = pd.util.hash_pandas_object(fit.runs, index=False).to_numpy()
        self.order = np.argsort(hashes, kind="stable")
        # the same for the same rows in any order
        self.rows = int(hashes.sum(dtype=np.uint64))
        rows = np.arange(fit.n_obs)
        unit = rows if by is None else _codes(fit, by, "by")[self.order]
        stratum = 0 * rows if stratify is None else _codes(fit, stratify, "stratify")[self.order]
        # of each stratum its rows, and the number of each row's unit in it
        self.strata = [np.flatnonzero(stratum == s) for s in range(stratum.max() + 1)]
        self.units = [np.unique(unit[rows], return_inverse=True)[1] for rows in self.strata]

    def parts(self):
        """Yield the place of each part among the resamples, and its weights (part, n)."""
        rng, step = np.random.default_rng(self.seed), max(1, _AT_ONCE // self.problem.n)
        for i in range(0, self.n, step):
            part = slice(i, min(i + step, self.n))
            yield part, self.counts(rng, part.stop - i)[:, self.problem.order] * self.problem.w

    def hold(self, k):
        """Say which resamples hold runs at k different inputs or more, (n,)."""
        x = np.array(self.problem.raw_x)
        # rows of equal inputs side by side, and where each begins
        order = np.lexsort(x)
        begins = np.flatnonzero(np.append(True, np.diff(x[:, order]).any(0)))
        held = (np.add.reduceat(w[:, order], begins, axis=1) > 0 for _, w in self.parts())
        return np.concatenate([part.sum(1) for part in held]) >= k

    def counts(self, rng, n):
        """Draw how often each row of the table counts in each of n resamples, (n, rows)."""
        counts = np.empty((n, len(self.order)))
        for rows, unit in zip(self.strata, self.units, strict=True):
            m = unit.max() + 1
            # a resample's draws are numbered apart from those of the others
            drawn = rng.integers(0, m, (n, m)) + m * np.arange(n)[:, None]
            times = np.bincount(drawn.ravel(), minlength=n * m).reshape(n, m)
            counts[:, self.order[rows]] = times[:, unit]
        return counts


def _cluster(fit, stratify):
    """Return the column of plain clusters, if there are enough of them and two in each stratum."""
    found = fit.cluster
    if found is None or found.groups < clusters.FEWEST:
        return None
    if stratify is not None:
        pairs = fit.runs[found.column].groupby(_codes(fit, stratify, "stratify"))
        return found.column if pairs.nunique(dropna=False).min() > 1 else None
    return found.column


def _too_few(resamples, by, stratify):
    """Say where too little varies between the resamples; refuse where nothing does."""
    units = np.array([unit.max() + 1 for unit in resamples.units])
    lone, doubts = int((units == 1).sum()), []
    what = f"of {len(units)} strata of {stratify} hold one {by or 'row'}, kept in every resample"
    require(lone < len(units), f"bootstrap: {lone} {what}; nothing to resample.")
    if lone:
        doubts.append(f"{lone} {what}: the intervals are too narrow and not to be trusted.")
    if by is not None and units.sum() < clusters.FEW:
        doubts.append(
            f"{units.sum()} groups of {by} are too few to resample: no interval is to be trusted."
        )
    return tuple(doubts)


def _codes(fit, column, what):
    check_known("bootstrap", f"column for {what}", [column], list(fit.runs.columns))
    codes, values = pd.factorize(fit.runs[column], sort=True, use_na_sentinel=False)
    if len(values) < 2:
        raise ValueError(
            f"bootstrap: {what}={column!r} has one value only ({values[0]!r}); nothing to resample."
        )
    return codes


# minima -------------------------------------------------------------------------------------------


def _all_minima(fit, resamples, fixed):
    """Minima of all resamples (n, K), their objectives, and what the audit says of them.

    Each resample starts from every distinct minimum of the fit. Some of those `fixed` by their runs
    are solved anew from many starts; where that finds lower minima, all start from these too, and
    others are audited.
    """
    n = resamples.n
    u, value = np.empty((n, len(fit.u))), np.full(n, np.inf)
    few = int(np.clip(n // _ONE_IN, _FEWEST, _MOST))
    few = min(few, len(fixed), max(2, _AUDITED // fit.n_obs))
    _descend(fit, resamples, fit.minima, u, value)
    rows = fixed[np.linspace(0, len(fixed) - 1, few).astype(int)]
    lower, most, found = _audit(fit, resamples, rows, u, value)
    said = f"Audit: {few} resamples solved anew from many starts: {_count(lower)}"
    if lower:
        said += f" (by {most:.1e} of the objective at most), so all were started from these too"
        _descend(fit, resamples, found, u, value)
        rows = np.setdiff1d(fixed[np.linspace(0, len(fixed) - 1, 2 * few).astype(int)], rows)
        lower, most, _ = _audit(fit, resamples, rows, u, value)
        others = f"; of {len(rows)} others {_count(lower)}" * bool(len(rows))
        said += others + f" (by {most:.1e})" * bool(lower)
    doubt = f"The bootstrap's minima are not all global ({lower} of {len(rows)} audited were not)."
    return u, value, f"{said}.", (doubt,) if lower > len(rows) / 10 else ()


def _count(lower):
    return f"{lower or 'none'} had a lower minimum"


def _descend(fit, resamples, starts, u, value):
    """Minimise all resamples from each of some starts (m, K); what is lower goes into u, value."""
    problem, widest = fit.problem, _widest(fit)
    for part, weights in resamples.parts():
        for start in starts:
            lanes = solver.spread(problem, start, weights)
            found = solver.descend(problem, lanes, weights, widest=widest, tol=_TOLERANCE)
            _keep_lower(u[part], value[part], *found)


def _keep_lower(u, value, found, reached):
    """Write what is lower into u and value; return by which share it is, zero elsewhere."""
    better = reached < value
    gain = np.zeros(len(value))
    # a first minimum, and one of nothing, is no gain
    known = better & np.isfinite(value) & (value > 0)
    gain[known] = 1 - reached[known] / value[known]
    u[better], value[better] = found[better], reached[better]
    return gain


def _widest(fit):
    """Return the delta to begin with: a narrow one makes the objective nearly |r|, else None."""
    problem = fit.problem
    spread = float(np.median(np.abs(problem.residuals(fit.u[None])[0])))
    return 4 * spread if problem.delta < spread / 4 else None


def _audit(fit, resamples, rows, u, value):
    """Solve some resamples anew; write lower minima into u and value.

    Returns how many had one, by how much at most, and distinct minima among them, best first.
    """
    if not len(rows):
        return 0, 0.0, fit.minima[:0]
    parts = resamples.parts()
    weights = np.vstack([w[rows[(p.start <= rows) & (rows < p.stop)] - p.start] for p, w in parts])
    found, reached = solve_again(fit, weights)
    at, known = u[rows], value[rows]
    gain = _keep_lower(at, known, found, reached)
    u[rows], value[rows] = at, known
    order = np.argsort(-gain)[: (gain > _LOWER).sum()]
    return len(order), gain.max(initial=0.0), solver.apart(fit.problem, found[order])[:_NEW_STARTS]


def solve_again(fit, weights):
    """Coordinates (m, K) and objectives (m,) of resamples, from the best starts screened.

    Constants and terms at zero are tried at other sizes too. Large tables are thinned first.
    """
    few, m = fit.problem.thin(_THINNED), len(weights)
    starts, rough = solver.screen(few, fit.seed)
    # the fit's own minima make up for starts at which the law is not finite
    starts = np.vstack([starts[np.isfinite(rough)][:_AUDIT_STARTS], fit.minima])
    thinned = weights[:, few.rows]
    u, w = np.tile(starts, (m, 1)), np.repeat(thinned, len(starts), axis=0)
    widest = _widest(fit)
    wide = widest or 4 * few.delta
    u, _ = solver.newton(few, u, w, delta=wide, steps=300, tol=1e-8, gauss=True)
    u, value = solver.descend(few, u, w, widest=widest)
    # the lowest of each resample
    best = np.where(np.isfinite(value), value, np.inf).reshape(m, -1).argmin(1)
    u = u.reshape(m, -1, u.shape[1])[np.arange(m), best]
    u, _ = solver.regrow(few, u, thinned, solver.SIZES[1::3])
    return solver.newton(fit.problem, u, weights)
