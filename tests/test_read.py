"""Own runs are read as they say, completed in the open, and their slips are listed all at once."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import scalekit as sk
from scalekit.tables import load as data
from scalekit.tables.read import _least

UNITS = {"D": "B", "C": "PF-days", "L": "bits"}
COLUMNS = {"N": "params", "D": "tokens_B", "C": "pf_days", "L": "val_bits", "model": "run"}


@pytest.fixture
def runs():
    N, D = np.array([1e8, 1e8, 1e9, 1e9]), np.array([2e9, 8e9, 2e9, 2e10])
    return pd.DataFrame({"N": N, "D": D, "L": 1.8 + 400 / N**0.34 + 1500 / D**0.36})


def report(table, **options):
    return sk.read(table, doubts="keep", **options).attrs["report"]


# ---- the shipped example ----


def test_the_messy_example_lists_every_slip_at_once():
    with pytest.raises(ValueError, match="1 thing to mend") as caught:
        sk.read(data.folder() / "example_messy_runs.csv", **COLUMNS, units=UNITS)
    text = str(caught.value)
    assert re.search(r"wrong: L: 1 no number, such as 'OOM' \(row 7\)", text)
    for piece, rows in [
        ("N: below 1000", "22"),
        ("C: further from 6ND", "3, 22"),
        ("the same run again", "11"),
        ("another N than the other runs of the same 'run'", "3, 22"),
    ]:
        assert re.search(rf"doubted: {re.escape(piece)}.*\(rows? {rows}\)", text), piece
    assert re.search(r"above a run with no more parameters and tokens \(rows 15, 19\)", text)


def test_the_messy_example_mended_gives_back_what_it_was_drawn_from():
    raw = sk.load("example_messy_runs").drop(index=[3, 7, 11, 19])
    raw.loc[22, "params"] = "2.8B"
    runs = sk.read(raw, **COLUMNS, units=UNITS, doubts="keep")
    assert not [line for line in runs.attrs["report"] if line.startswith("doubted")]
    assert any(
        "C: 1 value completed by C = 6*N*D (row 17)" in line for line in runs.attrs["report"]
    )
    np.testing.assert_allclose(
        runs["C"], 6 * runs["N"] * runs["D"], rtol=2e-3
    )  # pf_days is printed to four digits
    drawn = 1.9 + 400 / runs["N"] ** 0.34 + 1500 / runs["D"] ** 0.36
    # 0.4 % noise on 21 runs: four standard deviations, plus the rounding of three decimals of bits
    assert np.abs(np.log(runs["L"] / drawn)).max() < 4 * 0.004 + 0.0005
    assert sk.fit("chinchilla", runs).dropped == 4


# ---- kinds of file ----


def test_csv_tsv_json_and_json_lines_agree(tmp_path, runs):
    runs.to_csv(tmp_path / "a.csv", index=False)
    runs.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    runs.to_json(tmp_path / "a.jsonl", orient="records", lines=True, double_precision=15)
    (tmp_path / "a.json").write_text(json.dumps(runs.to_dict("records")))
    (tmp_path / "a.txt").write_text(
        "\ufeff" + (tmp_path / "a.csv").read_text().replace(",", ";")
    )  # with a BOM
    for ending in ("csv", "tsv", "txt", "jsonl", "json"):
        got = sk.read(tmp_path / f"a.{ending}")
        pd.testing.assert_frame_equal(
            got[["N", "D", "L"]], runs, check_exact=False, rtol=1e-12
        )  # text of 15 digits
        np.testing.assert_allclose(got["C"], 6 * runs["N"] * runs["D"])
        assert got.attrs["card"]["rows"] == 4
        assert len(got.attrs["card"]["sha256"]) == 64


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"read: no file 'nowhere.csv'.*sk.load"):
        sk.read("nowhere.csv")
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(ValueError, match=r"cannot read a.xlsx: the ending '.xlsx' is not one of"):
        sk.read(tmp_path / "a.xlsx")
    (tmp_path / "a.jsonl").write_text("{")
    with pytest.raises(ValueError, match=r"cannot read a.jsonl"):
        sk.read(tmp_path / "a.jsonl")
    for text, message in [
        ("N,L\n", "a.csv has no rows"),
        ("", "cannot read a.csv"),
        ("N,N,L\n1,2,3\n", "a.csv has two columns named 'N'; rename one"),
        (
            "N,L\n1e8,3,x\n1e9,2,x\n",
            "cannot read a.csv.*Expected 2 fields in line 2, saw 3",
        ),  # never shifted by one
        (
            "N;D;L\n1e8;2e9;2,345\n",
            r"L: 1 no number, such as '2,345': for a decimal comma write a point \(row 0\)",
        ),
        (
            "N;D;L\n0,125;2e9;2.3\n",
            r"N: 1 no number, such as '0,125': for a decimal comma write a point \(row 0\)",
        ),  # no thousands begin with a nought
    ]:
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            sk.read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes("N,L\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"cannot read a\.csv: 'utf-8' codec"):
        sk.read(tmp_path / "a.csv")
    for source in (None, 5, {"N": [1]}):
        with pytest.raises(ValueError, match="give a path or a DataFrame"):
            sk.read(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"N": 1e8, "N": 2e8, "L": 3}]', r"the key \['N'\] is twice in one object; keep one"),
        ('[{"N": 1e8, "L": 3, "o": {"a": 1, "a": 2}}]', r"the key \['a'\] is twice"),
        (
            '[{"N": 1e8, "L": {"val": 3}}]',
            r"\['L'\] hold lists or objects; .*pandas\.json_normalize",
        ),
        ('[{"N": 1e8, "L": 3, "tags": []}]', r"\['tags'\] hold lists or objects"),
        ('{"runs": [{"N": 1e8, "L": 3}]}', r"\['runs'\] hold lists or objects; a list of flat rec"),
        ("[" * 100_000, "cannot read a.json: .*recursion"),
    ],
)
def test_json_that_is_no_list_of_flat_records(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=rf"read: cannot read a\.json: .*{message}|{message}"):
        sk.read(tmp_path / "a.json")
    if text.startswith("[{"):
        (tmp_path / "a.jsonl").write_text(text[1:-1])
        with pytest.raises(ValueError, match=rf"read: cannot read a\.jsonl: .*{message}"):
            sk.read(tmp_path / "a.jsonl")


def test_a_label_of_digits_keeps_its_noughts(tmp_path):
    (tmp_path / "a.csv").write_text("N,L,tag,share\n1e8,3,007,0.5\n2e8,2.9,012,0\n")
    got = sk.read(tmp_path / "a.csv", doubts="keep")
    assert got["tag"].tolist() == ["007", "012"]
    assert got["share"].tolist() == [0.5, 0]


# ---- units ----


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("70M", 7e7),
        ("1.3B", 1.3e9),
        ("7b", 7e9),
        ("1.4 T", 1.4e12),
        ("1,000,000", 1e6),
        ("3e8", 3e8),
        ("300k", 3e5),
    ],
)
def test_suffixes(runs, cell, value):
    runs["N"] = runs["N"].astype(object)
    runs.loc[0, "N"] = cell
    got = sk.read(runs, doubts="keep")
    assert got["N"][0] == pytest.approx(value, rel=1e-15)
    how = (
        "by the suffix"
        if cell[-1].isalpha()
        else "with commas between thousands"
        if "," in cell
        else None
    )
    told = [line for line in got.attrs["report"] if "read" in line]
    assert told == ([f"done: N: 1 cell read {how} (row 0)"] if how else [])


@pytest.mark.parametrize("cell", ["2,8", "1.2.3", "about 5", "7X", "-", "1,00", "nan?", True])
def test_cells_that_are_no_number(runs, cell):
    runs["N"] = runs["N"].astype(object)
    runs.loc[2, "N"] = cell
    with pytest.raises(
        ValueError, match=r"wrong: N: 1 no number, such as .* \(row 2\); drop or correct them"
    ):
        sk.read(runs)


def test_a_comma_that_may_be_decimal_is_doubted(runs):
    def doubted(*cells):
        lines = report(runs.assign(N=list(cells)))
        return [line for line in lines if "to stand between thousands" in line]

    N = ["1,234", "9,999", "1,000", "5,000"]
    (line,) = doubted(*N)
    assert line.startswith(
        "doubted: N: a comma, as in '1,234', is taken to stand between thousands"
    )
    assert line.endswith("if it is decimal, write a point (rows 0, 1, 2, 3)")
    np.testing.assert_array_equal(
        sk.read(runs.assign(N=N), doubts="keep")["N"], [1234, 9999, 1000, 5000]
    )
    assert len(doubted(1e8, 1e8, "123,456", 1e9)) == 1
    assert len(doubted(1e8, 1e8, "1,234M", 1e9)) == 1
    # another cell of the column tells what the comma means
    assert doubted("1,234,567", "123,456", 1e9, 1e9) == []
    assert doubted("1,234.5", "123,456", 1e9, 1e9) == []
    assert doubted("1_234", 1e8, 1e9, 1e9) == []


def test_an_exponent_and_a_suffix_in_one_cell_are_doubted(runs):
    lines = report(runs.assign(D=["1.4e9B", 8e9, "2e9 tokens", "20B"]))
    assert "doubted: D: an exponent and a suffix, as in '1.4e9B' (row 0)" in lines
    assert sum("an exponent and a suffix" in line for line in lines) == 1


def test_units_of_loss_and_compute(runs):
    nats = runs["L"].to_numpy()
    for unit, column in [
        ("bits", nats / np.log(2)),
        ("perplexity", np.exp(nats)),
        ("nats", nats),
        (("bits/byte", 4.0), nats / np.log(2) / 4),
    ]:
        got = sk.read(runs.assign(L=column), units={"L": unit})
        np.testing.assert_allclose(got["L"], nats, rtol=1e-14)
        assert any("L: converted from" in line for line in got.attrs["report"])
    days = runs.assign(C=6 * runs["N"] * runs["D"] / 8.64e19).drop(columns="D")
    np.testing.assert_allclose(sk.read(days, units={"C": "PF-days"})["D"], runs["D"], rtol=1e-14)
    words = days.assign(C=[f"{c!r} PF-days" for c in days["C"].tolist()])
    np.testing.assert_allclose(sk.read(words)["D"], runs["D"], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": {"M": "B"}}, "units: no column 'M'. There are: N, D, L"),
        ({"units": {"C": "PF-days"}}, "units: no column 'C'. There are: N, D, L"),
        ({"units": {"N": "furlongs"}}, "N: no unit 'furlongs'. There are: k, m, b"),
        ({"units": {"L": "dB"}}, "L: no unit 'dB'. There are: nats, bits, perplexity"),
        ({"units": {"L": "bits/byte"}}, r"L: no unit 'bits/byte'.*\('bits/byte', bytes a token\)"),
        ({"units": {"L": ("bits/byte", "4")}}, r"no unit \('bits/byte', '4'\)"),
        ({"units": {"L": ("bits/byte", 0)}}, r"no unit \('bits/byte', 0\)"),
        ({"units": {"L": ("perplexity", 2)}}, r"no unit \('perplexity', 2\)"),
        ({"units": {"N": ("bits/byte", 2)}}, r"N: no unit \('bits/byte', 2\)"),
        ({"units": {"D": "perplexity"}}, "D: no unit 'perplexity'"),
        ({"units": "B"}, "units is a mapping"),
        (
            {"N": "n", "L": "loss", "units": {"D": "x"}},
            "3 things(.|\n)*'n'(.|\n)*'loss'(.|\n)*D: no unit 'x'",
        ),
        (
            {"N": "n"},
            r"1 thing to mend in a DataFrame:\n  wrong: N: no column 'n'. Did you mean 'N'\?",
        ),
        ({"N": "D"}, "one column stands for two quantities"),
        ({"model": "tag"}, "model: no column 'tag'"),
        ({"doubts": "no"}, "no way with doubts 'no'. There are: warn, keep"),
        ({"doubts": np.array(["warn", "keep"])}, "no way with doubts array"),
        ({"N": ["N"]}, r"N: no column \"\['N'\]\""),
        ({"N": np.array(["N", "D"])}, r"N: no column \"array\(\['N', 'D'\]"),
        ({"units": {"N": ["M"]}}, r"N: no unit \['M'\]"),
        ({"units": {"L": ("bits/byte", 10**309)}}, r"L: no unit \('bits/byte', 1000"),
    ],
)
def test_wrong_arguments(runs, options, message):
    with pytest.raises(ValueError, match=message):
        sk.read(runs, **options)


def test_a_loss_and_a_size_are_needed(runs):
    with pytest.raises(ValueError, match="a loss and at least one of N, D, C are needed"):
        sk.read(runs.drop(columns="L"))
    with pytest.raises(ValueError, match="a loss and at least one of N, D, C are needed"):
        sk.read(runs[["L"]])


# ---- doubts and faults ----


def test_clean_runs_raise_no_doubt_and_are_not_changed(runs):
    before = runs.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = sk.read(runs)
    pd.testing.assert_frame_equal(runs, before)
    assert list(got.columns) == ["N", "D", "C", "L"]
    assert got.attrs["report"] == ("done: C: 4 values completed by C = 6*N*D",)


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        (
            lambda t: t.assign(N=t["N"] / 1e9),
            r"N: below 1000; is it in M or B.*\(rows 0, 1, 2, 3\)",
        ),
        (lambda t: t.assign(D=t["D"] / 1e9), r"D: below 100000"),
        (lambda t: t.assign(C=6 * t["N"] * t["D"] / 8.64e19), r"C: below 1e\+11; is it in PF-days"),
        (lambda t: t.assign(C=[1e21, 1e21, 1.2e19, 1.2e20]), r"C: further from 6ND.*\(rows 0, 1\)"),
        (lambda t: t.assign(L=np.exp(t["L"])), r"L: above 12 nats.*perplexity"),
        (lambda t: t.assign(L=[0.3, 0.4, 0.5, 0.6]), r"L: below 0.7 nats"),
        (lambda t: t.assign(L=[3.5, 3.2, 3.3, 4.0]), r"more than 5% above a run .*\(row 3\)"),
        (
            lambda t: pd.concat([t, t.iloc[[1]]], ignore_index=True),
            r"the same run again.*\(row 4\)",
        ),
        (lambda t: t.assign(model=["a", "a", "b", "a"]), r"another N .* 'model' \(row 3\)"),
        (lambda t: t.assign(D=20 * t["N"]), r"D/N is 20 in every run"),
    ],
)
def test_doubts_are_reported_and_nothing_is_changed(runs, change, piece):
    table = change(runs)
    lines = [line for line in report(table) if line.startswith("doubted")]
    assert any(re.search(piece, line) for line in lines), lines
    got = sk.read(table, doubts="keep")
    for name in ("N", "D", "L"):
        np.testing.assert_array_equal(got[name], table[name])
    with pytest.warns(UserWarning, match="Nothing was changed"):
        sk.read(table)


def test_a_column_that_another_replaces_is_named(runs):
    got = sk.read(runs.assign(params=runs["N"] * 2), N="params", doubts="keep")
    np.testing.assert_array_equal(got["N"], runs["N"] * 2)
    assert "done: the table's own column 'N' is left out" in got.attrs["report"]


def test_other_columns_are_kept_as_they_are(tmp_path, runs):
    dated = runs.assign(
        day=pd.date_range("2024-01-01", periods=4), flag=[True, False, True, True], tag=list("123x")
    )
    pd.testing.assert_frame_equal(
        sk.read(dated)[["day", "flag", "tag"]], dated[["day", "flag", "tag"]]
    )
    dated.assign(width=[64, 64, 512, 512]).to_csv(tmp_path / "a.csv", index=False)
    got = sk.read(tmp_path / "a.csv")
    assert got["width"].tolist() == [64, 64, 512, 512]
    assert got["tag"].tolist() == ["1", "2", "3", "x"]


def test_odd_cells_of_a_frame(runs):
    whole = runs.assign(N=pd.Series([np.int64(10**8), np.float32(1e8), "1B", 10**9], dtype=object))
    np.testing.assert_array_equal(sk.read(whole)["N"], runs["N"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell, what in (
            (None, "missing"),
            (np.inf, "infinite"),
            (0, "not positive"),
            (np.True_, "no number"),
        ):
            table = runs.astype(object)
            table.loc[[1, 2], "N"] = cell
            with pytest.raises(
                ValueError, match=rf"1 thing to(.|\n)*N: 2 {what}.*\(rows 1, 2\)"
            ):  # C is not named
                sk.read(table)
        with pytest.raises(ValueError, match="4 missing"):
            sk.read(runs.assign(N=np.nan))


def test_the_least_loss_of_no_larger_runs_is_that_of_the_square_table():
    rng = np.random.default_rng(0)
    a, b, L = rng.integers(1, 9, (3, 300)).astype(float)  # with many ties
    smaller = (a[None, :] <= a[:, None]) & (b[None, :] <= b[:, None])
    np.testing.assert_array_equal(_least(a, b, L), np.where(smaller, L[None, :], np.inf).min(1))


def test_faults_are_listed_together(runs):
    table = runs.assign(C=6 * runs["N"] * runs["D"]).astype(object)
    table.loc[0, "L"], table.loc[1, "N"], table.loc[2, "C"] = None, "?", -3e18
    with pytest.raises(ValueError, match="3 things to mend") as caught:
        sk.read(table)
    for piece in (
        "L: 1 missing (row 0)",
        "N: 1 no number, such as '?' (row 1)",
        "C: 1 not positive (row 2)",
    ):
        assert piece in str(caught.value)


# ---- edges ----


@pytest.mark.parametrize(
    ("name", "unit", "worth"),
    [
        *(("N", unit, worth) for unit, worth in [("k", 1e3), ("M", 1e6), ("parameters", 1)]),
        *(
            ("D", unit, worth)
            for unit, worth in [("B", 1e9), ("G", 1e9), ("T", 1e12), ("tokens", 1)]
        ),
        *(("C", unit, worth) for unit, worth in [("EF", 1e18), ("ZF", 1e21), ("PF-days", 8.64e19)]),
        *(("C", unit, worth) for unit, worth in [("flop", 1), ("FLOPs", 1), ("T", 1e12)]),
    ],
)
def test_each_unit_is_worth_what_it_says(name, unit, worth):
    table = pd.DataFrame({name: [2.0, 3.0], "L": [3.0, 2.5]})
    column = sk.read(table, units={name: unit}, doubts="keep")
    cells = sk.read(table.assign(**{name: [f"2 {unit}", f"3{unit}"]}), doubts="keep")
    # A product of two doubles is right to the last digit or two.
    np.testing.assert_allclose(column[name], [2 * worth, 3 * worth], rtol=1e-15)
    np.testing.assert_allclose(cells[name], [2 * worth, 3 * worth], rtol=1e-15)
    label = {"N": "parameters", "D": "tokens", "C": "FLOP"}[name]
    assert f"done: {name}: converted from {unit} to {label}" in column.attrs["report"]
    assert f"done: {name}: 2 cells read by the suffix (rows 0, 1)" in cells.attrs["report"]


def test_a_suffix_goes_before_the_unit_of_the_column(runs):
    mixed = runs.assign(N=["0.1B", 100, 1000, "1B"])
    np.testing.assert_array_equal(sk.read(mixed, units={"N": "M"})["N"], runs["N"])


def test_the_name_of_bits_per_byte_says_the_rate(runs):
    lines = report(runs, units={"L": ("bits/byte", 4.5)})
    assert "done: L: converted from bits/byte at 4.5 bytes a token to nats per token" in lines


@pytest.mark.parametrize(
    ("column", "fine", "odd", "piece"),
    [
        ("N", 1e3, 999, "N: below 1000;"),
        ("D", 1e5, 99999, "D: below 100000;"),
        ("C", 1e11, 0.99e11, "C: below 1e+11;"),
        ("L", 12, 12.01, "L: above 12"),
        ("N", 1e13, 1.01e13, "N: above 1e+13 parameters"),
        ("D", 1e15, 1.01e15, "D: above 1e+15 tokens"),
        ("C", 1e28, 1.01e28, "C: above 1e+28 FLOP"),
        ("L", 0.7, 0.69, "L: below 0.7"),
    ],
)
def test_a_value_at_the_limit_is_not_doubted(column, fine, odd, piece):
    table = pd.DataFrame({"C": [1e20, 1e21], "L": [3.0, 2.5]})
    table[column] = [fine, table[column][1]] if column in table else [fine, fine]
    assert not any(piece in line for line in report(table))
    table.loc[0, column] = odd
    assert any(f"doubted: {piece}" in line and "(row 0)" in line for line in report(table))


@pytest.mark.parametrize(
    ("factor", "doubted"),
    [(0.74, True), (0.76, False), (1, False), (1.49, False), (1.51, True), (14, True)],
)
def test_compute_far_from_6nd_is_doubted(runs, factor, doubted):
    table = runs.assign(C=6 * runs["N"] * runs["D"] * factor)
    assert any("C: further from 6ND" in line for line in report(table)) == doubted


@pytest.mark.parametrize(
    ("per", "doubted"), [(3e-5, True), (1.1e-4, False), (0.9e6, False), (1.1e6, True), (2e8, True)]
)
def test_a_share_of_tokens_that_no_run_has_is_doubted(runs, per, doubted):
    table = runs.assign(D=[per * 1e8, *runs["D"][1:]])
    piece = "D/N: below 0.0001 or above 1e+06 tokens a parameter; are both units right? (row 0)"
    assert (f"doubted: {piece}" in report(table)) == doubted


@pytest.mark.parametrize("name", sk.datasets()["name"])
def test_no_table_of_the_kit_is_beyond_what_was_ever_trained(name):
    runs = sk.load(name)
    have = runs.columns.intersection(["N", "D", "C"])
    if len(have) and "L" in runs:
        rows = runs.dropna(subset=[*have, "L"])
        rows = rows[(rows[[*have, "L"]] > 0).all(axis=1)]
        lines = report(rows) if len(rows) else ()
        assert not any(" above 1e+" in line for line in lines)


def test_a_constant_ratio_needs_three_runs_to_be_seen():
    N = np.array([1e8, 1e9, 1e10])
    table = pd.DataFrame({"N": N, "D": 20 * N, "L": [3.0, 2.5, 2.0]})
    same = "doubted: D/N is 20 in every run"
    assert any(line.startswith(same) for line in report(table))
    assert not any(line.startswith(same) for line in report(table.iloc[:2]))
    # 1 % to and fro over two decades is more than a thousandth of the spread of N.
    wobble = table.assign(D=table["D"] * [1.01, 0.99, 1.01])
    assert not any("D/N" in line for line in report(wobble))
    # Rounding to five digits is less.
    rounded = table.assign(D=table["D"] * [1.00001, 0.99999, 1.00001])
    assert any(line.startswith(same) for line in report(rounded))


@pytest.mark.parametrize(("loss", "doubted"), [(3.14, False), (3.16, True)])
def test_a_loss_is_worse_from_five_per_cent_on(loss, doubted):
    for names in (["N", "D"], ["N"], ["D"], ["C"]):
        table = pd.DataFrame({"L": [3.0, loss], **{name: [1e12, 2e12] for name in names}})
        assert any("more than 5% above" in line for line in report(table)) == doubted


def test_a_larger_run_in_one_way_is_no_reason_to_doubt():
    table = pd.DataFrame({"N": [1e8, 1e9, 2e9], "D": [4e9, 2e9, 3e9], "L": [2.0, 3.0, 4.0]})
    (line,) = [line for line in report(table) if "more than 5%" in line]
    assert line.endswith("(row 2)")


@pytest.mark.parametrize(("factor", "doubted"), [(1.0009, False), (1.0011, True)])
def test_models_of_one_label_have_one_size(runs, factor, doubted):
    table = runs.assign(N=1e8 * np.array([1, 1, 1, factor]), D=[1e9, 2e9, 3e9, 4e9], run="a")
    assert any("another N" in line for line in report(table, model="run")) == doubted
    assert not any("another N" in line for line in report(table))


def test_what_is_missing_is_completed_from_the_two_others(runs):
    C = 6 * runs["N"] * runs["D"]
    for name in "NDC":
        table = runs.assign(C=C)
        whole = sk.read(table.drop(columns=name))
        # A product and a quotient of three doubles.
        np.testing.assert_allclose(whole[name], table[name], rtol=1e-15)
        assert f"done: {name}: 4 values completed by C = 6*N*D" in whole.attrs["report"]
        table.loc[2, name] = np.nan
        one = sk.read(table)
        assert f"done: {name}: 1 value completed by C = 6*N*D (row 2)" in one.attrs["report"]
    # One of the three tells nothing of the others.
    assert list(sk.read(runs[["N", "L"]], doubts="keep")) == ["N", "L"]


def test_the_card_of_a_frame_goes_with_it(runs):
    assert sk.read(runs).attrs["card"] == {"name": "a DataFrame", "rows": 4}
    raw = sk.load("chinchilla")
    assert sk.read(raw, doubts="keep").attrs["card"] == raw.attrs["card"]
    for card in ("text", {}, 5):
        runs.attrs["card"] = card
        assert sk.read(runs).attrs["card"] == {"name": "a DataFrame", "rows": 4}
    with pytest.raises(ValueError, match="read: column 'run' holds what is no label"):
        sk.read(runs.assign(run=[[1]] * 4), model="run")


def test_a_column_that_loses_its_name_is_told_where_it_happens(runs):
    lines = report(runs.assign(x=runs["D"]), N="D", D="x")
    assert lines[:3] == (
        "done: column 'D' is N (parameters)",
        "done: the table's own column 'N' is left out",
        "done: column 'x' is D (tokens)",
    )


def test_headers_without_a_name_are_counted(tmp_path):
    (tmp_path / "a.csv").write_text(",N, L ,\n0,1e8,3,\n1,1e9,2,\n")
    got = sk.read(tmp_path / "a.csv")
    assert list(got) == ["N", "L", "unnamed 0", "unnamed 3"]
    assert got["unnamed 0"].tolist() == [0, 1]
