import numpy as np
import pandas as pd
import pytest

from scalekit.book.exercise import check


@pytest.mark.parametrize(
    ("answer", "expected", "options", "line"),
    [
        (..., 1.0, {}, "not answered yet."),
        (1.005, 1.0, {}, "right."),  # 1 % by default
        (1.02, 1.0, {}, "too high."),
        (0.9, 1.0, {"low": "Count the head."}, "too low. Count the head."),
        (1.1, 1.0, {"rtol": 0.2}, "right."),
        (0.0, 0.004, {"atol": 0.005}, "right."),
        (1.5, 1.0, {"atol": 0.1, "high": "Too many tokens."}, "too high. Too many tokens."),
        (np.float64(1.0), 1, {}, "right."),
        (np.array(1.0), 1, {}, "right."),
        (True, 1, {}, "a number is wanted, got a bool."),
        ("1", 1, {}, "a number is wanted, got a str."),
        (None, 1, {}, "a number is wanted, got a NoneType."),
        (
            float("nan"),
            1,
            {},
            "nan is not a finite number; look for a division by zero or a missing value.",
        ),
        (abs, 1, {}, "that is a function; call it, with parentheses, and pass what it returns."),
        (" Tokens", "tokens", {}, "right."),
        ("size", "tokens", {}, "not yet."),
        (3, "tokens", {}, "a text in quotes is wanted, got a int."),
        (True, True, {}, "right."),
        (False, True, {}, "not yet."),
        (np.True_, True, {}, "right."),
        (1, True, {}, "True or False is wanted, got a int."),
        ({"a", "b"}, {"b", "a"}, {}, "right."),
        (["b", "a"], {"a", "b"}, {}, "right."),
        ({"a", "c"}, {"a", "b"}, {}, "not yet: 1 missing, 1 too many."),
        ("ab", {"a", "b"}, {}, "a set in braces, {'like', 'this'}, is wanted, got a str."),
        (pd.Series([1.0, 2.0]), (1.0, 2.0), {}, "right."),
        ([1.0, 3.0], [1.0, 2.0], {}, "value 2: too high."),
        ([1.0], [1.0, 2.0], {}, "2 values are wanted, got 1."),
        (1.0, [1.0, 2.0], {}, "2 values in a list are wanted, got a float."),
    ],
)
def test_one_line_and_no_answer(capsys, answer, expected, options, line):
    assert check(answer, expected, name="Exercise 1", **options) is None
    assert capsys.readouterr().out == f"Exercise 1: {line}\n"


def test_bad_exercise():
    with pytest.raises(ValueError, match="no answer can match"):
        check(1, ...)
    with pytest.raises(ValueError, match="must be numbers, not negative"):
        check(1, 1, rtol=-1)


def test_a_tolerance_that_is_no_number_is_refused():
    for near in ({"rtol": float("nan")}, {"atol": float("nan")}):
        with pytest.raises(ValueError, match="must be numbers, not negative"):
            check(1.0, 1.0, **near)
