"""The table of published figures is sound, and its look-up keeps the digits as printed."""

import numpy as np
import pandas as pd
import pytest

import scalekit as sk
from scalekit.book.published import CLASSES, DECIDING, SHOWN, published
from scalekit.tables import load

NOTEBOOKS = {
    "00_start_here",
    "01_kaplan",
    "02a_chinchilla",
    "02b_chinchilla_replicated",
    "03_kaplan_vs_chinchilla",
    "04a_downstream_loss_to_error",
    "04b_downstream_many_models",
    "05_inverse_scaling",
    "06a_fitting_well_extrapolation",
    "06b_fitting_well_training_curves",
    "06c_fitting_well_choices",
    "07_data",
    "08_training",
    "09_architecture",
}
COLUMNS = (
    "key notebook paper arxiv quantity value low high interval unit where status class table tol "
    "tol_reason rival rival_reason"
).split()


def test_every_row_of_the_table_is_sound():
    table = pd.read_csv(load.folder() / "published.csv", dtype=str, keep_default_na=False)
    assert list(table.columns) == COLUMNS
    assert table["key"].is_unique
    assert table["key"].str.fullmatch(r"[\w.+/-]+").all()
    assert set(table["status"]) <= {*DECIDING, *SHOWN}
    assert set(table["class"]) <= set(CLASSES)
    # only what is earned from runs or from released optima names a table, and it must be there
    named = table[table["table"] != ""]
    assert set(named["class"]) <= {"runs", "optima"}
    assert set(named["table"]) <= set(load.names())
    assert set(table["notebook"]) <= NOTEBOOKS
    assert (
        table["arxiv"].str.fullmatch(r"\d{4}\.\d{5}") | table["paper"].str.startswith("ours: ")
    ).all()
    for name in ("paper", "quantity", "value"):
        assert (table[name] != "").all()
    assert np.isfinite(table["value"].astype(float)).all()
    for name in ("low", "high", "tol", "rival"):
        assert np.isfinite(table.loc[table[name] != "", name].astype(float)).all()
    for name in ("tol", "rival"):
        assert ((table[name] != "") == (table[f"{name}_reason"] != "")).all()
    assert (table.loc[table["tol"] != "", "tol"].astype(float) > 0).all()
    bounded = table[(table["low"] != "") | (table["high"] != "")]
    assert (bounded["interval"] != "").all()
    one_sided = bounded["interval"].isin(["at least", "at most"])
    assert ((bounded["low"] == "") | (bounded["high"] == "")).eq(one_sided).all()


def test_figures_the_issues_name_are_there():
    wanted = {
        "kaplan2020/alpha_N": "0.076",
        "hoffmann2022/a_approach3": "0.46",
        "hoffmann2022/table_A3/approach3/175B/flops": "1.26e24",
        "besiroglu2024/alpha": "0.3478",
        "besiroglu2024/runs_needed": "634773",
        "porian2024/openwebtext2/stage1/a": "0.864",
        "gadre2024/relative_error/redpajama/loss_1.4B_M640": "0.7103",
        "michaelov2023/tokens_t/memo_trap": "-11.34",
    }
    for key, value in wanted.items():
        assert published(key)["value"] == value


def test_published_text_keeps_its_digits():
    assert published("hoffmann2022/a_c4")["value"] == "0.50"
    assert published("hoffmann2022/table3/1B")["key"].tolist() == [
        f"hoffmann2022/table3/1B/{name}" for name in ("flops", "tokens")
    ]
    assert len(published()) == len(pd.read_csv(load.folder() / "published.csv"))


def test_unknown_key_names_the_nearest():
    with pytest.raises(
        ValueError, match=r"no figure .besiroglu2024/alpa.\..*.besiroglu2024/alpha."
    ):
        published("besiroglu2024/alpa")
    with pytest.raises(ValueError, match=r"a key is text such as .*, got DataFrame"):
        published(published("hoffmann2022"))


def test_one_figure_is_a_series_and_several_are_a_table():
    one = published("hoffmann2022/alpha")
    assert (one.name, one["value"], one["number"]) == ("hoffmann2022/alpha", "0.34", 0.34)
    assert list(one.index) == [*COLUMNS, "number"]
    below = published("hoffmann2022")
    # a key names a paper up to a slash: "hoffmann202" is the beginning of none
    assert below["key"].str.startswith("hoffmann2022/").all()
    assert below.index.tolist() == list(range(len(below)))
    with pytest.raises(ValueError, match="no figure 'hoffmann202'"):
        published("hoffmann202")
    assert published()["number"].dtype == float


def test_tolerances_of_the_redpajama_errors_come_from_rounding():
    # The table has losses to six decimals and errors to seven: move them by as much, and see what
    # the figures do.
    runs = sk.load("overtraining").query("train_set == 'redpajama'").reset_index(drop=True)
    rng = np.random.default_rng(0)
    five = runs["N"].isin([10569312, 78914048, 153677376, 411616256]) & (runs["M"] == 20)
    five |= (runs["N"] == 10569312) & (runs["M"] == 320)
    six = five | ((runs["N"] == 1439795200) & (runs["M"] == 20))
    goals = {"1.4B_M640": (1439795200, 640), "6.9B_M20": (6889410560, 20)}
    found = []
    for _ in range(100):
        t = runs.assign(
            L_c4=runs["L_c4"] + rng.uniform(-5e-7, 5e-7, len(runs)),
            err_17=runs["err_17"] + rng.uniform(-5e-8, 5e-8, len(runs)),
        )
        loss = sk.fit(
            "L_c4(C, M) = E + (a*M**eta + b/M**eta)/C**eta", t[five], loss="squared", space="linear"
        )
        error = sk.fit(
            "err_17(L_c4) = epsilon - k*exp(-gamma*L_c4)", t[six], loss="squared", space="linear"
        )
        row = {}
        for name, (N, M) in goals.items():
            one = t[(t["N"] == N) & (t["M"] == M)]
            L = loss.predict(one)
            row[f"loss_{name}"] = 100 * abs(L / one["L_c4"] - 1).item()
            row[f"error_{name}"] = 100 * abs(error.predict(L_c4=L) / one["err_17"] - 1).item()
        found.append(row)
    found = pd.DataFrame(found)
    moved = (found - found.mean()).abs().max()
    for name, most in moved.items():
        tol = float(published(f"gadre2024/relative_error/redpajama/{name}")["tol"])
        # half a printed unit on top; the largest of 100 draws is itself known to about a third
        assert tol == pytest.approx(most + 5e-5, rel=0.35), name


def test_six_decimals_of_the_losses_explain_what_is_close_in_the_replication():
    # The notes of besiroglu2024/lr and /optimum/objective say so. A likelihood ratio and an
    # objective at fixed constants, with the losses moved by as much as six decimals hide.
    law, runs = sk.law("chinchilla"), sk.load("chinchilla")
    used = runs.drop(runs.nlargest(5, "L").index)
    given = published("hoffmann2022/tex").set_index("key")["number"]
    given.index = given.index.str.removeprefix("hoffmann2022/tex/")
    tex = {name: np.exp(given[f"log_{name}"]) for name in "EAB"} | given[
        ["alpha", "beta"]
    ].to_dict()
    # the least absolute residual and the least Huber loss, as the fits of notebook 02 find them
    least = sk.fit(law, used, delta=1e-7).params.to_dict()
    huber = sk.fit(law, used).params.to_dict()

    def loglik(L, constants):
        residual = np.log(L / law(N=used["N"], D=used["D"], **constants))
        return -len(L) * (np.log(2 * np.abs(residual).mean()) + 1)

    rng = np.random.default_rng(0)
    ratios, objectives = [], []
    for _ in range(200):
        L = used["L"] + rng.uniform(-5e-7, 5e-7, len(used))
        ratios.append(2 * (loglik(L, least) - loglik(L, tex)))
        objectives.append(sk.objective(law, used.assign(L=L), huber))
    for key, found in (("lr", ratios), ("optimum/objective", objectives)):
        figure = published(f"besiroglu2024/{key}")
        half = 0.5 * 10.0 ** -(len(figure["value"].split("e")[0].split(".")[1]))
        half *= 10.0 ** int(figure["value"].partition("e")[2] or 0)
        low, high = figure["number"] - half, figure["number"] + half
        assert min(found) < high and max(found) > low, key
        # and not because anything would do
        assert np.ptp(found) < 10 * half, key
