"""Checks for the exercises of the notebooks: a hint, never the answer."""

import math
from collections.abc import Sequence, Set
from typing import Any

from scalekit.words import is_number


def check(
    answer: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    low: str | None = None,
    high: str | None = None,
    name: str = "Exercise",
) -> None:
    """Check an answer to an exercise and print one line: right, a hint, or not answered yet.

    An answer is a number, text, True or False, a set or a sequence; ``...`` is none yet. Text is
    compared without case and outer blanks, a set without order, a sequence element by element. A
    number is right within either of `rtol` (relative) and `atol` (absolute), or 1 % without both;
    `low` and `high` are hints for one too low and too high. The line begins with `name`.

    Notes
    -----
    How this misleads: right by accident is right too; the check sees the number, not the way to it.

    Examples
    --------
    >>> check(..., 0.5, name="Exercise 1")
    Exercise 1: not answered yet.
    >>> check(0.46, 0.5, rtol=0.02, low="Which exponent goes on top?", name="Exercise 1")
    Exercise 1: too low. Which exponent goes on top?
    >>> check(0.5004, 0.5, name="Exercise 1")
    Exercise 1: right.
    """
    if expected is ... or (is_number(expected) and math.isnan(expected)):
        raise ValueError(
            f"check: expected is {expected!r}, which no answer can match; pass the right answer."
        )
    if rtol is None and atol is None:
        rtol = 0.01
    rtol, atol = rtol or 0.0, atol or 0.0
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"check: rtol {rtol} and atol {atol} must be numbers, not negative.")
    answer, expected = _plain(answer), _plain(expected)
    print(f"{name}: {_verdict(answer, expected, rtol=rtol, atol=atol, low=low, high=high)}")


def _plain(x):
    """Turn numpy scalars, arrays and Series into plain Python."""
    return x.tolist() if hasattr(x, "tolist") else x


def _verdict(answer, expected, **near):
    """Judge by what kind of thing is expected; `near` is for numbers."""
    got = f"got a {type(answer).__name__}"
    if answer is ...:
        return "not answered yet."
    if callable(answer):
        return "that is a function; call it, with parentheses, and pass what it returns."
    if is_number(expected):
        return _number(answer, expected, got, **near)
    if isinstance(expected, Set):
        return _set(answer, expected, got)
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return _list(answer, expected, got, **near)
    if isinstance(expected, bool) and not isinstance(answer, bool):
        return f"True or False is wanted, {got}."
    if isinstance(expected, str) and not isinstance(answer, str):
        return f"a text in quotes is wanted, {got}."
    return "right." if _folded(answer) == _folded(expected) else "not yet."


def _folded(x):
    return x.strip().casefold() if isinstance(x, str) else x


def _number(answer, expected, got, rtol, atol, low, high):
    if not is_number(answer):
        return f"a number is wanted, {got}."
    if not math.isfinite(answer):
        return f"{answer} is not a finite number; look for a division by zero or a missing value."
    if abs(answer - expected) <= max(atol, rtol * abs(expected)):
        return "right."
    side, hint = ("low", low) if answer < expected else ("high", high)
    return f"too {side}. {hint or ''}".rstrip()


def _set(answer, expected, got):
    if isinstance(answer, str) or not isinstance(answer, Set | Sequence):
        return f"a set in braces, {{'like', 'this'}}, is wanted, {got}."
    missing, extra = len(expected - set(answer)), len(set(answer) - expected)
    return f"not yet: {missing} missing, {extra} too many." if missing or extra else "right."


def _list(answer, expected, got, **near):
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        return f"{len(expected)} values in a list are wanted, {got}."
    if len(answer) != len(expected):
        return f"{len(expected)} values are wanted, got {len(answer)}."
    for i, pair in enumerate(zip(answer, expected, strict=True), start=1):
        verdict = _verdict(*pair, **near)
        if verdict != "right.":
            return f"value {i}: {verdict}"
    return "right."
