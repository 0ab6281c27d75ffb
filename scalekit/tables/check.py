"""Columns of a table of runs, checked, as arrays of floats."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
            f"{of_another_library(runs) or repr(runs)[:40]}. A data set or a file? load it first: "
            "sk.load('chinchilla'), sk.read('runs.csv')."
        )
    levels = runs.columns.nlevels
    require(levels == 1, f"{who}: the table's columns have {levels} levels; give each one name.")
    require(len(runs) > 0, f"{who}: the table of runs has no rows.")
    return {name: _column(runs, name, who, name in positive) for name in names}


def of_another_library(table: object) -> str:
    """Say how a table of polars, pyarrow or the like becomes one of pandas; of others nothing."""
    library = type(table).__module__.partition(".")[0]
    return f"of {library}: give its .to_pandas()" * hasattr(table, "to_pandas")


def labels(runs: pd.DataFrame, by: Hashable | Iterable, *, who: str) -> list:
    """Return the names of the columns `by` that make groups of runs, each there once."""
    columns(runs, [], who=who)
    names = [by] if isinstance(by, str) or not isinstance(by, Iterable) else list(by)
    check_known(who, "column", names or [None], runs.columns)
    for name in names:
        require(
            names.count(name) == 1 and runs.columns.tolist().count(name) == 1,
            f"{who}: the column {name!r} is twice in the table or in by; keep one.",
        )
        try:
            runs[name].unique()
        except TypeError as error:
            raise ValueError(f"{who}: column {name!r} holds what is no label ({error}).") from None
    return names


def _column(runs, name, who, positive):
    if not isinstance(name, Hashable) or name not in runs.columns:
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
        (odd, "value", f", not numbers, such as {_shown(next(iter(series[odd]), None))}"),
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


def _shown(value):
    return "an integer beyond 1.8e308" if type(value) is int else f"{value!r:.40}"


def floats(values: ArrayLike) -> np.ndarray:
    """Return numbers as an array of floats: no text, True, complex or date turns into one.

    A value that is masked, None or NA is NaN. Anything else is a TypeError.
    """
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(object).filled(np.nan)
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        array = np.where(pd.isna(array), np.nan, array.astype(object))
        odd = [value for value in array.flat if not is_number(value)]
        if odd:
            raise TypeError(f"{_shown(odd[0])} is no number")
    return array.astype(float)


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
        arrays = np.broadcast_arrays(*(floats(given[name]) for name in names))
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
