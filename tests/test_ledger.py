"""Notebooks, record, figures and ledger agree, and tampering with them is seen."""

import json
import re
import shutil

import pandas as pd
import pytest

from scalekit.book import ledger
from scalekit.book.board import MIME, judge, read_record
from scalekit.book.published import published
from scalekit.book.reproduce import shown
from scalekit.tables import load

HOME = load.folder().parent
NAMES = ("published.csv", "board.csv", "ledger.csv")
# This many lines of the ledger, with this seal last, are history: whoever rewrites them is seen.
ANCHOR = (1276, "de6111e82249")
# Cells without a widget that nbval does not compare: where single descents stop
# hangs on the machine.
UNCOMPARED = {"8163b4c3"}
# A figure that reproduces, one that differs and one that is only shown.
REPRODUCED, DIFFERS, SHOWN = "besiroglu2024/a", "hoffmann2022/E", "pearce2024/loss/epoch"


def stored():
    """Return the rows of all boards as the executed notebooks of this repository show them."""
    paths = sorted((load.folder().parent / "notebooks").glob("*.ipynb"))
    return [row for path in paths for row in shown(json.loads(path.read_text("utf-8")))]


def row_faults(row, figure):
    """Yield what is wrong with a row of the board, given its published figure."""
    printed = row | {"value": row["published"]}
    same = ("notebook", "value", "low", "high", "class", "table")
    if any(figure[name] != printed[name] for name in same):
        yield "the board has another figure than published.csv"
    verdict = judge(figure, row["ours"], row["ours_low"], row["ours_high"])
    if row["verdict"] != verdict:
        yield f"{row['verdict']} on the board, {verdict} by the rule"
    if not row["note"] and verdict != "reproduced":
        yield f"{verdict} without a note"


def ledger_faults():
    """Yield the lines of the ledger whose seal is broken or that give no reason."""
    seal, lines = "", ledger.read()
    if len(lines) < ANCHOR[0] or lines[ANCHOR[0] - 1]["seal"] != ANCHOR[1]:
        yield f"ledger.csv: line {ANCHOR[0] + 1} is not the one that was sealed {ANCHOR[1]}"
    for number, line in enumerate(lines, 2):
        if line["seal"] != ledger.seal(seal, line):
            yield f"ledger.csv, line {number}: the seal is broken"
        if len(line["because"].split()) < 2:
            yield f"ledger.csv, line {number}: no reason"
        seal = line["seal"]


def audit():
    """Return a sentence for everything that does not agree; an empty list if all is well."""
    rows, found = stored(), []
    figures = published().set_index("key").to_dict("index")
    if read_record() != rows:
        found.append("board.csv is not what the notebooks show")
    for row in rows:
        if row["key"] in figures:
            said = row_faults(row, figures[row["key"]])
            found += [f"{row['key']}: {fault}" for fault in said]
        else:
            found.append(f"{row['key']}: on the board, but not published")
    for key, (was, now) in ledger.changes(rows).items():
        found.append(f"{key}: the ledger has {was!r}, it is {now!r}")
    return [*found, *ledger_faults()]


def test_every_cell_of_a_board_is_compared():
    for path in sorted((HOME / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            tags = cell["metadata"].get("tags", [])
            assert "NBVAL" not in source, path.name
            if any(tag.startswith("nbval") for tag in tags):
                assert tags == ["nbval-ignore-output"], path.name
                # widgets cannot be compared
                assert "sk.widgets" in source or cell["id"] in UNCOMPARED, path.name
                assert "board" not in source, path.name


def test_the_repository_is_whole():
    assert len(stored()) > 300
    assert audit() == []


# ---- tampering, on a copy ------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the board, its figures, its ledger and the notebooks."""
    (tmp_path / "data").mkdir()
    for name in NAMES:
        shutil.copy(HOME / "data" / name, tmp_path / "data")
    shutil.copytree(HOME / "notebooks", tmp_path / "notebooks")
    monkeypatch.setattr(load, "folder", lambda: tmp_path / "data")
    assert audit() == []
    return tmp_path


def change(path, rule):
    """Write a table again, with what a rule makes of it."""
    table = rule(pd.read_csv(path, dtype=str, keep_default_na=False))
    table.to_csv(path, index=False, lineterminator="\n")


def change_shown(folder, rule):
    """Replace the boards that the notebooks show with what a rule makes of their rows."""
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            for out in cell.get("outputs", []):
                if MIME in out.get("data", {}):
                    out["data"][MIME] = rule(out["data"][MIME])
        path.write_text(json.dumps(notebook), encoding="utf-8")


def without(key):
    """Return rules that drop the row of a key from a table and from the rows of a board."""
    return (
        lambda table: table[table["key"] != key],
        lambda rows: [row for row in rows if row["key"] != key],
    )


def test_a_board_value_changed_by_hand_is_seen(copy):
    def nearer(table):
        table.loc[table["key"] == DIFFERS, "ours"] = "1.69"
        return table

    change(copy / "data" / "board.csv", nearer)
    assert audit() == ["board.csv is not what the notebooks show"]


@pytest.mark.parametrize("key", [REPRODUCED, DIFFERS, SHOWN])
@pytest.mark.parametrize("in_notebook", [False, True])
def test_a_row_deleted_from_the_board_is_seen(copy, key, in_notebook):
    from_table, from_rows = without(key)
    change(copy / "data" / "board.csv", from_table)
    if in_notebook:
        change_shown(copy, from_rows)
    (said,) = audit()
    assert said.startswith(f"{key}: the ledger has" if in_notebook else "board.csv is not")


@pytest.mark.parametrize("key", [REPRODUCED, DIFFERS, SHOWN])
def test_a_figure_deleted_everywhere_is_seen(copy, key):
    from_table, from_rows = without(key)
    for name in ("board.csv", "published.csv"):
        change(copy / "data" / name, from_table)
    change_shown(copy, from_rows)
    (said,) = audit()
    assert said.endswith("it is 'retired'")


def test_a_tolerance_widened_is_seen(copy):
    def widen(table):
        table.loc[table["key"] == DIFFERS, ["tol", "tol_reason"]] = ["1", "generous"]
        return table

    change(copy / "data" / "published.csv", widen)
    said = audit()
    assert f"{DIFFERS}: differs on the board, reproduced by the rule" in said
    # even where board and notebook follow
    better = {"verdict": "reproduced"}
    change_shown(copy, lambda rows: [r | better if r["key"] == DIFFERS else r for r in rows])
    change(
        copy / "data" / "board.csv",
        lambda table: table.assign(
            verdict=table["verdict"].where(table["key"] != DIFFERS, "reproduced")
        ),
    )
    (said,) = audit()
    assert said.startswith(f"{DIFFERS}: the ledger has")
    assert "tol 1;" in said
    assert said.endswith("reproduced in 02a_chinchilla'")


@pytest.mark.parametrize(
    "column", ["value", "status", "class", "table", "rival", "where", "quantity", "unit"]
)
def test_a_figure_changed_is_seen(copy, column):
    def other(table):
        table.loc[table["key"] == "kaplan2020/alpha_D", column] = "1"
        return table

    change(copy / "data" / "published.csv", other)
    assert any(said.startswith("kaplan2020/alpha_D: the ledger has") for said in audit())


def test_shown_rows_that_vanish_are_seen(copy):
    gone = {row["key"] for row in stored() if row["verdict"] == "shown"}
    assert gone
    change_shown(copy, lambda rows: [row for row in rows if row["key"] not in gone])
    change(copy / "data" / "board.csv", lambda table: table[~table["key"].isin(gone)])
    assert {said.split(":")[0] for said in audit()} == gone


@pytest.mark.parametrize("column", ["state", "because", "key"])
def test_a_line_of_the_ledger_changed_is_seen(copy, column):
    def rewrite(table):
        table.loc[3, column] = "another"
        return table

    change(copy / "data" / "ledger.csv", rewrite)
    assert "ledger.csv, line 5: the seal is broken" in audit()


def test_a_ledger_written_anew_is_seen(copy):
    (copy / "data" / "ledger.csv").unlink()
    changed = ledger.changes(stored())
    ledger.add(changed, dict.fromkeys(changed, "all is well"))
    (said,) = audit()
    assert said.startswith("ledger.csv: line")


def test_a_line_of_the_ledger_removed_is_seen(copy):
    change(copy / "data" / "ledger.csv", lambda table: table.drop(index=3))
    assert "ledger.csv, line 5: the seal is broken" in audit()
    shutil.copy(HOME / "data" / "ledger.csv", copy / "data")
    change(copy / "data" / "ledger.csv", lambda table: table.iloc[:-1])
    assert audit()


# ---- the ledger itself ---------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two figures and no ledger."""
    figures = published().drop(columns="number").query("key in [@REPRODUCED, @DIFFERS]")
    figures.to_csv(tmp_path / "published.csv", index=False)
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    return tmp_path


def verdict(key, word="reproduced"):
    return {"key": key, "verdict": word, "notebook": "one"}


def test_a_state_says_what_is_published_and_how_it_stands(small):
    found = ledger.states([verdict(REPRODUCED)])
    assert {key: re.sub(r"words \w{6}", "words 000000", text) for key, text in found.items()} == {
        DIFFERS: "value 1.69; status full; class runs; table chinchilla; rival 1.8172; "
        "words 000000; not checked",
        REPRODUCED: "value 0.5126; status repo; class runs; table chinchilla; tol 0.005; "
        "words 000000; reproduced in one",
    }
    with pytest.raises(ValueError, match="'hoffmann2022/E' is checked twice; one key, one verdict"):
        ledger.states([verdict(DIFFERS), verdict(DIFFERS)])


def test_changes_are_added_with_their_reason_and_nothing_is_rewritten(small):
    rows = [verdict(REPRODUCED)]
    changed = ledger.changes(rows)
    assert set(changed) == {REPRODUCED, DIFFERS}
    assert {was for was, _ in changed.values()} == {ledger.NEW}
    ledger.add(changed, dict.fromkeys(changed, "first entry"))
    assert ledger.changes(rows) == {}
    first = (small / "ledger.csv").read_text()
    changed = ledger.changes([verdict(REPRODUCED, "close")])
    assert list(changed) == [REPRODUCED]
    ledger.add(changed, {REPRODUCED: "another seed"})
    assert (small / "ledger.csv").read_text().startswith(first)
    last = ledger.read()[-1]
    assert (last["key"], last["because"]) == (REPRODUCED, "another seed")
    assert last["state"].endswith("close in one")


def test_a_figure_that_is_gone_is_retired_once(small):
    ledger.add(c := ledger.changes([]), dict.fromkeys(c, "first entry"))
    change(small / "published.csv", without(DIFFERS)[0])
    changed = ledger.changes([])
    assert [now for _, now in changed.values()] == [ledger.RETIRED]
    ledger.add(changed, {DIFFERS: "withdrawn"})
    assert ledger.changes([]) == {}
