"""Columns and inputs come out as floats, and what cannot be is refused in words."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import scalekit as sk
from scalekit.tables.check import columns, floats, inputs, labels, many, name_rows


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
        (pd.date_range("2024", periods=3), "has 3 values, not numbers, such as Timestamp"),
        ([1j, 2, 3], "has 3 values, not numbers, such as 1j (rows 4, 9, 17)"),
        ([1, 10**309, 3], "has 1 value, not numbers, such as an integer beyond 1.8e308 (row 9)"),
        ([1, 10**9000, 3], "has 1 value, not numbers, such as an integer beyond 1.8e308 (row 9)"),
        ([1, {"a": 2}, 3], "has 1 value, not numbers, such as {'a': 2} (row 9)"),
        (np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), "has 1 missing or infinite value (row 9)"),
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


class DataFrame:
    """Looks like a table of polars."""

    def to_pandas(self):
        raise AssertionError


DataFrame.__module__ = "polars.dataframe.frame"


def test_a_table_of_another_library_says_how_it_becomes_one(runs):
    message = (
        r"fit: runs must be a pandas DataFrame.* got DataFrame of polars: give its \.to_pandas"
    )
    with pytest.raises(ValueError, match=message):
        columns(DataFrame(), ["N"], who="fit")
    with pytest.raises(ValueError, match=r"read: .* got DataFrame of polars: give its \.to_pandas"):
        sk.read(DataFrame())


def test_columns_have_one_name(runs):
    runs.columns = pd.MultiIndex.from_product([["N"], runs.columns])
    with pytest.raises(ValueError, match="fit: the table's columns have 2 levels; give each one"):
        columns(runs, ["N"], who="fit")
    for name in (["N"], {"N": 1}):
        with pytest.raises(ValueError, match="fit: no column "):
            columns(runs.droplevel(0, axis=1), [name], who="fit")


def test_labels_make_groups(runs):
    assert labels(runs, "note", who="who") == ["note"]
    for by in (["note", "D"], ("note", "D"), np.array(["note", "D"])):
        assert labels(runs, by, who="who") == ["note", "D"]
    assert labels(runs.rename(columns={"D": 3}), 3, who="who") == [3]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("notes", "who: no column 'notes'. Did you mean 'note'?"),
        (None, "who: no column None."),
        ([], "who: no column None."),
        (3, "who: no column 3."),
        ([["note"]], "who: no column ['note']."),
        (["note", "note"], "who: the column 'note' is twice in the table or in by; keep one."),
        ("N", "who: the column 'N' is twice in the table or in by; keep one."),
        ("D", "who: column 'D' holds what is no label (unhashable type: 'list')."),
    ],
)
def test_labels_that_make_none(runs, by, message):
    table = pd.concat([runs.assign(D=[[1]] * 3), runs[["N"]]], axis=1)
    with pytest.raises(ValueError, match=re.escape(message)):
        labels(table, by, who="who")


def test_no_table_and_no_rows(runs):
    with pytest.raises(ValueError, match="must be a pandas DataFrame, a row a run; got list"):
        columns([1], ["N"], who="fit")
    with pytest.raises(ValueError, match="fit: the table of runs has no rows"):
        columns(runs.iloc[:0], ["N"], who="fit")
    assert columns(runs.iloc[:1], ["N"], who="fit")["N"].tolist() == [1e6]


# ---- the inputs of a law ----


@pytest.mark.parametrize(
    "values", [3, [1, 2], np.float32(2), range(3), pd.array([1, 2], dtype="Int64"), Fraction(1, 2)]
)
def test_numbers_become_floats(values):
    got = floats(values)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, np.asarray(values).astype(float))


def test_what_is_missing_is_nan():
    for values in ([1, None], np.ma.array([1, 2], mask=[0, 1]), pd.array([1, None], dtype="Int64")):
        np.testing.assert_array_equal(floats(values), [1, np.nan])


@pytest.mark.parametrize(
    "values",
    [
        *("7e10", True, 1j, [1j], 10**309, [10**309], [True, False], ["1"], Decimal(1), {1.0}),
        *({1: 2}, np.datetime64("2020"), pd.date_range("2020", periods=2), [b"1"]),
        np.array([1], "m8[s]"),
    ],
)
def test_what_is_no_number_does_not_become_one(values):
    with pytest.raises(TypeError):
        floats(values)
    with pytest.raises(ValueError, match=r"law: inputs must be numbers or arrays of one shape \("):
        inputs(["N"], None, {"N": values}, who="law")


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
