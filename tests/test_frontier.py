"""Frontiers from runs: planted optima, every number against a plain loop, each refusal."""

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import Akima1DInterpolator

import scalekit as sk
from scalekit.answers.frontier import Bowl, Frontier, Refusal, as_budgets, assign, bowl, power_law
from scalekit.answers.optimal import closed_form

# Hoffmann et al. 2022, equation 10
ROUNDED = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
EXPONENT = 0.28 / 0.62
BUDGETS = np.geomspace(1e18, 1e22, 9)


def surface(C, N):
    D = C / (6 * N)
    return 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28


def optimum(C):
    return closed_form(C, 406.4, 410.7, 0.34, 0.28)[0]


def isoflop_runs(noise=0.0, seed=0, factor=4.0, points=13, budgets=BUDGETS, drift=0.0):
    """Sizes evenly spaced about the optimum at each budget, or about one that drifts off."""
    C = np.repeat(budgets, points)
    off = 10 ** np.repeat(drift * np.linspace(-0.5, 0.5, len(budgets)), points)
    N = optimum(C) * off * np.tile(np.geomspace(1 / factor, factor, points), len(budgets))
    L = surface(C, N) + np.random.default_rng(seed).normal(0, noise, len(N))
    return pd.DataFrame({"C": C, "N": N, "D": C / (6 * N), "L": L})


def training_curves(sizes=None, points=120):
    """Training curves of a dozen and a half sizes."""
    sizes = np.geomspace(1e7, 1e11, 17) if sizes is None else np.asarray(sizes)
    N, D = np.repeat(sizes, points), np.tile(np.geomspace(1e8, 1e13, points), len(sizes))
    model = np.repeat([f"m{i}" for i in range(len(sizes))], points)
    return pd.DataFrame(
        {"model": model, "N": N, "D": D, "C": 6 * N * D, "L": surface(6 * N * D, N)}
    )


# power laws


def test_a_power_law_is_found_and_weights_are_inverse_variances():
    C = np.geomspace(1e17, 1e21, 6)
    fit = power_law(C, 0.3 * C**0.47)
    # a straight line, to the rounding of numbers near 50
    assert (fit.exponent, np.exp(fit.ln_prefactor)) == pytest.approx((0.47, 0.3), rel=1e-10)
    assert fit.se == pytest.approx(0, abs=1e-12)
    bent = 0.3 * C**0.47 * [1, 1.1, 0.9, 1.2, 1, 3]
    x, y, sd = np.log(C), np.log(bent), np.array([0.1, 0.2, 0.1, 0.3, 0.1, 0.5])
    for w, given in ((np.ones(6), None), (sd**-2, sd)):
        fit = power_law(C, bent, given)
        dx = x - (w * x).sum() / w.sum()
        slope = (w * dx * y).sum() / (w * dx**2).sum()
        rest = y - (w * y).sum() / w.sum() - slope * dx
        unit = (rest**2).sum() / 4 if given is None else 1.0
        # the normal equations, to rounding of a difference of numbers near 50
        assert fit.exponent == pytest.approx(slope, rel=1e-10)
        assert fit.ln_prefactor == pytest.approx(np.mean(w * (y - slope * x)) / w.mean(), rel=1e-10)
        assert fit.se == pytest.approx(np.sqrt(unit / (w * dx**2).sum()), rel=1e-10)


@pytest.mark.parametrize(
    ("stage", "a", "r2"),
    [
        ("1", 0.8353, 0.9990),
        ("2", 0.7065, 0.9976),
        ("3", 0.6020, 0.9926),
        ("4", 0.5715, 0.9977),
        ("5", 0.4969, 0.9975),
    ],
)
def test_authors_optima_give_their_exponents(stage, a, r2):
    # Porian et al. 2024 (arXiv:2406.19146), RefinedWeb: weighted as they do; printed to 4 digits
    t = sk.load("kaplan_to_chinchilla_optimal").dropna()
    t = t[(t["train_set"] == "refinedweb") & (t["stage"].str[0] == stage)]
    fit = power_law(t["C"], t["N_opt"], sd=t["log_N_opt_sd"])
    assert fit.exponent == pytest.approx(a, abs=5e-5)
    y = np.log(t["N_opt"])
    rest = y - fit.ln_prefactor - fit.exponent * np.log(t["C"])
    # their R² is not weighted
    assert 1 - (rest**2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(r2, abs=5e-5)


def test_what_a_power_law_refuses():
    assert power_law([1, 2, 4], [1, 2, 4]).exponent == pytest.approx(1)
    for given in (([1, 2, 3], [1, 2]), ([1, 2, 3], [1, 2, 3], [1, 0, 1]), ([1, 2, 0], [1, 2, 3])):
        with pytest.raises(ValueError, match="power_law: "):
            power_law(*given)
    with pytest.raises(ValueError, match="sd must be finite and > 0"):
        power_law([1, 2, 3], [1, 2, 3], [1, 0, 1])
    for C, count in (([1, 2], 2), ([2, 2, 2], 1)):
        with pytest.raises(sk.FitError, match=f"three budgets that differ, got {count}"):
            power_law(C, [1, 2, 3][: len(C)])


# Frontier


def frontier(**more):
    points = pd.DataFrame({"C": [1e18, 1e20], "N": [1e8, 1e9], "D": [1.0, 1.0], "L": [3.0, 2.5]})
    step = np.linspace(0, 1, 101)
    draws = pd.DataFrame({"a": step, "b": 1 - step / 2, "ln_k_N": step, "ln_k_D": 2 - step})
    return Frontier("By hand", points, 0.45, 0.55, 0.5, 1.5, draws, **more)


def test_intervals_are_percentiles_of_the_draws():
    ci = frontier().ci()
    np.testing.assert_allclose(ci.loc["a"], [0.025, 0.975])
    np.testing.assert_allclose(ci.loc["b"], [0.5125, 0.9875])
    assert list(ci) == ["low", "high"]
    np.testing.assert_allclose(frontier(level=0.8).ci().loc["a"], [0.1, 0.9])
    np.testing.assert_allclose(frontier(level=0.8).ci(0.5).loc["a"], [0.25, 0.75])


def test_predictions_come_from_the_constants_and_from_each_draw():
    front, x = frontier(level=0.8), np.log([10.0, 100.0])
    table = front.predict([10.0, 100.0])
    step = np.linspace(0, 1, 101)[:, None]
    N, D = np.exp(0.5 + 0.45 * x), np.exp(1.5 + 0.55 * x)
    many_N, many_D = np.exp(step + step * x), np.exp(2 - step + (1 - step / 2) * x)
    expected = {"C": [10, 100], "N": N, "D": D, "D_per_N": D / N}
    for name, many in (("N", many_N), ("D", many_D), ("D_per_N", many_D / many_N)):
        expected[f"{name}_low"], expected[f"{name}_high"] = np.quantile(many, [0.1, 0.9], axis=0)
    assert list(table) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-12)
    one = front.predict(10.0, level=0.5)
    assert one["N_low"][0] == pytest.approx(np.quantile(many_N[:, 0], 0.25))
    for ask in (front.ci, lambda level: front.predict(1e20, level=level)):
        with pytest.raises(ValueError, match=r"must lie between 0 and 1.*got 0"):
            ask(0)


def test_a_frontier_says_what_it_found():
    said = (
        "By hand: from 1e+18 to 1e+20 FLOP the optimal model grows as C^0.450 (80% interval 0.100 "
        "to 0.900) and its tokens as C^0.550 (80% interval 0.550 to 0.950), over 2 budgets"
    )
    assert frontier(level=0.8).describe() == said + "."
    refused = pd.DataFrame({"C": [1e19], "reason": ["few"]})
    front = frontier(level=0.8, refused=refused)
    assert repr(front) == f"Frontier({said}; 1 budgets were refused.)"
    with pytest.raises(AttributeError):
        front.a = 1


@pytest.mark.parametrize(
    ("C", "match"),
    [
        (-5, "C must be finite and > 0; got -5"),
        ([1e20, np.nan], "C must be finite"),
        ("much", "who: .*'much'"),
        ([], "flat list"),
        ([[1e20]], "flat list"),
    ],
)
def test_what_is_no_budget(C, match):
    with pytest.raises(ValueError, match=match):
        as_budgets(C, "who")
    with pytest.raises(ValueError, match="predict: "):
        frontier().predict(C)


# Approach 1


def by_loops(runs, models=None):
    """Bracketed envelope, one budget at a time: C, N, D and L of each point."""
    sizes = np.unique(runs["N"])
    curves = [np.log(runs.loc[runs["N"] == N, ["C", "L", "D"]].to_numpy().T) for N in sizes]
    chosen = range(len(sizes)) if models is None else sorted(models)
    out = []
    for x in np.linspace(min(c[0, 0] for c in curves), max(c[0, -1] for c in curves), 200):
        there = [i for i in chosen if curves[i][0, 0] <= x <= curves[i][0, -1]]
        if there:
            lnL = [np.interp(x, *curves[i][:2]) for i in there]
            best = there[np.argmin(lnL)]
            if there[0] < best < there[-1]:
                lnD = np.interp(x, *curves[best][[0, 2]])
                out.append((np.exp(x), sizes[best], np.exp(lnD), np.exp(min(lnL))))
    return pd.DataFrame(out, columns=["C", "N", "D", "L"])


def slopes(points, w=None):
    w = None if w is None else np.sqrt(w)
    a, k = np.polyfit(np.log(points["C"]), np.log(points["N"]), 1, w=w)
    b, m = np.polyfit(np.log(points["C"]), np.log(points["D"]), 1, w=w)
    return a, b, k, m


def test_envelope_is_that_of_plain_loops():
    # tokens that are not C/(6N) are used as given
    runs = training_curves(np.geomspace(1e7, 1e10, 8), points=25).assign(D=lambda t: 2 * t["D"])
    front = sk.envelope(runs, n=40, seed=3)
    expected = by_loops(runs)
    # logarithms and back, of numbers near 50
    pd.testing.assert_frame_equal(front.points, expected, rtol=1e-12)
    found = (front.a, front.b, front.ln_k_N, front.ln_k_D)
    assert found == pytest.approx(slopes(expected), rel=1e-9)
    rng, draws = np.random.default_rng(3), []
    for _ in range(40):
        points = by_loops(runs, set(rng.choice(8, 8)))
        if points["N"].nunique() >= 2:
            draws.append(slopes(points))
    assert 2 < len(draws) < 40
    np.testing.assert_allclose(front.draws, draws, rtol=1e-8)
    assert list(front.draws) == ["a", "b", "ln_k_N", "ln_k_D"]
    assert front.draws.attrs["lost"] == pytest.approx(1 - len(draws) / 40)
    assert front.describe().startswith("Approach 1 (envelope of curves): from")


def test_envelope_recovers_a_planted_law():
    front = sk.envelope(training_curves(), n=100)
    # the envelope follows curves of fixed N, whose lower edge is the optimum itself; sizes a factor
    # 1.8 apart make a staircase whose slope errs by about one step (0.25 decade) over 5 decades
    assert front.a == pytest.approx(EXPONENT, abs=0.05)
    assert front.a + front.b == pytest.approx(1, abs=1e-6)
    low, high = front.ci().loc["a"]
    assert low < front.a < high
    assert front.level == 0.95


def test_envelope_takes_many_names_any_order_and_tokens_from_compute():
    runs = training_curves(points=20)
    first = sk.envelope(runs, n=20)
    mixed = runs.sample(frac=1, random_state=0).drop(columns="D")
    # an average of equals may differ in the last digit
    pd.testing.assert_frame_equal(sk.envelope(mixed, n=20).points, first.points, rtol=1e-9)
    two = sk.envelope(runs.assign(family="x"), by=["family", "model"], n=20)
    pd.testing.assert_frame_equal(two.draws, first.draws)
    assert two.runs["model"][0] == "x m0"
    assert list(two.runs) == ["model", "N", "C", "L"]
    pd.testing.assert_frame_equal(sk.envelope(runs, n=20, level=0.8).draws, first.draws)


def test_envelope_averages_repeats_and_leaves_out_single_points():
    runs = training_curves(points=20)
    twice = pd.concat([runs.assign(L=runs["L"] * 1.1), runs.assign(L=runs["L"] * 0.9)])
    alone = runs.iloc[[7]].assign(model="alone", N=3e9, C=1e30)
    got = sk.envelope(pd.concat([twice, alone]), n=20).points
    pd.testing.assert_frame_equal(got, sk.envelope(runs, n=20).points, rtol=1e-9)


def test_what_envelope_refuses():
    with pytest.raises(sk.FitError, match="2 models have a curve"):
        sk.envelope(training_curves([1e8, 1e9]))
    with pytest.raises(sk.FitError, match="1 models are best somewhere"):
        sk.envelope(training_curves([1e8, 1e9, 1e10]))
    with pytest.raises(sk.FitError, match="2 models are best somewhere"):
        sk.envelope(training_curves([1e8, 1e9, 1e10, 2e10]))
    # sizes within a per cent are one model
    runs = training_curves(points=20)
    drift = np.tile(np.linspace(0, 1, 20), 17)
    sk.envelope(runs.assign(N=runs["N"] * np.exp(0.0099 * drift)), n=10)
    with pytest.raises(ValueError, match="N differs inside"):
        sk.envelope(runs.assign(N=runs["N"] * np.exp(0.0101 * drift)), n=10)
    for by in ("size", None, []):
        with pytest.raises(ValueError, match=rf"envelope: no column {by or None!r}"):
            sk.envelope(runs, by=by)
    with pytest.raises(ValueError, match="envelope: "):
        sk.envelope(runs.assign(C=0))
    for n in (1, 2.5, "many", True, np.nan):
        with pytest.raises(ValueError, match="n must be a whole number, 2 or more; got"):
            sk.envelope(runs, n=n)
    with pytest.raises(ValueError, match="envelope: a level must lie between"):
        sk.envelope(runs, level=1)


def test_envelope_needs_half_of_its_resamples():
    # of five models three are bracketed; a resample holds four of the five in 42 of 100 cases
    runs = training_curves(np.geomspace(1e8, 1e10, 5), points=20)
    with pytest.raises(sk.FitError, match=r"of 100 resamples have fewer than two .* of the 5"):
        sk.envelope(runs, n=100)
    lost = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        kept = [by_loops(runs, set(rng.choice(5, 5)))["N"].nunique() >= 2 for _ in range(2)]
        lost.append(2 - sum(kept))
    assert sk.envelope(runs, n=2, seed=lost.index(1)).draws.attrs["lost"] == 0.5
    with pytest.raises(sk.FitError, match="2 of 2 resamples"):
        sk.envelope(runs, n=2, seed=lost.index(2))


# Approach 2


def one_budget(L, width=0.5, C=1e20, size=9):
    """Runs of one budget on a grid of sizes about 1e9, with losses from decades off 1e9."""
    u = np.linspace(-width, width, size)
    N = 1e9 * 10**u
    return pd.DataFrame({"N": N, "C": C, "D": C / (6 * N), "L": L(u), "budget": C})


def bowl_of(runs, method="parabola", window=None, noise=None, n=50, level=0.9, seed=0):
    return bowl(runs, method, window, noise, n, level, np.random.default_rng(seed))


def rough(u):
    return 2 + (u - 0.1) ** 2 + 0.1 * u**3 + 0.004 * np.cos(40 * u)


@pytest.mark.parametrize("noise", [None, 0.004])
def test_a_parabola_is_that_of_plain_least_squares(noise):
    runs = one_budget(rough).assign(D=lambda t: 3 * t["D"])
    got = bowl_of(runs, noise=noise, level=0.8, seed=5)
    x, y = np.log(runs["N"].to_numpy()), runs["L"].to_numpy()
    centre, lnD = x.mean(), np.log(runs["D"].to_numpy())
    p = np.polyfit(x - centre, y, 2)
    fitted, best = np.polyval(p, x - centre), centre - p[1] / (2 * p[0])
    rng = np.random.default_rng(5)
    if noise is None:
        rest = (y / fitted - 1) * np.sqrt(9 / 6)
        errors = fitted * rng.choice(rest - rest.mean(), (50, 9))
    else:
        errors = rng.normal(0, noise, (50, 9))
    q = np.polyfit(x - centre, (fitted + errors).T, 2)
    drawn = centre - q[1] / (2 * q[0])
    expected = {
        "C": 1e20,
        "N": np.exp(best),
        "D": np.exp(np.interp(best, x, lnD)),
        "L": np.polyval(p, best - centre),
        "N_low": np.exp(np.quantile(drawn, 0.1)),
        "N_high": np.exp(np.quantile(drawn, 0.9)),
        "sd": drawn.std(),
        "runs": 9,
        "kept": 1.0,
    }
    # two solvers of the same least squares
    assert got.point == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(got.drawn, [drawn, np.interp(drawn, x, lnD)], rtol=1e-10)
    N = np.geomspace(runs["N"].min(), runs["N"].max(), 100)
    np.testing.assert_allclose(got.curve["N"], N)
    np.testing.assert_allclose(got.curve["L"], np.polyval(p, np.log(N) - centre), rtol=1e-10)


@pytest.mark.parametrize("wave", [0.0, 0.03])
def test_akima_finds_the_lowest_point_of_its_curve(wave):
    runs = one_budget(lambda u: rough(u) + wave * np.cos(13 * u))
    got = bowl_of(runs, "akima", noise=0.15, level=0.2, n=60)
    x, y = np.log(runs["N"].to_numpy()), runs["L"].to_numpy()
    fine = np.linspace(x[0], x[-1], 40_001)
    step = fine[1] - fine[0]
    curve = Akima1DInterpolator(x, y)(fine)
    # a grid finds the place to its step, and the height to the square of it
    assert np.log(got.point["N"]) == pytest.approx(fine[curve.argmin()], abs=step)
    assert got.point["L"] == pytest.approx(curve.min(), abs=1e-7)
    np.testing.assert_allclose(got.curve["L"], Akima1DInterpolator(x, y)(np.log(got.curve["N"])))
    errors = np.random.default_rng(0).normal(0, 0.15, (60, 9))
    low = Akima1DInterpolator(x, (y + errors).T)(fine).argmin(0)
    inside = (low > 0) & (low < len(fine) - 1)
    np.testing.assert_allclose(got.drawn[0], np.where(inside, fine[low], np.nan), atol=step)
    assert 0.2 < got.point["kept"] < 1
    assert got.point["kept"] == inside.mean()


def test_a_budget_that_has_no_optimum_says_why():
    falling, rising = (one_budget(lambda u, s=s: 2 + (u - 3 * s) ** 2) for s in (1, -1))
    for runs, end in ((falling, "3.2e+09"), (rising, "3.2e+08")):
        assert f" N = {end}, " in bowl_of(runs, "akima", noise=0.0).reason
        for method, noise in (("parabola", None), ("akima", 0.0)):
            got = bowl_of(runs, method, noise=noise)
            assert got.reason.startswith("the minimum, N = ")
            assert got.reason.endswith("is not inside its points, 3.2e+08 to 3.2e+09")
            assert len(got.curve) == 100
    got = bowl_of(one_budget(lambda u: 2 - u**2))
    assert got[:2] == (1e20, "the parabola opens downwards: the points have no minimum")
    assert bowl_of(one_budget(rough, size=3)) == (1e20, "3 sizes, at least four are needed", None)
    assert isinstance(bowl_of(one_budget(rough, size=4), noise=0.0), Bowl)
    twice = pd.concat([one_budget(rough, size=3)] * 2)
    assert bowl_of(twice).reason == "3 sizes, at least four are needed"


def test_an_optimum_needs_as_many_resamples_as_the_level():
    runs = one_budget(lambda u: 2 + 0.3 * (u - 0.3) ** 2)
    kept = bowl_of(runs, noise=0.05, level=0.1).point["kept"]
    assert 0.3 < kept < 0.95
    assert isinstance(bowl_of(runs, noise=0.05, level=kept), Bowl)
    refusal = bowl_of(runs, noise=0.05, level=kept + 1e-9)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == f"{1 - kept:.0%} of the resamples have no minimum inside their points"


def test_the_window_holds_its_edge_and_akima_averages_what_is_one_size():
    runs = one_budget(lambda u: 2 + u**2, width=0.7, size=9)
    assert [bowl_of(runs, window=w, noise=0.0).point["runs"] for w in (0.7, 0.69)] == [9, 7]
    off = runs.assign(L=lambda t: 2 + np.log10(t["N"] / t["N"].iloc[2]) ** 2)
    # from the lowest point, not from the middle: 2 on its left, 4 within 0.7 on its right
    assert bowl_of(off, window=0.7, noise=0.0).point["runs"] == 7
    near, far = (pd.concat([runs, runs.assign(N=runs["N"] * np.exp(s))]) for s in (0.009, 0.011))
    assert bowl_of(near, "akima", noise=0.0).point["runs"] == 9
    assert bowl_of(far, "akima", noise=0.0).point["runs"] == 18
    pair = pd.concat([runs.assign(L=runs["L"] + s) for s in (0.01, -0.01)])
    single = bowl_of(runs, "akima", noise=0.0).point
    assert bowl_of(pair, "akima", noise=0.0).point == pytest.approx(single)


def test_tokens_are_those_of_the_budget():
    # a run that went 4 % over its budget saw 4 % too many tokens
    runs = one_budget(rough).assign(C=lambda t: t["C"] * 1.04, D=lambda t: t["D"] * 1.04)
    point = bowl_of(runs).point
    assert 6 * point["N"] * point["D"] == pytest.approx(1e20, rel=1e-10)


def test_runs_go_to_the_nearest_budget_within_the_tolerance():
    edge = 10**0.05
    runs = pd.DataFrame({"C": [1e20 * edge, 1e20 / edge, 1e20 * edge * 1.0001, 0.98e21, 1e20]})
    assert assign(runs, [1e21, 1e20])["budget"].tolist() == [1e20, 1e20, 1e21, 1e20]
    assert assign(runs, [1e20], tolerance=0.0)["C"].tolist() == [1e20]
    assert assign(pd.DataFrame({"C": [2e20]}), [1e20, 3e20], 1.0)["budget"].tolist() == [3e20]


def test_budgets_not_given_are_those_that_four_runs_share():
    C = np.repeat([1e18, 1e19, 1e20, 1e21], [4, 5, 4, 3])
    near = pd.DataFrame({"C": [*C, 1.01e18]})
    assert assign(near)["budget"].value_counts().to_dict() == {1e18: 4, 1e19: 5, 1e20: 4}
    with pytest.raises(
        ValueError, match=r"C has 5 values, 2 shared by four runs .*budgets=\[...\]"
    ):
        assign(near.iloc[1:])


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_isoflop_recovers_a_planted_law(method):
    front = sk.isoflop(isoflop_runs(), method=method, noise=1e-6, n=20)
    assert len(front.points) == len(BUDGETS)
    # grids centred on the optimum scale with it: the method's bias is the same factor everywhere
    assert front.a == pytest.approx(EXPONENT, abs=1e-3)
    # D = C/(6N) is interpolated exactly in logs
    assert front.a + front.b == pytest.approx(1, abs=1e-10)
    # the bias itself: of the quadratic term's neighbour for a parabola, of the spacing for Akima
    best = optimum(front.points["C"].to_numpy())
    np.testing.assert_allclose(
        front.points["N"], best, rtol={"parabola": 0.1, "akima": 0.02}[method]
    )
    name = {"parabola": "parabola", "akima": "Akima"}[method]
    assert front.describe().startswith(f"Approach 2 (isoFLOP, {name}): from 1e+18 to 1e+22 FLOP")


def test_interpolation_bias_without_noise():
    def off(runs, **options):
        f = sk.isoflop(runs, noise=0.0, n=2, **options)
        return np.median(f.points["N"] / optimum(f.points["C"].to_numpy()) - 1), f.a

    runs = isoflop_runs(factor=10**1.5, points=15, budgets=np.geomspace(1e16, 1e19, 6))
    choices = ({"window": None}, {}, {"method": "akima"})
    everything, windowed, akima = (off(runs, **o) for o in choices)
    # the parabola's bias grows with the square of its width: (0.7/1.5)**2 = 0.22 of the whole
    assert 0.05 < everything[0] < 0.15 and 0.1 < windowed[0] / everything[0] < 0.35
    # a step of the grid is a factor of 1.6; a cubic piece errs by a per cent of that
    assert abs(akima[0]) < 0.01
    for _, found in (everything, windowed, akima):
        # a bias that all budgets share leaves the exponent alone
        assert found == pytest.approx(EXPONENT, abs=1e-3)
    budgets = np.geomspace(1e16, 1e19, 6)
    drifting = isoflop_runs(factor=10**0.8, points=15, budgets=budgets, drift=1.0)
    parabola, akima = (off(drifting, **o)[1] for o in (choices[0], choices[2]))
    assert abs(parabola - EXPONENT) > 10 * abs(akima - EXPONENT)


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_interval_covers_and_grows_with_noise(method):
    runs, widths = isoflop_runs(noise=0.003, seed=1, points=15), []
    for noise in (0.003, 0.012):
        ci = sk.isoflop(runs, method=method, noise=noise, n=300, level=0.99).ci()
        widths.append(ci.high["a"] - ci.low["a"])
        assert ci.low["a"] < EXPONENT < ci.high["a"]
    # four times the noise; Akima's minimum jumps between points, so less than four
    assert widths[1] > 1.5 * widths[0]


def test_isoflop_interval_covers_and_scales():
    fine, coarse = (sk.isoflop(isoflop_runs(noise=s, seed=1), n=300) for s in (0.001, 0.004))
    width = [np.ptp(f.ci().loc["a"].to_numpy()) for f in (fine, coarse)]
    # four times the noise: four times the width, within the luck of one draw
    assert 2 < width[1] / width[0] < 8
    low, high = coarse.ci(0.999).loc["a"]
    assert low < EXPONENT < high


def relative(runs):
    """Relative residuals of a budget's parabola in its window, widened for three coefficients."""
    runs = runs.sort_values("N")
    x = np.log(runs["N"].to_numpy())
    near = np.abs(x - x[runs["L"].to_numpy().argmin()]) <= 0.7 * np.log(10) + 1e-12
    x, y = x[near], runs["L"].to_numpy()[near]
    if len(x) < 4:
        return np.empty(0)
    fitted = np.polyval(np.polyfit(x - x.mean(), y, 2), x - x.mean())
    return (y / fitted - 1) * np.sqrt(len(x) / (len(x) - 3))


def test_intervals_of_budgets_hold_what_they_promise():
    """Residuals of one bowl of six are too few: alone they held .83 of the planted optima."""
    hits = []
    for seed in range(60):
        # planted: the optimum at each budget is where its parabola has its vertex without noise
        clean, noisy = isoflop_runs(points=7), isoflop_runs(noise=0.004, seed=seed, points=7)
        truth = sk.isoflop(clean, n=2).points.set_index("C")["N"]
        points = sk.isoflop(noisy, n=200, seed=seed).points.set_index("C")
        hits += list(
            points["N_low"].le(truth[points.index]) & points["N_high"].ge(truth[points.index])
        )
    # some 300 intervals, alike within a data set: two standard errors are about .04
    assert len(hits) > 250 and np.mean(hits) > 0.88


@pytest.mark.parametrize("weighted", [False, True])
def test_isoflop_is_a_fold_of_bowls_and_skips_lost_resamples(weighted):
    # noisy enough that some resamples lose their minimum at some budgets
    runs = isoflop_runs(noise=0.02, seed=1, points=9)
    front = sk.isoflop(runs, n=60, level=0.5, seed=4, weighted=weighted)
    rng = np.random.default_rng(4)
    groups = assign(runs).groupby("budget")
    # the relative residuals of all budgets together
    pooled = np.concatenate([relative(g) for _, g in groups])
    found = [bowl(g, "parabola", 0.7, pooled, 60, 0.5, rng) for _, g in groups]
    bowls = [b for b in found if isinstance(b, Bowl)]
    points = pd.DataFrame([b.point for b in bowls])
    pd.testing.assert_frame_equal(front.points, points)
    assert points["kept"].min() < 1
    w = points["sd"].to_numpy() ** -2 if weighted else np.ones(len(points))
    # two solvers of the same least squares
    got = (front.a, front.b, front.ln_k_N, front.ln_k_D)
    assert got == pytest.approx(slopes(points, w), rel=1e-9)
    for i, row in front.draws.iterrows():
        drawn = np.exp([b.drawn[:, i] for b in bowls])
        some = np.isfinite(drawn[:, 0])
        table = pd.DataFrame({"C": points["C"], "N": drawn[:, 0], "D": drawn[:, 1]})[some]
        assert row.tolist() == pytest.approx(slopes(table, w[some]), rel=1e-9)
    refused = [b for b in found if isinstance(b, Refusal)]
    assert front.refused["reason"].tolist() == [r.reason for r in refused]
    assert front.curves["C"].nunique() == sum(b.curve is not None for b in found)
    assert front.level == 0.5


def test_isoflop_has_the_defaults_that_it_names_and_ignores_row_order():
    runs = isoflop_runs(noise=0.003, factor=20.0)
    one = sk.isoflop(runs.sample(frac=1, random_state=1), BUDGETS)
    options = {"method": "parabola", "window": 0.7, "tolerance": 0.05, "noise": None}
    two = sk.isoflop(runs, BUDGETS, **options, weighted=False, n=1000, level=0.95, seed=0)
    pd.testing.assert_frame_equal(one.draws, two.draws)
    pd.testing.assert_frame_equal(one.points, two.points)
    assert (one.level, len(one.draws)) == (0.95, 1000)
    # any order of budgets, even twice; tokens that are not given are C/(6N)
    again = sk.isoflop(runs.drop(columns="D"), [*BUDGETS[::-1], BUDGETS[0]], n=9).points
    pd.testing.assert_frame_equal(again, sk.isoflop(runs, BUDGETS, n=9).points, rtol=1e-12)


def test_isoflop_says_why_it_refuses():
    runs = isoflop_runs()
    first, second, third = BUDGETS[:3]
    # only sizes too small
    runs = runs[(runs["C"] != first) | (runs["N"] < 0.9 * optimum(first))]
    # upside down
    runs = runs.assign(L=runs["L"].where(runs["C"] != second, 6 - runs["L"]))
    front = sk.isoflop(
        runs.drop(runs.index[runs["C"] == third][3:]), BUDGETS, window=None, noise=1e-5, n=20
    )
    why = front.refused.set_index("C")["reason"]
    assert "is not inside its points" in why[first]
    assert "opens downwards" in why[second]
    assert "3 sizes, at least four are needed" in why[third]
    assert len(front.points) == len(BUDGETS) - 3
    assert "3 budgets were refused" in front.describe()
    few = runs[runs["C"].isin([*BUDGETS[1:2], *BUDGETS[3:5]])]
    with pytest.raises(
        sk.FitError,
        match=r"2 budgets have an optimum; an exponent needs three\. 3.2e\+18: .*opens downwards",
    ):
        sk.isoflop(few, BUDGETS, window=None, n=20)
    assert len(sk.isoflop(isoflop_runs(), BUDGETS[:3], n=9).points) == 3
    with pytest.raises(sk.FitError, match=r"2 budgets have .* 2 of those given have runs near"):
        sk.isoflop(isoflop_runs(), BUDGETS[:2])
    with pytest.raises(sk.FitError, match=r"0 budgets have .* 0 of those given have runs near"):
        sk.isoflop(runs.assign(C=runs["C"] * 1.08), BUDGETS, tolerance=0.01)
    with pytest.raises(sk.FitError, match="needs optima with some uncertainty"):
        sk.isoflop(isoflop_runs(), noise=0.0, weighted=True, n=9)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "spline"}, "method = 'spline' is unknown"),
        ({"method": "akima"}, "pass noise="),
        *(
            ({"window": v}, f"window = {v!r} is not a number above")
            for v in (-1, 0, "wide", np.inf)
        ),
        *(
            ({"tolerance": v}, f"tolerance = {v!r} is not zero")
            for v in (-0.1, np.nan, None, np.inf)
        ),
        *(({"noise": v}, f"noise = {v!r} is not zero") for v in (-0.1, "some", np.inf)),
        ({"level": 1}, "isoflop: a level must lie between 0 and 1"),
        ({"budgets": [1e18, 0]}, "C must be finite and > 0"),
        ({"n": 0}, "n must be a whole number, 2 or more; got 0"),
        ({"n": 2.5}, "n must be a whole number, 2 or more; got 2.5"),
    ],
)
def test_isoflop_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        sk.isoflop(isoflop_runs(), **options)


def test_bad_tables():
    with pytest.raises(ValueError, match="isoflop: no column 'L'"):
        sk.isoflop(isoflop_runs().drop(columns="L"))
    with pytest.raises(ValueError, match="isoflop: "):
        sk.isoflop("chinchilla")
    with pytest.raises(ValueError, match=r"isoflop: column 'L' has 1 missing .*row 3"):
        sk.isoflop(isoflop_runs().assign(L=lambda t: t["L"].where(t.index != 3)))
    for name in "NCLD":
        with pytest.raises(ValueError, match=rf"isoflop: column '{name}' has 117 values <= 0"):
            sk.isoflop(isoflop_runs().assign(**{name: 0.0}))


def test_isoflop_on_chinchilla_overlaps_the_paper():
    budgets = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21]
    low, high = sk.isoflop(sk.load("chinchilla"), budgets, n=300).ci(0.95).loc["a"]
    # Table 2's interval, 0.462 to 0.534, and ours overlap
    assert low < 0.534 and high > 0.462
