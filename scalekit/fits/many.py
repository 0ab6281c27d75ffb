"""Fit one law to many groups of runs."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import pandas as pd

from scalekit.fits.fit import OPTIONS, fit
from scalekit.formulas.law import Law
from scalekit.formulas.zoo import as_law
from scalekit.tables.check import columns
from scalekit.words import FitError, check_known, require

# What the result says of a group besides its parameters.
_ABOUT = ("objective", "n_obs", "share", "warnings", "error")
# Groups that travel to a process together, about a tenth of a second of work; fewer where there
# are few, so that each process gets at least as many batches.
_TOGETHER, _BATCHES = 16, 4


def fit_many(
    law: Law | str, runs: pd.DataFrame, *, by: str | Sequence[str], **options
) -> pd.DataFrame:
    """Fit one law to each group of runs, on all cores, or on a cluster through joblib's backends.

    The values of the columns `by` make the groups; the options are those of `fit`. Returns a row a
    group: the `by` columns, parameters, objective, n_obs, share (of starts that agree), warnings,
    error. A group that cannot be fitted keeps its row, with the reason in `error` and NaN
    elsewhere. With ``joblib.parallel_config("dask")`` a dask.distributed cluster fits them.

    Notes
    -----
    How this misleads: many fits make some look good by chance. Look at `error` and `warnings`
    before you rank.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> N = np.logspace(6, 9, 8)
    >>> x, y = (pd.DataFrame({"N": N, "L": 2 + a / N**0.3}) for a in (40, 60))
    >>> runs = pd.concat([x.assign(set="x"), y.assign(set="y")])
    >>> fit_many("L(N) = E + A/N**alpha", runs, by="set")["A"].round(3).tolist()
    [40.0, 60.0]
    """
    from joblib import Parallel, delayed, effective_n_jobs
    from tqdm.auto import tqdm

    law = as_law(law, "fit_many")
    by = [by] if isinstance(by, str) else list(by or ())
    _check(law, runs, by, options)
    keys, parts = zip(*runs.groupby(by, sort=True, dropna=False), strict=True)
    size = min(_TOGETHER, 1 + len(parts) // (_BATCHES * effective_n_jobs(-1)))
    batches = [parts[i : i + size] for i in range(0, len(parts), size)]
    shown = tqdm(batches, desc="fit_many", delay=20, leave=False)
    # starting processes takes as long as a few fits
    parallel = Parallel(n_jobs=-1 if len(parts) > 8 else 1)
    found = parallel(delayed(_rows)(law, batch, options) for batch in shown)
    rows = pd.DataFrame(chain.from_iterable(found), columns=[*law.params, *_ABOUT])
    return pd.DataFrame(keys, columns=by).join(rows)


def _check(law, runs, by, options):
    columns(runs, [], who="fit_many")
    check_known("fit_many", "column", by, runs.columns)
    check_known("fit_many", "option", options, OPTIONS)
    for name in by:
        free = name not in {*law.params, *_ABOUT}
        require(free, f"fit_many: {name!r} is a column of the result already; rename yours.")
    require(by, "fit_many: there are no groups; give the columns that make them: by=['train_set'].")
    require(len({*by}) == len(by), f"fit_many: by={by} names a column twice; once is enough.")
    require(
        isinstance(options.get("weights"), (str, type(None))),
        "fit_many: weights must be the name of a column, which each group then brings along.",
    )


@lru_cache(maxsize=8)
def _kept(law):
    """Return the law equal to this one that this process has compiled already."""
    return law


def _rows(law, batch, options):
    return [_row(_kept(law), part, options) for part in batch]


def _row(law, runs, options):
    try:
        found = fit(law, runs, **options)
    except (FitError, ValueError) as error:
        return {"n_obs": len(runs), "warnings": "", "error": str(error)}
    warnings = " ".join(found.warnings)
    about = (found.objective, found.n_obs, found.starts.share, warnings, "")
    return dict(found.params) | dict(zip(_ABOUT, about, strict=True))
