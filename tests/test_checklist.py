"""The checklist states what the fit knows, names what it does not, and leaves nothing blank."""

import dataclasses

import mistune
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from conftest import FLOOR, curve

import scalekit as sk
from scalekit.answers.checklist import MISSING
from scalekit.fits.fit import Starts


@pytest.fixture(scope="module")
def fit():
    runs = sk.load("chinchilla")
    return sk.fit("chinchilla", runs[runs["L"] < sorted(runs["L"])[-5]])


def answer(listed, item):
    return listed.table.set_index("item")["answer"][item]


def test_it_reads_the_fit(fit):
    listed = sk.checklist(fit)
    assert answer(listed, "rows left out") == "5 of 245"
    assert answer(listed, "objective") == "sum over runs of Huber's loss, delta = 0.001"
    assert answer(listed, "space") == "log L"
    assert answer(listed, "definition of N") == fit.runs.attrs["card"]["columns"]["N"]
    assert answer(listed, "C against 6ND") == "C/(6ND) from 1.000 to 1.000"
    assert "alpha = 0.347" in answer(listed, "estimates")
    assert "mean absolute relative error on" in answer(listed, "held-out error")
    assert answer(listed, "objective at the optimum") == f"{fit.objective:.6g}"
    assert "bootstrap draws" in answer(sk.checklist(fit.bootstrap(20)), "uncertainty")


def test_gaps_read_not_stated_and_nothing_is_blank(fit):
    listed = sk.checklist(fit)
    assert (listed.table["answer"].str.len() > 0).all()
    assert listed.table["item"].is_unique
    assert {"optimizer", "uncertainty", "seeds"} <= set(listed.missing)
    assert set(listed.table.loc[listed.table["who"] == "author", "answer"]) == {"not stated"}
    assert "- **optimizer**: not stated" in listed.markdown()
    page = BeautifulSoup(
        mistune.html(listed.fill(seeds="one\na run, [0] | `1` < 2").markdown()), "html.parser"
    )
    lines = [li.get_text().strip() for li in page.find_all("li")]
    said = listed.fill(seeds="one a run, [0] | `1` < 2").table
    assert lines == [f"{r.item}: {r.answer}" for r in said.itertuples()]  # with A/N**alpha as it is
    assert [h.get_text() for h in page.find_all("h3")] == said["section"].unique().tolist()
    assert listed.markdown().count("### ") == 5
    assert "not stated" in listed._repr_html_()
    assert listed.describe() in repr(listed)


def test_the_author_fills_the_rest(fit):
    listed = sk.checklist(fit)
    filled = listed.fill(optimizer="AdamW <0.9, 0.95>", seeds="one a run")
    assert answer(filled, "optimizer") == "AdamW <0.9, 0.95>"
    assert "optimizer" in listed.missing  # the first list is unchanged
    assert set(listed.missing) - set(filled.missing) == {"optimizer", "seeds"}
    assert "&lt;0.9" in filled._repr_html_()
    assert answer(filled.fill(uncertainty="see text"), "uncertainty") == "see text"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"optimiser": "AdamW"}, "item 'optimiser'.*optimizer"),
        ({"optimizer": " "}, "the answer to 'optimizer' is empty"),
        ({"objective": "mean"}, "'objective' was read off the fit"),
    ],
)
def test_what_fill_refuses(fit, answers, message):
    with pytest.raises(ValueError, match=message):
        sk.checklist(fit).fill(**answers)


def test_other_fits():
    N = np.geomspace(1e6, 1e9, 12)
    runs = pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3, "w": 1.0})
    law = sk.Law("L(N) = E + A/N**alpha", bounds={"alpha": (0, 1)}, real=["E"])
    listed = sk.checklist(sk.fit(law, runs, loss="squared", space="linear", weights="w"))
    assert answer(listed, "law") == "L(N) = E + A/N**alpha (E of either sign, others positive)"
    assert answer(listed, "bounds") == "alpha in (0, 1)"
    assert answer(listed, "objective") == "sum of squares"
    assert answer(listed, "weights") == "by row, given"
    assert {"held-out error", "rows left out", "definition of N", "C against 6ND"} <= set(
        listed.missing
    )


def test_odd_columns_beside_the_law_and_a_law_that_predicts_N():
    N = np.geomspace(1e6, 1e9, 12)
    for C in ("3 PF-days", np.nan):
        listed = sk.checklist(sk.fit(FLOOR, curve().assign(C=C)))
        assert {"C against 6ND", "held-out error"} <= set(listed.missing)
    optimum = sk.checklist(sk.fit("N(C) = k*C**a", pd.DataFrame({"C": 6 * N**2, "N": N})))
    assert optimum.table["item"].is_unique
    assert not optimum.table["answer"].str.contains("nan").any()


@pytest.fixture(scope="module")
def noisy():
    """A fit of 20 runs with a card of their own, by least squares."""
    runs = curve(20).assign(D=2e10)
    runs["L"] *= np.exp(0.01 * np.cos(7 * np.arange(20)))
    # as 6ND would have it, but for a drift from 0.9 to 1.2
    runs["C"] = 6 * runs["N"] * runs["D"] * np.linspace(0.9, 1.2, 20)
    runs.attrs["card"] = {"name": "mine", "source": "our cluster", "columns": {"L": "nats/token"}}
    return sk.fit(FLOOR, runs, loss="squared")


def answers(listed):
    return listed.table.set_index("item")["answer"].to_dict()


def test_every_answer_by_hand(noisy):
    found = dataclasses.replace(
        noisy,
        starts=Starts(512, 32, 0.75, 1.2345678),
        condition=1234.56,
        at_bound=("E", "A"),
        doubts=("One doubt.", "Another."),
        dropped=3,
        seed=7,
    )
    got = answers(sk.checklist(found))
    cut = np.quantile(found.runs["C"], 0.7, method="lower")
    row = sk.holdout(FLOOR, found.runs, by="C", cutoffs=[cut], loss="squared", seed=7).iloc[0]
    # 70 % of 20 runs from the lowest on: ranks 0 to 13
    assert (row["n_fit"], row["n_held"]) == (14, 6)
    low, high = found.runs["L"].min(), found.runs["L"].max()
    stated = {
        "law": f"{FLOOR} (all parameters positive)",
        "runs": "20",
        "ranges": f"N 1e+06 to 1e+09; L {low:.4g} to {high:.4g}",
        "C against 6ND": "C/(6ND) from 0.900 to 1.200",
        "data set": "mine",
        "provenance": "our cluster",
        "definition of the output": "nats/token",
        "rows left out": "3 of 23",
        "objective": "sum of squares",
        "space": "log L",
        "weights": "none",
        "bounds": "none beyond the solver's wide box",
        "algorithm": "damped Newton with the exact Hessian from many starts (scalekit)",
        "starts": "512 screened, 32 polished, 75% of these agree; best other minimum 1.23457",
        "tolerance": "predicted decrease below 1e-13 of the objective; starts agree within 1e-6 "
        "of it",
        "seed": "7",
        "held-out error": f"{100 * row['are']:.2f} % mean absolute relative error on 6 runs with C "
        f"above {cut:.3g}, fitted on the 14 below",
        "estimates": "; ".join(f"{p} = {v:.6g}" for p, v in found.params.items()),
        "objective at the optimum": f"{found.objective:.6g}",
        "residual standard deviation": f"{found.residual_sd:.3g} (of the log)",
        "condition number": "1.23e+03",
        "parameters at a bound": "E, A",
        "warnings": "One doubt. Another.",
    }
    assert {item: got[item] for item in stated} == stated
    assert {item for item, text in got.items() if text == MISSING} == set(got) - set(stated)
    assert list(got) == [
        "law",
        "source of the form",
        "question",
        "runs",
        "ranges",
        "definition of N",
        "definition of FLOP",
        "C against 6ND",
        "training data",
        "architecture",
        "optimizer",
        "learning rate schedule",
        "batch size",
        "hyperparameter tuning",
        "data set",
        "provenance",
        "sha256",
        "definition of the output",
        "measurement error",
        "rows left out",
        "why they were left out",
        "checkpoints used",
        "seeds",
        "objective",
        "space",
        "weights",
        "bounds",
        "algorithm",
        "starts",
        "tolerance",
        "seed",
        "uncertainty",
        "held-out error",
        "estimates",
        "objective at the optimum",
        "residual standard deviation",
        "condition number",
        "parameters at a bound",
        "warnings",
    ]


def test_what_is_said_where_nothing_was_noticed(noisy):
    quiet = dataclasses.replace(
        noisy,
        starts=Starts(9, 8, 1.0, None),
        at_bound=(),
        doubts=(),
        dropped=0,
        space="linear",
        loss="huber",
        delta=0.01,
    )
    got = answers(sk.checklist(quiet))
    assert got["starts"] == "9 screened, 8 polished, 100% of these agree; no other minimum"
    assert (got["parameters at a bound"], got["warnings"]) == ("none", "none")
    assert got["rows left out"] == "0 of 20"
    assert got["objective"] == "sum over runs of Huber's loss, delta = 0.01"
    assert (got["space"], got["residual standard deviation"]) == ("L", f"{noisy.residual_sd:.3g}")
    # the split is fitted as the fit was
    cut = np.quantile(quiet.runs["C"], 0.7, method="lower")
    options = {"delta": 0.01, "space": "linear"}
    row = sk.holdout(FLOOR, quiet.runs, by="C", cutoffs=[cut], **options).iloc[0]
    assert got["held-out error"].startswith(f"{100 * row['are']:.2f} % mean")
    without = dataclasses.replace(quiet, runs=quiet.runs.drop(columns="C"))
    assert "runs with N above" in answers(sk.checklist(without))["held-out error"]


def test_a_card_says_what_it_says_and_no_more(noisy):
    card = {"title": "Our runs", "name": "mine", "sha256": "ab", "measurement_error": "1 %"}
    card["columns"] = {"N": "all parameters", "C": "FLOP, exact"}
    runs = noisy.runs.copy()
    runs.attrs["card"] = card
    got = answers(sk.checklist(dataclasses.replace(noisy, runs=runs)))
    assert (got["data set"], got["sha256"], got["measurement error"]) == ("Our runs", "ab", "1 %")
    assert got["definition of N"] == "all parameters"
    assert got["definition of FLOP"] == "FLOP, exact"
    assert got["definition of the output"] == MISSING
    runs.attrs.clear()
    bare = answers(sk.checklist(dataclasses.replace(noisy, runs=runs, dropped=None)))
    assert {bare["data set"], bare["definition of N"], bare["rows left out"]} == {MISSING}


def test_an_interval_stands_beside_its_estimate(noisy):
    drawn = noisy.bootstrap(20, level=0.8)
    low, high = drawn.table().loc["alpha", ["low", "high"]]
    said = answers(sk.checklist(drawn))["estimates"].split("; ")
    assert said[-1] == f"alpha = {drawn['alpha']:.6g} ({low:.3g} to {high:.3g} at 80%)"
    assert len(said) == 3


def test_several_bounds_and_signs():
    law = sk.Law(FLOOR, bounds={"alpha": (0, 1), "E": (-2, 5)}, real=["E", "A"], paper="arXiv:1")
    found = sk.fit(law, curve(), loss="squared")
    got = answers(sk.checklist(found))
    assert got["law"] == f"{FLOOR} (A, E of either sign, others positive)"
    assert got["bounds"] == "alpha in (0, 1); E in (-2, 5)"
    assert got["source of the form"] == "arXiv:1"
    table = sk.checklist(found).table.set_index("item")
    assert (table["who"]["law"], table["who"]["question"]) == ("fit", "author")


def test_how_complete_it_is(noisy):
    listed = sk.checklist(noisy)
    full = listed.fill(**{item.replace(" ", "_"): "x" for item in listed.missing})
    assert full.describe() == "39 of 39 items are stated; not stated: none."
    gap = listed.fill(**{item.replace(" ", "_"): " x " for item in listed.missing[1:]})
    assert gap.describe() == "38 of 39 items are stated; not stated: source of the form."
    assert answer(gap, "seeds") == "x"
    assert repr(gap) == f"Checklist: {gap.describe()}\n\n{gap.markdown()}"
    assert gap.markdown().startswith("### Hypothesis and form\n\n- **law**: ")
    assert gap.markdown().endswith("- **warnings**: none\n")
    assert "\n\n### Training setup\n\n- **runs**: 20\n" in gap.markdown()
    # its head has four columns, none of them for the index
    assert gap._repr_html_().count("<th>") == 4
    # nothing is cut off, however long
    long = gap.fill(source_of_the_form=200 * "why ")
    assert (200 * "why ").strip() in long._repr_html_()
