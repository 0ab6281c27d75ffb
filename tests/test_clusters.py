"""Rows that are not independent: found, said, and resampled whole."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR, curve, plant

import scalekit as sk
from scalekit.fits import clusters

TRUE = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}


def models(n, shared=0.005, seed=0, own=0.005, steps=10):
    """Make n models of some checkpoints whose losses carry the model's luck and their own."""
    rng = np.random.default_rng(seed)
    N = np.repeat(10 ** np.linspace(7, 10, n), steps)
    span = np.repeat(10 ** rng.uniform(0, 1, n), steps)
    D = 20 * N * span * np.tile(np.geomspace(0.05, 1, steps), n)
    luck = np.repeat(shared * rng.normal(size=n), steps) + own * rng.normal(size=n * steps)
    names = np.repeat([f"m{i}" for i in range(n)], steps)
    L = sk.law("chinchilla")(N=N, D=D, **TRUE) * np.exp(luck)
    return pd.DataFrame({"L": L, "N": N, "D": D, "model": names})


def find(runs, **options):
    return sk.fit(CHINCHILLA, runs, **options).cluster


# found, or not ------------------------------------------------------------------------------------


def test_models_are_found_and_said():
    fit = sk.fit(CHINCHILLA, models(12))
    assert fit.cluster.column == "model" and fit.cluster.groups == 12
    (said,) = fit.warnings
    assert said.startswith("Rows of one model lie on one side of the curve together (p = ")
    assert said.endswith("not independent; fit.bootstrap resamples whole groups of model.")
    assert said in fit.describe() and repr(fit).endswith("; 1 warning)")


def test_without_a_label_repeated_sizes_are_found():
    assert find(models(12).drop(columns="model")).column == "N"


def test_the_real_curves():
    gpt3, gems = sk.load("gpt3_curves"), sk.load("gemstones")
    assert find(gpt3).column == "model"
    # 22 shapes, of 11 widths and 18 depths: each has its own N
    assert find(gems)[:2] == ("N", 22)


def test_independent_rows_are_left_alone(fit240):
    assert fit240.cluster is None and fit240.warnings == ()
    alarms = 0
    for seed in range(12):
        alarms += find(models(12, shared=0.0, seed=seed)) is not None
    # at a chance of one in a hundred, two or more of twelve come in 6 of 1000 such tests
    assert alarms <= 1


def test_neighbours_that_are_alike_without_luck_of_the_model():
    runs, rng = models(8, shared=0.0, own=0.0, steps=30), np.random.default_rng(1)
    walk = np.zeros((8, 30))
    for j in range(1, 30):
        walk[:, j] = 0.7 * walk[:, j - 1] + 0.003 * rng.normal(size=8)
    runs["L"] *= np.exp(walk - walk.mean(1, keepdims=True)).ravel()
    found = find(runs.sample(frac=1, random_state=0))
    # nothing is left between the models
    assert found.column == "model" and found.F < 1 and found.lag > 0.4


def test_neither_rounding_nor_exact_runs_are_clusters():
    assert sk.fit(FLOOR, pd.concat([curve(), curve()])).cluster is None


def test_a_tiny_effect_in_many_rows_is_not_plain():
    rng, n = np.random.default_rng(0), 40_000
    runs = plant(FLOOR, n, 0.0, span={"N": (1e6, 1e9)}, E=2.0, A=50.0, alpha=0.3)
    group = rng.integers(0, 8000, n)
    luck = 0.003 * rng.normal(size=8000)[group]
    runs = runs.assign(group=group, L=runs["L"] * np.exp(luck + 0.01 * rng.normal(size=n)))
    fit = sk.fit(FLOOR, runs)
    F, p = clusters.f_test(
        clusters.ranks(fit.problem.residuals(fit.u[None])[0]),
        pd.factorize(group[fit.problem.order])[0],
    )
    # sure beyond doubt, but errors would grow by the root of this only
    assert p < 1e-9 and 1.2 < F < 2 and fit.cluster is None


# which column -------------------------------------------------------------------------------------


def test_what_may_name_groups():
    runs = models(12).assign(
        text="same",
        alone=[f"r{i}" for i in range(120)],
        number=np.arange(120) // 10,
        whole=np.arange(120.0) // 10,
        flag=np.arange(120) < 60,
        measured=np.repeat(np.linspace(0, 1, 12), 10),
        kind=pd.Categorical(np.arange(120) // 10),
        gap=[None, *["a", "b"] * 59, "a"],
        odd=[["list"]] * 120,
    )
    fit = sk.fit(CHINCHILLA, runs)
    names = [name for name, _ in clusters.candidates(fit)]
    assert names == ["model", "number", "whole", "kind", "gap", "N"]


def test_of_groups_within_groups_the_coarse_only_if_it_adds_something():
    runs, rng = models(24), np.random.default_rng(3)
    code = np.repeat(np.arange(24), 10)
    runs = runs.assign(family=code % 8)
    assert find(runs).column == "model"
    luck = 0.03 * rng.normal(size=8)[code % 8]
    assert find(runs.assign(L=runs["L"] * np.exp(luck))).column == "family"


def test_the_order_of_rows_and_the_index_do_not_matter():
    runs = models(12)
    mixed = runs.sample(frac=1, random_state=1).set_index(pd.Index(["i"] * 120))
    one, two = find(runs), find(mixed)
    assert one[:2] == two[:2] and one.p == pytest.approx(two.p, rel=1e-6)


# the bootstrap ------------------------------------------------------------------------------------


def test_the_bootstrap_takes_whole_clusters_and_says_so():
    fit = sk.fit(CHINCHILLA, models(12))
    auto, by, rows = fit.bootstrap(40), fit.bootstrap(40, by="model"), fit.bootstrap(40, by=None)
    assert auto.draws.equals(by.draws) and not auto.draws.equals(rows.draws)
    assert auto.draws.attrs["resample"]["by"] == "model"
    assert "whole model together, as its rows are not independent" in auto.draws_note
    assert rows.draws.attrs["resample"]["by"] is None
    assert "Rows of one model came apart, though they are not independent." in rows.draws_note


def test_independent_rows_are_resampled_as_rows(fit240):
    auto, rows = fit240.bootstrap(20), fit240.bootstrap(20, by=None)
    assert auto.draws.equals(rows.draws) and auto.draws_note == rows.draws_note


def test_warnings_do_not_stack():
    fit = sk.fit(CHINCHILLA, models(4, shared=0.05))
    once = fit.bootstrap(20, by="model")
    assert len(once.warnings) > len(fit.warnings)
    assert once.bootstrap(20, by="model").warnings == once.warnings
    assert once.bootstrap(20, by=None).warnings == fit.warnings
    assert pickle.loads(pickle.dumps(once)).warnings == once.warnings


def test_too_few_clusters_are_not_trusted():
    fit = sk.fit(CHINCHILLA, models(4, shared=0.05))
    assert "and 4 groups are too few to resample: trust no interval." in fit.warnings[-1]
    assert fit.bootstrap(20).draws.attrs["resample"]["by"] == "model"
    drawn = fit.bootstrap(20, by="model")
    assert drawn.warnings[-1] == (
        "4 groups of model are too few to resample: no interval is to be trusted."
    )


def test_fewer_than_four_are_resampled_as_rows():
    rng = np.random.default_rng(0)
    runs = models(6, shared=0.0).drop(columns="model").assign(part=np.arange(60) % 3)
    runs["N"] *= rng.uniform(0.5, 2, 60)
    L = sk.law("chinchilla")(N=runs["N"], D=runs["D"], **TRUE)
    luck = np.array([0.0, 0.02, -0.02])[runs["part"]] + 0.005 * rng.normal(size=60)
    fit = sk.fit(CHINCHILLA, runs.assign(L=L * np.exp(luck)))
    assert fit.cluster[:2] == ("part", 3) and "3 groups are too few" in fit.warnings[-1]
    assert fit.bootstrap(20).draws.attrs["resample"]["by"] is None


def test_strata():
    runs = models(12).assign(half=np.repeat(["a", "b"], 60), rest=["one", *["many"] * 119])
    fit = sk.fit(CHINCHILLA, runs)
    assert fit.bootstrap(10, stratify="half").draws.attrs["resample"]["by"] == "model"
    # within a model there are no models to draw
    assert fit.bootstrap(10, stratify="model").draws.attrs["resample"]["by"] is None
    drawn = fit.bootstrap(10, by=None, stratify="rest")
    assert drawn.warnings[-1] == (
        "1 of 2 strata of rest hold one row, kept in every resample: the intervals are too narrow "
        "and not to be trusted."
    )
    with pytest.raises(ValueError, match="12 of 12 strata of model hold one model, kept"):
        fit.bootstrap(10, by="model", stratify="model")


def test_coverage_of_clustered_runs():
    # 20 tables of 16 models, a prediction ten times beyond, nominal 95 %: when this was written
    # rows held 11, auto all 20. At a true 88 %, the least that whole models gave in the study that
    # found the fault, 14 are reached with probability 0.993; at 55 %, as with rows, with 0.13.
    at, hits = {"N": 1e11, "D": 2e12}, 0
    truth = float(sk.law("chinchilla")(**at, **TRUE))
    for seed in range(100, 120):
        drawn = sk.fit(CHINCHILLA, models(16, 0.01, seed), loss="squared").bootstrap(100)
        ends = drawn.derive(f"E + A/{at['N']}**alpha + B/{at['D']}**beta", level=0.95)
        hits += ends["low"] <= truth <= ends["high"]
    assert hits >= 14
