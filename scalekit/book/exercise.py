"""Checks for the exercises of the notebooks: a hint, never the answer."""

import math
from collections.abc import Sequence, Set
from typing import Any

from scalekit.tables.load import entries
from scalekit.words import check_known, is_number, require


def check(key: str, answer: Any) -> None:
    """Check an answer to an exercise of a notebook, or a guess, and print one line.

    The line says right, a hint, or not answered yet. `key` names the notebook and the exercise,
    ``"04a/1"``, or the guess, ``"04a/guess-1"``. An `answer` is a number, text, True or False, a
    set or a sequence; ``...`` is none yet. What is expected, how near a number must come, and the
    hints stand in ``data/exercises/<notebook>.toml``, so that no cell shows an answer. Text is
    compared without case and outer blanks, a set without order, a sequence element by element.

    Notes
    -----
    How this misleads: right by accident is right too; the check sees the number, not the way to it.

    Examples
    --------
    >>> check("00/1", ...)
    Exercise 1: not answered yet.
    >>> check("00/1", 5)
    Exercise 1: too high. Too many runs? Count those you fitted.
    """
    require(
        isinstance(key, str),
        f"check: the key comes first, text such as '04a/1', then the answer; got {key!r}.",
    )
    exercises = entries("exercises")
    check_known("check", "exercise", [key], exercises)
    number = key.partition("/")[2]
    name = f"Exercise {number}"
    if number.startswith("guess-"):
        name = f"Guess {number.removeprefix('guess-')}"
    print(f"{name}: {verdict(answer, **exercises[key])}")


def verdict(
    given: Any,
    answer: Any,
    *,
    unordered: bool = False,
    rtol: float = 0.0,
    atol: float = 0.0,
    low: str = "",
    high: str = "",
    hint: str = "",
) -> str:
    """Judge what is given against the expected answer, by what kind of thing that is.

    A number is right within either of `rtol` (relative) and `atol` (absolute), or 1 % without
    both; `low` and `high` are hints for one too low and too high, `hint` for whatever is no number.
    An `unordered` list is a set.
    """
    if not rtol and not atol:
        rtol = 0.01
    expected = set(answer) if unordered else answer
    found = _judge(_plain(given), expected, rtol=rtol, atol=atol, low=low, high=high)
    wrong = found != "right." and given is not ...
    return f"{found} {hint}".rstrip() if wrong else found


def _plain(x):
    """Turn numpy scalars, arrays and Series into plain Python."""
    return x.tolist() if hasattr(x, "tolist") else x


def _judge(answer, expected, **near):
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
    return f"too {side}. {hint}".rstrip()


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
        found = _judge(*pair, **near)
        if found != "right.":
            return f"value {i}: {found}"
    return "right."
