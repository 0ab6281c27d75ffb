"""Intervals of curves, of new runs, and of what is derived from the parameters."""

import numpy as np
import pandas as pd
import pytest
from conftest import FLOOR, curve

import scalekit as sk
from scalekit.fits import bands, scatter

ENDS = ["value", "low", "high", "pred_low", "pred_high"]


@pytest.fixture(scope="module")
def noisy_fit():
    """Return a fit of 24 runs with an even and an odd half, eight models of three runs each."""
    runs = curve(24)
    noise = np.random.default_rng(3).normal(0, 0.01, 24)
    runs = runs.assign(
        L=runs["L"] * np.exp(noise), half=np.arange(24) % 2, model=np.arange(24) // 3
    )
    return sk.fit(FLOOR, runs)


# intervals ----------------------------------------------------------------------------------------


def planted(noisy_fit, residuals=None):
    """Return the fit with three draws of our own, so that curves can be computed by hand."""
    from dataclasses import replace

    own = pd.DataFrame({"E": [1.0, 2.0, 3.0], "A": [10.0, 20.0, 30.0], "alpha": [0.5, 0.5, 0.5]})
    return replace(noisy_fit, draws=own)


def test_curves_and_their_quantiles(noisy_fit):
    fit = planted(noisy_fit)
    drawn = bands.curves(fit.law, {"N": [100.0, 10000.0]}, fit.draws)
    # E + A/sqrt(N), a row a draw
    np.testing.assert_allclose(drawn, [[2.0, 1.1], [4.0, 2.2], [6.0, 3.3]])
    table = fit.predict(N=[100.0, 10000.0], level=0.5, law=False)
    # quartiles of three equally spaced draws lie half-way
    np.testing.assert_allclose(table[["low", "high"]], [[3.0, 5.0], [1.65, 2.75]])
    np.testing.assert_allclose(table["value"], noisy_fit.predict(N=[100.0, 10000.0]))


def test_noise_is_that_of_the_residuals(noisy_fit):
    widen, here = np.sqrt(24 / (24 - 3)), {"N": np.array([1e7, 1e8])}
    rng = np.random.default_rng(0)
    ratio = scatter.noisy(noisy_fit, here, np.full((500, 2), 7.0), rng) / 7
    wanted = np.exp(noisy_fit.residuals().to_numpy() * widen)
    # every one of them is a residual, and all residuals come
    np.testing.assert_allclose(np.unique(ratio.round(12)), np.unique(wanted.round(12)))
    linear = sk.fit(FLOOR, noisy_fit.runs, space="linear", loss="squared")
    shift = scatter.noisy(linear, here, np.full((500, 2), 7.0), rng) - 7
    wanted = linear.residuals().to_numpy() * widen
    np.testing.assert_allclose(np.unique(shift.round(9)), np.unique(wanted.round(9)))


def test_prediction_intervals_are_quantiles_of_noisy_curves(noisy_fit):
    fit = planted(noisy_fit)
    table = fit.predict(N=[100.0, 10000.0], level=0.8, law=False)
    drawn = bands.curves(fit.law, {"N": [100.0, 10000.0]}, fit.draws)
    new = scatter.noisy(fit, {"N": [100.0, 10000.0]}, drawn, np.random.default_rng(fit.seed))
    low, high = np.quantile(new, [0.1, 0.9], axis=0)
    np.testing.assert_allclose(table["pred_low"], low, rtol=1e-12)
    np.testing.assert_allclose(table["pred_high"], high, rtol=1e-12)


def test_intervals_nest(drawn240):
    t = drawn240.predict(N=[1e9, 70e9], D=[2e10, 1.4e12], level=0.95)
    assert list(t.columns) == [*ENDS, "noise", "law", "reach"]
    assert (t["pred_low"] < t["low"]).all() and (t["low"] < t["value"]).all()
    assert (t["value"] < t["high"]).all() and (t["high"] < t["pred_high"]).all()
    narrow = drawn240.predict(N=1e9, D=2e10, level=0.5)
    assert (narrow["high"] - narrow["low"]).iloc[0] < (t["high"] - t["low"]).iloc[0]


def test_beyond_the_runs_the_half_widths_add_in_squares(drawn240):
    N, D = [1e9, 70e9, 1e9], [2e10, 1.4e12, 2e12]
    bare = drawn240.predict(N=N, D=D, level=0.9, law=False)
    whole = drawn240.predict(N=N, D=D, level=0.9)
    # inside the runs nothing changes, and the parts are the same with and without
    pd.testing.assert_frame_equal(bare[:1], whole[:1])
    parts = ["value", "noise", "law", "reach"]
    pd.testing.assert_frame_equal(bare[parts], whole[parts])
    assert (whole["law"] > 0).tolist() == [False, True, True]
    # 90 % of a normal lie within 1.6449 standard deviations
    error = 1.6449 * whole["law"]
    for end in ENDS[1:]:
        half, wide = (np.log(t[end] / t["value"]).abs() for t in (bare, whole))
        np.testing.assert_allclose(wide, np.hypot(half, error), rtol=1e-4)


def test_in_linear_space_the_parts_are_in_the_unit_of_the_output(noisy_fit):
    fit = sk.fit(FLOOR, noisy_fit.runs, space="linear", loss="squared").bootstrap(400)
    bare, whole = (fit.predict(N=[1e8, 5e9], level=0.9, law=law) for law in (False, True))
    half, wide = (t["pred_high"] - t["value"] for t in (bare, whole))
    np.testing.assert_allclose(wide, np.hypot(half, 1.6449 * whole["law"]), rtol=1e-4)


def test_the_part_of_the_noise(noisy_fit):
    fit = noisy_fit.bootstrap(400)
    noise = fit.predict(N=3e7, level=0.9)["noise"][0]
    # 68 % of a normal lie within one standard deviation: 24 residuals tell that to about a sixth,
    # and the curve's own doubt adds a few per cent
    assert 0.7 < noise / fit.residual_sd < 1.4


def test_an_interval_beside_the_value_is_moved_outwards_only():
    value, error = np.array([1.0]), np.array([0.1])
    above, below = np.array([[1.2], [1.5]]), np.array([[0.5], [0.8]])
    for space in ("log", "linear"):
        low, high = bands.widened(space, value, above, error, 0.95)
        assert low < 1.2 and high > 1.5
        low, high = bands.widened(space, value, below, error, 0.95)
        assert low < 0.5 and high > 0.8
        same = bands.widened(space, value, above, 0 * error, 0.95)
        np.testing.assert_array_equal(same, above)


@pytest.mark.parametrize("points_at_once", [50, 0.5])
def test_many_predictions_go_in_parts(drawn240, monkeypatch, points_at_once):
    runs = drawn240.runs.iloc[:120].set_index(np.arange(120) % 9)
    whole = drawn240.predict(runs, level=0.9)
    assert list(whole.index) == list(runs.index)
    monkeypatch.setattr(bands, "_AT_ONCE", int(points_at_once * len(drawn240.draws)))
    parts = drawn240.predict(runs, level=0.9)
    assert parts[["value", "low", "high"]].equals(whole[["value", "low", "high"]])
    # the noise comes in another order: a 5 % quantile of 4000 draws errs by a few per cent of the
    # residuals' spread
    margin = 0.5 * drawn240.residual_sd
    np.testing.assert_allclose(parts["pred_low"], whole["pred_low"], rtol=margin)


def test_draws_of(fit240, drawn240):
    assert bands.draws_of(drawn240, "x") is drawn240.draws
    with pytest.raises(
        ValueError, match=r"who: this fit has no draws.*fit.bootstrap\(1000\) first"
    ):
        bands.draws_of(fit240, "who")


# derived quantities -------------------------------------------------------------------------------


def test_derive(fit240, drawn240):
    a = drawn240.derive("beta/(alpha + beta)")
    wanted = fit240["beta"] / (fit240["alpha"] + fit240["beta"])
    assert a["value"] == pytest.approx(wanted, rel=1e-12)
    each = drawn240.draws["beta"] / (drawn240.draws["alpha"] + drawn240.draws["beta"])
    assert a["se"] == pytest.approx(each.std(), rel=1e-12)
    assert list(a[["low", "high"]]) == pytest.approx(list(each.quantile([0.025, 0.975])), rel=1e-12)
    half = drawn240.derive("beta/(alpha + beta)", level=0.5)
    assert half["low"] == pytest.approx(each.quantile(0.25), rel=1e-12)
    assert a.name == "beta/(alpha + beta)"
    assert list(a.index) == ["value", "se", "low", "high"]


def test_derive_without_draws(fit240):
    out = fit240.derive("alpha")
    assert out["value"] == fit240["alpha"] and out[["se", "low", "high"]].isna().all()
    # a formula in which the parameter cancels is a number all the same
    assert fit240.derive("alpha - alpha + 2*pi")["value"] == pytest.approx(2 * np.pi)


def test_derive_with_the_level_of_the_bootstrap(noisy_fit):
    drawn = noisy_fit.bootstrap(50, level=0.5)
    low = drawn.draws["E"].quantile(0.25)
    assert drawn.derive("E")["low"] == pytest.approx(low, rel=1e-12)


def test_what_derive_refuses(fit240, drawn240):
    refused = {
        "gamma": "no parameter 'gamma'",
        "alpha.real": "not allowed",
        "1 + 2": "holds no parameter; there are E, A, alpha, B, beta",
        "alpha +": "cannot read",
        3: "formula such as 'beta/",
        "open(alpha)": "no parameter 'open'",
        "alpha(beta)": "not allowed",
        "log(alpha - 10)": "not finite for 4001 of 4001",
    }
    for bad, message in refused.items():
        with pytest.raises(ValueError, match=message):
            drawn240.derive(bad)
    with pytest.raises(ValueError, match="not finite for 1 of 1 parameter values"):
        fit240.derive("log(alpha - 10)")
