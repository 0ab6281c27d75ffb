"""Columns of a table of runs, checked, as arrays of floats."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from scalekit.words import check_known, is_number, require, unknown


def many(rows: np.ndarray, noun: str) -> str:
    """Say how many of a mask are true: ``"1 value"``, ``"3 values"``."""
    return f"{rows.sum()} {noun}{'s' * bool(rows.sum() != 1)}"


def name_rows(bad: np.ndarray, index: pd.Index) -> str:
    """Name the first five rows of a mask by their labels: ``"(rows 4, 9)"``."""
    # The dots are there for a sixth row.
    labels = [*map(str, index[bad][:5]), "..."][: bad.sum()]
    return f"(row{'s' * (len(labels) > 1)} {', '.join(labels)})"


def columns(
    runs: pd.DataFrame, names: Sequence[str], *, who: str, positive: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Check columns of a table and return them as arrays of floats, shape (rows,).

    Messages begin with `who`; columns in `positive` must be greater than zero. How this misleads:
    it sees what is impossible, not what is improbable. A loss in bits among losses in nats passes.

    Examples
    --------
    >>> import pandas as pd
    >>> columns(pd.DataFrame({"N": [1, 2]}), ["N"], who="fit", positive=["N"])["N"]
    array([1., 2.])
    """
    if not isinstance(runs, pd.DataFrame):
        raise ValueError(
            f"{who}: runs must be a pandas DataFrame, a row a run; got {type(runs).__name__} "
            f"{runs!r:.40}. A data set or a file? load it first: sk.load('chinchilla'), "
            "sk.read('runs.csv')."
        )
    require(len(runs) > 0, f"{who}: the table of runs has no rows.")
    return {name: _column(runs, name, who, name in positive) for name in names}


def _column(runs, name, who, positive):
    if name not in runs.columns:
        raise ValueError(
            f"{unknown(who, 'column', name, runs.columns)} "
            f"If yours has another name: runs.rename(columns={{'its name': {name!r}}})."
        )
    series = runs[name]
    if isinstance(series, pd.DataFrame):
        raise ValueError(
            f"{who}: the table has {series.shape[1]} columns named {name!r}; keep one."
        )
    number = np.ones(len(series), bool)
    if series.dtype.kind not in "iuf":
        series = series.astype(object)
        number = series.map(is_number).to_numpy(bool)
    odd = ~number & series.notna().to_numpy(bool)
    values = series.where(number).to_numpy(dtype=float, na_value=np.nan)
    faults = [
        (odd, "value", f", not numbers, such as {next(iter(series[odd]), None)!r}"),
        (~(number & np.isfinite(values)), "missing or infinite value", ""),
        ((values <= 0) & positive, "value", " <= 0"),
    ]
    for bad, noun, more in faults:
        if bad.any():
            raise ValueError(
                f"{who}: column {name!r} has {many(bad, noun)}{more} "
                f"{name_rows(bad, runs.index)}; drop or correct them."
            )
    return values


def inputs(
    names: Sequence[str],
    frame: pd.DataFrame | None,
    given: Mapping,
    *,
    who: str,
    positive: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Return the inputs of a law as broadcast arrays of floats, from a table or given by name.

    All is as in `columns`; those in `positive` are checked where they are given by name.
    """
    if frame is not None:
        if given:
            raise ValueError(f"{who}: give a table or inputs by name, not both.")
        return columns(frame, names, who=who)
    check_known(who, "input", given, names)
    try:
        arrays = np.broadcast_arrays(*(np.asarray(given[name], float) for name in names))
    except KeyError as missing:
        raise ValueError(
            f"{who}: no value for {missing.args[0]}; pass {', '.join(names)}."
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{who}: inputs must be numbers or arrays of one shape ({error})."
        ) from error
    for name, array in zip(names, arrays, strict=True):
        sign = " and > 0" * (name in positive)
        if not np.isfinite(array).all() or (sign and (array <= 0).any()):
            raise ValueError(f"{who}: {name} must be finite{sign}; got {array.min():g}.")
    return dict(zip(names, arrays, strict=True))
