"""Bootstrap draws, their audit, and the intervals of what follows from them."""

import numpy as np
import pandas as pd
import pytest
from conftest import FLOOR, curve

import scalekit as sk
from scalekit.fits import draws, solver


@pytest.fixture(scope="module")
def noisy_fit():
    """Return a fit of 24 runs with an even and an odd half, eight models of three runs each."""
    runs = curve(24)
    noise = np.random.default_rng(3).normal(0, 0.01, 24)
    runs = runs.assign(
        L=runs["L"] * np.exp(noise), half=np.arange(24) % 2, model=np.arange(24) // 3
    )
    return sk.fit(FLOOR, runs)


# bootstrap ----------------------------------------------------------------------------------------


def test_standard_errors_of_the_replication(drawn240):
    # The replication resamples with other seeds and stops its optimiser early. A standard deviation
    # of 4000 draws has a relative standard error of sqrt((kurtosis - 1)/4/4000): 1.1 % for a normal
    # one, 3 % at kurtosis 15. Two of them differ by sqrt(2) of that; three deviations make 13 %. To
    # it comes the rounding of the printed value, half a unit.
    printed = [
        ("E", 0.026, 5e-4),
        ("alpha", 0.015, 5e-4),
        ("beta", 0.021, 5e-4),
        ("A", 124.5, 0.05),
    ]
    for name, se, digit in printed:
        assert drawn240.se[name] == pytest.approx(se, abs=0.13 * se + digit)
    ratio = drawn240.derive("beta/(alpha + beta)")
    assert ratio["se"] == pytest.approx(0.020, abs=0.13 * 0.020 + 5e-4)


def test_each_draw_is_a_minimum(fit240, drawn240):
    # warm starts agree with a full multi-start fit of the same resample, as weights
    rng = np.random.default_rng(5)
    problem = fit240.problem
    for row in rng.multinomial(240, np.full(240, 1 / 240), size=6):
        alone = sk.fit("chinchilla", fit240.runs[row > 0], weights=row[row > 0].astype(float))
        weights = row[problem.order][None].astype(float)
        _, value = solver.descend(problem, fit240.u[None], weights)
        assert value[0] <= alone.objective * (1 + 1e-6)
    assert "48 resamples solved anew from many starts: none had a lower" in drawn240.draws_note


def counted(fit, n, seed=0, by=None, stratify=None):
    """Return how often each row of the table counts in each resample."""
    return draws.Resamples(fit, n, seed, by, stratify).counts(np.random.default_rng(seed), n)


def test_a_draw_is_the_fit_of_its_resample(noisy_fit):
    # the draw i is what fitting the rows that its counts name gives
    counts = counted(noisy_fit, 5, seed=7)
    drawn = noisy_fit.bootstrap(5, seed=7).draws
    for i, row in enumerate(counts):
        resample = noisy_fit.runs.loc[np.repeat(np.arange(24), row.astype(int))]
        # two minimisations of one objective, each to 1e-13: parameters to its root
        np.testing.assert_allclose(drawn.loc[i], sk.fit(FLOOR, resample).params, rtol=1e-5)


def test_weights_of_the_fit_carry_over(noisy_fit):
    w = np.linspace(1, 3, 24)
    weighted = sk.fit(FLOOR, noisy_fit.runs, weights=w)
    counts = counted(weighted, 2)
    keep = counts[1] > 0
    alone = sk.fit(FLOOR, noisy_fit.runs[keep], weights=(w * counts[1])[keep])
    drawn = weighted.bootstrap(2, seed=0).draws
    np.testing.assert_allclose(drawn.loc[1], alone.params, rtol=1e-5)


def test_deterministic_seeded_and_a_new_fit(fit240):
    a, b, c = (fit240.bootstrap(50, seed=seed) for seed in (0, 0, 1))
    assert a.draws.equals(b.draws) and not a.draws.equals(c.draws)
    assert fit240.draws is None and a.params.equals(fit240.params)
    about = dict(a.draws.attrs["resample"])
    assert about.pop("rows") == b.draws.attrs["resample"]["rows"]
    assert about == {"n": 50, "seed": 0, "by": None, "stratify": None}
    assert a.draws_note.startswith("50 bootstrap draws (seed 0). Audit: ")
    assert fit240.bootstrap(2, level=0.8).level == 0.8 and a.level == 0.95


def test_the_default_is_a_thousand(noisy_fit):
    assert noisy_fit.bootstrap().draws.shape == (1000, 3)


def test_clusters_come_whole(noisy_fit):
    counts = counted(noisy_fit, 40, by="model")
    by_model = counts.reshape(40, 8, 3)
    assert (by_model == by_model[:, :, :1]).all() and (counts.sum(1) == 24).all()
    assert by_model.max() > 1 and by_model.min() == 0
    note = noisy_fit.bootstrap(10, by="model").draws_note
    assert "(seed 0, whole model together)" in note


def test_clusters_widen_the_interval():
    fit = sk.fit("chinchilla", sk.load("gpt3_curves").query("D > 1e10"))
    plain, by = fit.bootstrap(300, by=None), fit.bootstrap(300, by="model")
    # eight models vary more than 300 independent points would
    assert by.se["alpha"] > plain.se["alpha"]


def test_strata_keep_their_counts(noisy_fit):
    counts = counted(noisy_fit, 30, stratify="half")
    assert (counts[:, ::2].sum(1) == 12).all() and (counts[:, 1::2].sum(1) == 12).all()
    assert counts.max() > 1
    note = noisy_fit.bootstrap(10, stratify="half").draws_note
    assert "(seed 0, within half)" in note


def test_coverage_of_planted_parameters():
    # 60 planted data sets of 60 runs: a 90 % interval should cover about 54; a binomial three-sigma
    # band, widened by 5 points for the known shortfall of percentile intervals at this size, is 40
    law = sk.law("power_law_floor")
    true = {"E": 1.0, "A": 50.0, "alpha": 0.3}
    x = np.logspace(4, 9, 60)
    hits = 0
    for seed in range(60):
        y = law(x=x, **true) * np.exp(np.random.default_rng(seed).normal(0, 0.01, 60))
        fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), loss="squared").bootstrap(200, seed=seed)
        low, high = fit.ci(0.90).loc["alpha"]
        hits += low <= true["alpha"] <= high
    assert 40 <= hits <= 60


def test_where_only_the_own_start_is_defined():
    x = np.linspace(1e6, 1.1e6, 30)
    y = 2 * np.log(1.2e6 - x) * (1 + 1e-3 * np.random.default_rng(0).normal(size=30))
    law = sk.Law("y(x) = a*log(b - x)", real="all")
    start = {"a": 1.9, "b": 1.25e6}
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), loss="squared", space="linear", start=start)
    assert len(fit.bootstrap(20).draws) == 20


# the audit ----------------------------------------------------------------------------------------


def audited(monkeypatch, fit, lower, again=0, n=100):
    """Bootstrap with audits that find far less for the first of their resamples."""
    found, counts = fit.u + 0.01, iter([lower, again])

    def solve_again(fit, weights):
        values = fit.problem.objective(
            np.tile(fit.u, (len(weights), 1)), weights, fit.problem.delta
        )
        reached = np.where(np.arange(len(weights)) < next(counts), values / 1e3, values * 1e3)
        return np.tile(found, (len(weights), 1)), reached

    monkeypatch.setattr(draws, "solve_again", solve_again)
    return fit.bootstrap(n), fit.problem.to_raw(found[None])[0]


def test_a_lower_minimum_is_written_back(monkeypatch, noisy_fit):
    plain = noisy_fit.bootstrap(100)
    drawn, found = audited(monkeypatch, noisy_fit, lower=3)
    # 24 of 100 draws, evenly spread
    lower = np.linspace(0, 99, 24).astype(int)[:3]
    for i in lower:
        np.testing.assert_allclose(drawn.draws.loc[i], found, rtol=1e-12)
    others = np.setdiff1d(np.arange(100), lower)
    # started from the new minimum as well they arrive where they were
    np.testing.assert_allclose(drawn.draws.loc[others], plain.draws.loc[others], rtol=1e-4)
    said = "24 resamples solved anew from many starts: 3 had a lower minimum (by 1.0e+00 of the "
    said += "objective at most), so all were started from these too; of 36 others none had a lower"
    assert said in drawn.draws_note


def test_too_many_lower_minima_are_a_warning(monkeypatch, noisy_fit):
    few, _ = audited(monkeypatch, noisy_fit, lower=9, again=3)
    assert few.warnings == noisy_fit.warnings
    many, _ = audited(monkeypatch, noisy_fit, lower=9, again=4)
    assert many.warnings[-1] == (
        "The bootstrap's minima are not all global (4 of 36 audited were not)."
    )


@pytest.mark.parametrize(("n", "looked"), [(7, 7), (100, 24), (2000, 31), (5000, 48)])
def test_how_many_are_audited(monkeypatch, noisy_fit, n, looked):
    fit, _ = audited(monkeypatch, noisy_fit, lower=0, n=n)
    assert f"Audit: {looked} resamples solved anew from many starts: none had" in fit.draws_note


def test_an_audit_of_all_has_no_others(monkeypatch, noisy_fit):
    fit, _ = audited(monkeypatch, noisy_fit, lower=2, n=7)
    assert fit.draws_note.endswith("so all were started from these too.")


def test_the_audit_solves_from_many_starts(noisy_fit):
    # on this smooth problem it arrives where the warm start did
    weights = counted(noisy_fit, 3)[:, noisy_fit.problem.order]
    u, value = draws.solve_again(noisy_fit, weights)
    warm, best = solver.descend(noisy_fit.problem, np.tile(noisy_fit.u, (3, 1)), weights)
    np.testing.assert_allclose(value, best, rtol=1e-9)
    np.testing.assert_allclose(u, warm, atol=1e-4)
    again = noisy_fit.problem.objective(u, weights, noisy_fit.problem.delta)
    np.testing.assert_allclose(again, value, rtol=1e-12)


def test_resamples_start_from_every_minimum():
    """Few small runs: the fit's best minimum has E = 0, and many resamples want E > 1."""
    fit = sk.fit("chinchilla", sk.load("chinchilla").query("C < 1e19"))
    drawn = fit.bootstrap(200, by=None)
    resamples = draws.Resamples(fit, 200, 0, None, None)
    ((_, weights),) = resamples.parts()
    u, value = draws.solve_again(fit, weights)
    full = np.quantile(fit.problem.to_raw(u)[:, 0], 0.975)
    # from one start and through zero it was .08 where solving each fully gives more than one; the
    # quantile of 200 draws rests on the five beyond it, which differ by about a fifth
    assert full > 1 and drawn.draws["E"].quantile(0.975) > 0.75 * full
    _, ours = solver.newton(fit.problem, fit.problem.from_raw(drawn.draws), weights)
    # a tenth, as the warning has it
    assert np.mean(ours > value * (1 + 1e-6)) < 0.1
    assert " had a lower minimum (by " in drawn.draws_note


def test_draws_do_not_depend_on_the_order_of_rows_nor_on_parts(noisy_fit, monkeypatch):
    whole = noisy_fit.bootstrap(50).draws
    shuffled = noisy_fit.runs.sample(frac=1, random_state=2)
    assert sk.fit(FLOOR, shuffled).bootstrap(50).draws.equals(whole)
    monkeypatch.setattr(draws, "_AT_ONCE", 24 * 7)
    parts = noisy_fit.bootstrap(50).draws
    # the same resamples; each lane is its own minimisation
    np.testing.assert_allclose(parts, whole, rtol=1e-7)


def test_a_draw_beyond_all_numbers_is_left_out_and_counted(noisy_fit, monkeypatch):
    real = solver.descend

    def descend(problem, u, w, **options):
        u, value = real(problem, u, w, **options)
        # ln A of 700: e^700 is beyond 1e290
        u[3] = [0.0, 700.0, np.log(50.0)]
        return u, value

    problem = noisy_fit.problem
    monkeypatch.setattr(problem, "hi", np.array([900.0, 900, 900]))
    monkeypatch.setattr(solver, "descend", descend)
    monkeypatch.setattr(draws, "solve_again", lambda f, w: (w[:, :3] + f.u, w[:, 0] + np.inf))
    fit = noisy_fit.bootstrap(100)
    assert len(fit.draws) == 99 and 3 not in fit.draws.index
    assert "Left out: 1 whose parameters pass 1e+290." in fit.draws_note
    assert np.isfinite(fit.ci()).all(None) and np.isfinite(fit.predict(N=1e10, level=0.9)).all(None)


def test_noise_beyond_the_residuals_widens_the_draws(noisy_fit):
    plain = noisy_fit.bootstrap(200)
    known = sk.fit(FLOOR, noisy_fit.runs, noise=0.05).bootstrap(200)
    assert known.floor == pytest.approx(0.05 / noisy_fit.residual_sd)
    # distances from the estimate, in logarithms, grow by the same factor
    # (A has a unit that depends on alpha)
    far, near = (np.log(f.draws / f.params)[["E", "alpha"]] for f in (known, plain))
    np.testing.assert_allclose(far, known.floor * near, rtol=1e-6, atol=1e-9)


def test_resamples_come_from_a_wide_delta(monkeypatch, noisy_fit):
    asked = []

    def newton(problem, u, w=None, delta=None, **how):
        if how.get("gauss"):
            asked.append(delta)
        return plain(problem, u, w, delta, **how)

    plain = solver.newton
    monkeypatch.setattr(solver, "newton", newton)
    for delta in (0.01, 1e-6):
        fit = sk.fit(noisy_fit.law, noisy_fit.runs, delta=delta)
        asked.clear()
        fit.bootstrap(3)
        # four times the wanted delta, or the typical residual where delta is narrow
        spread = float(fit.residuals().abs().median())
        assert asked == pytest.approx([4 * (delta if delta > spread / 4 else spread)])


def fails(monkeypatch, fit, bad, n=100):
    """Bootstrap with a solver that fails for the first `bad` resamples."""
    real = solver.descend

    def descend(problem, u, w, **options):
        u, value = real(problem, u, w, **options)
        return u, np.where(np.arange(len(value)) < bad, np.inf, value)

    monkeypatch.setattr(solver, "descend", descend)
    monkeypatch.setattr(
        draws, "solve_again", lambda f, w: (np.tile(f.u, (len(w), 1)), np.full(len(w), np.inf))
    )
    return fit.bootstrap(n)


def test_resamples_that_fail(monkeypatch, noisy_fit):
    drawn = fails(monkeypatch, noisy_fit, 5)
    assert list(drawn.draws.index) == list(range(5, 100))
    assert drawn.draws_note.startswith("95 bootstrap draws")
    with pytest.raises(sk.FitError, match="6 of 100 resamples could not be fitted"):
        fails(monkeypatch, noisy_fit, 6)


def test_draws_at_a_bound_are_named():
    law = sk.Law("L(N) = E + A/N**alpha", bounds={"E": (2.0, 10)})
    runs = curve(24)
    runs["L"] *= np.exp(np.random.default_rng(1).normal(0, 0.01, 24))
    note = sk.fit(law, runs).bootstrap(60).draws_note
    assert note.endswith(" At a bound in some resamples: E.")
    free = sk.fit("L(N) = E + A/N**alpha", runs).bootstrap(60)
    assert "At a bound" not in free.draws_note


def test_bad_input(fit240, drawn240):
    for n in (1, 0, 2.5, True, "9"):
        with pytest.raises(ValueError, match="bootstrap: n must be a whole number, 2 or more; got"):
            fit240.bootstrap(n)
    for seed in ("x", -1, 0.5, None):
        with pytest.raises(ValueError, match="bootstrap: seed must be a whole number, 0 or more"):
            fit240.bootstrap(5, seed=seed)
        with pytest.raises(ValueError, match="fit: seed must be a whole number, 0 or more; got"):
            sk.fit("chinchilla", fit240.runs, seed=seed)
        with pytest.raises(ValueError, match="isoflop: seed must be a whole number, 0 or more"):
            sk.isoflop(fit240.runs, [1e19, 1e20, 1e21], seed=seed)
    assert len(fit240.bootstrap(np.int64(2)).draws) == 2
    for level in (0, 1, 95, -0.1, "0.9"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            fit240.bootstrap(10, level=level)
        with pytest.raises(ValueError, match="between 0 and 1"):
            drawn240.ci(level)
    with pytest.raises(ValueError, match=r"no column for by \['N'\]"):
        fit240.bootstrap(10, by=["N"])
    with pytest.raises(ValueError, match="no column for stratify 'model'"):
        fit240.bootstrap(10, stratify="model")
    one = sk.fit("chinchilla", fit240.runs.assign(one="same"))
    with pytest.raises(ValueError, match="by='one' has one value only"):
        one.bootstrap(10, by="one")
    with pytest.raises(ValueError, match=r"predict: this fit has no draws"):
        fit240.predict(N=1e9, D=1e9, level=0.9)


def test_a_resample_that_fixes_nothing_is_left_out_and_counted():
    # Five models, whole: a resample of one model five times holds a single N for two parameters.
    # What a solver returns there is rounding, so a quantile could move from machine to machine.
    runs = curve(5).assign(model=list("abcde"))
    runs["L"] *= np.exp(np.random.default_rng(0).normal(0, 0.01, 5))
    fit = sk.fit("L(N) = (N_c/N)**alpha", runs, loss="squared").bootstrap(2000, by="model")
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.integers(0, 5, (2000, 5)))
    alike = int((drawn[:, 0] == drawn[:, -1]).sum())
    assert alike > 0 and len(fit.draws) == 2000 - alike
    assert (
        f"Left out: {alike} of 2000 resamples hold fewer inputs than the law has" in fit.draws_note
    )


def test_most_resamples_must_fix_the_parameters():
    # five models and four parameters: (5! + 5*240)/5**5 = 42 % of the resamples hold four or five
    runs = curve(5).assign(model=list("abcde"))
    runs["L"] *= np.exp(np.random.default_rng(0).normal(0, 0.01, 5))
    fit = sk.fit("L(N) = E + A/(N + N_0)**alpha", runs)
    with pytest.raises(sk.FitError, match=r"^bootstrap: \d+ of 400 resamples hold fewer inputs"):
        fit.bootstrap(400, by="model")


def test_many_rows_may_hold_few_inputs():
    # 80 rows at three inputs, one of them with a single row: (79/80)**80 of the resamples miss it
    runs = curve(3).loc[[0] * 40 + [1] * 39 + [2]].reset_index(drop=True)
    runs["L"] *= np.exp(np.random.default_rng(0).normal(0, 0.01, 80))
    fit = sk.fit(FLOOR, runs).bootstrap(1000, by=None)
    missed = 1000 - len(fit.draws)
    share = (79 / 80) ** 80
    assert abs(missed / 1000 - share) < 4 * np.sqrt(share * (1 - share) / 1000)
    assert f"Left out: {missed} of 1000 resamples hold fewer inputs" in fit.draws_note
