"""Columns and inputs come out as floats, and what cannot be is refused in words."""

import re

import numpy as np
import pandas as pd
import pytest

from scalekit.tables.check import columns, inputs, many, name_rows


@pytest.fixture
def runs():
    table = {"N": [1e6, 2e6, 3e6], "D": [1, 2, 3], "note": ["a", "b", "c"]}
    return pd.DataFrame(table, index=[4, 9, 17])


def test_many():
    assert many(np.array([True, False]), "cell") == "1 cell"
    assert many(np.array([True, True]), "cell") == "2 cells"
    assert many(np.array([False]), "cell") == "0 cells"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "(row 0)"),
        (2, "(rows 0, 1)"),
        (5, "(rows 0, 1, 2, 3, 4)"),
        (6, "(rows 0, 1, 2, 3, 4, ...)"),
    ],
)
def test_only_five_rows_are_named(n, text):
    assert name_rows(np.arange(9) < n, pd.RangeIndex(9)) == text


def test_columns_returns_floats(runs):
    out = columns(runs, ["N", "D"], who="fit", positive=("N", "D"))
    assert list(out) == ["N", "D"]
    assert all(values.dtype == np.float64 for values in out.values())
    np.testing.assert_array_equal(out["D"], [1, 2, 3])


def test_exotic_numbers_are_numbers():
    # Python's integers beyond 64 bits arrive as objects, nullable columns as extension arrays.
    table = {"C": [10**20, 1], "D": pd.array([1, 2], dtype="Int64"), "K": pd.Categorical([3, 4])}
    out = columns(pd.DataFrame(table), ["C", "D", "K"], who="fit")
    np.testing.assert_array_equal(out["C"], [1e20, 1])
    np.testing.assert_array_equal(out["D"], [1, 2])
    np.testing.assert_array_equal(out["K"], [3, 4])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([0, -1, 3], "has 2 values <= 0 (rows 4, 9); drop or correct them."),
        ([1, np.nan, 3], "has 1 missing or infinite value (row 9); drop or correct them."),
        ([np.inf, -np.inf, 3], "has 2 missing or infinite values (rows 4, 9); drop"),
        (pd.array([1, None, 3], dtype="Int64"), "has 1 missing or infinite value (row 9)"),
        ([pd.NaT] * 3, "has 3 missing or infinite values (rows 4, 9, 17)"),
        ([1, "20B", 3], "has 1 value, not numbers, such as '20B' (row 9)"),
        (["x", None, -1], "has 1 value, not numbers, such as 'x' (row 4)"),
        ([True, False, True], "has 3 values, not numbers, such as True (rows 4, 9, 17)"),
        (pd.period_range("2024", periods=3), "has 3 values, not numbers, such as Period"),
    ],
)
def test_bad_values_are_refused_with_their_rows(runs, bad, message):
    runs["D"] = bad
    with pytest.raises(ValueError, match=re.escape(f"fit: column 'D' {message}")):
        columns(runs, ["N", "D"], who="fit", positive=("N", "D"))


def test_zero_is_refused_only_where_positive_is_asked(runs):
    runs["D"] = [0, -1, 3]
    np.testing.assert_array_equal(columns(runs, ["D"], who="plot")["D"], [0, -1, 3])
    np.testing.assert_array_equal(columns(runs, ["D"], who="fit", positive=["N"])["D"], [0, -1, 3])


def test_missing_and_repeated_columns(runs):
    message = "fit: no column 'n'. Did you mean 'N'? There are: N, D, note."
    with pytest.raises(ValueError, match=re.escape(message)):
        columns(runs, ["n"], who="fit")
    with pytest.raises(ValueError, match=re.escape("runs.rename(columns={'its name': 'L'}).")):
        columns(runs, ["L"], who="fit")
    twice = pd.concat([runs, runs[["N"]]], axis=1)
    with pytest.raises(ValueError, match="fit: the table has 2 columns named 'N'; keep one"):
        columns(twice, ["N"], who="fit")


@pytest.mark.parametrize("text", ["chinchilla", "my.csv"])
def test_a_text_is_no_table(text):
    message = (
        f"fit: runs must be a pandas DataFrame.* got str '{text}'.*load it first: sk.load.*sk.read"
    )
    with pytest.raises(ValueError, match=message):
        columns(text, ["N"], who="fit")


def test_no_table_and_no_rows(runs):
    with pytest.raises(ValueError, match="must be a pandas DataFrame, a row a run; got list"):
        columns([1], ["N"], who="fit")
    with pytest.raises(ValueError, match="fit: the table of runs has no rows"):
        columns(runs.iloc[:0], ["N"], who="fit")
    assert columns(runs.iloc[:1], ["N"], who="fit")["N"].tolist() == [1e6]


# ---- the inputs of a law ----


def test_inputs_are_broadcast_by_name():
    out = inputs(["N", "D"], None, {"D": [1, 2], "N": 3}, who="law", positive=["N"])
    assert list(out) == ["N", "D"]
    np.testing.assert_array_equal(out["N"], [3, 3])
    np.testing.assert_array_equal(out["D"], [1, 2])
    assert out["D"].dtype == np.float64


def test_inputs_from_a_table(runs):
    out = inputs(["D"], runs, {}, who="law", positive=["D"])
    np.testing.assert_array_equal(out["D"], [1, 2, 3])
    with pytest.raises(ValueError, match="law: give a table or inputs by name, not both"):
        inputs(["D"], runs, {"D": 1}, who="law")


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, [1, 0]])
def test_inputs_that_must_be_positive(value):
    with pytest.raises(ValueError, match="law: N must be finite and > 0; got"):
        inputs(["N"], None, {"N": value}, who="law", positive=["N"])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_inputs_must_be_finite(value):
    with pytest.raises(ValueError, match="law: x must be finite; got"):
        inputs(["x"], None, {"x": value}, who="law")
    assert inputs(["x"], None, {"x": -2}, who="law", positive=["N"])["x"] == -2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"N": 1}, "law: no value for D; pass N, D."),
        ({"N": 1, "d": 2}, "law: no input 'd'. Did you mean 'D'? There are: N, D."),
        ({"N": 1, "D": "x"}, "law: inputs must be numbers or arrays of one shape ("),
        ({"N": [1, 2], "D": [1, 2, 3]}, "law: inputs must be numbers or arrays of one shape ("),
    ],
)
def test_inputs_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        inputs(["N", "D"], None, given, who="law")
