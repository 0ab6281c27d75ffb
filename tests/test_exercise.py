"""Exercises: what check says, and that each of the notebooks' has a solution that it accepts."""

import json
import re
import tomllib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import NOTEBOOKS

import scalekit as sk
from scalekit.book.exercise import check, verdict
from scalekit.tables.load import folder


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
def test_one_line_and_no_answer(answer, expected, options, line):
    options = dict(options)
    if isinstance(expected, set):
        expected, options["unordered"] = sorted(expected), True
    assert verdict(answer, expected, **options) == line


def test_a_hint_for_what_is_no_number():
    assert verdict("size", "tokens", hint="What ran out?") == "not yet. What ran out?"
    assert verdict("tokens", "tokens", hint="What ran out?") == "right."
    assert verdict(..., "tokens", hint="What ran out?") == "not answered yet."


def test_a_key_that_is_none():
    with pytest.raises(ValueError, match=r"no exercise '00/l'\. Did you mean '00/"):
        check("00/l", 1)
    with pytest.raises(ValueError, match="the key comes first, text such as '04a/1'"):
        check(0.5, "04a/1")


# the notebooks' exercises -------------------------------------------------------------------------

FIELDS = {"answer", "unordered", "rtol", "atol", "low", "high", "hint"}
CALL = re.compile(r"sk\.check\((.*?),")


def cells(path, kind):
    found = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def entries(stem):
    """Return the entries of a notebook's exercises and guesses."""
    path = folder() / "exercises" / f"{stem.split('_')[0]}.toml"
    return tomllib.loads(path.read_text("utf-8"))


def solutions(stem):
    """Return the code blocks of the hidden solutions, by the number of the exercise."""
    hidden = re.findall(
        r"<details>(.*?)</details>", "\n".join(cells(NOTEBOOKS[stem], "markdown")), re.S
    )
    blocks = [block for text in hidden for block in re.findall(r"```python\n(.*?)```", text, re.S)]
    found = {}
    for block in blocks:
        for number in re.findall(r"(?m)^answer_(\w+) = ", block):
            found[number] = block
    return found


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_each_key_is_used_once_and_each_use_has_a_key(stem):
    used = CALL.findall("\n".join(cells(NOTEBOOKS[stem], "code")))
    assert sorted(used) == sorted(f'"{key}"' for key in entries(stem))
    for key, entry in entries(stem).items():
        assert key.startswith(stem.split("_")[0] + "/")
        assert set(entry) <= FIELDS and "answer" in entry
        hints = {"low", "high"} if isinstance(entry["answer"], int | float) else {"hint"}
        assert isinstance(entry["answer"], bool | list) or hints & set(entry), f"{key}: no hint"


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_each_exercise_has_a_solution_that_is_right_and_near_misses_are_not(stem):
    found = solutions(stem)
    keys = [key for key in entries(stem) if "/guess-" not in key]
    assert {key.split("/")[1] for key in keys} == set(found)
    for key in keys:
        entry = entries(stem)[key]
        number = key.split("/")[1]
        names = {"sk": sk, "np": np, "pd": pd, "plt": plt}
        exec(compile(found[number], f"solution {key}", "exec"), names)
        plt.close("all")
        answer = names[f"answer_{number}"]
        assert verdict(answer, **entry) == "right.", f"{key}: {answer}"
        if sk.words.is_number(entry["answer"]):
            rtol, atol = entry.get("rtol", 0), entry.get("atol", 0)
            near = max(atol, (rtol or 0.01 * (not atol)) * abs(entry["answer"]))
            # ours lies well inside the tolerance, which is not so wide that anything passes
            assert abs(answer - entry["answer"]) <= near / 2
            assert near < 0.2 * abs(entry["answer"]) or entry["answer"] == 0
            assert verdict(answer + 2.1 * near, **entry).startswith("too high.")


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_no_cell_shows_an_answer(stem):
    """What is compared stands in the data, and a key's call takes a name."""
    for code in cells(NOTEBOOKS[stem], "code"):
        for key, answer in re.findall(r'sk\.check\("(.*?)", (.*?)\)', code):
            number = key.split("/")[1].replace("-", "_")
            name = number if number.startswith("guess") else f"answer_{number}"
            assert answer == name
        assert not re.search(r"(?m)^answer_\w+ = (?!\.\.\.)", code)
        assert not re.search(r"(?m)^guess_\w+ = (?!\.\.\.)", code)
