"""Profiles of the objective along parameters."""

import numpy as np
import pandas as pd
import pytest
from conftest import FLOOR, curve
from scipy import stats

import scalekit as sk
from scalekit.fits.profile import held


def noisy(n=40, size=0.01, seed=0):
    runs = curve(n)
    noise = np.random.default_rng(seed).normal(0, size, n)
    return runs.assign(L=runs["L"] * np.exp(noise))


@pytest.fixture(scope="module")
def squared():
    return sk.fit(FLOOR, noisy(), loss="squared")


@pytest.fixture(scope="module")
def zero():
    """Return a fit whose floor went to zero."""
    x = np.logspace(4, 9, 30)
    y = 7.5 / x**0.17 * np.exp(1e-3 * np.random.default_rng(0).normal(size=30)) - 0.01
    return sk.fit("y(x) = E + A/x**alpha", pd.DataFrame({"x": x, "y": y}), loss="squared")


# held ---------------------------------------------------------------------------------------------


def test_held_refits_all_others(squared):
    params, objective = held(squared, {"alpha": [0.25, 0.3]})
    assert list(params) == ["E", "A", "alpha"]
    np.testing.assert_allclose(params["alpha"], [0.25, 0.3], rtol=1e-12)
    for i, alpha in enumerate((0.25, 0.3)):
        alone = sk.fit(f"L(N) = E + A/N**{alpha}", squared.runs, loss="squared")
        assert objective[i] == pytest.approx(alone.objective, rel=1e-9)
        # the others sit in a valley: parameters to the root of the objective's tolerance of 1e-7
        assert params["A"][i] == pytest.approx(alone["A"], rel=1e-3)


def test_held_holds_several(fit240):
    values = {"alpha": [0.33, 0.35], "beta": [0.36, 0.37]}
    params, objective = held(fit240, values)
    np.testing.assert_allclose(params["beta"], [0.36, 0.37], rtol=1e-12)
    alone = sk.fit("L(N, D) = E + A/N**0.35 + B/D**0.37", fit240.runs)
    assert objective[1] == pytest.approx(alone.objective, rel=1e-6)
    assert params["E"][1] == pytest.approx(alone["E"], rel=1e-3)


def test_held_reports_the_objective_of_the_fit():
    fit = sk.fit(FLOOR, noisy(), loss="squared", space="linear")
    _, objective = held(fit, {"E": [fit["E"]]})
    assert objective[0] == pytest.approx(fit.objective, rel=1e-9)


# the limit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_limit_of_least_squares(squared, level):
    p = squared.profile("alpha", level=level)
    t = stats.t.ppf((1 + level) / 2, 40 - 3)
    assert p.attrs["limit"] == pytest.approx(squared.objective * (1 + t**2 / 37), rel=1e-12)


def test_limit_of_huber(fit240):
    r = np.abs(fit240.residuals())
    inside, square = (r <= 1e-3).mean(), np.mean(np.minimum(r, 1e-3) ** 2)
    limit = fit240.objective + stats.chi2.ppf(0.95, 1) / 2 * square / inside
    assert fit240.profile("E", values=[1.8]).attrs["limit"] == pytest.approx(limit, rel=1e-9)


def test_limit_of_huber_with_weights_in_linear_space():
    runs = noisy()
    w = np.linspace(1, 2, 40)
    fit = sk.fit(FLOOR, runs, weights=w, space="linear", delta=0.01)
    r = np.abs(fit.residuals())
    inside = np.average(r <= 0.01, weights=w)
    square = np.average(np.minimum(r, 0.01) ** 2, weights=w)
    # the objective is in the unit of the weights, and so is its increase
    limit = fit.objective + w.mean() * stats.chi2.ppf(0.9, 1) / 2 * square / inside
    found = fit.profile("E", values=[2.0], level=0.9)
    assert found.attrs["limit"] == pytest.approx(limit, rel=1e-9)


def test_no_limit_where_no_run_is_within_delta():
    law = sk.Law("y(x) = a*x", bounds={"a": (2.0, 5.0)})
    x = np.array([1.0, 2.0, 3.0, 4.0])
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": x}))
    with pytest.raises(sk.FitError, match="no run lies within delta"):
        fit.profile("a")


# the interval -------------------------------------------------------------------------------------


def test_interval_ends_are_on_the_limit(squared):
    p = squared.profile("alpha")
    low, high = p.attrs["interval"]
    assert low < squared["alpha"] < high
    _, objective = held(squared, {"alpha": [low, high]})
    # read between two of 41 grid points of a parabola
    np.testing.assert_allclose(objective, p.attrs["limit"], rtol=2e-3)
    assert p.attrs["name"] == "alpha" and p.attrs["best"] == squared["alpha"]
    assert p.attrs["level"] == 0.95


def test_profile_of_the_replication(fit240, drawn240):
    p = fit240.profile("E")
    assert list(p) == ["E", "objective", "A", "alpha", "B", "beta"] and len(p) == 41
    low, high = p.attrs["interval"]
    assert low < fit240["E"] < high
    assert p["objective"].min() >= fit240.objective * (1 - 1e-9)
    # same question asked in another way: within a factor of two of the bootstrap's width
    width = np.diff(drawn240.ci(0.95).loc["E"]).item()
    assert 0.5 < (high - low) / width < 2


def test_given_values(fit240):
    at = fit240.profile("alpha", values=[0.36, 0.33])
    assert list(at["alpha"]) == [0.36, 0.33]
    refit = sk.fit("L(N, D) = E + A/N**0.33 + B/D**beta", fit240.runs)
    assert at["objective"].iloc[1] == pytest.approx(refit.objective, rel=1e-9)


def test_interval_by_hand(squared):
    """Where the limit is passed is read linearly between the two values around it."""
    best = squared["alpha"]
    values = best + np.array([-0.09, -0.06, -0.001, 0.0, 0.001, 0.06, 0.09])
    p = squared.profile("alpha", values=values)
    limit, v = p.attrs["limit"], p["objective"].to_numpy()
    low, high = p.attrs["interval"]
    above = [i for i in range(4) if v[i] > limit][-1]
    share = (limit - v[above + 1]) / (v[above] - v[above + 1])
    assert low == pytest.approx(values[above + 1] + share * (values[above] - values[above + 1]))
    above = next(i for i in range(4, 7) if v[i] > limit)
    share = (limit - v[above - 1]) / (v[above] - v[above - 1])
    assert high == pytest.approx(values[above - 1] + share * (values[above] - values[above - 1]))


def test_a_side_that_never_passes_is_nan(squared):
    best = squared["alpha"]
    p = squared.profile("alpha", values=[best - 0.2, best - 0.001, best, best + 0.001])
    low, high = p.attrs["interval"]
    assert np.isfinite(low) and np.isnan(high)
    # nothing between the optimum and a value that is out: the optimum itself
    for away in ([0.2], [0.2, 0.3]):
        values = [best + side * d for side in (-1, 1) for d in away]
        assert squared.profile("alpha", values=values).attrs["interval"] == (best, best)


def test_least_squares_matches_the_jacobian():
    x = np.linspace(0, 5, 60)
    y = 3 * np.exp(-0.7 * x) + 0.02 * np.random.default_rng(0).normal(size=60)
    runs = pd.DataFrame({"x": x, "y": y})
    fit = sk.fit("y(x) = a*exp(-b*x)", runs, loss="squared", space="linear")
    p = fit.profile("b")
    low, high = p.attrs["interval"]
    # nearly linear problem: t * se on either side, to the curvature that remains (a tenth)
    assert (high - low) / 2 == pytest.approx(2.0 * fit.se["b"], rel=0.1)
    # the first grid reaches four standard errors, in the logarithm
    assert np.log(p["b"].max() / fit["b"]) == pytest.approx(4 * fit.se["b"] / fit["b"], rel=1e-6)


def test_grid_of_a_parameter_that_may_be_negative():
    x = np.linspace(1, 5, 30)
    y = 3 - 0.5 * x + 0.02 * np.random.default_rng(0).normal(size=30)
    law = sk.Law("y(x) = a + b*x", real="all")
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), loss="squared", space="linear")
    p = fit.profile("b")
    reach = 4 * fit.se["b"]
    assert p["b"].min() == pytest.approx(fit["b"] - reach, rel=1e-9)
    assert p["b"].max() == pytest.approx(fit["b"] + reach, rel=1e-9)
    # linear: the profile interval is the t interval, read between grid points a tenth of it apart
    t = stats.t.ppf(0.975, 28)
    low, high = p.attrs["interval"]
    assert (high - low) / 2 == pytest.approx(t * fit.se["b"], rel=0.01)


def test_without_standard_errors_the_grid_starts_at_a_fifth(fit240):
    p = fit240.profile("beta")
    width = np.log(p["beta"].max() / fit240["beta"])
    # doubled until the ends are above the limit
    assert width / 0.2 == pytest.approx(2.0 ** round(np.log2(width / 0.2)), rel=1e-9)
    assert p["objective"].iloc[[0, -1]].min() > p.attrs["limit"]
    half = fit240.profile("beta", values=fit240["beta"] * np.exp([-width / 2, width / 2]))
    if width > 0.2:
        assert half["objective"].min() <= p.attrs["limit"]


def test_a_parameter_with_bounds_of_its_own():
    rng = np.random.default_rng(0)
    x = np.logspace(1, 5, 40)
    runs = pd.DataFrame({"x": x, "y": (3 + 3 / x**0.4) * np.exp(0.01 * rng.normal(size=40))})
    formula = "y(x) = E + A/x**alpha"
    wide = sk.fit(sk.Law(formula, bounds={"E": (2, 10)}), runs, loss="squared")
    free = sk.fit(formula, runs, loss="squared")
    interval = free.profile("E").attrs["interval"]
    assert wide.profile("E").attrs["interval"] == pytest.approx(interval, rel=1e-6)
    edge = sk.fit(sk.Law(formula, bounds={"E": (3.5, 10)}), runs, loss="squared")
    p = edge.profile("E")
    low, high = p.attrs["interval"]
    assert np.isnan(low) and high > 3.5 and p["E"].min() == pytest.approx(3.5)
    with pytest.raises(ValueError, match=r"inside its limits, 3\.5 to 10; got \[3\.\]"):
        edge.profile("E", values=[3.0])


def test_a_parameter_that_went_to_zero(zero):
    p = zero.profile("E")
    low, high = p.attrs["interval"]
    assert np.isnan(low) and high > 0 and p["E"].iloc[0] == pytest.approx(0, abs=1e-12)
    held_there = sk.fit(f"y(x) = {high} + A/x**alpha", zero.runs, loss="squared")
    # read between two of some ten grid points
    assert held_there.objective == pytest.approx(p.attrs["limit"], rel=1e-3)
    assert len(p) == 41 and p["objective"].iloc[-1] > p.attrs["limit"]
    # the first grid moves the curve by a residual standard deviation; doubled until it is passed
    last = p["E"].iloc[-1]
    slope = np.max(1 / zero.predict(x=zero.runs["x"].to_numpy()))
    doublings = np.log2(last * slope / zero.residual_sd)
    assert doublings == pytest.approx(round(doublings), abs=1e-3)
    half = zero.profile("E", values=[last / 2])
    assert doublings < 0.5 or half["objective"].iloc[0] <= p.attrs["limit"]


def test_widening_ends_where_no_limit_is_passed():
    # a parameter of which these runs say nothing on one side
    runs = noisy(12, size=0.05)
    p = sk.fit(FLOOR, runs, loss="squared").profile("E")
    low, high = p.attrs["interval"]
    assert np.isnan(low) and high > 0
    # Huber starts at a fifth, and doubles it five times
    fit = sk.fit(FLOOR, runs, delta=0.05)
    p = fit.profile("E")
    assert np.isnan(p.attrs["interval"][0])
    assert np.log(p["E"].max() / fit["E"]) == pytest.approx(0.2 * 2**5)


def test_bad_input(fit240):
    with pytest.raises(ValueError, match=r"profile: no parameter 'alfa'\. Did you mean 'alpha'"):
        fit240.profile("alfa")
    for values in ([-1.0], [np.nan], [np.inf], 1.8, [[1.8]]):
        with pytest.raises(ValueError, match="values of E must be a list of numbers inside its"):
            fit240.profile("E", values=values)
    for level in (0, 1, "0.9"):
        with pytest.raises(ValueError, match="profile: a level must lie between 0 and 1"):
            fit240.profile("E", level=level)
