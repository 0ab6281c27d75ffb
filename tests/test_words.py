"""The leaf: names nearby, messages, numbers, interval tails."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from scalekit.words import (
    FitError,
    check_known,
    is_number,
    nearest,
    tails,
    unknown,
    whole_number,
)


def test_a_fit_error_is_no_value_error():
    assert issubclass(FitError, RuntimeError) and not issubclass(FitError, ValueError)


NEAREST = [
    ("alpa", ["beta", "alpha"], " Did you mean 'alpha'?"),
    ("CHINCHILLA", ["chinchilla"], " Did you mean 'chinchilla'?"),
    # the name is given as it is known, capitals and all
    ("n_c", ["N_c", "D_c"], " Did you mean 'N_c'?"),
    ("alphb", ["alphab", "alpha"], " Did you mean 'alphab'?"),
    (101, [100, 7], " Did you mean 100?"),
    ("q", ["alpha", "beta"], ""),
    ("q", [], ""),
]


@pytest.mark.parametrize(("name", "known", "text"), NEAREST)
def test_nearest(name, known, text):
    assert nearest(name, known) == text


UNKNOWN = [
    ("M", ["N", "alpha"], "at: no input 'M'. There are: N, alpha."),
    ("alfa", ["N", "alpha"], "at: no input 'alfa'. Did you mean 'alpha'? There are: N, alpha."),
    (3, [1, 2], "at: no input 3. There are: 1, 2."),
    ("M", (), "at: no input 'M'. There are: none."),
    ("M", iter(["N"]), "at: no input 'M'. There are: N."),
]


@pytest.mark.parametrize(("name", "known", "text"), UNKNOWN)
def test_unknown(name, known, text):
    assert unknown("at", "input", name, known) == text


def test_the_first_of_the_unknown_names_is_refused():
    assert check_known("fit", "column", ["b", "a"], ["a", "b"]) is None
    assert check_known("fit", "column", [], []) is None
    with pytest.raises(ValueError) as refused:
        check_known("fit", "column", ["a", "N_", "q"], {"a": 1, "N": 2})
    assert str(refused.value) == unknown("fit", "column", "N_", ["a", "N"])


@pytest.mark.parametrize("name", [["a"], np.array(["a", "b"]), {"a": 1}, ("a", [1])])
def test_what_is_no_name_is_refused_like_an_unknown_one(name):
    for known in (("a", "b"), {"a": 1}, ["a"]):
        with pytest.raises(ValueError, match=r"^fit: no loss .* There are: a"):
            check_known("fit", "loss", [name], known)


@pytest.mark.parametrize("value", [0, 3, np.int64(3), 10**300])
def test_whole_numbers(value):
    assert whole_number("fit", "seed", value) is None


@pytest.mark.parametrize("value", ["x", 1.5, 2.0, -1, True, np.nan, None, [1], "x" * 40])
def test_what_is_no_whole_number(value):
    with pytest.raises(ValueError) as refused:
        whole_number("fit", "seed", value)
    wanted = "fit: seed must be a whole number, 0 or more"
    assert str(refused.value) == f"{wanted}; got {value!r}."
    with pytest.raises(ValueError, match=r"fit: n must be a whole number, 2 or more; got 1\."):
        whole_number("fit", "n", 1, least=2)


@pytest.mark.parametrize("value", [0, -3, 2.5, np.float64(1), np.int64(4), np.nan, Fraction(1, 2)])
def test_numbers(value):
    assert is_number(value) is True


@pytest.mark.parametrize("value", [True, False, np.True_, "3", None, 1j, [1], Decimal(1), 10**309])
def test_what_is_no_number(value):
    assert is_number(value) is False


def test_tails():
    # halves and quarters are exact
    assert tails(0.5) == (0.25, 0.75)
    assert tails(np.float64(0.75), "predict") == (0.125, 0.875)
    assert tails(Fraction(1, 4)) == (0.375, 0.625)
    low, high = tails(0.95)
    assert (low, high) == ((1 - 0.95) / 2, 1 - (1 - 0.95) / 2)
    assert type(low) is type(high) is float
    # just inside the limits
    assert tails(1e-300) == (0.5, 0.5) and tails(1 - 1e-15)[1] < 1


@pytest.mark.parametrize("level", [0, 1, 0.0, 1.0, -0.1, 1.5, 95, np.nan, True, "0.95", None])
def test_levels_that_are_refused(level):
    with pytest.raises(ValueError) as refused:
        tails(level, "predict")
    wanted = "a level must lie between 0 and 1, as in 0.95"
    assert str(refused.value) == f"predict: {wanted}; got {level!r}."
    with pytest.raises(ValueError, match=f"^level: {wanted}"):
        tails(level)
