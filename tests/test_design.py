"""Designs, against the textbook's straight line, plain matrices and simulation."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR, curve, plant

import scalekit as sk

POWER = "L(N) = A/N**alpha"
TRUE = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.37}
TARGET = {"N": 7e10, "D": 1.4e12}


@pytest.fixture(scope="module")
def fit():
    span = {"N": (5e7, 5e9), "D": (1e9, 1e11)}
    return sk.fit(CHINCHILLA, plant(CHINCHILLA, 40, 0.005, span=span, **TRUE))


def noisy(law=POWER, n=9, noise=0.01, **options):
    runs = curve(n, 1e6, 1e8)
    runs["L"] *= np.exp(np.random.default_rng(0).normal(0, noise, n))
    return sk.fit(law, runs, loss="squared", **options)


def candidates():
    N, M = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 1e10, 7), [5, 20, 80, 320]))
    return pd.DataFrame({"N": N, "D": M * N})


def slopes(fit, x):
    """Derivative of the law in the parameters' logs, by differences; in log space of its log."""
    step, columns = 1e-5, []
    for name in fit.params.index:
        own = fit.params.index == name
        up, down = (fit.params * np.where(own, np.exp(s), 1) for s in (step, -step))
        ends = np.array([fit.law(**x, **up), fit.law(**x, **down)])
        ends = np.log(ends) if fit.space == "log" else ends
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.column_stack(columns)


def variance(fit, x, target, weights=1.0):
    J, c = slopes(fit, x), slopes(fit, target)[0]
    M = (J * np.reshape(weights, (-1, 1))).T @ J / fit.residual_sd**2
    return c @ np.linalg.inv(M) @ c


def test_a_straight_line_in_logs_by_hand():
    fit = noisy()
    N = fit.runs["N"].to_numpy()
    more = pd.DataFrame({"N": [1e6, 1e7, 1e9], "C": 1.0}, index=["a", "b", "c"])
    got = sk.design(fit, 1.0, {"N": 1e10}, more)

    def half_width(x):
        x0, sxx = np.log(x).mean(), np.var(np.log(x)) * len(x)
        return 1.96 * fit.residual_sd * np.sqrt(1 / len(x) + (np.log(1e10) - x0) ** 2 / sxx)

    # textbook against matrices, to rounding
    assert got.attrs["today"] == pytest.approx(half_width(N), rel=1e-6)
    widths = [half_width(np.append(N, x)) for x in more["N"]]
    assert np.argmin(widths) == 2
    assert got.index.tolist() == ["c"]
    assert got["half_width"].iloc[0] == pytest.approx(widths[2], rel=1e-6)
    assert got["shrink"].iloc[0] == pytest.approx(widths[2] / half_width(N), rel=1e-6)
    assert got["gain"].iloc[0] == pytest.approx(1 - got["shrink"].iloc[0] ** 2, rel=1e-6)
    assert list(got) == ["N", "cost", "spent", "half_width", "shrink", "gain"]
    assert got.attrs["describe"] == (
        f"1 of 3 candidates for 1 of 1: the 95 % half-width at the target is expected to go from "
        f"{half_width(N):.3g} to {widths[2]:.3g} relative."
    )


@pytest.mark.parametrize("space", ["log", "linear"])
@pytest.mark.parametrize("weighted", [False, True])
def test_widths_are_those_of_plain_matrices(space, weighted):
    w = np.linspace(1, 5, 9)
    fit = noisy(FLOOR, space=space, weights=w if weighted else None)
    w = fit.weights if weighted else np.ones(9)
    more = pd.DataFrame({"N": np.geomspace(1e5, 1e9, 5), "C": 1.0})
    got = sk.design(fit, 3.0, {"N": 1e10}, more)
    assert len(got) == 3
    x, today = fit.runs[["N"]], variance(fit, fit.runs[["N"]], {"N": [1e10]}, w)
    # derivatives by differences are good to the square of the step, 1e-10, times the condition
    assert got.attrs["today"] == pytest.approx(1.96 * np.sqrt(today), rel=1e-4)
    before = today
    for label, row in got.iterrows():
        after = {}
        for i in more.index.difference(got.loc[:label].index[:-1]):
            both = pd.concat([x, more.loc[[i], ["N"]]])
            after[i] = variance(fit, both, {"N": [1e10]}, np.append(w, 1.0))
        # every run costs the same, so that the greedy choice is the best of those left
        assert min(after, key=after.get) == label
        assert row["half_width"] == pytest.approx(1.96 * np.sqrt(after[label]), rel=1e-4)
        assert row["shrink"] == pytest.approx(np.sqrt(after[label] / today), rel=1e-4)
        assert row["gain"] == pytest.approx((before - after[label]) / today, rel=1e-3)
        x, w, before = pd.concat([x, more.loc[[label], ["N"]]]), np.append(w, 1.0), after[label]
    assert got.attrs["describe"].endswith(" relative.") == (space == "log")


def test_the_better_of_the_two_plans_is_taken():
    fit, target = noisy(), {"N": 1e10}
    # a dear run that gains most, against many cheap ones that gain more together
    cheap = pd.DataFrame({"N": [5e8] * 10, "C": 1.0})
    for cost, chosen in ((10.0, [5e8] * 10), (1.0, [1e9])):
        table = pd.concat([pd.DataFrame({"N": [1e9], "C": [cost]}), cheap], ignore_index=True)
        got = sk.design(fit, cost, target, table)
        assert got["N"].tolist() == chosen
    # one dear run of great reach, against one cheap one of little, after which the budget is spent
    table = pd.DataFrame({"N": [3e7, 1e10], "C": [1.0, 100.0]})
    assert sk.design(fit, 100.0, target, table)["N"].tolist() == [1e10]
    assert sk.design(fit, 101.0, target, table)["N"].tolist() == [1e10, 3e7]


def test_the_budget_is_kept_and_the_interval_only_shrinks(fit):
    got = sk.design(fit, 5e21, TARGET, candidates())
    assert got["spent"].iloc[-1] <= 5e21
    # the same products in another order
    np.testing.assert_allclose(got["cost"], 6 * got["N"] * got["D"])
    np.testing.assert_allclose(got["spent"], got["cost"].cumsum())
    assert all(later < sooner for sooner, later in pairwise([1, *got["shrink"]]))
    assert got.index.is_unique
    # nothing that could still be paid is left out
    rest = candidates().drop(got.index)
    assert (6 * rest["N"] * rest["D"]).min() > 5e21 - got["spent"].iloc[-1]
    more = sk.design(fit, 5e22, TARGET, candidates())
    assert more["shrink"].iloc[-1] < got["shrink"].iloc[-1]
    dear = candidates().assign(C=lambda t: 60 * t["N"] * t["D"])
    dear = sk.design(fit, 5e21, TARGET, dear)
    np.testing.assert_allclose(dear["cost"], 60 * dear["N"] * dear["D"])
    whole = sk.design(fit, np.int64(9 * 10**18), TARGET, candidates())
    assert whole["spent"].iloc[-1] <= 9e18


def test_a_budget_is_spent_to_the_last_flop_and_a_run_listed_twice_may_be_repeated():
    fit = noisy()
    twice = pd.DataFrame({"N": [1e9, 1e9], "C": [2.0, 2.0]})
    for budget, count in ((2.0, 1), (3.9, 1), (4.0, 2), (9.0, 2)):
        assert len(sk.design(fit, budget, {"N": 1e10}, twice)) == count


def test_a_parameter_at_a_bound_is_taken_as_known():
    law = sk.Law(FLOOR, bounds={"E": (0.5, 1.0)})
    runs = noisy(FLOOR).runs
    bound = sk.fit(law, runs, loss="squared")
    assert list(bound.at_bound) == ["E"]
    more = pd.DataFrame({"N": [1e9], "C": [1.0]})
    got = sk.design(bound, 1.0, {"N": 1e10}, more)
    J, c = slopes(bound, runs[["N"]])[:, 1:], slopes(bound, {"N": [1e10]})[0, 1:]
    today = c @ np.linalg.inv(J.T @ J) @ c * bound.residual_sd**2
    # as above
    assert got.attrs["today"] == pytest.approx(1.96 * np.sqrt(today), rel=1e-4)


def test_a_parameter_that_may_be_negative_is_not_taken_in_logs():
    law = sk.Law("y(x) = a + b*x", real="all")
    x = np.arange(1.0, 9.0)
    y = -1 + 0.5 * x + 0.1 * np.cos(7 * x)
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), loss="squared", space="linear")
    # zero is a place like another where no logarithm is taken
    got = sk.design(fit, 1.0, {"x": 0.0}, pd.DataFrame({"x": [-2.0, 4.0], "C": 1.0}))
    sxx = np.var(x) * 8
    today = 1.96 * fit.residual_sd * np.sqrt(1 / 8 + x.mean() ** 2 / sxx)
    # textbook against matrices, to rounding
    assert got.attrs["today"] == pytest.approx(today, rel=1e-6)
    assert got["x"].tolist() == [-2.0]


def test_the_promised_width_is_the_simulated_one(fit):
    fit = sk.fit(CHINCHILLA, fit.runs, loss="squared")
    plan = sk.design(fit, 5e21, TARGET, candidates())
    both = pd.concat([fit.runs[["N", "D"]], plan[["N", "D"]]], ignore_index=True)
    rng, found = np.random.default_rng(0), {}
    for name, table in (("before", fit.runs[["N", "D"]]), ("after", both)):
        clean = fit.law(N=table["N"], D=table["D"], **fit.params)
        L = [clean * np.exp(rng.normal(0, fit.residual_sd, len(table))) for _ in range(60)]
        fits = [sk.fit(CHINCHILLA, table.assign(L=y), loss="squared") for y in L]
        found[name] = np.std([np.log(f.predict(**TARGET)) for f in fits])
    # a standard deviation of 60 draws is known to 1/sqrt(120) = 9 %, the ratio of two to 13 %:
    # three of these
    assert found["after"] / found["before"] == pytest.approx(plan["shrink"].iloc[-1], rel=0.39)
    assert 1.96 * found["before"] == pytest.approx(plan.attrs["today"], rel=0.28)


@pytest.mark.parametrize(
    ("budget", "target", "change", "match"),
    [
        (1.0, TARGET, {}, r"the budget 1\.0 buys no candidate; the least costs 3e\+17"),
        ("1e21", TARGET, {}, "the budget '1e21' buys no candidate"),
        (np.inf, TARGET, {}, "the budget inf buys no candidate"),
        (np.nan, TARGET, {}, "the budget nan buys no candidate"),
        (1e21, {"N": 7e10}, {}, "design: no value for D"),
        (1e21, {"N": [7e10, 1e9], "D": 1.4e12}, {}, "one target is planned for at a time"),
        (1e21, {"N": -1.0, "D": 1.4e12}, {}, "design: N must be finite and > 0; got -1"),
        (1e21, 7e10, {}, "the target is a mapping"),
        (1e21, TARGET, {"D": None}, "design: candidates: no column 'D'"),
        (1e21, TARGET, {"N": 0.0}, "design: candidates: column 'N' has 28 values <= 0"),
        (1e21, TARGET, {"C": 0.0}, "cost .* of candidates: column 'C' has 28 values <= 0"),
    ],
)
def test_what_design_refuses(fit, budget, target, change, match):
    table = candidates().assign(**change).dropna(axis=1)
    with pytest.raises(ValueError, match=match):
        sk.design(fit, budget, target, table)


def test_what_design_cannot_do_with_these_runs(fit):
    with pytest.raises(ValueError, match="design: got str where a fit belongs"):
        sk.design("chinchilla", 1e22, TARGET, candidates())
    more = pd.DataFrame({"N": [1e6]})
    with pytest.raises(ValueError, match=r"cost \(C, or 6\*N\*D\) of candidates: no column 'D'"):
        sk.design(noisy(), 1.0, {"N": 1e10}, more)
    with pytest.raises(ValueError, match="the law passes through every run"):
        sk.design(sk.fit(FLOOR, curve()), 1.0, {"N": 1e10}, more.assign(C=1.0))
    # runs of nearly one size do not tell A from alpha; fit would have refused them
    alone = replace(noisy(), runs=pd.DataFrame({"N": [1e6, 1e6 * (1 + 1e-15)]}))
    with pytest.raises(sk.FitError, match="these runs do not fix the law's parameters"):
        sk.design(alone, 1.0, {"N": 1e10}, more.assign(C=1.0))
