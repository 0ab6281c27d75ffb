"""One law fitted to many groups of runs."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import FLOOR, curve

import scalekit as sk
from scalekit.formulas import law

OVERTRAINING = "L_c4(C, M) = E + (a*M**eta + b/M**eta)/C**eta"


@pytest.fixture(scope="module")
def runs():
    table = sk.load("overtraining")
    table.loc[table["train_set"] == "c4", "L_c4"] = -1.0
    return table


def test_a_row_a_group(runs):
    table = sk.fit_many(OVERTRAINING, runs, by="train_set").set_index("train_set")
    assert list(table.index) == sorted(runs["train_set"].unique())
    assert list(table) == [*"E a eta b objective n_obs share warnings error".split()]
    alone = sk.fit(OVERTRAINING, runs[runs["train_set"] == "redpajama"])
    row = table.loc["redpajama"]
    assert row["eta"] == alone["eta"] and row["objective"] == alone.objective
    assert row["n_obs"] == 35 and row["share"] == alone.starts.share
    assert row["warnings"] == "" and row["error"] == ""


def test_a_group_that_fails_keeps_its_row(runs):
    failed = sk.fit_many(OVERTRAINING, runs, by="train_set").set_index("train_set").loc["c4"]
    assert "values <= 0" in failed["error"] and failed["n_obs"] == 34
    assert failed[["E", "a", "b", "eta", "objective", "share"]].isna().all()
    assert failed["warnings"] == ""
    flat = pd.concat([curve().assign(g=1), curve().assign(g=2, N=1e8)])
    assert "in every run" in sk.fit_many(FLOOR, flat, by="g")["error"].iloc[1]


def test_groups_come_in_order():
    runs = pd.concat([curve().assign(g="b"), curve().assign(g="a")])
    assert sk.fit_many(FLOOR, runs, by="g")["g"].tolist() == ["a", "b"]


def test_warnings_are_joined():
    few = pd.concat([curve(4).assign(g="few"), curve(12).assign(g="more")])
    rows = sk.fit_many(FLOOR, few, by=["g"]).set_index("g")
    alone = sk.fit(FLOOR, curve(4))
    assert rows.loc["few", "warnings"] == " ".join(alone.warnings) != ""


def test_options_are_passed_on():
    runs = curve().assign(g="x", w=np.arange(1.0, 13.0))
    runs["L"] *= np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    row = sk.fit_many(FLOOR, runs, by="g", loss="squared", weights="w").iloc[0]
    assert row["E"] == sk.fit(FLOOR, runs, loss="squared", weights="w")["E"]


def test_several_columns_and_missing_values_make_groups():
    part = [curve().assign(model=m, data=d) for m in ("a", None) for d in (1, 2)]
    table = sk.fit_many(FLOOR, pd.concat(part), by=["model", "data"])
    assert table["data"].tolist() == [1, 2, 1, 2]
    assert table["model"].isna().tolist() == [False, False, True, True]
    np.testing.assert_allclose(table["alpha"], 0.3, rtol=1e-4)


@pytest.mark.parametrize(("groups", "jobs"), [(8, 1), (9, -1)])
def test_many_groups_go_to_all_cores(monkeypatch, groups, jobs):
    import joblib

    asked = []

    class Parallel(joblib.Parallel):
        def __init__(self, n_jobs):
            asked.append(n_jobs)
            super().__init__(n_jobs=1)

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    runs = pd.concat([curve().assign(g=g) for g in range(groups)])
    assert len(sk.fit_many(FLOOR, runs, by="g")) == groups and asked == [jobs]


def test_a_process_compiles_a_law_once(monkeypatch):
    import joblib

    made = []

    class Parallel:
        def __init__(self, n_jobs):
            pass

        def __call__(self, tasks):
            # as another process would get each of them
            for function, args, _ in map(pickle.loads, map(pickle.dumps, tasks)):
                yield function(*args)

    class Kernel(law.Kernel):
        def __init__(self, *args):
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    monkeypatch.setattr(law, "Kernel", Kernel)
    runs = pd.concat([curve().assign(g=g) for g in range(12)])
    # a formula that no other test has left compiled
    table = sk.fit_many("L(N) = floor + A/N**slope", runs, by="g")
    np.testing.assert_allclose(table["slope"], 0.3, rtol=1e-4)
    assert table["g"].tolist() == list(range(12)) and len(made) == 1


@pytest.mark.parametrize(("groups", "sizes"), [(9, [2, 2, 2, 2, 1]), (300, [16] * 18 + [12])])
def test_groups_travel_together(monkeypatch, groups, sizes):
    import joblib

    class Parallel:
        def __init__(self, n_jobs):
            pass

        def __call__(self, tasks):
            batches = [args[1] for _, args, _ in tasks]
            assert [len(batch) for batch in batches] == sizes
            return [[{"n_obs": len(part)} for part in batch] for batch in batches]

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    # on two processes
    monkeypatch.setattr(joblib, "effective_n_jobs", lambda n_jobs: 2)
    runs = pd.concat([curve(6 + g % 2).assign(g=g) for g in range(groups)])
    assert sk.fit_many(FLOOR, runs, by="g")["n_obs"].tolist() == [6 + g % 2 for g in range(groups)]


def test_bad_input(runs):
    with pytest.raises(ValueError, match="names a column twice; once"):
        sk.fit_many(OVERTRAINING, runs, by=["train_set", "train_set"])
    with pytest.raises(ValueError, match="fit_many: no column 'trainset'"):
        sk.fit_many(OVERTRAINING, runs, by="trainset")
    for by in ([], None):
        with pytest.raises(ValueError, match="fit_many: there are no groups"):
            sk.fit_many(OVERTRAINING, runs, by=by)
    for name in ("eta", "share"):
        with pytest.raises(ValueError, match=f"'{name}' is a column of the result already"):
            sk.fit_many(OVERTRAINING, runs.assign(**{name: runs["train_set"]}), by=name)
    with pytest.raises(ValueError, match="weights must be the name of a column"):
        sk.fit_many(OVERTRAINING, runs, by="train_set", weights=np.ones(len(runs)))
    with pytest.raises(ValueError, match=r"no option 'los'\. Did you mean 'loss'"):
        sk.fit_many(OVERTRAINING, runs, by="train_set", los="huber")
    with pytest.raises(ValueError, match="fit_many: runs must be a pandas DataFrame"):
        sk.fit_many(OVERTRAINING, None, by="train_set")
    with pytest.raises(ValueError, match="fit_many: a law is a Law"):
        sk.fit_many(3, runs, by="train_set")


def test_on_a_cluster():
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    runs = sk.load("gpt3_curves")
    curves = "L(D) = E + A/D**alpha"
    here = sk.fit_many(curves, runs, by="model", loss="squared")
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster), parallel_config("dask"):
        there = sk.fit_many(curves, runs, by="model", loss="squared")
    pd.testing.assert_frame_equal(here, there, check_exact=True)
