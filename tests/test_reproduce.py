"""Notebooks are executed, held against the record, and saved only when nothing failed or fell."""

import shutil

import nbformat
import pytest

from scalekit.book import board, ledger, reproduce
from scalekit.book.board import RECORD, read_record, write_record
from scalekit.book.reproduce import END, START
from scalekit.tables import load

GOOD = """import scalekit as sk
board = sk.Scoreboard("one")
board.check("hoffmann2022/alpha", {value}, note="planted")
board"""


def row(key="hoffmann2022/alpha", verdict="reproduced", notebook="one", ours=0.34, note=""):
    values = (key, notebook, "runs", "chinchilla", "0.34", *["", "", ours, None, None], verdict)
    return dict(zip(RECORD, (*values, note), strict=True))


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A repository in small: published figures, a README, no notebook yet."""
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    shutil.copy(load.folder() / "published.csv", tmp_path / "data")
    (tmp_path / "README.md").write_text(f"# top\n{START}\nold\n{END}\nbottom\n")
    monkeypatch.setattr(load, "folder", lambda: tmp_path / "data")
    settle()
    return tmp_path


def settle():
    """Bring the ledger up to what is on record."""
    changed = ledger.changes(read_record())
    ledger.add(changed, dict.fromkeys(changed, "planted"))


def write(house, name, *sources):
    cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), house / "notebooks" / f"{name}.ipynb")


def test_save_then_change(house, capsys):
    write(house, "one", GOOD.format(value=0.34), "import time; print(1 + 1)")
    record, readme = house / "data" / "board.csv", house / "README.md"
    # a new row is a change too, and changes need a reason
    assert reproduce.reproduce() == 1
    assert reproduce.reproduce(save=True) == 1
    assert not record.exists()
    assert reproduce.reproduce(save=True, because="first check") == 0
    out = capsys.readouterr().out
    assert "one" in out
    assert "ran" in out
    assert [one["verdict"] for one in read_record()] == ["reproduced"]
    assert ledger.read()[-1]["because"] == "first check"
    assert readme.read_text() == (
        f"# top\n{START}\n{board.markdown_board(read_record())}\n{END}\nbottom\n"
    )
    assert (house / "data" / "README.md").read_text().startswith("# Data\n")
    saved = nbformat.read(house / "notebooks" / "one.ipynb", as_version=4)
    assert [cell.execution_count for cell in saved.cells] == [1, 2]
    assert saved.cells[1].outputs[0].text == "2\n"
    assert all("execution" not in cell.metadata for cell in saved.cells)
    assert saved.metadata["language_info"] == {"name": "python"}
    assert reproduce.shown(saved) == read_record()
    # the same again needs no reason
    assert reproduce.reproduce() == 0
    assert reproduce.reproduce(save=True) == 0

    write(house, "one", GOOD.format(value=0.39))
    before = record.read_text()
    capsys.readouterr()
    assert reproduce.reproduce() == 1
    out = capsys.readouterr().out
    assert "CHANGED hoffmann2022/alpha\n    was value 0.34; " in out
    assert "reproduced in one\n    now value 0.34; " in out
    assert reproduce.reproduce(save=True) == 1
    assert "Nothing saved: see CHANGED above; --because" in capsys.readouterr().out
    assert record.read_text() == before
    assert reproduce.reproduce(save=True, because="other runs") == 0
    assert read_record()[0]["verdict"] == "differs"
    assert ledger.read()[-1]["because"] == "other runs"
    assert "planted" in readme.read_text()


def test_a_failing_notebook_does_not_stop_the_others(house, capsys):
    write(house, "bad", "x = 1", "1 / 0")
    write(house, "one", GOOD.format(value=0.34))
    # what the failed notebook had on record is not called worse as well
    write_record([row("hoffmann2022/beta", notebook="bad")])
    settle()
    assert reproduce.reproduce(save=True, because="whatever") == 1
    out = capsys.readouterr().out
    assert "FAILED bad: cell 1 (from 0): ZeroDivisionError: division by zero\n    1 / 0" in out
    assert "1 reproduced" in out
    assert "Nothing saved: a notebook failed." in out
    assert "hoffmann2022/beta" not in out
    assert [one["notebook"] for one in read_record()] == ["bad"]


def test_names_update_only_their_rows(house):
    write_record([row(), row("hoffmann2022/beta", notebook="two")])
    settle()
    write(house, "one", GOOD.format(value=0.341))
    # never run
    write(house, "two", "1 / 0")
    assert reproduce.reproduce(["one.ipynb"], save=True) == 0
    assert [(one["notebook"], one["ours"]) for one in read_record()] == [
        ("one", 0.341),
        ("two", 0.34),
    ]


def test_a_notebook_removed_is_a_change(house, capsys):
    write_record([row(), row("hoffmann2022/beta", notebook="two")])
    settle()
    write(house, "one", GOOD.format(value=0.34))
    assert reproduce.reproduce() == 1
    out = capsys.readouterr().out
    assert "CHANGED hoffmann2022/beta" in out
    assert "reproduced in two\n    now" in out
    assert "CHANGED hoffmann2022/alpha" not in out


def test_a_key_checked_by_two_notebooks_is_refused(house):
    write(house, "one", GOOD.format(value=0.34))
    write(house, "two", GOOD.format(value=0.34))
    with pytest.raises(ValueError, match="'hoffmann2022/alpha' is checked twice"):
        reproduce.reproduce()


def test_the_last_board_shown_is_the_record(house):
    again = 'board.check("hoffmann2022/beta", 0.28)\nboard'
    write(house, "one", GOOD.format(value=0.34), again, "1")
    assert reproduce.reproduce(save=True, because="two cells") == 0
    assert [one["key"] for one in read_record()] == ["hoffmann2022/alpha", "hoffmann2022/beta"]
    assert reproduce.shown({"cells": [{"cell_type": "markdown"}]}) == []


def test_what_it_refuses(house):
    with pytest.raises(ValueError, match="come with the repository"):
        reproduce.reproduce()
    write(house, "one", "1")
    with pytest.raises(ValueError, match=r"no notebook 'onne'\. Did you mean 'one'\?"):
        reproduce.reproduce(["onne"])
    for marks in ("no marks", f"{END}\n{START}", f"{START}\n{START}\n{END}"):
        (house / "README.md").write_text(marks)
        with pytest.raises(ValueError, match=r"README\.md needs one line"):
            reproduce.write_readme([])
        assert (house / "README.md").read_text() == marks
    # the README is looked at first: nothing is half saved
    with pytest.raises(ValueError, match=r"README\.md needs one line"):
        reproduce.reproduce(save=True, because="no README")
    assert not (house / "data" / "board.csv").exists()


def test_what_changes_from_run_to_run_is_taken_out():
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "slider"}
    outputs = [
        nbformat.v4.new_output("display_data", view),
        nbformat.v4.new_output("stream", text="kept\n"),
    ]
    cells = [nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell(outputs=outputs)]
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.11.7"}}
    cleaned = reproduce.clean(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
    assert cleaned.metadata == {"language_info": {"name": "python"}}
    assert [out.output_type for out in cleaned.cells[1].outputs] == ["stream"]


def test_an_error_that_is_meant_is_not_the_one_that_failed(house, capsys):
    write(house, "bad", "1 / 0", "raise KeyError('x')\n2")
    path = house / "notebooks" / "bad.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    assert reproduce.reproduce() == 1
    out = capsys.readouterr().out
    assert "FAILED bad: cell 1 (from 0): KeyError: 'x'\n    raise KeyError('x')\n" in out


def test_the_readme_shows_the_recorded_board():
    rows = read_record()
    assert rows
    text = (load.folder().parent / "README.md").read_text(encoding="utf-8")
    assert f"{START}\n{board.markdown_board(rows)}\n{END}" in text
