"""Beyond the runs: how far out a point lies, and the law's own error there."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR, curve

import scalekit as sk
from scalekit.fits import reach

TRUE = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 500.0, "beta": 0.3}


@pytest.fixture(autouse=True)
def _nothing_said():
    reach.say_once.cache_clear()


@pytest.fixture(scope="module")
def drawn():
    """Return a fit on a grid of sizes and tokens whose largest compute has no run, with draws."""
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    runs = pd.DataFrame({"N": N, "D": D})[N * D < 2e19]
    noise = np.random.default_rng(0).normal(0, 0.005, len(runs))
    runs["L"] = sk.Law(CHINCHILLA)(N=runs["N"], D=runs["D"], **TRUE) * np.exp(noise)
    return sk.fit(CHINCHILLA, runs).bootstrap(200)


def at(fit, **inputs):
    return reach.beyond(fit, {name: np.atleast_1d(v).astype(float) for name, v in inputs.items()})


def test_reach_is_the_largest_of_the_inputs_and_the_compute(drawn):
    most = (drawn.runs["N"] * drawn.runs["D"]).max()
    points = {
        # inside, at the ends, beyond N, below D, beyond both, and beyond the compute alone
        "N": [1e8, 1e7, 5e9, 1e8, 2e9, 1e9],
        "D": [1e10, 1e9, 1e9, 1e8, 3e11, 1e11],
    }
    wanted = [1, 1, 5, 10, 6e20 / most, 1e20 / most]
    np.testing.assert_allclose(at(drawn, **points)[0], wanted, rtol=1e-12)
    # rounding aside, the least compute of a run bounds it as the largest does
    assert at(drawn, N=1e7 / 3, D=1e9 / 4)[0] == pytest.approx(12)


def test_an_input_that_may_be_zero_is_counted_in_spans():
    runs = pd.DataFrame({"L": np.linspace(2, 4, 9)})
    runs["error"] = 0.9 - 2 * np.exp(-0.7 * runs["L"])
    fit = sk.fit("error(L) = top - k*exp(-gamma*L)", runs, loss="squared", space="linear")
    np.testing.assert_allclose(at(fit, L=[3, 4, 5, 1, -2])[0], [1, 1, 1.5, 1.5, 3], rtol=1e-12)


def test_a_compute_past_the_largest_whole_number_and_tokens_that_may_be_zero(drawn):
    whole = sk.fit(CHINCHILLA, drawn.runs.assign(N=drawn.runs["N"].astype(int))).bootstrap(20)
    far = pd.DataFrame({"N": [10**9], "D": [10**12]})
    most = (drawn.runs["N"] * drawn.runs["D"]).max()
    assert whole.predict(far, level=0.9)["reach"][0] == pytest.approx(1e21 / most, rel=1e-6)
    runs = pd.DataFrame({"N": np.geomspace(1e6, 1e9, 8), "D": [0.0, 2, 1, 3, 0, 1, 2, 3]})
    runs["L"] = 3 + 50 / runs["N"] ** 0.3 - 0.1 * runs["D"] + 0.01 * np.cos(np.arange(8))
    linear = sk.fit("L(N, D) = E + A/N**alpha - b*D", runs, loss="squared", space="linear")
    np.testing.assert_allclose(at(linear, N=[1e8, 1e8], D=[0, 6])[0], [1, 2], rtol=1e-12)


def test_change_is_counted_from_the_nearest_of_the_runs(drawn):
    most = (drawn.runs["N"] * drawn.runs["D"]).max()
    share = np.sqrt(most / 1e20)
    # from the largest N; and from the largest compute at the same D/N, not the corner of the box
    from_there = [drawn.predict(N=1e9, D=1e9), drawn.predict(N=1e9 * share, D=1e11 * share)]
    there = drawn.predict(N=[5e9, 1e9], D=[1e9, 1e11])
    _, change, spread = at(drawn, N=[5e9, 1e9], D=[1e9, 1e11])
    np.testing.assert_allclose(change, np.abs(np.log(there / from_there)), rtol=1e-9)
    times = np.array([5, 1e20 / most])
    np.testing.assert_allclose(spread, drawn.residual_sd * np.sqrt(np.log(times)), rtol=1e-9)
    error, _ = reach.law_error(drawn, {"N": np.array([5e9, 1e9]), "D": np.array([1e9, 1e11])})
    np.testing.assert_allclose(error**2, (0.4 * change) ** 2 + (1.5 * spread) ** 2, rtol=1e-9)


def test_linear_fits_count_in_the_unit_of_the_output():
    runs = curve(12)
    runs["L"] += 0.01 * np.cos(np.arange(12))
    fit = sk.fit(FLOOR, runs, loss="squared", space="linear")
    _, change, spread = at(fit, N=4e9)
    assert change == pytest.approx(fit.predict(N=1e9) - fit.predict(N=4e9), rel=1e-9)
    assert spread == pytest.approx(fit.residual_sd * np.sqrt(np.log(4)), rel=1e-9)


def test_inside_the_runs_the_law_has_no_error_of_its_own(drawn):
    error, far = reach.law_error(drawn, {name: drawn.runs[name].to_numpy() for name in "ND"})
    assert (error == 0).all() and (far == 1).all()


def test_the_numbers_in_the_code_are_those_in_the_texts():
    said = rf"({reach.CHANGE}\,\Delta)^2 + ({reach.SCATTER}\,s)^2 \ln"
    assert said in reach.law_error.__doc__ and said in type(sk.fit(FLOOR, curve())).predict.__doc__


def test_what_was_measured_is_shipped():
    table = sk.load("coverage_reach")
    together = table[table["table"] == "all"]
    assert together[["reach_low", "reach_high"]].to_numpy().tolist() == [[1, 4], [4, 20], [20, 300]]
    each = table[table["table"] != "all"]
    # a table counts in a class with ten runs or more, each as much as any other
    assert (each["runs"] >= 10).all()
    by = each.groupby("reach_high")
    for column in ("coverage_noise", "coverage"):
        # four printed digits
        np.testing.assert_allclose(together[column], by[column].mean(), atol=1e-4)
    assert (together["coverage"] > together["coverage_noise"]).all()
    assert (together["score"] < 1).all()
    # the constants in the code are near those that the others chose for each table
    assert each["change"].quantile(0.1) <= reach.CHANGE <= each["change"].quantile(0.9)
    assert each["scatter"].quantile(0.1) <= reach.SCATTER <= each["scatter"].quantile(0.9)


def test_past_ten_times_a_warning_says_what_was_measured(drawn):
    row = sk.load("coverage_reach").query("table == 'all' and reach_high == 20").iloc[0]
    said = (
        rf"predict: 1 of 2 points lie more than ten times beyond the runs, 12 times at most; "
        rf"4 to 20 times beyond, 95 % intervals held {row['coverage']:.0%} of larger runs left out "
        rf"of the kit's tables \({row['coverage_noise']:.0%} without the law's own error\)\."
    )
    with pytest.warns(UserWarning, match=said):
        drawn.predict(N=[1e8, 12e9], D=1e9, level=0.9)
    with pytest.warns(UserWarning, match="1e\\+03 times at most; so far out nothing was measured"):
        drawn.predict(N=1e12, D=1e9, level=0.9)


def test_at_ten_times_and_without_intervals_there_is_no_warning(drawn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn.predict(N=1e10, D=1e9, level=0.9)
        drawn.predict(N=1e12, D=1e9)


def test_it_is_said_once(drawn, recwarn):
    for _ in range(3):
        drawn.predict(N=1.3e10, D=1e9, level=0.9)
    assert len(recwarn) == 1
    # no file of this machine
    assert recwarn[0].filename == "scalekit"
