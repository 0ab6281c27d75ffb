"""The form of the notebooks: same order in all, cells that can be read, no golf."""

import ast
import json
import re
from itertools import pairwise
from statistics import median

import pytest
from conftest import NOTEBOOKS

# In this order; a notebook without a board has nothing to compare.
SECTIONS = ("Data", "Compare with the paper", "Explore", "Exercises", "Key points")
PARAMETERS = "# Parameters: the only cell to edit."
each = pytest.mark.parametrize("stem", NOTEBOOKS)


def cells(stem, kind=None):
    """Return the cells of a notebook, or those of a kind, source as one text."""
    found = json.loads(NOTEBOOKS[stem].read_text("utf-8"))["cells"]
    found = [{**cell, "source": "".join(cell["source"])} for cell in found]
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def headings(stem):
    """Return the headings of a notebook as (level, text)."""
    text = "\n".join(cell["source"] for cell in cells(stem, "markdown"))
    return [(len(level), words) for level, words in re.findall(r"(?m)^(#+) (.*)$", text)]


def is_board(code):
    return "sk.Scoreboard(" in code


def is_solution(cell):
    return "solution" in cell["metadata"].get("tags", [])


@each
def test_it_is_one_walk(stem):
    assert len(cells(stem)) <= 45
    assert NOTEBOOKS[stem].stat().st_size < 1_000_000


@each
def test_the_order_is_that_of_all(stem):
    found = headings(stem)
    assert [level for level, _ in found].count(1) == 1 and found[0][0] == 1
    steps = [after[0] - before[0] for before, after in pairwise(found)]
    assert max(steps) <= 1, "a heading skips a level"
    top = [words for level, words in found if level == 2]
    there = [name for words in top for name in SECTIONS if words.startswith(name)]
    board = any(is_board(cell["source"]) for cell in cells(stem, "code"))
    assert there == [name for name in SECTIONS if board or name != SECTIONS[1]]
    assert top[-1] == "Key points"


@each
def test_it_begins_with_setup_and_parameters(stem):
    kinds = [cell["cell_type"] for cell in cells(stem)[:4]]
    assert kinds == ["markdown", "code", "code", "markdown"]
    assert "import scalekit as sk" in cells(stem)[1]["source"]
    assert cells(stem)[2]["source"].startswith(PARAMETERS)
    later = "\n".join(cell["source"] for cell in cells(stem)[3:])
    assert PARAMETERS not in later


@each
def test_cells_are_short(stem):
    code = cells(stem, "code")
    lengths = {cell["id"]: cell["source"].count("\n") + 1 for cell in code}
    assert median(lengths.values()) < 8
    long = {cell["id"] for cell in code if lengths[cell["id"]] > 15}
    assert long <= {cell["id"] for cell in code if is_board(cell["source"])}


@each
def test_one_statement_a_line(stem):
    for cell in cells(stem, "code"):
        code = cell["source"]
        assert max(len(line) for line in code.split("\n")) <= 100, code[:80]
        nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
        lines = [node.lineno for node in nodes]
        assert len(lines) == len(set(lines)), f"two statements on a line: {code[:80]}"
        for node in nodes:
            why = golf(node)
            assert not why, f"{why}: {ast.unparse(node)[:80]}"


def golf(node):
    """Say what hides in a statement, if something does."""
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_":
        return "a result thrown away by _ ="
    if not isinstance(node, ast.Expr | ast.Assign):
        return None
    hiding = (ast.Tuple, ast.List, ast.ListComp, ast.SetComp, ast.IfExp)
    if isinstance(node, ast.Expr) and isinstance(node.value, hiding):
        return "side effects in an expression"
    if sum(isinstance(part, ast.IfExp) for part in ast.walk(node)) > 1:
        return "two conditions in one statement"
    return None


@pytest.mark.parametrize("line", ["_ = f()", "f(), g()", "[f(x) for x in y]", "f() if x else g()"])
def test_golf_is_seen(line):
    assert golf(ast.parse(line).body[0])
    assert not golf(ast.parse("x = f() if y else g()").body[0])


@each
def test_board_and_bookkeeping_stand_in_one_cell(stem):
    code = [cell["source"] for cell in cells(stem, "code")]
    boards = [source for source in code if is_board(source)]
    assert len(boards) <= 1
    assert not any(re.search(r"\bboard\b", source) for source in code if source not in boards)
    if boards:
        assert boards[0].split("\n")[-1] == "board"


@each
def test_each_widget_has_static_frames_before_it(stem):
    """Whoever reads without running sees two settings of each slider."""
    drawn = False
    for cell in cells(stem, "code"):
        if "sk.widgets." in cell["source"]:
            assert drawn, "no picture stands right before the widget"
            assert "nbval-ignore-output" in cell["metadata"].get("tags", [])
        drawn = any("image/png" in out.get("data", {}) for out in cell["outputs"])


@each
def test_a_plot_is_argued(stem):
    """One exercise asks for a picture and an argument, with a rubric and a drawn solution."""
    solutions = [cell for cell in cells(stem, "code") if is_solution(cell)]
    assert solutions
    for cell in solutions:
        assert cell["metadata"]["jupyter"] == {"outputs_hidden": True, "source_hidden": True}
        assert any("image/png" in out.get("data", {}) for out in cell["outputs"])
    text = "\n".join(cell["source"] for cell in cells(stem, "markdown"))
    assert "Rubric" in text


@each
def test_outputs_are_saved_in_order(stem):
    counts = [cell["execution_count"] for cell in cells(stem, "code")]
    assert counts == list(range(1, len(counts) + 1))
    for cell in cells(stem, "code"):
        assert not any(out["output_type"] == "error" for out in cell["outputs"])
        shown = "".join(
            "".join(out.get("data", {}).get("text/plain", "")) for out in cell["outputs"]
        )
        # what a drawing call returns is no result
        assert not re.search(r"^\[?(Text|<matplotlib)|\b0x[0-9a-f]{6,}", shown), cell["source"][
            -80:
        ]
