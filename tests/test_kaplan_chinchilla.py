"""Under notebooks 01 and 03: interpolation, authors' optima, Kaplan's laws drawn, counting."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import scalekit as sk

BUDGETS = np.geomspace(1e16, 1e19, 6)


@pytest.fixture
def draw():
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    yield plt
    plt.close("all")


def synthetic(half_width, sizes=15, drift=0.0, noise=0.0):
    """Runs on Hoffmann et al.'s printed law, on a grid about the true optimum."""
    law, p = sk.law("chinchilla"), sk.law("chinchilla").at("hoffmann2022")
    centre = np.log10(sk.closed_form(BUDGETS, *(p[k] for k in ("A", "B", "alpha", "beta")))[0])
    centre += drift * np.linspace(-0.5, 0.5, len(BUDGETS))
    N = (10 ** (centre[:, None] + np.linspace(-half_width, half_width, sizes))).ravel()
    runs = pd.DataFrame({"C": np.repeat(BUDGETS, sizes), "N": N}).assign(
        D=lambda t: t["C"] / (6 * t["N"])
    )
    error = np.random.default_rng(1).normal(0, noise, len(N)) if noise else 0
    return runs.assign(L=law(N=runs["N"], D=runs["D"], **p) + error), p["beta"] / (
        p["alpha"] + p["beta"]
    )


def off(runs, **options):
    p = sk.law("chinchilla").at("hoffmann2022")
    f = sk.isoflop(runs, noise=0.0, n=2, **options)
    true = sk.closed_form(f.points["C"].to_numpy(), *(p[k] for k in ("A", "B", "alpha", "beta")))[0]
    return np.median(f.points["N"] / true - 1), f.a


def test_interpolation_bias_without_noise():
    runs, a = synthetic(1.5)
    everything, windowed, akima = (
        off(runs, **o) for o in ({"window": None}, {}, {"method": "akima"})
    )
    # the parabola's bias grows with the square of its width: (0.7/1.5)**2 = 0.22 of the whole, here
    # with 15 points
    assert 0.05 < everything[0] < 0.15 and 0.1 < windowed[0] / everything[0] < 0.35
    assert (
        abs(akima[0]) < 0.01
    )  # a step of the grid is a factor of 1.6; a cubic piece errs by a per cent of that
    for _, found in (everything, windowed, akima):
        assert found == pytest.approx(
            a, abs=1e-3
        )  # a bias that all budgets share leaves the exponent alone
    drifting, a = synthetic(0.8, drift=1.0)
    assert abs(off(drifting, window=None)[1] - a) > 10 * abs(off(drifting, method="akima")[1] - a)


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_interval_covers_and_grows_with_noise(method):
    runs, a = synthetic(0.6, noise=0.003)
    widths = []
    for noise in (0.003, 0.012):
        ci = sk.isoflop(runs, method=method, noise=noise, n=300, level=0.99).ci()
        widths.append(ci.high["a"] - ci.low["a"])
        assert ci.low["a"] < a < ci.high["a"]
    assert (
        widths[1] > 1.5 * widths[0]
    )  # four times the noise; Akima's minimum jumps between points, so less than four


def test_counting_without_embeddings():
    law = sk.law("chinchilla_nonembedding")
    p = law.at("besiroglu2024")
    T = lambda N: N + p["omega"] * N ** (1 / 3)  # noqa: E731
    N = np.array([1e5, 1e9])
    N_T = sk.law("chinchilla")(N=T(N), D=1e10, **sk.law("chinchilla").at("besiroglu2024"))
    np.testing.assert_allclose(law(N=N, D=1e10, **p), N_T, rtol=1e-12)  # rounding
    C = np.array(
        [1e28, 1.1e28]
    )  # embeddings no longer matter: Chinchilla's exponent, up to (omega/N**(2/3)) = 1e-4
    best = sk.optimal(law, C=C, params="besiroglu2024")["N"]
    slope = np.log(best[1] / best[0]) / np.log(1.1)
    assert slope == pytest.approx(p["beta"] / (p["alpha"] + p["beta"]), abs=1e-3)


def test_batch_laws_are_the_hyperbola():
    B, S_min, crit = np.geomspace(1e4, 1e8, 9), 3000.0, 1e6
    S = sk.law("steps_at_batch")(B=B, S_min=S_min, B_crit=crit)
    np.testing.assert_allclose(
        (S / S_min - 1) * (B * S / (S_min * crit) - 1), 1, rtol=1e-9
    )  # rounding of differences
    law = sk.law("critical_batch")
    assert float(law(L=3, **law.at("kaplan2020"))) == pytest.approx(
        1.07e6, rel=0.005
    )  # printed to three digits


def test_curve_is_solid_where_measured_and_dashed_beyond(draw):
    law = sk.law("kaplan_n")
    ax = sk.plot.curve(law, "kaplan2020", "N", (1e2, 1e12), inside=(768, 1.5e9), label="Kaplan")
    styles = {line.get_linestyle(): line.get_xdata() for line in ax.lines}
    solid = styles.pop("-")
    assert (solid.min(), solid.max()) == (768, 1.5e9) and len(ax.lines) == 3
    assert ax.get_xscale() == "log" and ax.get_legend_handles_labels()[1] == ["Kaplan"]
    assert ax.get_xlabel() == "Parameters N"
    y = ax.lines[-1].get_ydata()
    np.testing.assert_allclose(y, law(N=ax.lines[-1].get_xdata(), **law.at("kaplan2020")))
    hues = sk.plot.curve(sk.law("kaplan_ns"), "kaplan2020", "S", (1e3, 1e6), hue="N", at=[1e6, 1e9])
    assert hues.get_legend_handles_labels()[1] == ["N = 1M", "N = 1B"]


def test_curve_says_what_is_wrong(draw):
    with pytest.raises(ValueError, match="no input 'D'"):
        sk.plot.curve(sk.law("kaplan_n"), "kaplan2020", "D", (1, 2))
    with pytest.raises(ValueError, match="needs at="):
        sk.plot.curve(sk.law("kaplan_ns"), "kaplan2020", "S", (1, 2), hue="N")
