"""Approach 3: algebra and brute force reproduced, intervals from draws, refusals that say why."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA
from scipy.optimize import minimize_scalar

import scalekit as sk
from scalekit.answers.optimal import closed_form

ABC = ("A", "B", "alpha", "beta")
# Hoffmann et al. 2022, equation 10
ROUNDED = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


@pytest.fixture(scope="module")
def fit():
    """Noise-free runs of the rounded law on a grid of sizes and tokens, fitted."""
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    runs = pd.DataFrame({"N": N, "D": D, "C": 6 * N * D})
    return sk.fit(CHINCHILLA, runs.assign(L=sk.Law(CHINCHILLA)(N=N, D=D, **ROUNDED)))


def with_draws(fit, n, **columns):
    """Return the fit with draws that equal its estimates, except in the columns given."""
    return replace(
        fit, draws=pd.DataFrame([fit.params] * n).reset_index(drop=True).assign(**columns)
    )


@pytest.mark.parametrize(
    ("C", "N", "ratio", "L"), [(1e21, 1.824e9, 50.1, 2.3289), (5.76e23, 3.219e10, 92.6, 1.9307)]
)
def test_hoffmann_rounded(C, N, ratio, L):
    best = sk.optimal(CHINCHILLA, C=C, params=ROUNDED).loc[0]
    # half of the last printed digit
    assert best["N"] == pytest.approx(N, abs=0.5 * 10 ** (np.floor(np.log10(N)) - 3))
    assert best["D_per_N"] == pytest.approx(ratio, abs=0.05)
    assert best["L"] == pytest.approx(L, abs=0.5e-4)


def test_closed_form_is_where_the_slopes_balance():
    N, D = closed_form(np.array([1e20, 1e24]), *(ROUNDED[k] for k in ABC))
    # alpha A / N**alpha = beta B / D**beta on C = 6 N D; to rounding of a power
    np.testing.assert_allclose(0.34 * 406.4 / N**0.34, 0.28 * 410.7 / D**0.28, rtol=1e-12)
    np.testing.assert_allclose(6 * N * D, [1e20, 1e24], rtol=1e-14)
    N, D = closed_form(1e20, *(ROUNDED[k] for k in ABC), 8)
    assert 8 * N * D == pytest.approx(1e20, rel=1e-14)
    with pytest.raises(ValueError, match="closed_form: B must be finite and > 0; got -1"):
        closed_form(1e20, 406, -1, 0.34, 0.28)
    for place in range(6):
        values = [1e20, 406.0, 410.0, 0.34, 0.28, 6.0]
        values[place] = 0.0
        with pytest.raises(ValueError, match=r"closed_form: \w+ must be finite and > 0; got 0"):
            closed_form(*values)


def test_equals_closed_form():
    C = np.geomspace(1e15, 1e27, 7)
    best = sk.optimal(CHINCHILLA, C=C, params=ROUNDED)
    N, D = closed_form(C, *(ROUNDED[k] for k in ABC))
    # a minimum found from values alone is known to the square root of float64's 2e-16, times a
    # flat bottom; the values agree to rounding
    np.testing.assert_allclose(best["N"], N, rtol=1e-6)
    np.testing.assert_allclose(best["L"], sk.Law(CHINCHILLA)(N=N, D=D, **ROUNDED), rtol=1e-14)
    np.testing.assert_allclose(6 * best["N"] * best["D"], C, rtol=1e-14)
    np.testing.assert_allclose(best["D_per_N"], best["D"] / best["N"], rtol=1e-14)
    assert list(best) == ["C", "N", "D", "D_per_N", "L"]
    assert best.attrs == {"level": 0.95}


def test_a_sharp_minimum_is_found_to_nine_digits():
    # a kink where A/N**alpha = B/D**beta, so that nothing but the search limits the digits
    law = "L(N, D) = E + Max(A/N**alpha, B/D**beta)"
    best = sk.optimal(law, C=[1e19, 1e23], params=ROUNDED)
    half = np.array([1e19, 1e23]) / 6
    N = (406.4 / 410.7 * half**0.28) ** (1 / 0.62)
    np.testing.assert_allclose(best["N"], N, rtol=1e-9)


@pytest.mark.parametrize(
    ("law", "key"),
    [
        ("kaplan_nd", "kaplan2020"),
        ("chinchilla_nonembedding", "besiroglu2024"),
        ("L(N, D) = E + A/N**a + B/D**b + K/(N**a*D**b)", None),
    ],
)
def test_equals_brute_force(law, key):
    law = sk.law(law) if key else sk.Law(law)
    p = law.at(key or {"E": 1.7, "A": 400, "B": 1500, "a": 0.34, "b": 0.35, "K": 30})
    for C in (1e18, 1e24):
        best = sk.optimal(law, C=C, params=p).loc[0]
        found = minimize_scalar(
            lambda u, C=C: float(law(N=np.exp(u), D=C / (6 * np.exp(u)), **p)),
            bounds=(0, np.log(C / 6)),
            method="bounded",
            options={"xatol": 1e-10},
        )
        # two minima found from values, as above
        assert best["N"] == pytest.approx(np.exp(found.x), rel=1e-6)
        assert best["L"] <= found.fun * (1 + 1e-14)


def test_counting_without_embeddings():
    law = sk.law("chinchilla_nonembedding")
    p = law.at("besiroglu2024")
    N = np.array([1e5, 1e9])
    total = N + p["omega"] * N ** (1 / 3)
    same = sk.law("chinchilla")(N=total, D=1e10, **sk.law("chinchilla").at("besiroglu2024"))
    # rounding
    np.testing.assert_allclose(law(N=N, D=1e10, **p), same, rtol=1e-12)
    # embeddings no longer matter: Chinchilla's exponent, up to (omega/N**(2/3)) = 1e-4
    best = sk.optimal(law, C=[1e28, 1.1e28], params="besiroglu2024")["N"]
    slope = np.log(best[1] / best[0]) / np.log(1.1)
    assert slope == pytest.approx(p["beta"] / (p["alpha"] + p["beta"]), abs=1e-3)


def test_names_and_their_order_do_not_matter_and_six_is_a_parameter():
    renamed = {"e": 1.69, "p": 406.4, "q": 410.7, "u": 0.34, "v": 0.28}
    one = sk.optimal("L(D, N) = e + p/N**u + q/D**v", C=1e21, params=renamed)
    # the terms may be added in another order
    pd.testing.assert_frame_equal(one, sk.optimal(CHINCHILLA, C=1e21, params=ROUNDED), rtol=1e-6)
    eight = sk.optimal(CHINCHILLA, C=1e21, params=ROUNDED, flops_per_param_token=8).loc[0]
    assert 8 * eight["N"] * eight["D"] == pytest.approx(1e21, rel=1e-14)
    assert eight["N"] == pytest.approx(closed_form(1e21, *(ROUNDED[k] for k in ABC), 8)[0], 1e-6)


def test_a_fit_brings_its_constants_and_its_range(fit):
    best = sk.optimal(fit, C=[1e21])
    assert list(best) == ["C", "N", "D", "D_per_N", "L", "reach"]
    # noise-free runs give the law back to the solver's tolerance
    assert best["N"][0] == pytest.approx(closed_form(1e21, *(ROUNDED[k] for k in ABC))[0], rel=1e-3)
    assert best.attrs == {"level": 0.95, "C_range": (6e16, pytest.approx(6e22))}
    bare = sk.fit(CHINCHILLA, fit.runs[["N", "D", "L"]])
    assert sk.optimal(bare, C=1e21).attrs == {"level": 0.95}


def test_intervals_are_percentiles_of_the_draws(fit):
    drawn = with_draws(fit, 41, A=np.linspace(300, 500, 41), beta=np.linspace(0.25, 0.3, 41))
    C = np.array([1e20, 1e23])
    N, D = closed_form(C, *(drawn.draws[[k]].to_numpy() for k in ABC))
    for level, q in ((0.8, [0.1, 0.9]), (0.95, [0.025, 0.975])):
        best = sk.optimal(drawn, C=C, level=level)
        for name, values in (("N", N), ("D", D), ("D_per_N", D / N)):
            ends = np.quantile(values, q, axis=0)
            # found from values, as above
            np.testing.assert_allclose(best[[f"{name}_low", f"{name}_high"]].T, ends, rtol=1e-5)
        assert best.attrs["level"] == level
    pd.testing.assert_frame_equal(best, sk.optimal(drawn, C=C))
    # the estimate is that of the fit, not of a draw
    np.testing.assert_allclose(best["N"], sk.optimal(fit, C=C)["N"])
    L = sk.Law(CHINCHILLA)(N=N, D=D, **{k: drawn.draws[[k]].to_numpy() for k in fit.params.index})
    low, high = np.quantile(L, q, axis=0)
    # inside the runs values agree to rounding; beyond them the law's own error adds to both sides
    np.testing.assert_allclose(best[["L_low", "L_high"]].loc[0], [low[0], high[0]], rtol=1e-12)
    assert best["L_low"][1] < low[1] and best["L_high"][1] > high[1]


def test_the_loss_of_an_optimum_has_the_interval_of_its_prediction(fit):
    drawn = with_draws(fit, 40)
    best = sk.optimal(drawn, C=[1e20, 2e23], level=0.9)
    told = drawn.predict(best[["N", "D"]], level=0.9)
    # the draws are all the estimate, so that all doubt is the law's own
    np.testing.assert_allclose(best[["L", "L_low", "L_high"]], told[["value", "low", "high"]])
    np.testing.assert_allclose(best["reach"], [1, 2e23 / fit.runs["C"].max()], rtol=1e-6)
    assert (best["N_low"] == best["N_high"]).all()
    assert best["L_low"][1] < best["L"][1] < best["L_high"][1]


def test_past_ten_times_beyond_the_runs_a_warning_says_so(fit):
    with pytest.warns(UserWarning, match="optimal: 1 of 2 points lie more than ten times beyond"):
        sk.optimal(with_draws(fit, 20), C=[1e20, 3e25])
    # without an interval there is nothing to be warned of; the reach is in the table
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sk.optimal(fit, C=[1e20, 3e25])["reach"][1] > 10


def test_draws_without_an_optimum_may_be_as_many_as_the_tails(fit):
    def some(n, bad):
        # without the term in D the loss falls up to one token
        return with_draws(fit, n, B=np.where(np.arange(n) < bad, 0.0, fit["B"]))

    assert sk.optimal(some(40, 1), C=1e21)["N_high"].notna().all()
    assert sk.optimal(some(4, 1), C=1e21, level=0.5)["N_high"].notna().all()
    with pytest.raises(sk.FitError, match=r"5% of the draws .* more than an interval of 95%"):
        sk.optimal(some(40, 2), C=1e21)
    with pytest.raises(sk.FitError, match="50% of the draws"):
        sk.optimal(some(4, 2), C=[1e21, 1e22], level=0.5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"C": -1}, "optimal: C must be finite and > 0; got -1"),
        ({"C": [1e20, np.nan]}, "optimal: C must be finite"),
        ({"C": "much"}, "optimal: .*'much'"),
        ({"C": []}, "flat list"),
        ({"params": None}, "a law needs constants"),
        ({"params": {"E": 1}}, "no value for A"),
        ({"params": ROUNDED | {"A": np.nan}}, "optimal: A must be finite"),
        ({"law": "L(N) = A/N**alpha"}, "has the inputs N; it must tell"),
        ({"law": "L(N, D, U) = E + A/N**alpha + B/(D + U)**beta"}, "has the inputs N, D, U"),
        ({"law": 3}, "optimal: a law is"),
        ({"law": pd.DataFrame({"N": [1]})}, "got DataFrame"),
        ({"level": 95}, "optimal: a level must lie between 0 and 1.*got 95"),
        *(
            ({"flops_per_param_token": v}, f"flops_per_param_token = {v!r} is not a number above")
            for v in (0, -6, "6", np.inf, True, np.nan)
        ),
    ],
)
def test_what_optimal_refuses(options, match):
    given = {"law": CHINCHILLA, "C": 1e20, "params": ROUNDED} | options
    with pytest.raises(ValueError, match=match):
        sk.optimal(**given)


def test_a_fit_with_constants_is_refused(fit):
    with pytest.raises(ValueError, match="a Fit brings its own"):
        sk.optimal(fit, C=1e20, params=ROUNDED)


@pytest.mark.parametrize(
    ("law", "params", "edge"),
    [
        ("L(N, D) = E + A/(N + D)**alpha", ROUNDED, ""),
        (CHINCHILLA, ROUNDED | {"B": 0.0}, r"N = 1\.67e\+20"),
        (CHINCHILLA, ROUNDED | {"A": 0.0}, "N = 1:"),
    ],
)
def test_no_optimum_is_refused(law, params, edge):
    with pytest.raises(sk.FitError, match=rf"at C = 1e\+21 .*{edge}.*does not exist there"):
        sk.optimal(law, C=[1e21], params=params)


def test_a_budget_pays_for_one_parameter_and_one_token():
    law, even = "L(N, D) = A/N**alpha + B/D**beta", {"A": 1, "B": 1, "alpha": 0.5, "beta": 0.5}
    best = sk.optimal(law, C=6.06, params=even)
    # sqrt(1.01), to the square root of float64's precision
    assert best["N"][0] == pytest.approx(np.sqrt(1.01), rel=1e-7)
    with pytest.raises(sk.FitError, match="C = 6 does not pay for one parameter and one token"):
        sk.optimal(law, C=[7, 6], params=even)
