"""Where the noise of new runs differs from place to place."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR
from scipy.special import ndtr

import scalekit as sk
from scalekit.fits.scatter import noisy, scales

LOUD, QUIET = 0.03, 0.003


def planted(n=45, seed=0, ends=(LOUD, QUIET)):
    """Runs of one input whose noise in ln L falls from one end to the other, and its size."""
    N = np.logspace(6, 9.5, n)
    sd = np.geomspace(*ends, n)
    noise = np.random.default_rng(seed).normal(0, sd)
    return pd.DataFrame({"N": N, "L": (1.8 + 400 / N**0.34) * np.exp(noise), "sd": sd})


def scale(fit, **points):
    """Scales at the runs and at points, from the residuals of a fit."""
    points = {name: np.asarray(x, float) for name, x in points.items()}
    return scales(fit, fit.residuals().abs().to_numpy(), points)


@pytest.fixture(scope="module")
def fit():
    return sk.fit(FLOOR, planted())


def held(runs, **options):
    """Chance that a new run at the smallest and at the largest N falls into its 95 % interval."""
    ends = runs.iloc[[0, -1]]
    truth = np.log(1.8 + 400 / ends["N"] ** 0.34).to_numpy()
    drawn = sk.fit(FLOOR, runs, **options).bootstrap(200)
    band = np.log(drawn.predict(N=ends["N"].to_numpy(), level=0.95))
    low, high = ((band[c] - truth) / ends["sd"].to_numpy() for c in ("pred_low", "pred_high"))
    return (ndtr(high) - ndtr(low)).to_numpy(), (band["pred_high"] - band["pred_low"]).to_numpy()


def test_bands_hold_at_both_ends():
    """With residuals pooled they hold .75 of what is new at the loud end, and all at the other."""
    chance, width = np.mean([held(planted(seed=seed)) for seed in range(8)], axis=0)
    # one set of 45 runs tells the size of the noise to a fifth or so, eight sets the mean of the
    # chances to .03: half-way from .75 to .95
    assert chance[0] > 0.85
    # ten times as loud; half of it in logarithms is plain enough
    assert width[0] > np.sqrt(10) * width[1]


def test_even_noise_keeps_its_width():
    """One planted set in ten has a plain change by chance; in most nothing happens at all."""
    even = [planted(seed=seed, ends=(0.01, 0.01)) for seed in range(20)]
    plain = [np.ndim(scale(sk.fit(FLOOR, runs), N=[1e7])[1]) for runs in even]
    # a binomial of 20 and .1 is above 6 once in 400 times
    assert sum(plain) <= 6


def test_the_scale_is_that_which_was_planted(fit):
    at_runs, at_ends = scale(fit, N=[1e6, 10**9.5])
    # 45 residuals tell the slope of ln scale, ln 10 over the range, to about a quarter
    assert 10**0.5 < at_ends[0] / at_ends[1] < 10**1.5
    np.testing.assert_allclose(at_ends, at_runs[[0, -1]], rtol=1e-9)
    # in proportion to a power of N, whatever its unit
    steps = np.diff(np.log(at_runs))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)


def test_beyond_the_runs_the_edge_counts(fit):
    at_runs, beyond = scale(fit, N=[1e3, 1e12])
    np.testing.assert_allclose(beyond, at_runs[[0, -1]], rtol=1e-9)


def test_new_residuals_are_those_of_the_runs_scaled(fit):
    points = {"N": np.array([1e6, 1e8])}
    at_runs, near = scale(fit, **points)
    widen = np.sqrt(45 / (45 - 3))
    ratio = noisy(fit, points, np.full((3000, 2), 7.0), np.random.default_rng(0)) / 7
    wanted = np.outer(fit.residuals() / at_runs, near) * widen
    for column in range(2):
        seen = np.unique(np.log(ratio[:, column]).round(10))
        np.testing.assert_allclose(seen, np.sort(wanted[:, column].round(10)), atol=2e-10)
    known = replace(fit, floor=2.0)
    louder = noisy(known, points, np.full((3000, 2), 7.0), np.random.default_rng(0)) / 7
    np.testing.assert_allclose(np.log(louder), 2 * np.log(ratio), atol=1e-12)


def test_in_linear_space():
    runs = planted()
    drawn = sk.fit(FLOOR, runs, space="linear", loss="squared").bootstrap(200)
    band = drawn.predict(N=[1e6, 10**9.5], level=0.95)
    width = band["pred_high"] - band["pred_low"]
    # L falls by a factor of three besides
    assert width[0] > 3 * np.sqrt(10) * width[1]


def test_weights_do_not_hide_where_it_is_loud():
    """Weights that fit the noise make weighted residuals alike; a new run is not."""
    both = [held(planted(seed=seed).assign(w=lambda t: t.sd**-2), weights="w") for seed in range(8)]
    chance, _ = np.mean(both, axis=0)
    assert chance[0] > 0.85


def test_the_order_of_the_runs_changes_nothing(fit):
    turned = sk.fit(FLOOR, planted().iloc[::-1])
    points, drawn = {"N": np.array([1e6, 1e12])}, np.full((50, 2), 7.0)
    one, other = (noisy(f, points, drawn, np.random.default_rng(0)) for f in (fit, turned))
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_few_rows_are_pooled(fit):
    assert scale(sk.fit(FLOOR, planted(11)), N=[1e6]) == (1.0, 1.0)
    # as are many rows of few groups: the noise of a group is one event
    group = np.arange(45) // 9
    shared = np.random.default_rng(0).normal(0, 0.03, 5)[group]
    runs = planted().assign(group=group, L=lambda t: t.L * np.exp(shared))
    clustered = sk.fit(FLOOR, runs)
    assert clustered.cluster.column == "group"
    assert scale(clustered, N=[1e6]) == (1.0, 1.0)


def test_a_wild_run_has_a_bounded_say(fit):
    size, points = fit.residuals().abs().to_numpy().copy(), {"N": np.array([1e6, 10**9.5])}
    size[-1] = 10.0
    near = scales(fit, size, points)[1]
    size[-1] = 1000.0
    np.testing.assert_allclose(scales(fit, size, points)[1], near, rtol=1e-6)


def test_exact_runs_have_no_scale(fit):
    assert scales(fit, np.zeros(45), {"N": np.array([1e6])}) == (1.0, 1.0)


def test_each_input_has_a_say():
    """The noise falls with D alone; so do the bands."""
    rng = np.random.default_rng(0)
    # no two runs share a value exactly, so none of these groups runs
    N, D = np.meshgrid(np.logspace(7, 9.5, 8), np.logspace(9, 11.5, 8)) * (
        1 + 1e-6 * rng.random((2, 8, 8))
    )
    sd = LOUD * (QUIET / LOUD) ** (np.log10(D / 1e9) / 2.5)
    L = (1.8 + 482 / N**0.35 + 2085 / D**0.37) * np.exp(rng.normal(0, sd))
    fit = sk.fit(CHINCHILLA, pd.DataFrame({"N": N.ravel(), "D": D.ravel(), "L": L.ravel()}))
    # corners of the grid
    near = scale(fit, N=[1e7, 10**9.5, 1e7], D=[1e9, 1e9, 10**11.5])[1]
    assert near[0] > 10**0.5 * near[2]
    # the slope along N is nothing, but for a quarter of ln 10 of noise, three times over
    assert abs(np.log(near[0] / near[1])) < 0.75 * np.log(10)


def test_an_input_that_differs_from_draw_to_draw(fit):
    """In a chain the link of a new run is noisy itself."""
    N = np.geomspace(1e5, 1e11, 12)
    flat, square = scale(fit, N=N)[1], scale(fit, N=N.reshape(3, 4))[1]
    np.testing.assert_allclose(square.ravel(), flat, rtol=1e-12)
    drawn = noisy(fit, {"N": N.reshape(3, 4)}, np.ones((3, 4)), np.random.default_rng(0))
    assert drawn.shape == (3, 4)


def test_an_input_that_may_be_zero():
    x = np.linspace(-1, 1, 60)
    y = 5 + 2 * x + np.random.default_rng(1).normal(0, np.geomspace(0.3, 0.03, 60))
    law = sk.Law("y(x) = a + b*x", real="all")
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), space="linear")
    _, near = scale(fit, x=[-1, 0, 9])
    assert near[0] / near[2] > 10**0.5
    # half-way between in logarithms, by symmetry
    np.testing.assert_allclose(near[1] ** 2, near[0] * near[2], rtol=1e-9)
