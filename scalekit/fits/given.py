"""What is given to a fit, checked: the table, the options, a start of one's own."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scalekit.tables.check import columns
from scalekit.words import FitError, check_known, is_number, require

# Logs within 0.1 % of a line hold one direction only; tables are rounded about there.
_COLLINEAR = 1e-3
_NEIGHBOURS = 15


def table(law, runs, loss, delta, space, weights, who):
    """Check the arguments; return inputs, output and weights as arrays of floats, each (n,)."""
    check_known(who, "loss", [loss], ("huber", "squared"))
    check_known(who, "space", [space], ("log", "linear"))
    positive_number = is_number(delta) and 0 < delta < np.inf
    require(positive_number, f"{who}: delta must be a positive number, got {delta!r}.")
    positive = [*law.positive_inputs, *[law.output] * (space == "log")]
    got = columns(runs, [*law.inputs, law.output], who=who, positive=positive)
    return [got[name] for name in law.inputs], got[law.output], _weights(weights, runs, who)


def _weights(weights, runs, who):
    if weights is None:
        return np.ones(len(runs))
    if not isinstance(weights, str):
        if np.shape(weights) != (len(runs),):
            raise ValueError(
                f"{who}: weights must be a column's name or a list of numbers, one for each of the "
                f"{len(runs)} runs; got {type(weights).__name__} of shape {np.shape(weights)}."
            )
        # checked as a column is, with the rows counted from zero
        runs, weights = pd.DataFrame({"weights": np.asarray(weights)}), "weights"
    return columns(runs, [weights], who=f"{who}: weights", positive=[weights])[weights]


def refuse_too_little(law, x, y):
    """Refuse runs that cannot fix the parameters: too few, alike, or along one line in logs."""
    k = len(law.params)
    if len(y) <= k:
        raise ValueError(f"fit: {k} parameters need at least {k + 1} runs, got {len(y)}.")
    distinct = len(pd.DataFrame(dict(enumerate([*x, y]))).drop_duplicates())
    if distinct < k:
        raise FitError(
            f"fit: {len(y)} runs, of which only {distinct} differ, cannot fix {k} parameters."
        )
    for name, column in zip(law.inputs, x, strict=True):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise FitError(
                f"fit: the input {name} is {column[0]:.4g} in every run, so its effect cannot be "
                "told; vary it, or use a law without it."
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
        start = np.asarray(start, float)
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
