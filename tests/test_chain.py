"""Two fits in a row: the composed law, bands from draws that meet, and steps that do not fit."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA as STEP1

import scalekit as sk
from scalekit.answers.chain import Chain
from scalekit.fits import reach
from scalekit.fits.scatter import noisy

STEP2 = "error(L) = top - k*exp(-gamma*L)"


def planted(noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    N, D = (g.ravel() for g in np.meshgrid(np.logspace(7, 9, 5), np.logspace(9, 11, 5)))
    L = 1.7 + 400 / N**0.34 + 500 / D**0.3
    runs = pd.DataFrame({"N": N, "D": D, "L": L * np.exp(noise * rng.standard_normal(25))})
    runs["error"] = 0.86 - 2.1 * np.exp(-0.7 * runs["L"]) + noise * rng.standard_normal(25)
    return runs


def two(runs, n=0, seed=0, seed2=None):
    steps = [sk.fit(law, runs, loss="squared", space="linear") for law in (STEP1, STEP2)]
    if n:
        steps = [
            f.bootstrap(n, seed=s)
            for f, s in zip(steps, (seed, seed if seed2 is None else seed2), strict=True)
        ]
    return steps


def test_a_chain_of_exact_fits_is_the_composed_law():
    got = sk.chain(*two(planted())).predict(N=1e10, D=1e12)
    loss = 1.7 + 400 / 1e10**0.34 + 500 / 1e12**0.3
    # Least squares on exact data ends within the solver's tolerance, far below 1e-6.
    assert got == pytest.approx(0.86 - 2.1 * np.exp(-0.7 * loss), abs=1e-6)


def test_value_equals_the_two_predictions_by_hand():
    runs = planted(0.01)
    one, other = two(runs)
    c = sk.chain(one, other)
    by_hand = other.predict(L=one.predict(runs))
    np.testing.assert_allclose(c.predict(runs), by_hand, rtol=1e-14)  # the same operations
    assert c.predict(runs).shape == (25,)
    assert (c.inputs, c.output, c.link) == (("N", "D"), "error", "L")


def test_intervals_come_from_paired_draws():
    c = sk.chain(*two(planted(0.01), n=300))
    assert c.paired
    got = c.predict(N=[1e9, 1e10], D=[1e11, 1e12], level=0.9, law=False)
    one, other = c.step1.draws, c.step2.draws
    middle = one["E"] + one["A"] / 1e10 ** one["alpha"] + one["B"] / 1e12 ** one["beta"]
    end = other["top"] - other["k"] * np.exp(-other["gamma"] * middle)
    np.testing.assert_allclose(
        got.loc[1, ["low", "high"]].astype(float), end.quantile([0.05, 0.95]), rtol=1e-9
    )
    assert (got["pred_low"] < got["low"]).all()
    assert (got["high"] < got["pred_high"]).all()
    assert c.predict(N=1e10, D=1e12, level=0.9).equals(c.predict(N=1e10, D=1e12, level=0.9))


def test_draws_pair_only_when_resampled_alike_on_the_same_runs():
    runs = planted(0.01)
    one, other = two(runs, n=50)
    assert not sk.chain(*two(runs, n=50, seed2=1)).paired
    assert not sk.chain(one, two(runs, n=60)[1]).paired
    assert not sk.chain(one, two(runs.iloc[::-1], n=50)[1]).paired  # the same runs in another order
    assert not sk.chain(one, two(planted(0.01, seed=5), n=50)[1]).paired
    assert not sk.chain(*two(runs)).paired
    loose = sk.chain(one, two(runs, n=80, seed2=3)[1]).predict(N=1e10, D=1e12, level=0.9)
    assert (
        loose["low"].item()
        < other.predict(L=one.predict(N=1e10, D=1e12)).item()
        < loose["high"].item()
    )


def test_planted_intervals_cover():
    hits, N = 0, np.logspace(7, 9, 25)
    truth = 0.86 - 2.1 * np.exp(-0.7 * (1.7 + 400 / 3e9**0.34))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        runs = pd.DataFrame(
            {"N": N, "L": (1.7 + 400 / N**0.34) * np.exp(0.003 * rng.standard_normal(25))}
        )
        runs["error"] = 0.86 - 2.1 * np.exp(-0.7 * runs["L"]) + 0.003 * rng.standard_normal(25)
        laws = ("L(N) = E + A/N**alpha", STEP2)
        steps = [sk.fit(law, runs, loss="squared").bootstrap(100, seed=seed) for law in laws]
        got = sk.chain(*steps).predict(N=3e9, level=0.95)
        hits += got["low"].item() <= truth <= got["high"].item()
    assert (
        hits >= 6
    )  # 8 trials: fewer than 6 has p = .006 at 95 %, p = .06 at the 88 % that 25 runs leave of it


def test_a_second_step_may_bring_its_own_input():
    runs = planted().assign(shots=np.tile([1.0, 5.0, 25.0, 2.0, 7.0], 5))
    runs["score"] = 0.9 - 0.2 * runs["L"] + 0.05 * np.log(runs["shots"])
    second = sk.fit(
        "score(L, shots) = top - s*L + g*log(shots)", runs, loss="squared", space="linear"
    )
    c = sk.chain(sk.fit(STEP1, runs), second)
    assert c.inputs == ("N", "D", "shots")
    np.testing.assert_allclose(
        c.predict(runs), runs["score"], atol=1e-5
    )  # Huber's fit of exact data
    with pytest.raises(ValueError, match="no value for shots"):
        c.predict(N=1e9, D=1e10)
    with pytest.raises(ValueError, match="shots must be finite and > 0"):
        c.predict(N=1e9, D=1e10, shots=0.0)


def test_outside_says_where_the_link_was_never_seen():
    c = sk.chain(*two(planted(0.01)))
    assert c.outside(N=[1e8, 1e12], D=[1e10, 1e14]).tolist() == [False, True]


def test_steps_that_do_not_fit_together():
    one, other = two(planted(0.01))
    wrong = sk.fit(
        "accuracy(task_loss) = top - k*exp(-gamma*task_loss)",
        planted(0.01).rename(columns={"L": "task_loss", "error": "accuracy"}),
    )
    with pytest.raises(ValueError, match=r"step 1 gives 'L', but step 2 takes task_loss\. Write"):
        sk.chain(one, wrong)
    with pytest.raises(ValueError, match="fit in the other order"):
        sk.chain(other, one)
    with pytest.raises(ValueError, match="chain: got str where a fit belongs"):
        sk.chain(one, STEP2)
    back = sk.fit("N(L) = a/L**b", planted(0.01))
    with pytest.raises(ValueError, match="output 'N' of step 2 is an input of step 1"):
        sk.chain(one, back)


def test_a_link_that_the_second_law_cannot_take():
    runs = pd.DataFrame({"N": np.logspace(7, 9, 20)})
    runs["L"] = 30 / runs["N"] ** 0.2 - 0.2  # below zero from about 7e10 on
    runs["score"] = 1 - 0.3 * np.log(runs["L"])
    one = sk.fit(sk.Law("L(N) = E + A/N**alpha", real=["E"]), runs, loss="squared", space="linear")
    c = sk.chain(one, sk.fit("score(L) = top - k*log(L)", runs, loss="squared", space="linear"))
    assert c.predict(N=1e9) == pytest.approx(
        runs["score"].iloc[-1], abs=1e-6
    )  # the solver's tolerance
    with pytest.raises(ValueError, match=r"step 1 gives L = -0\.0\d+, but step 2 needs it > 0"):
        c.predict(N=[1e9, 1e12])


def test_no_interval_without_draws_and_no_unknown_input():
    c = sk.chain(*two(planted(0.01)))
    with pytest.raises(ValueError, match="no draws"):
        c.predict(N=1e9, D=1e10, level=0.95)
    with pytest.raises(ValueError, match="no input 'L'"):
        c.predict(N=1e9, D=1e10, L=3.0)
    with pytest.raises(ValueError, match="no column 'D'"):
        c.predict(pd.DataFrame({"N": [1e9]}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        sk.chain(*two(planted(0.01), n=5)).predict(N=1e9, D=1e10, level=95)


def test_says_what_it_is():
    c = sk.chain(*two(planted(0.01), n=5))
    assert isinstance(c, Chain)
    assert "error from N, D through L" in c.describe()
    assert "paired" in c.describe()
    assert "without draws" in sk.chain(*two(planted(0.01))).describe()
    assert repr(c) == f"Chain({STEP1}; {STEP2}; paired)"
    # a chain is itself only, as a fit is: tables of draws have no one truth value
    assert c != dataclasses.replace(c)
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.paired = False


def curves(step, link, draws):
    """Step 2 at each draw, (draws, points), from the link at each draw."""
    columns = {p: draws[p].to_numpy()[:, None] for p in draws}
    return step.law(L=link, **columns)


@pytest.mark.parametrize("paired", [True, False])
def test_bands_by_hand(paired):
    runs = planted(0.01)
    one, other = (
        fit.bootstrap(40 if fit.law.output == "L" else n2, seed=seed)
        for fit, n2, seed in zip(
            two(runs), (40, 40 if paired else 60), (0, 0 if paired else 3), strict=True
        )
    )
    c = sk.chain(one, other)
    assert c.paired is paired
    got = c.predict(N=[1e9, 1e10], D=[1e11, 1e12], level=0.8, law=False)
    first, second = one.draws, other.draws
    if not paired:
        # the shorter set is used more than once, both in an order of their own
        rng = np.random.default_rng(one.seed)
        first = first.iloc[rng.permutation(60) % 40]
        second = second.iloc[rng.permutation(60) % 60]
    a = {p: first[p].to_numpy()[:, None] for p in first}
    N, D = np.array([1e9, 1e10]), np.array([1e11, 1e12])
    link = a["E"] + a["A"] / N ** a["alpha"] + a["B"] / D ** a["beta"]
    seen = noisy(one, {"N": N, "D": D}, link, np.random.default_rng((one.seed, 1)))
    new = noisy(
        other, {"L": seen}, curves(other, seen, second), np.random.default_rng((other.seed, 2))
    )
    bands = {"": curves(other, link, second), "pred_": new}
    for prefix, drawn in bands.items():
        low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
        # the same operations, up to the order of the terms
        np.testing.assert_allclose(got[f"{prefix}low"], low, rtol=1e-12)
        np.testing.assert_allclose(got[f"{prefix}high"], high, rtol=1e-12)
    np.testing.assert_array_equal(got["value"], c.predict(N=N, D=D))


def test_draws_that_failed_in_one_step_are_left_out_of_both():
    one, other = two(planted(0.01), n=30)
    gap = dataclasses.replace(one, draws=one.draws.drop([3, 7]))
    gap.draws.attrs.update(one.draws.attrs)
    c = sk.chain(gap, other)
    assert c.paired
    kept = dataclasses.replace(other, draws=other.draws.drop([3, 7]))
    kept.draws.attrs.update(other.draws.attrs)
    at = {"N": 1e10, "D": 1e12, "level": 0.9}
    assert c.predict(**at).equals(sk.chain(gap, kept).predict(**at))


def test_a_table_keeps_its_index_and_a_grid_is_flattened():
    runs = planted(0.01).set_axis([f"run {i}" for i in range(25)])
    c = sk.chain(*two(runs, n=20))
    got = c.predict(runs.assign(L=0.0), level=0.9)
    assert list(got) == ["value", "low", "high", "pred_low", "pred_high", "law", "reach"]
    assert got.index.equals(runs.index)
    np.testing.assert_array_equal(got["value"], c.predict(runs))
    N, D = np.array([[1e9], [1e10]]), np.array([1e11, 1e12])
    assert c.predict(N=N, D=D).shape == (2, 2)
    grid = c.predict(N=N, D=D, level=0.9)
    np.testing.assert_array_equal(grid["value"], c.predict(N=N, D=D).ravel())
    assert grid.index.tolist() == [0, 1, 2, 3]


def test_the_ends_of_the_range_are_inside():
    one, other = two(planted(0.01))
    N, D = np.geomspace(1e7, 1e9, 5), 1e10
    # falling in N
    link = one.predict(N=N, D=D)
    seen = dataclasses.replace(other, data_range={"L": (link[3], link[1])})
    assert sk.chain(one, seen).outside(N=N, D=D).tolist() == [True, False, False, False, True]


def test_a_link_of_zero_is_refused_only_where_the_second_law_needs_it_positive():
    N = np.logspace(1, 3, 12)
    # L = 1 - N/100 is 0 at N = 100; exact numbers, so that the fitted value there is 0
    first = sk.fit(
        sk.Law("L(N) = a - b*N", real="all"),
        pd.DataFrame({"N": N, "L": 2 - N / 1e3}),
        loss="squared",
        space="linear",
    )
    link = 2 - N / 1e3
    linear = sk.fit("y(L) = c + d*L", pd.DataFrame({"L": link, "y": 1 + link}), space="linear")
    # below zero a line goes on
    assert sk.chain(first, linear).predict(N=2500.0) == pytest.approx(0.5, abs=1e-6)
    logged = sk.fit(
        "y(L) = c + d*log(L)",
        pd.DataFrame({"L": link, "y": 3 + np.log(link)}),
        loss="squared",
        space="linear",
    )
    with pytest.raises(ValueError, match="step 2 needs it > 0"):
        sk.chain(first, logged).predict(N=2500.0)
    zero = dataclasses.replace(first, estimates=np.array([2.0, 0.001]))
    with pytest.raises(ValueError, match="gives L = 0, but step 2 needs it > 0"):
        sk.chain(zero, logged).predict(N=2000.0)


def test_how_the_draws_meet_is_said():
    runs = planted(0.01)
    drawn, bare = two(runs, n=5), two(runs)
    for one, other, how in [
        (*drawn, "draws paired: both steps"),
        (drawn[0], bare[1], "without draws"),
        (bare[0], drawn[1], "without draws"),
        (drawn[0], two(runs, n=5, seed2=1)[1], "draws independent: the steps"),
    ]:
        c = sk.chain(one, other)
        assert how in c.describe()
        assert repr(c).endswith("; paired)" if "paired" in how else "; independent)")
        assert f"on {25} runs, then {STEP2} on 25;" in c.describe()


@pytest.mark.parametrize("space", ["linear", "log"])
def test_beyond_the_runs_the_errors_of_both_laws_are_carried(space):
    runs = planted(0.003)
    one = sk.fit(STEP1, runs, space=space).bootstrap(60)
    other = sk.fit(STEP2, runs, loss="squared", space="linear").bootstrap(60)
    c = sk.chain(one, other)
    # inside, beyond the first step's runs, and so far that the link is new too
    x = {"N": np.array([1e8, 1e8, 1e10]), "D": np.array([1e10, 5e11, 1e12])}
    bare, whole = (c.predict(**x, level=0.9, law=law) for law in (False, True))
    link = one.predict(**x)
    first, far = reach.law_error(one, x)
    second, further = reach.law_error(other, {"L": link})
    assert (further[2] > 1) and (further[:2] == 1).all()
    np.testing.assert_allclose(whole["reach"], np.maximum(far, further))
    slope = 0.7 * (0.86 - other.predict(L=link))
    moved = first * (link if space == "log" else 1)
    # the slope at the planted constants, which the fit finds to a tenth
    np.testing.assert_allclose(whole["law"], np.hypot(slope * moved, second), rtol=0.15, atol=1e-12)
    pd.testing.assert_frame_equal(bare[:1], whole[:1])
    half, wide = (t["pred_high"] - t["value"] for t in (bare, whole))
    np.testing.assert_allclose(wide, np.hypot(half, 1.6449 * whole["law"]), rtol=1e-4)


def test_far_beyond_the_runs_a_chain_warns():
    with pytest.warns(UserWarning, match="chain.predict: 1 of 1 points lie more than ten times"):
        sk.chain(*two(planted(0.01), n=20)).predict(N=1e11, D=1e12, level=0.9)
