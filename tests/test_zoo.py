"""The zoo: every entry of data/laws evaluates, renders, and is recovered when planted.

What a law's tests need stands in its entry, so a new entry is tested without a line here.
"""

import tomllib

import numpy as np
import pytest
from conftest import plant
from matplotlib.mathtext import MathTextParser

import scalekit as sk
from scalekit.book.published import DECIDING, SHOWN
from scalekit.formulas.zoo import as_law
from scalekit.tables import load

FILES = sorted((sk.data.folder() / "laws").glob("*.toml"))
ENTRIES = [
    (path.stem, *entry)
    for path in FILES
    for entry in tomllib.loads(path.read_text("utf-8")).items()
]
NAMES = [name for _, name, _ in ENTRIES]
# How well a printed number may be confirmed.
STATUS = {*DECIDING, *SHOWN}


# every entry --------------------------------------------------------------------------------------


def test_no_name_is_used_twice():
    assert sorted(NAMES) == sorted(set(NAMES)) == sorted(sk.laws().index)


@pytest.mark.parametrize(("stem", "name", "entry"), ENTRIES, ids=NAMES)
def test_entry(stem, name, entry):
    law = sk.law(name)
    assert law is sk.law(name) and law.name == name
    assert law.theme == stem.replace("_", " ")
    assert law.title and law.paper and law.notes
    assert law.example == entry.get("example"), "an entry needs [name.example]"
    assert set(law.example) <= {"params", "inputs", "recovers"}
    assert law.example.get("recovers", "curve") == "curve"
    assert set(law.example["params"]) == set(law.params)
    assert set(law.example["inputs"]) == set(law.inputs)
    # drawn as a notebook would
    MathTextParser("path").parse(f"${law.latex}$")


@pytest.mark.parametrize("name", NAMES)
def test_published_constants_evaluate_over_the_example(name):
    law = sk.law(name)
    ends = {key: np.array(span) for key, span in law.example["inputs"].items()}
    assert all(0 < low < high for low, high in ends.values())
    for constants in law.published.values():
        assert constants["where"] and constants["status"] in STATUS
        assert set(constants) == {*law.params, "where", "status"}
        # a law refuses to return what is not finite; a constant law would need no inputs
        low, high = law(**ends, **law.at(constants))
        assert low != high


# planted runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_planted_runs_are_recovered(name):
    law = sk.law(name)
    true, span = law.example["params"], law.example["inputs"]
    runs = plant(name, span=span, **true)
    fit = sk.fit(name, runs, loss="squared")
    # noise-free: as many digits as the minimum of a sum of squares in float64 holds, 1e-6 at the
    # condition numbers here
    if "recovers" not in law.example:
        np.testing.assert_allclose(fit.params, [true[p] for p in law.params], rtol=1e-6)
    np.testing.assert_allclose(fit.predict(runs), runs[law.output], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_planted_runs_with_noise_are_fitted_as_well_as_by_the_truth(name):
    law, n, noise = sk.law(name), 60, 1e-4
    true, span = law.example["params"], law.example["inputs"]
    runs = plant(name, n=n, noise=noise, span=span, seed=1, **true)
    fit = sk.fit(name, runs)
    assert fit.objective <= sk.objective(name, runs, true)
    # a robust fit of k parameters to n runs errs by about noise * sqrt(k/n) on average: ten times
    # that anywhere
    off = np.log(fit.predict(runs) / law(**{x: runs[x] for x in law.inputs}, **true))
    assert np.median(np.abs(off)) < 10 * noise * np.sqrt(len(true) / n)


# printed values -----------------------------------------------------------------------------------


# The sheet of published figures evaluates these; printed to three decimals.
@pytest.mark.parametrize(("N", "L"), [(1e8, 2.830), (1e9, 2.376), (1.5e9, 2.304), (1.75e11, 1.604)])
def test_kaplan_n(N, L):
    law = sk.law("kaplan_n")
    assert float(law(N=N, **law.at("kaplan2020"))) == pytest.approx(L, abs=5e-4)


CONSTANTS = [("hoffmann2022", 1.9366), ("hoffmann2022_tex", 1.9208), ("besiroglu2024", 1.9739)]


@pytest.mark.parametrize(("key", "L"), CONSTANTS)
def test_chinchilla_constants_at_70b(key, L):
    law = sk.law("chinchilla")
    # half a unit of the last printed digit, and as much again for constants printed to four digits
    assert float(law(N=70e9, D=1.4e12, **law.at(key))) == pytest.approx(L, abs=1e-4)


# the list, and a law by its name ------------------------------------------------------------------


def test_the_list():
    table = sk.laws()
    assert table.index.name == "name"
    assert list(table.columns) == ["title", "theme", "formula", "paper", "published"]
    row = table.loc["kaplan_c"]
    assert row["title"] == "Loss in compute, used as well as possible"
    assert row["formula"] == sk.law("kaplan_c").formula
    assert row["paper"] == "arXiv:2001.08361"
    assert row["published"] == "kaplan2020_pfdays"
    assert table.loc["kaplan_n", "published"] == "kaplan2020"
    assert table.loc["power_law", "published"] == ""
    assert table.loc["overtraining", "published"].split(", ") == list(
        sk.law("overtraining").published
    )


def test_the_list_of_one_theme():
    whole, some = sk.laws(), sk.laws("pretraining")
    assert some.equals(whole[whole["theme"] == "pretraining"])
    assert 0 < len(some) < len(whole)


def test_unknown_names():
    near = (
        r"^law: no law 'chinchila'\. Did you mean 'chinchilla'\? .* Or write a formula, as in 'L\("
    )
    with pytest.raises(ValueError, match=near):
        sk.law("chinchila")
    with pytest.raises(ValueError, match=r"^law: a name such as 'chinchilla' is wanted; got int"):
        sk.law(3)
    themes = ", ".join(sorted(set(sk.laws()["theme"])))
    with pytest.raises(ValueError, match=rf"^laws: no theme 'x'\. There are: {themes}\.$"):
        sk.laws("x")


def test_files_are_read_once(monkeypatch):
    before = sk.laws()
    monkeypatch.setattr(load, "folder", None)
    assert sk.laws().equals(before)


def test_a_law_a_name_or_a_formula():
    law = sk.Law("L(N) = A/N**alpha")
    assert as_law(law) is law
    assert as_law("chinchilla") is sk.law("chinchilla")
    assert as_law(law.formula) == law
    with pytest.raises(ValueError, match=r"^fit: a law is a Law, .* formula; got int\.$"):
        as_law(3)
    swapped = r"^holdout: .* got DataFrame\. The law comes first, the runs second\.$"
    with pytest.raises(ValueError, match=swapped):
        as_law(sk.laws(), "holdout")
