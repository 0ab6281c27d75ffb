"""Figures of runs and laws: the data that is drawn, its lines and its bands."""

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


def test_runs(runs):
    ax = plot.runs(runs)
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "Training compute C (FLOP)")
    assert len(ax.collections[0].get_offsets()) == len(runs)
    assert ax.figure.axes[1].get_ylabel() == "Parameters N"
    few = plot.runs(runs, x="N", hue="C")
    assert len(few.lines) == 9
    words = plot.runs(runs.assign(kind=["a", "b", "c"] * 27), x="D", hue="kind")
    assert legend(words) == ["a", "b", "c"]
    assert len({line.get_marker() for line in words.lines}) == 3  # never colour alone
    assert len(plot.runs(runs, hue=None).lines[0].get_xdata()) == len(runs)
    with pytest.raises(ValueError, match="no column 'M'"):
        plot.runs(runs, hue="M")
    with pytest.raises(ValueError, match=r"a table of runs, as .* is wanted; got str"):
        plot.runs("chinchilla")


def test_fit_is_dashed_outside_the_runs(fit, runs):
    ax = plot.fit(fit, x="N", at=[1e10])
    assert len(ax.collections[0].get_offsets()) == len(runs)
    solid = [line for line in ax.lines if line.get_linestyle() == "-"]
    dashed = [line for line in ax.lines if line.get_linestyle() in DASHES]
    assert len(solid) == 1 and len(dashed) == 2
    x = solid[0].get_xdata()
    assert (x[0], x[-1]) == (runs["N"].min(), runs["N"].max())
    np.testing.assert_allclose(solid[0].get_ydata(), fit.predict(N=x, D=np.full_like(x, 1e10)))
    assert legend(ax) == ["runs", "law at D = 10B"]
    assert ax.get_xlabel() == "Parameters N"


def test_fit_band_floor_and_one_input(drawn, fit, runs):
    assert "90% confidence" in legend(plot.fit(drawn, level=0.9))
    above = plot.fit(fit, x="D", floor="E")
    assert above.get_ylabel().startswith("Loss L (nats/token) above E = ")
    one = sk.fit("L(N) = E + A/N**alpha", runs.groupby("C").first())
    assert legend(plot.fit(one)) == ["runs", "fitted law"]
    with pytest.raises(ValueError, match="no input 'C'"):
        plot.fit(fit, x="C")
    with pytest.raises(ValueError, match="no parameter 'F'"):
        plot.fit(fit, floor="F")


def band(collection):
    """Return the lower and the upper edge of a band, each (points, 2)."""
    outline = collection.get_paths()[0].vertices
    # start, lower edge, turn, upper edge back, close
    half = (len(outline) - 3) // 2
    return outline[1 : 1 + half], outline[2 + half : 2 + 2 * half][::-1]


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_band_is_that_of_the_curve_not_of_a_new_run(drawn, level):
    ax = plot.fit(drawn, x="N", at=[1e10], level=level)
    labels = {f"{level:.0%} confidence": False, "with the law's own error": True}
    shades = {c.get_label(): c for c in ax.collections if c.get_label() in labels}
    for label, law in labels.items():
        low, high = band(shades[label])
        inputs = {"N": low[:, 0], "D": np.full(len(low), 1e10)}
        wanted = drawn.predict(**inputs, level=level, law=law)
        np.testing.assert_allclose(low[:, 1], wanted["low"], rtol=1e-9)
        np.testing.assert_allclose(high[:, 1], wanted["high"], rtol=1e-9)
        # and these are told apart
        assert not np.allclose(wanted["pred_high"], wanted["high"], rtol=1e-4)
    # the law's is drawn first and lighter, and lies around the other beyond the runs alone
    dark, light = (shades[label] for label in labels)
    assert light.get_alpha() < dark.get_alpha()
    assert ax.collections[:].index(light) < ax.collections[:].index(dark)
    x, top = band(dark)[1].T
    wider = band(light)[1][:, 1] > top * (1 + 1e-9)
    inside = (x >= drawn.runs["N"].min()) & (x <= drawn.runs["N"].max())
    assert wider[~inside].all()


def test_runs_and_curve_above_a_floor(fit):
    ax = plot.fit(fit, x="D", at=[1e9], floor="E")
    inside = fit.runs[fit.runs["L"] > fit["E"]]
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points, inside[["D", "L"]] - [0, fit["E"]])
    (solid,) = [line for line in ax.lines if line.get_linestyle() == "-"]
    x, y = solid.get_xydata().T
    np.testing.assert_allclose(y, fit.predict(N=np.full_like(x, 1e9), D=x) - fit["E"])


def test_a_law_at_printed_constants():
    law = sk.Law(FORM)
    ax = plot.curve(law, ROUNDED, "D", (1e9, 1e12), inside=(1e10, 1e11), hue="N", at=[1e8, 1e9])
    solid = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert [line.get_label() for line in solid] == ["N = 100M", "N = 1B"]
    for line, N in zip(solid, (1e8, 1e9), strict=True):
        D, L = line.get_xydata().T
        assert (D[0], D[-1]) == (pytest.approx(1e10), pytest.approx(1e11))
        np.testing.assert_allclose(L, law(N=N, D=D, **ROUNDED))
    outside = [line.get_xdata() for line in ax.lines if line.get_linestyle() != "-"]
    assert min(map(np.min, outside)) == pytest.approx(1e9)
    assert max(map(np.max, outside)) == pytest.approx(1e12)


def test_residuals(fit, runs):
    ax = plot.residuals(fit, x="C", hue="N")
    np.testing.assert_allclose(
        ax.collections[0].get_offsets()[:, 1], 100 * np.expm1(fit.residuals())
    )
    assert ax.get_ylabel() == "Residual of L (% of the fitted value)"
    assert ax.get_xscale() == "log"
    with pytest.raises(ValueError, match="no column 'M'"):
        plot.residuals(fit, x="M")


def test_valley(fit, drawn):
    ax = plot.valley(drawn, "A", "alpha", marks={"paper": ROUNDED}, n=15)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("A", "alpha")
    assert legend(ax) == ["draws", "this fit", "paper"]
    assert ax.get_xlim()[0] < 406.4 < ax.get_xlim()[1]
    assert ax.figure.axes[1].get_ylabel() == "Objective over its minimum"
    with pytest.raises(ValueError, match="must be two parameters"):
        plot.valley(fit, "A", "A")
    with pytest.raises(ValueError, match="mark 'paper': no constant 'alpha'"):
        plot.valley(fit, "A", "alpha", marks={"paper": {"A": 400}})


def test_a_table_where_a_fit_belongs(runs):
    for draw in (plot.fit, plot.residuals, lambda f: plot.valley(f, "A", "alpha")):
        with pytest.raises(ValueError, match=r"the result of sk\.fit is wanted; got DataFrame"):
            draw(runs)


def test_given_axes_are_used(fit, runs):
    ax = plt.subplots()[1]
    assert plot.runs(runs, ax=ax) is ax
    assert plot.fit(fit, ax=ax) is ax
    assert plot.residuals(fit, ax=ax) is ax
