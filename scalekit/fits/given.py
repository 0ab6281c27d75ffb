"""What is given to a fit, checked: the table, the options, a start of one's own."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scalekit.tables.check import columns, floats, many, name_rows
from scalekit.words import FitError, check_known, is_number, require

# Logs within 0.1 % of a line hold one direction only; tables are rounded about there.
_COLLINEAR = 1e-3
_NEIGHBOURS = 15


LOSSES = "huber", "squared", "one-sided"


def table(law, runs, loss, delta, space, weights, who):
    """Check the arguments; return inputs, output and weights as arrays of floats, each (n,)."""
    check_known(who, "loss", [loss], LOSSES)
    check_known(who, "space", [space], ("log", "linear"))
    positive_number = is_number(delta) and 0 < delta < np.inf
    require(positive_number, f"{who}: delta must be a positive number, got {delta!r}.")
    positive = [*law.positive_inputs, *[law.output] * (space == "log")]
    got = columns(runs, [*law.inputs, law.output], who=who, positive=positive)
    w = np.ones(len(runs)) if weights is None else _by_row("weights", weights, runs, who)
    return [got[name] for name in law.inputs], got[law.output], w


def _by_row(what, values, runs, who):
    """Positive numbers of the rows (n,): a column's name, or a list, or a Series by its labels."""
    if not isinstance(values, str):
        if isinstance(values, pd.Series):
            values = _aligned(what, values, runs.index, who)
        # lists of unequal lengths are objects here
        shape = np.asarray(values, object).shape
        if shape != (len(runs),):
            raise ValueError(
                f"{who}: {what} must be a column's name or a list of numbers, one for each of the "
                f"{len(runs)} runs; got {type(values).__name__} of shape {shape}."
            )
        # checked as a column is, with the rows counted from zero; masked ones are missing
        runs, values = pd.DataFrame({what: pd.Series(values).to_numpy()}), what
    return columns(runs, [values], who=f"{who}: {what}", positive=[values])[values]


def _aligned(what, series, index, who):
    """Values in the order of the runs, by the labels of both."""
    if series.index.equals(index):
        return series
    require(
        series.index.is_unique and index.is_unique,
        f"{who}: the index of the {what} is not that of the runs, and labels repeat, so it is not "
        f"known whose they are; to go row by row give {what}.to_numpy().",
    )
    missing = ~index.isin(series.index)
    require(
        not missing.any(),
        f"{who}: the {what}, a Series, have no value for {many(missing, 'run')} "
        f"{name_rows(missing, index)}; give them the index of the runs, or {what}.to_numpy() to "
        "go row by row.",
    )
    return series.loc[index]


def noise(law, runs, y, values, space):
    """Return the standard deviation of each run's residual (n,), as given or as seeds show it."""
    if values is None:
        return None
    if is_number(values):
        values = np.full(len(runs), float(values))
    if isinstance(values, str) and "seed" in values.lower():
        return np.full(len(runs), _between_seeds(law, runs, y, values, space))
    return _by_row("noise", values, runs, "fit")


def _between_seeds(law, runs, y, seeds, space):
    """Pooled standard deviation between runs that differ in their seed alone."""
    check_known("fit", "column for noise", [seeds], runs.columns)
    y = pd.Series(np.log(y) if space == "log" else y, runs.index)
    once = ~runs.duplicated([*law.inputs, seeds])
    same = y[once].groupby([runs.loc[once, name] for name in law.inputs])
    freedom = once.sum() - same.ngroups
    squares = ((y[once] - same.transform("mean")) ** 2).sum()
    require(
        freedom > 0 and squares > 0,
        f"fit: noise={seeds!r}: no two runs with the same {', '.join(law.inputs)} and different "
        "seeds differ in their output, so seeds show no noise; give noise as a number.",
    )
    return float(np.sqrt(squares / freedom))


def refuse_too_little(law, x, y):
    """Refuse runs that cannot fix the parameters: too few, alike, or along one line in logs."""
    k = len(law.params)
    if len(y) <= k:
        raise ValueError(f"fit: {k} parameters need at least {k + 1} runs, got {len(y)}.")
    for name, column in zip(law.inputs, x, strict=True):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise FitError(
                f"fit: the input {name} is {column[0]:.4g} in every run, so its effect cannot be "
                "told; vary it, or use a law without it."
            )
    distinct = len(pd.DataFrame(dict(enumerate(x))).drop_duplicates())
    if distinct < k:
        raise FitError(
            f"fit: {len(y)} runs at only {distinct} different {', '.join(law.inputs)} cannot fix "
            f"{k} parameters; add runs elsewhere, or use a law with fewer."
        )
    if len(x) == 2 and all((column > 0).all() for column in x):
        _refuse_a_line(law.inputs, *np.log(x))


def _refuse_a_line(names, a, b):
    """Refuse two inputs, given as logs, that vary together."""
    ratio, slope = np.exp(np.mean(b - a)), np.polyfit(a, b, 1)[0]
    # the share of b that is not along the line is the root of 1 - r^2
    if 1 - np.corrcoef(a, b)[0, 1] ** 2 >= _COLLINEAR**2:
        return
    what = f"{names[1]} goes as {names[0]}**{slope:.3g}"
    if abs(slope - 1) < 0.01:
        what = f"{names[1]}/{names[0]} is {ratio:.4g}"
    raise FitError(
        f"fit: {names[0]} and {names[1]} are collinear in logs ({what} throughout), so their "
        "terms cannot be told apart; add runs off that line, or use a law in one input."
    )


def starts(law, start, seed):
    """Values (16, K) of the user's start and of neighbours within a factor of two."""
    if isinstance(start, (Mapping, pd.Series)):
        check_known("fit", "parameter for start", dict(start), law.params)
        start = [dict(start).get(name, np.nan) for name in law.params]
    try:
        start = floats(start)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "fit: start must be a list of numbers, or a mapping of parameters to numbers; got "
            f"{type(start).__name__} ({error})."
        ) from error
    require(
        start.shape == (len(law.params),),
        f"fit: start has {start.size} values, the law has {len(law.params)} parameters "
        f"{law.params}.",
    )
    for name, value in zip(law.params, start, strict=True):
        if not np.isfinite(value):
            raise ValueError(f"fit: start has no value for {name}, or none that is finite.")
        if value <= 0 and name not in law.real:
            raise ValueError(
                f"fit: start of {name!r} is {value:g}, but {name} is positive; if not, say "
                f"Law(real=[{name!r}])."
            )
    rng = np.random.default_rng(seed)
    logs = rng.uniform(np.log(0.5), np.log(2.0), (_NEIGHBOURS, len(start)))
    return np.vstack([start, start * np.exp(logs)])
