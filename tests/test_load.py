"""The kit's tables load as their cards say, and a part of a table knows what it leaves out."""

import hashlib
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import scalekit as sk
from scalekit.tables import card, columns, datasets, folder, names
from scalekit.tables import load as data
from scalekit.tables.load import left_out

NAMES = list(sk.datasets()["name"])
FIELDS = (
    "name title paper table source method measurement_error rows dropped licence columns sha256 "
    "notes not_for"
).split()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Return the folder of two copied tables, which a test may damage."""
    for name in ("chinchilla", "gpt3_curves"):
        for suffix in (".csv", ".meta.json"):
            shutil.copy(data.folder() / f"{name}{suffix}", tmp_path)
    monkeypatch.setattr(data, "folder", lambda: tmp_path)
    return tmp_path


def says(*pieces):
    return "(?s)" + ".*".join(re.escape(piece) for piece in pieces)


# ---- every table ----


def test_sk_data_is_the_room_of_the_tables():
    assert (sk.data.folder, sk.data.card, sk.data.columns) == (folder, card, columns)
    assert (sk.data.names, sk.data.datasets) == (names, datasets)
    assert sk.data.card("chinchilla")["rows"] == 245


def test_datasets_lists_every_table():
    table = sk.datasets()
    assert list(table.columns) == ["name", "title", "rows", "paper", "licence"]
    assert {"chinchilla", "gpt3_curves"} <= set(NAMES)
    assert sorted(NAMES) == NAMES == names()
    # Tables that are no runs have no card.
    assert {"board", "published"}.isdisjoint(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_table_loads_and_its_card_is_complete(name):
    runs = sk.load(name)
    about = runs.attrs["card"]
    assert about == card(name)
    assert list(about) == FIELDS
    assert all(about.values())
    assert about["name"] == name
    assert about["rows"] == len(runs)
    assert list(about["columns"]) == list(runs.columns)
    assert all(about["columns"].values())
    assert not runs.duplicated().any()
    for column in {"N", "D", "C", "L"} & set(runs):
        assert runs[column].dtype == np.float64
        # Step 0 of Pythia has seen no token.
        if (name, column) != ("pythia_evals", "D"):
            assert (runs[column].dropna() > 0).all()


@pytest.mark.parametrize("name", [n for n in NAMES if {"N", "D", "C"} <= set(sk.load(n))])
def test_compute_is_6nd_without_overflow(name):
    runs = sk.load(name).dropna(subset=["N", "D", "C"])
    # The digitised and the rounded tables print six or seven digits: a product of three is good
    # to 1e-5.
    np.testing.assert_allclose(runs["C"], 6 * runs["N"] * runs["D"], rtol=1e-5)


def test_large_counts_are_floats_and_small_ones_stay(copy):
    text = "a,b,c,d,e\n999999,1000000,-1000000,100000000000000000000,x\n1,2,3,4,y\n"
    (copy / "gpt3_curves.csv").write_text(text)
    path = copy / "gpt3_curves.meta.json"
    about = json.loads(path.read_text()) | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    path.write_text(json.dumps(about))
    runs = sk.load("gpt3_curves")
    assert "".join(runs[column].dtype.kind for column in "abcd") == "ifff"
    assert runs["d"].tolist() == [1e20, 4.0]
    assert runs["e"].tolist() == ["x", "y"]


def test_folder_is_inside_a_wheel_and_beside_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "__file__", str(tmp_path / "scalekit" / "tables" / "load.py"))
    assert data.folder() == tmp_path / "data"
    (tmp_path / "scalekit" / "_data").mkdir(parents=True)
    assert data.folder() == tmp_path / "scalekit" / "_data"


# ---- what load refuses ----


def test_unknown_name_offers_the_nearest_and_the_list():
    near = says("load: no data set 'chinchila'. Did you mean 'chinchilla'? There are: chinchilla,")
    with pytest.raises(ValueError, match=near):
        sk.load("chinchila")
    with pytest.raises(ValueError, match=says("no data set 'zzz'. There are: chinchilla, ")):
        sk.load("zzz")


@pytest.mark.parametrize("name", ["../data/chinchilla", "./chinchilla", "*", ""])
def test_only_a_plain_name_reaches_the_disk(name):
    with pytest.raises(ValueError, match="no data set"):
        sk.load(name)


@pytest.mark.parametrize("name", [pd.DataFrame({"N": [1]}), 3, None])
def test_something_else_where_a_name_belongs(name):
    kind = type(name).__name__
    with pytest.raises(ValueError, match=says("load: a data set's name is text", kind, "sk.read")):
        sk.load(name)


def test_a_changed_table_is_refused_with_both_hashes(copy):
    path = copy / "chinchilla.csv"
    expected = json.loads((copy / "chinchilla.meta.json").read_text())["sha256"]
    path.write_text(path.read_text().replace("5.005582", "3.005582"))
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    pieces = ("chinchilla.csv", "expected", expected, "got", got, "git checkout -- data/chin")
    with pytest.raises(ValueError, match=says(*pieces)):
        sk.load("chinchilla")
    # The other table is untouched.
    assert len(sk.load("gpt3_curves")) == 320


def test_a_sidecar_or_a_table_missing_or_broken(copy):
    (copy / "chinchilla.meta.json").unlink()
    lost = says("sidecar chinchilla.meta.json", "cannot be read", "data/chinchilla.meta.json")
    with pytest.raises(ValueError, match=lost):
        sk.load("chinchilla")
    (copy / "gpt3_curves.csv").unlink()
    with pytest.raises(ValueError, match=says("gpt3_curves.csv is missing; restore", "checkout")):
        sk.load("gpt3_curves")
    (copy / "gpt3_curves.meta.json").write_text("{")
    with pytest.raises(ValueError, match=says("gpt3_curves.meta.json", "Expecting", "checkout")):
        sk.load("gpt3_curves")


def test_an_installed_kit_is_reinstalled_not_checked_out(tmp_path, monkeypatch):
    inside = tmp_path / "_data"
    inside.mkdir()
    (inside / "lone.csv").write_text("N\n1\n")
    monkeypatch.setattr(data, "folder", lambda: inside)
    with pytest.raises(ValueError, match=r"lone\.meta\.json.*; reinstall scalekit$"):
        sk.load("lone")


# ---- what a part leaves out ----


@pytest.fixture(scope="module")
def chinchilla():
    return sk.load("chinchilla")


@pytest.fixture(scope="module")
def corpora():
    return sk.load("overtraining")


def test_rows_left_out_of_the_whole_table(chinchilla):
    assert left_out(chinchilla) == 0
    assert left_out(chinchilla.nsmallest(240, "L")) == 5
    few = chinchilla[chinchilla["C"] < 1e20]
    assert left_out(few) == 245 - len(few) > 0
    assert left_out(chinchilla[["N", "L"]].iloc[:200]) == 45
    assert left_out(chinchilla.iloc[:0]) == 245
    assert left_out(chinchilla.iloc[:1]) == 0


def test_a_part_is_held_against_that_part(corpora):
    c4 = corpora[corpora["train_set"] == "c4"]
    assert left_out(c4) == 0
    assert left_out(c4.iloc[3:]) == 3
    assert left_out(c4[c4["M"] == 20]) == 0
    assert left_out(corpora[corpora["M"] == 20].iloc[1:]) == 1
    assert left_out(c4.astype({"train_set": "category"})) == 0
    two = corpora[corpora["train_set"] != "c4"]
    assert left_out(two) == len(corpora) - len(two)


def test_a_missing_cell_agrees_with_a_missing_cell():
    runs = sk.load("task_ladder")
    holes = runs[runs["D"].isna()]
    assert len(holes) < len(runs)
    assert left_out(holes.iloc[1:]) == 1


def test_added_renamed_and_repeated_columns(chinchilla, corpora):
    part = chinchilla.iloc[:240]
    assert left_out(part.assign(rank=range(240))) == 5
    c4 = corpora[corpora["train_set"] == "c4"]
    # A column with one value that is not the table's may have picked the part.
    assert left_out(c4.rename(columns={"train_set": "corpus"})) is None
    assert left_out(corpora.rename(columns={"train_set": "corpus"})) == 0
    assert left_out(pd.concat([part, part[["N"]]], axis=1)) == 5


def test_unknown_is_none(chinchilla):
    assert left_out(pd.concat([chinchilla, chinchilla])) is None
    assert left_out(chinchilla.assign(N=-1.0)) is None
    assert left_out(chinchilla.assign(tags=[[1]] * 245)) is None
    assert left_out(pd.DataFrame()) is None


@pytest.mark.parametrize(
    "about", [None, "text", 5, [1], {}, {"name": "x"}, {"name": [], "rows": "7"}]
)
def test_an_odd_card_tells_nothing(about):
    runs = pd.DataFrame({"N": [1, 2]})
    runs.attrs["card"] = about
    assert left_out(runs) is None


def test_a_table_that_was_read_knows_only_its_rows(tmp_path):
    N = np.geomspace(1e8, 1e10, 6)
    table = pd.DataFrame({"N": N, "D": 3e9 + 20 * N**0.9, "L": np.linspace(3, 2, 6)})
    table.to_csv(tmp_path / "own.csv", index=False)
    runs = sk.read(tmp_path / "own.csv", doubts="keep")
    assert left_out(runs) == 0
    assert left_out(runs.iloc[2:]) == 2
    assert left_out(runs.assign(corpus="c4")) is None
