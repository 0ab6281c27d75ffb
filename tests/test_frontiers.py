"""Figures of the compute-optimal frontier: bowls, envelopes, optima, with their bands."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scalekit as sk

plot = sk.plot

FORM = "L(N, D) = E + A/N**alpha + B/D**beta"
ROUNDED = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
DASHES = ("--", (0, (4, 2)))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs():
    """Synthetic runs: nine budgets of nine sizes about their optimum, 0.3 % of noise."""
    C = np.repeat(np.geomspace(1e18, 1e22, 9), 9)
    best = sk.optimal(FORM, C=C, params=ROUNDED)["N"].to_numpy()
    N = best * np.tile(np.geomspace(0.25, 4, 9), 9)
    D = C / (6 * N)
    L = sk.Law(FORM)(N=N, D=D, **ROUNDED) * np.exp(
        np.random.default_rng(0).normal(0, 0.003, len(C))
    )
    return pd.DataFrame({"N": N, "D": D, "C": C, "L": L})


@pytest.fixture(scope="module")
def fit(runs):
    return sk.fit(FORM, runs)


@pytest.fixture(scope="module")
def drawn(fit):
    return fit.bootstrap(60)


def legend(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_isoflop_and_envelope(runs):
    front = sk.isoflop(runs, n=50)
    ax = plot.isoflop(front)
    assert len(legend(ax)) == 10  # nine budgets and the optimum
    assert ax.get_legend().get_title().get_text() == "Budget C (FLOP)"
    stars = [line for line in ax.lines if line.get_marker() == "*"]
    np.testing.assert_allclose(stars[0].get_xdata().astype(float), front.points["N"])
    assert ax.get_xlabel() == "Parameters N"
    with pytest.raises(ValueError, match=r"result of sk\.envelope is wanted"):
        plot.envelope(front)
    curve = sk.envelope(sk.load("gpt3_curves"), n=100)
    ax = plot.envelope(curve)
    assert "lowest, between two others" in legend(ax)
    assert ax.get_xscale() == "log"
    with pytest.raises(ValueError, match=r"result of sk\.isoflop is wanted"):
        plot.isoflop(curve)


def test_frontier(runs, drawn):
    fronts = {
        "isoFLOP": sk.isoflop(runs, n=50),
        "law": sk.optimal(drawn, C=np.geomspace(1e18, 1e25, 20)),
        "paper": sk.optimal(FORM, C=[1e18, 1e25], params=ROUNDED),
    }
    for quantity, label in (("N", "Parameters N"), ("D_per_N", "Tokens per parameter D/N")):
        ax = plot.frontier(fronts, quantity)
        assert ax.get_ylabel() == label
        assert legend(ax) == ["isoFLOP", "law", "paper", "95% confidence", "outside the runs"]
        assert any(line.get_linestyle() in DASHES for line in ax.lines)
        # bands of the two that have draws; a third, empty, is in the legend only
        bands = [c.get_paths()[0].vertices for c in ax.collections if len(c.get_paths())]
        bands = [outline for outline in bands if len(outline)]
        assert len(bands) == 2
        law = fronts["law"]
        outline = bands[1]
        np.testing.assert_allclose(outline[1:21, 1], law[f"{quantity}_low"])
        np.testing.assert_allclose(outline[22:42, 1][::-1], law[f"{quantity}_high"])
    with pytest.raises(ValueError, match="'x': no column 'D_per_N'"):
        plot.frontier({"x": runs}, "D_per_N")
    for nothing in ({}, runs):
        with pytest.raises(ValueError, match="pass what to draw by label"):
            plot.frontier(nothing)


def test_no_gap_between_solid_and_dashed(drawn):
    # no budget lies at an end of the runs, 1e18 to 1e22
    best = sk.optimal(drawn, C=[1e17, 3e18, 2e20, 4e21, 5e23])
    ax = plot.frontier({"law": best})
    (solid,) = [line for line in ax.lines if line.get_linestyle() == "-"]
    below, above = [line for line in ax.lines if line.get_linestyle() in DASHES][:2]
    C, N = solid.get_xydata().T
    np.testing.assert_allclose(C[[0, -1]], best.attrs["C_range"])
    np.testing.assert_allclose(below.get_xydata()[-1], [C[0], N[0]])
    np.testing.assert_allclose(above.get_xydata()[0], [C[-1], N[-1]])
    # on the straight line between two budgets, in logs
    low, high = best.loc[0], best.loc[1]
    slope = np.log(high["N"] / low["N"]) / np.log(high["C"] / low["C"])
    assert N[0] == pytest.approx(low["N"] * (C[0] / low["C"]) ** slope, rel=1e-9)


def test_the_band_of_the_loss_says_that_it_holds_the_error_of_the_law(drawn):
    best = sk.optimal(drawn, C=[1e19, 1e21, 1e23])
    assert "95% confidence, with the law's own error" in legend(plot.frontier({"law": best}, "L"))
    assert "95% confidence" in legend(plot.frontier({"law": best}, "N"))
