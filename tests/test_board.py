"""Verdicts by their rule, the board as it prints, and the record of it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from scalekit.book import board as book
from scalekit.book.board import RECORD, Scoreboard, judge, show
from scalekit.book.published import published
from scalekit.tables import load

HOME = load.folder()


def row(
    key="hoffmann2022/alpha",
    verdict="reproduced",
    notebook="one",
    ours=0.34,
    note="",
    kind="runs",
    table="chinchilla",
):
    values = (key, notebook, kind, table, "0.34", "", "", ours, None, None, verdict, note)
    return dict(zip(RECORD, values, strict=True))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder without a record."""
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    return tmp_path


def figure(value="0.46", low="", high="", interval="", status="full", tol="", kind="runs", **other):
    figure = {
        "value": value,
        "low": low,
        "high": high,
        "interval": interval,
        "status": status,
        "tol": tol,
        "class": kind,
        "table": "chinchilla",
        "rival": "",
    }
    return figure | other


@pytest.mark.parametrize(
    ("row", "ours", "interval", "verdict"),
    [
        (figure(), 0.4649, (), "reproduced"),
        (figure(), 0.465, (), "reproduced"),  # half a unit exactly
        (figure("0.460"), 0.4649, (), "differs"),  # one digit more was printed
        (figure("0.460"), 0.461, (), "close"),  # one unit of the last digit
        (figure("8.8e13"), 8.84e13, (), "reproduced"),
        (figure("8.8e13"), 8.95e13, (), "differs"),
        (figure(low="0.40", high="0.55"), 0.51, (), "reproduced"),
        (figure(low="0.454", high="0.455"), 0.51, (), "differs"),
        (figure(), 0.51, (0.45, 0.55), "close"),  # ours covers the published value
        (
            figure(low="0.44", high="0.50"),
            0.51,
            (0.47, 0.55),
            "differs",
        ),  # intervals merely overlap
        (figure("482.01", tol="31"), 500.0, (), "reproduced"),
        (
            figure("482.01", "285", "743", "95 % CI", tol="31"),
            520.0,
            (),
            "close",
        ),  # the tolerance outranks
        (figure("482.01", tol="31"), 520.0, (), "differs"),
        (figure("600000", low="600000", interval="at least"), 634773, (), "reproduced"),
        (figure("600000", low="600000", interval="at least"), 590000, (), "differs"),
        (figure("1e-51", high="1e-51", interval="at most"), 1.4e-51, (), "differs"),
        (figure("5", interval="exact"), 5, (), "reproduced"),
        (figure("5", interval="exact"), 6, (), "differs"),
        (figure(status="memory"), 9.9, (), "shown"),
        (figure(status="second-hand"), 0.46, (), "shown"),
        (figure(status="consensus"), 0.46, (), "reproduced"),
        (figure(status="recomputed"), 0.46, (), "shown"),
        (figure(kind="ours"), 0.46, (), "shown"),
        # other runs stand in for the paper's
        (figure(table=""), 0.46, (), "not decided"),
        (figure(table="", kind="optima"), 0.9, (), "not decided"),
        (figure(table="", kind="consequence"), 0.46, (), "reproduced"),
        # ours would be close, or even reproduce, but it holds the opposite claim too
        (figure(rival="0.73"), 0.51, (0.45, 0.75), "not decided"),
        (figure("0.460", rival="0.73"), 0.461, (0.4, 0.73), "not decided"),
        (figure(rival="0.73"), 0.46, (0.45, 0.73), "reproduced"),
        (figure(rival="0.73"), 0.9, (0.7, 0.95), "differs"),
        (figure(rival="0.73"), 0.51, (0.45, 0.72), "close"),
        (figure(rival="0.73"), 0.46, (), "reproduced"),
        (figure(rival="0.73", status="memory"), 0.46, (0.4, 0.8), "shown"),
    ],
)
def test_verdicts(row, ours, interval, verdict):
    assert judge(row, ours, *interval) == verdict


def test_what_is_not_reproduced_needs_a_note():
    board = Scoreboard("02b_chinchilla_replicated")
    with pytest.raises(ValueError, match=r"differs.*say why"):
        board.check("hoffmann2022/E", 1.817)
    with pytest.raises(ValueError, match=r"close.*say why"):
        board.check("hoffmann2022/a_approach2", 0.6, 0.45, 0.65)
    with pytest.raises(ValueError, match=r"not decided.*say why"):
        board.check("hoffmann2022/a_approach1", 0.5, 0.3, 0.9)
    with pytest.raises(ValueError, match=r"shown.*say why"):
        board.check("pearce2024/loss/epoch", -0.178)
    assert board.rows() == []
    assert board.check("hoffmann2022/E", 1.817, note="other runs") == "differs"
    assert board.check("hoffmann2022/E", 1.69) == "reproduced"  # checked again: replaced
    assert [row["verdict"] for row in board.rows()] == ["reproduced"]


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, None, "0.34", True, np.ones(2), pd.Series([0.34])]
)
def test_only_finite_numbers(value):
    with pytest.raises(ValueError, match="pass one finite number"):
        Scoreboard("x").check("hoffmann2022/alpha", value)


def test_other_bad_input():
    board = Scoreboard("x")
    with pytest.raises(ValueError, match="half an interval"):
        board.check("hoffmann2022/alpha", 0.34, low=0.3)
    with pytest.raises(ValueError, match=r"low 0\.4 above high 0\.3"):
        board.check("hoffmann2022/alpha", 0.34, 0.4, 0.3)
    with pytest.raises(ValueError, match="names 2 figures"):
        board.check("hoffmann2022/table3/1B", 1.0)
    for name in ("", "../x", "a/b", None):
        with pytest.raises(ValueError, match="no notebook name"):
            Scoreboard(name)


def test_record_is_rounded_and_judged_as_rounded():
    board = Scoreboard("x")
    board.check("hoffmann2022/beta", np.float64(0.284170841), 0.25234, 0.30789)
    (row,) = board.rows()
    assert (row["class"], row["table"]) == ("runs", "chinchilla")
    assert tuple(row) == RECORD
    assert (row["ours"], row["ours_low"], row["ours_high"]) == (0.284171, 0.252, 0.308)
    assert row["verdict"] == judge(
        published("hoffmann2022/beta"), row["ours"], row["ours_low"], row["ours_high"]
    )


def test_board_prints_and_leaves_its_record():
    board = Scoreboard("02b_chinchilla_replicated")
    board.check("hoffmann2022/a_approach2", 0.52041, 0.504, 0.532, note="wide")
    board.check("hoffmann2022/E", 1.8172, note="other <runs>")
    assert repr(board) == repr(board)
    html = board._repr_html_()
    assert "1 close, 1 differ" in html
    assert "other &lt;runs&gt;" in html
    # what a notebook keeps beside the text and the table
    bundle, _ = DisplayFormatter().format(board)
    assert set(bundle) == {"text/plain", "text/html", book.MIME}
    assert json.loads(json.dumps(bundle[book.MIME])) == board.rows()
    table = board.table()
    assert table["ours"].tolist() == ["0.5204 (0.504, 0.532)", "1.817"]
    assert table["difference"].tolist() == ["+6.21 %", "+7.53 %"]
    assert "no figure checked" not in repr(Scoreboard("empty"))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.34731, "0.3473"),
        (2376.4, "2376"),
        (634773, "6.348e5"),
        (1.0160e12, "1.016e12"),
        (1.69e-49, "1.690e-49"),
        (0.0, "0.000"),
        (-0.1062, "-0.1062"),
        (9.99996, "10.00"),
        (None, ""),
    ],
)
def test_show(number, text):
    assert show(number) == text


# ---- the board as it prints ----------------------------------------------------------------------


def test_differences_are_relative_and_have_no_negative_zero():
    figure = row() | {"published": "200", "ours": 199.999, "ours_low": 190.0, "ours_high": 1234.5}
    cells = book.tabulate(figure)
    assert (cells["difference"], cells["ours"]) == ("0.00 %", "200.0 (190, 1.23e3)")
    assert book.tabulate(figure | {"ours": 199.98})["difference"] == "-0.01 %"
    assert book.tabulate(figure | {"ours": 200.02})["difference"] == "+0.01 %"
    assert book.tabulate(figure | {"published": "0", "ours": 1.0})["difference"] == ""
    for ends, text in {
        ("0.3", "0.4"): "0.34 (0.3, 0.4)",
        ("0.3", ""): "0.34 (at least 0.3)",
        ("", "0.4"): "0.34 (at most 0.4)",
        ("", ""): "0.34",
    }.items():
        assert (
            book.tabulate(row() | dict(zip(("low", "high"), ends, strict=True)))["published"]
            == text
        )


def test_what_needs_an_eye_comes_first():
    board = Scoreboard("x")
    board.check("hoffmann2022/alpha", 0.34)
    board.check("besiroglu2024/alpha", 0.3539, 0.34, 0.36, note="why")
    board.check("hoffmann2022/a_approach1", 0.5, note="other runs")
    board.check("hoffmann2022/E", 1.9, note="why")
    shown = next(k for k, s in published()[["key", "status"]].to_numpy() if s == "memory")
    board.check(shown, 1.0, note="from memory")
    text = repr(board).splitlines()
    assert text[0] == f"Scoreboard x: {book.tally(board.rows())}"
    found = [line.split()[0] for line in text[2:]]
    order = {"differs": 0, "close": 1, "not decided": 2, "shown": 3, "reproduced": 4}
    ranks = [order[next(r["verdict"] for r in board.rows() if r["key"] == key)] for key in found]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
    assert board.table()["key"].iloc[0] == "hoffmann2022/alpha"


def test_a_long_board_folds_what_it_reproduced():
    # of one table, and no more of them than the headline counts
    figures = published().query("table == 'chinchilla' and interval not in ['at least', 'at most']")
    # ours are recorded with six digits, which must be all that is printed
    figures = figures[(figures["number"] != 0) & (figures["value"].str.len() <= 6)]
    board = Scoreboard("x")
    for key, value in figures[["key", "number"]].to_numpy()[:25]:
        board.check(key, value)
    assert "<details>" not in board._repr_html_()
    assert board._repr_html_().count("<tr>") == 26
    key, value = figures[["key", "number"]].to_numpy()[25]
    board.check(key, value)
    page = board._repr_html_()
    head = "<p><b>x</b>: from runs 26 reproduced, 0 close, 0 differ; by arithmetic 0 reproduced"
    assert page.startswith(head)
    assert "</p>\n\n<details><summary>26 reproduced</summary>" in page
    board.check(key, 2 * value, note="planted")
    above, below = board._repr_html_().split("<details>")
    assert above.count("<tr>") == 2
    assert "planted" in above
    assert below.startswith("<summary>25 reproduced")
    assert below.count("<tr>") == 26


NOTHING = (
    "from runs 0 reproduced, 0 close, 0 differ; by arithmetic 0 reproduced, 0 close, 0 differ; "
    "0 not decided, 0 shown"
)


def test_an_empty_board():
    assert repr(Scoreboard("e")) == f"Scoreboard e: {NOTHING}"
    assert Scoreboard("e").table().columns.tolist() == list(book.tabulate(row()))
    assert book.text_board([]) == f"all notebooks: {NOTHING}"


def rows_of(verdicts, **other):
    return [row(f"a/{other}/{i}", v, **other) for i, v in enumerate(verdicts)]


def test_the_headline_counts_what_was_earned_from_runs():
    rows = [
        *rows_of(["reproduced", "differs", "shown", "not decided"], table="a"),
        *rows_of(["close"], table="b", kind="optima"),
        *rows_of(["reproduced"] * 3 + ["close"], kind="consequence", table=""),
        *rows_of(["differs"], kind="simulation", table=""),
        *rows_of(["shown"], kind="ours"),
    ]
    assert book.tally(rows) == (
        "from runs 1 reproduced, 1 close, 1 differ; by arithmetic 3 reproduced, 1 close, 1 differ; "
        "1 not decided, 2 shown"
    )


def test_the_cap_of_a_table_can_only_understate():
    many = ["reproduced"] * 39 + ["close", "differs", "differs"]
    rows = [*rows_of(many, table="a"), *rows_of(["reproduced"], table="b")]
    counted, beyond = book.headline(rows)
    assert len(counted) == 41
    assert [r["verdict"] for r in beyond] == ["reproduced"] * 2
    assert {r["table"] for r in beyond} == {"a"}
    assert sum(r["verdict"] == "differs" for r in counted) == 2
    assert book.tally(rows).startswith(
        "from runs 38 reproduced, 1 close, 2 differ (and 2 beyond 40 a table); "
    )


def test_text_and_markdown_boards():
    rows = [
        row(),
        row("hoffmann2022/E", "differs", ours=1.817, note="other | runs"),
        row("x/z", "not decided", note="stand-ins", table=""),
        row("x/y", "shown", "two", note="from memory", kind="consequence", table=""),
    ]
    lines = book.text_board(rows).splitlines()
    assert lines[0] == f"one: {book.tally(rows[:3])}"
    assert (
        lines[1].split()
        == "reproduced runs hoffmann2022/alpha published 0.34 ours 0.3400 0.00 %".split()
    )
    assert lines[3] == "               other | runs"
    assert lines[6] == f"two: {book.tally(rows[3:])}"
    assert lines[-1] == f"all notebooks: {book.tally(rows)}"
    assert len(lines) == 10
    page = book.markdown_board(rows).splitlines()
    assert page[:5] == [
        "| table of runs | reproduced | close | differs | not decided | beyond 40 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| chinchilla | 1 | 0 | 1 | 0 | 0 |",
        "| other runs stand in | 0 | 0 | 0 | 1 | 0 |",
        "| **all** | 1 | 0 | 1 | 1 | 0 |",
    ]
    assert "0 reproduced, 0 close, 0 differ, 0 not decided. Shown" in page[6]
    assert (
        f"source: 1. Published figures that no notebook checks: {len(published()) - 4}." in page[6]
    )
    assert page[8] == "<details><summary>What differs (1 figures), and why</summary>"
    assert "| `hoffmann2022/E` | 0.34 | 1.817 | other \\| runs |" in page
    assert "<details>" not in book.markdown_board(rows[:1])


# ---- the record ----------------------------------------------------------------------------------


def test_the_record_comes_back_as_it_was_written(folder):
    assert book.read_record() == []
    rows = [row(), row("a/b", "differs", ours=1.26e24, note="other, runs") | {"ours_low": 0.1}]
    book.write_record(rows)
    assert book.read_record() == rows
    text = (folder / "board.csv").read_text()
    assert text.splitlines()[0] == ",".join(RECORD)
    assert (
        text.splitlines()[2] == 'a/b,one,runs,chinchilla,0.34,,,1.26e+24,0.1,,differs,"other, runs"'
    )


def test_the_recorded_board_prints(folder, capsys):
    book.scoreboard()
    assert "No board recorded yet" in capsys.readouterr().out
    book.scoreboard(json=True)
    assert json.loads(capsys.readouterr().out) == []
    rows = [row(), row("x/y", "shown", "two", note="from memory")]
    book.write_record(rows)
    shutil.copy(HOME / "published.csv", folder)
    book.scoreboard()
    unchecked = f"Published figures that no notebook checks: {len(published()) - 2}."
    assert capsys.readouterr().out == f"{book.text_board(rows)}\n{unchecked}\n"
    book.scoreboard(json=True)
    found = json.loads(capsys.readouterr().out)
    assert [tuple(one) for one in found] == [RECORD] * 2
    # published numbers are text in the record and numbers here
    assert (found[0]["published"], found[0]["low"], found[0]["ours"]) == (0.34, None, 0.34)
    assert found[0]["class"] == "runs"
