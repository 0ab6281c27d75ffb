"""Held-out scores and comparisons, against hand calculation, plain loops and planted truths."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR, curve, plant
from scipy import stats

import scalekit as sk
from scalekit.answers.holdout import criteria, score

TRUE = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.37}
POWER = "L(N) = A/N**alpha"
BOTH = {"true": FLOOR, "no floor": POWER}


def planted(noise=0.0, seed=0, n=40):
    """Runs of the law on small models, with their compute."""
    span = {"N": (5e7, 5e9), "D": (1e9, 1e11)}
    runs = plant(CHINCHILLA, n, noise, seed, span, **TRUE)
    return runs.assign(C=6 * runs["N"] * runs["D"])


def rough(noise=0.01, n=12, seed=0):
    """Runs of a power law with a floor in N alone, with noise."""
    runs = curve(n)
    return runs.assign(L=runs["L"] * np.exp(np.random.default_rng(seed).normal(0, noise, n)))


# score


def test_score_by_hand():
    got = score([1.0, 2.0], [1.1, 1.8])
    off = np.log([1.1, 0.9])
    # rounding
    assert got["are"] == pytest.approx(0.1, rel=1e-12)
    assert got["rmsle"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-12)
    assert got["bias"] == pytest.approx(off.mean(), rel=1e-12)
    assert list(got) == ["are", "rmsle", "bias"]
    for bad in (([], []), ([1.0], [0.0]), ([0.0], [1.0]), ([1.0], [1.0, 2.0]), ([1.0], [np.nan])):
        with pytest.raises(ValueError, match="score: actual and predicted must be positive"):
            score(*bad)


# holdout


def test_the_baseline_of_the_replicated_runs(runs240):
    got = sk.holdout("chinchilla", runs240, cutoffs=[1e20, 3e20, 1e21])
    # per cent, by an earlier fit of this recipe
    assert (100 * got["are"]).round(2).tolist() == [0.89, 1.00, 1.05]
    # while the exponent moves by several of its standard errors
    assert got["beta"].max() - got["beta"].min() > 0.05
    assert (got["n_fit"] + got["n_held"] == 240).all()


def test_a_true_law_extrapolates_exactly_and_row_order_does_not_matter():
    runs = planted()
    got = sk.holdout(CHINCHILLA, runs, by="N", cutoffs=[5e8])
    # what is left of the solver's tolerance ten times beyond the runs
    assert got["are"][0] < 1e-6
    assert got["alpha"][0] == pytest.approx(0.34, abs=1e-5)
    shuffled = sk.holdout(CHINCHILLA, runs.sample(frac=1, random_state=1), by="N", cutoffs=[5e8])
    pd.testing.assert_frame_equal(got, shuffled, rtol=1e-6)


def test_a_row_is_what_fit_and_score_give():
    runs = rough()
    got = sk.holdout(FLOOR, runs, by="N", cutoffs=[1e7, 1e8], loss="squared", seed=3)
    columns = ["law", "cutoff", "n_fit", "n_held", "reach", "are", "rmsle", "bias", "coverage"]
    assert list(got) == [*columns, "error", "E", "A", "alpha"]
    for _, row in got.iterrows():
        below, above = (runs[m] for m in (runs["N"] <= row["cutoff"], runs["N"] > row["cutoff"]))
        fit = sk.fit(FLOOR, below, loss="squared", seed=3)
        assert row[fit.params.index].to_dict() == dict(fit.params)
        expected = score(above["L"], fit.predict(above))
        assert {k: row[k] for k in expected} == expected
        assert (row["n_fit"], row["n_held"]) == (len(below), len(above))
        assert row["reach"] == pytest.approx(1e9 / row["cutoff"])
        assert (row["law"], row["error"]) == (FLOOR, "")
        # not asked for, not estimated
        assert np.isnan(row["coverage"])


def test_a_run_at_an_edge_is_below_its_cutoff_and_within_its_horizon():
    runs = curve(13, 1e6, 1e12).assign(step=2.0 ** np.arange(13))
    # 1, 2, 4 ... 4096; the fits see 2**7 and the six before it
    options = {"by": "step", "cutoffs": [128.0]}
    got = sk.holdout(FLOOR, runs, **options, span=2.0**6, horizon=4.0).iloc[0]
    assert (got["n_fit"], got["n_held"], got["reach"]) == (6, 2, 4.0)
    got = sk.holdout(FLOOR, runs, **options, span=2.0**6).iloc[0]
    assert (got["n_fit"], got["n_held"], got["reach"]) == (6, 5, 32.0)
    got = sk.holdout(FLOOR, runs, **options, horizon=4.0).iloc[0]
    assert (got["n_fit"], got["n_held"], got["reach"]) == (8, 2, 4.0)
    got = sk.holdout(FLOOR, runs, **options).iloc[0]
    assert (got["n_fit"], got["n_held"], got["reach"]) == (8, 5, 32.0)


def test_a_column_that_is_not_positive_has_no_reach_and_no_window():
    runs = curve().assign(year=np.arange(-6, 6))
    got = sk.holdout(FLOOR, runs, by="year", cutoffs=[-1, 0, 1])
    assert got["n_fit"].tolist() == [6, 7, 8]
    assert got["reach"].isna().tolist() == [True, True, False]
    for window in ({"span": 2}, {"horizon": 2}):
        with pytest.raises(ValueError, match="holdout: column 'year' has 7 values <= 0"):
            sk.holdout(FLOOR, runs, by="year", cutoffs=[1], **window)


@pytest.mark.parametrize("count", [3, np.int64(3)])
def test_cutoffs_that_are_counted_lie_between_two_and_nine_tenths(count):
    runs = curve(21)
    got = sk.holdout(FLOOR, runs, by="N", cutoffs=count)
    # ranks .4, .65 and .9 of 0 to 20
    assert got["cutoff"].tolist() == runs["N"].iloc[[8, 13, 18]].tolist()
    assert got["law"].tolist() == [FLOOR] * 3


def test_defaults_are_four_cutoffs_along_compute_and_equal_ones_count_once():
    runs = planted(n=41)
    got = sk.holdout({"a": CHINCHILLA, "b": "kaplan_nd"}, runs)
    sorted_C = np.sort(runs["C"])
    # ranks .4 to .9 of 0 to 40, rounded down
    assert got["cutoff"].tolist() == np.repeat(sorted_C[[16, 22, 29, 36]], 2).tolist()
    assert got["law"].tolist() == ["a", "b"] * 4
    few = curve(20).assign(C=np.repeat([1.0, 2.0, 3.0, 4.0], [7, 5, 6, 2]))
    assert sk.holdout(FLOOR, few, cutoffs=9)["cutoff"].tolist() == [2.0, 3.0]


def test_coverage_is_the_share_inside_the_prediction_interval():
    runs = rough(n=30)
    runs["L"] *= np.where((runs["N"] > 3e7) & (runs.index % 2 == 1), 1.2, 1)
    got = sk.holdout(FLOOR, runs, by="N", cutoffs=[3e7], draws=50).iloc[0]
    below, above = runs[runs["N"] <= 3e7], runs[runs["N"] > 3e7]
    band = sk.fit(FLOOR, below).bootstrap(50).predict(above, level=0.95)
    inside = (above["L"] >= band["pred_low"]) & (above["L"] <= band["pred_high"])
    assert 0 < inside.mean() < 1
    assert got["coverage"] == inside.mean()
    assert sk.holdout(FLOOR, runs, by="N", cutoffs=[3e7])["coverage"].isna().all()
    # whole values of a column: one value alone has nothing to resample
    with pytest.raises(ValueError, match="by='model' has one value only"):
        sk.holdout(FLOOR, runs.assign(model="m"), by="N", cutoffs=[3e7], draws=9, cluster="model")


def test_far_runs_held_out_are_no_cause_for_a_warning():
    runs = rough(n=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = sk.holdout(FLOOR, runs, by="N", cutoffs=[3e7], draws=20)["reach"][0]
    # past ten times `predict` itself warns
    assert far > 10


def test_coverage_is_near_its_level_when_the_law_is_true():
    got = sk.holdout(CHINCHILLA, planted(0.005), by="N", cutoffs=[5e8], draws=300)
    # 20 held-out runs: a 95 % interval misses more than 5 of them once in 300 times (binomial)
    assert got["coverage"][0] >= 0.7


def test_a_law_that_cannot_be_fitted_keeps_its_row_with_the_reason():
    runs = planted()
    got = sk.holdout(CHINCHILLA, runs.assign(D=20 * runs["N"]), by="N", cutoffs=[5e8])
    assert np.isnan(got["are"][0])
    assert "collinear" in got["error"][0]
    both = {"five": CHINCHILLA, "two": POWER}
    runs = runs.sort_values("N").head(9)
    for few in (4, 5):
        cut = runs["N"].iloc[few - 1]
        got = sk.holdout(both, runs, by="N", cutoffs=[cut])
        assert got["error"].tolist() == [f"5 parameters, {few} runs", ""]
        assert got["are"].notna().tolist() == [False, True]
    # one run more than parameters is enough to try
    got = sk.holdout(POWER, curve(6), by="N", cutoffs=[curve(6)["N"][2]])
    assert got["error"].tolist() == [""]


def test_a_law_that_predicts_what_cannot_be_keeps_its_row_with_the_reason():
    N = np.geomspace(1e3, 1e12, 20)
    runs = pd.DataFrame({"N": N, "L": 3.0 / N**0.05})
    # below zero beyond the runs
    line = sk.Law("L(N) = a - b*log(N)**2", real="all")
    got = sk.holdout({"line": line, "power": POWER}, runs, by="N", cutoffs=[1e5])
    assert "must be positive" in got["error"][0]
    assert got["are"].notna().tolist() == [False, True]
    # the fit itself stands
    assert got["b"][0] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cutoffs": [1.0]},
            r"holdout: 0 rows at or below C = 1 to fit, 40 above to predict; C runs",
        ),
        ({"cutoffs": [1e30]}, "40 rows at or below C = 1e.30 to fit, 0 above to predict"),
        ({"cutoffs": 0}, "0 rows at or below C = 0 to fit"),
        ({"by": "step"}, "holdout: no column 'step'"),
        ({"weights": np.ones(40)}, "holdout: weights are split with the rows only as a column"),
        ({"starts": 3}, "holdout: no option 'starts'. Did you mean 'start'"),
        ({"loss": "hubr"}, "fit: no loss 'hubr'"),
        *(
            ({"cutoffs": c}, "holdout: cutoffs are numbers in the unit of C")
            for c in ([], "x", [1e20, "a"], None)
        ),
        *(
            ({k: v}, "span and horizon factors above 1")
            for k in ("span", "horizon")
            for v in (0.5, 1, -1)
        ),
    ],
)
def test_what_holdout_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        sk.holdout(CHINCHILLA, planted(), **options)


def test_laws_are_named_by_the_zoo_by_their_formula_or_by_the_caller():
    runs = planted()
    one = {"by": "N", "cutoffs": [5e8]}
    named = sk.holdout(("chinchilla", sk.Law(POWER)), runs, **one)
    assert named["law"].tolist() == ["chinchilla", POWER]
    assert sk.holdout({1: POWER}, runs, **one)["law"].tolist() == ["1"]
    weighted = sk.holdout(POWER, runs.assign(w=runs["N"]), weights="w", **one)
    assert weighted["A"][0] != sk.holdout(POWER, runs, **one)["A"][0]
    with pytest.raises(ValueError, match=r"a law is listed twice among .'chinchilla', 'L"):
        sk.holdout(["chinchilla", CHINCHILLA, CHINCHILLA], runs)
    for none in ([], {}):
        with pytest.raises(ValueError, match="holdout: no law"):
            sk.holdout(none, runs)
    with pytest.raises(ValueError, match="holdout: a law is a Law"):
        sk.holdout([3], runs)


# compare


def test_criteria_of_least_squares_are_the_textbook_ones():
    fit = sk.fit(CHINCHILLA, planted(0.01), loss="squared")
    n, k, r = 40, 6, fit.residuals().to_numpy()
    log_l = stats.norm.logpdf(r, 0, np.sqrt(np.mean(r**2))).sum()
    got = criteria(fit)
    # the same formula in another order
    assert got["AICc"] == pytest.approx(
        2 * k - 2 * log_l + 2 * k * (k + 1) / (n - k - 1), rel=1e-12
    )
    assert got["BIC"] == pytest.approx(k * np.log(n) - 2 * log_l, rel=1e-12)
    # four runs for three parameters leave nothing for the correction to divide by
    assert criteria(sk.fit(FLOOR, rough(n=4), loss="squared"))["AICc"] > 1e9


def test_criteria_of_huber_go_to_laplace_and_to_normal():
    runs = planted(0.01)
    for delta, density in ((1e-7, stats.laplace), (10.0, stats.norm)):
        fit = sk.fit(CHINCHILLA, runs, delta=delta)
        r = fit.residuals().to_numpy()
        scale = np.mean(np.abs(r)) if density is stats.laplace else np.sqrt(np.mean(r**2))
        log_l = density.logpdf(r, 0, scale).sum()
        # Huber differs from |r| by delta/2 a run: 5e-8 in 1e-2, times the 40 runs
        assert criteria(fit)["BIC"] == pytest.approx(6 * np.log(40) - 2 * log_l, abs=1e-3)


def test_criteria_of_huber_are_the_likelihood_of_its_density():
    delta = 0.01
    fit = sk.fit(FLOOR, rough(0.02, n=30), delta=delta)

    def huber(r):
        return np.where(np.abs(r) < delta, r**2 / 2, delta * (np.abs(r) - delta / 2))

    # fine and wide enough: the step is a hundredth of delta, the ends are 1e-8 of the peak or less
    grid = np.linspace(-1, 1, 20_001)
    scales = np.geomspace(1e2, 1e5, 3001)
    area = [np.trapezoid(np.exp(-lam * huber(grid)), grid) for lam in scales]
    rho = huber(fit.residuals().to_numpy()).sum()
    log_l = (-scales * rho - 30 * np.log(area)).max()
    # a maximum on a grid of 0.2 % steps is good to the square of that, times n
    assert criteria(fit)["BIC"] == pytest.approx(4 * np.log(30) - 2 * log_l, abs=1e-3)


def test_compare_is_that_of_plain_loops():
    runs = rough(0.02, n=16).assign(model=list("aabbccddeeffgghh"))
    got = sk.compare(BOTH, runs, folds=4, seed=2, loss="squared", by="N", cutoffs=2)
    fold = np.random.default_rng(2).permutation(8)[np.repeat(np.arange(8), 2)] % 4
    off, beyond = {}, {}
    for name, law in BOTH.items():
        off[name] = np.empty(16)
        for k in range(4):
            fit = sk.fit(law, runs[fold != k], loss="squared")
            held = runs[fold == k]
            off[name][fold == k] = np.log(fit.predict(held)) - np.log(held["L"])
        beyond[name] = sk.holdout(law, runs, by="N", cutoffs=2, loss="squared")["are"].mean()
        whole = sk.fit(law, runs, loss="squared")
        expected = {"k": len(whole.params), "objective": whole.objective} | criteria(whole)
        assert got.loc[name, list(expected)].to_dict() == expected
        assert got["cv"][name] == pytest.approx(np.sqrt((off[name] ** 2).mean()), rel=1e-12)
        assert got["beyond"][name] == beyond[name]
    np.testing.assert_allclose(got["d_AICc"], got["AICc"] - got["AICc"].min())
    first, second = got.index
    assert got["cv"][first] < got["cv"][second]
    worse = (off[second] ** 2 - off[first] ** 2).reshape(8, 2).mean(1)
    ratio = worse.mean() / (worse.std(ddof=1) / np.sqrt(8))
    # rounding
    np.testing.assert_allclose(got["against_best"], [0, ratio], rtol=1e-9)
    columns = ["k", "objective", "AICc", "BIC", "d_AICc", "cv", "beyond", "against_best"]
    assert list(got) == [*columns, "verdict"]
    assert (got.attrs["group"], got.index.name, got["k"].dtype.kind) == ("model", "law", "i")


def test_compare_names_the_true_law_and_says_when_it_cannot_tell():
    runs = planted(0.004)
    laws = {"no floor": "L(N, D) = A/N**alpha + B/D**beta", "true": CHINCHILLA}
    got = sk.compare(laws, runs, group="N")
    assert got.index.tolist() == ["true", "no floor"]
    assert got["verdict"].tolist() == ["best", "worse"]
    assert got["d_AICc"].iloc[0] == 0 and got["d_AICc"].iloc[1] > 10
    said = f"true predicts left-out values of N best ({100 * got['cv'].iloc[0]:.2g} %); "
    rest = "the others are worse by over two standard errors."
    assert got.attrs["verdict"] == said + rest
    twin = "L(N, D) = E + (a**2/N**alpha) + B/D**beta"
    same = sk.compare({"true": CHINCHILLA, "same": twin, "last": laws["no floor"]}, runs)
    best, second = same.index[:2]
    assert {best, second} == {"true", "same"}
    assert same["verdict"].tolist() == ["best", "not told apart", "worse"]
    assert same.attrs["verdict"].endswith(f"these runs cannot tell it from {second}.")
    assert same["beyond"].isna().all()


def test_groups_are_models_sizes_or_rows():
    def group(runs, **options):
        return sk.compare(BOTH, runs, loss="squared", **options).attrs["group"]

    runs = rough()
    assert group(runs) == "N"
    assert group(runs.assign(model=list("abcdea" * 2))) == "model"
    # too few models for five folds
    four_models = runs.assign(model=list("abcd" * 3))
    assert group(four_models) == "N"
    assert group(four_models, folds=4) == "model"
    assert group(runs.assign(model="m", family=list("abcdef") * 2), group="family") == "family"
    four = runs.assign(N=np.tile(np.geomspace(1e6, 1e9, 4), 3))
    four = four.assign(L=2 + 50 / four["N"] ** 0.3 + runs["L"] / 100)
    assert group(four) == "row"


def test_what_compare_refuses():
    runs = rough(n=8)
    for laws in ([FLOOR], {"a": FLOOR, "b": "C(N) = A*N**alpha"}):
        with pytest.raises(ValueError, match="two laws or more, of one output"):
            sk.compare(laws, runs)
    for folds in (9, 1, 2.5):
        with pytest.raises(ValueError, match=f"compare: {folds} folds of 8 groups"):
            sk.compare(BOTH, runs, folds=folds, group="N")
    # as many folds as groups is leaving one out
    assert len(sk.compare(BOTH, runs, folds=8, group="N", loss="squared")) == 2
    assert len(sk.compare(BOTH, runs, folds=np.int64(2), loss="squared")) == 2
    with pytest.raises(ValueError, match="column for group 'modle'"):
        sk.compare(BOTH, runs, group="modle")
    with pytest.raises(ValueError, match="compare: no option 'starts'"):
        sk.compare(BOTH, runs, starts=3)
    with pytest.raises(sk.FitError, match=r"compare: five: fit: .*collinear"):
        sk.compare({"two": POWER, "five": CHINCHILLA}, runs.assign(D=20 * runs["N"]))
    # a run without a label is a group too
    labels = runs.assign(model=[None] * 3 + list("abcde"))
    assert len(sk.compare(BOTH, labels, folds=6, group="model", loss="squared")) == 2
    with pytest.raises(ValueError, match="7 folds of 6 groups"):
        sk.compare(BOTH, labels, folds=7, group="model")
