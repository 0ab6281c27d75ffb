"""What an optimum says of itself: each warning and refusal where it belongs, and nowhere else."""

import numpy as np
import pandas as pd
import pytest
from conftest import FLOOR, plant
from scipy.optimize import curve_fit

import scalekit as sk
from scalekit.fits import health
from scalekit.fits.fit import Starts
from scalekit.fits.problem import Problem

# what cannot be trusted is told by sentences of ours, never by numpy's
pytestmark = pytest.mark.filterwarnings("error")

AGREE = Starts(screened=512, polished=32, share=1.0, rival=None)
# No parameter of it has a unit, so nothing is scaled: residuals y - x - a stay exact.
SHIFT = sk.Law("y(x) = x + a")
# two straight terms, each without a limit of its own
PLANE = sk.Law("y(x, z) = a*x + b*z", real="all")


def make(law, *x, y, w=None, loss="squared", space="linear"):
    x, y = [np.asarray(column, float) for column in x], np.asarray(y, float)
    return Problem(law, x, y, np.ones(len(y)) if w is None else np.array(w), loss, 1e-3, space)


def at(problem, *raw):
    """Coordinates of parameters in the user's units."""
    return problem.from_raw([raw])[0]


def look(problem, *raw, objective=1.0, starts=AGREE):
    return health.examine(problem, at(problem, *raw), objective, starts)


def sound(n=10, noise=0.01):
    """Make a problem of one parameter that nothing is wrong with; its optimum is a = 1."""
    sign = (-1.0) ** np.arange(n)
    x = np.zeros(n)
    x[0] = 1e-9
    return make(SHIFT, x, y=x + 1 + noise * sign)


# nothing to say -----------------------------------------------------------------------------------


def test_a_sound_optimum_has_no_warnings():
    found = look(sound(), 1.0)
    assert sorted(found) == [
        "at_bound",
        "condition",
        "floor",
        "params",
        "residual_sd",
        "warnings",
    ]
    assert found["floor"] == 1.0
    assert found["warnings"] == () and found["at_bound"] == ()
    assert found["condition"] == pytest.approx(1)
    assert found["params"].to_dict() == {"a": 1.0} and found["params"].name == "estimate"
    assert found["residual_sd"] == pytest.approx(0.01 * np.sqrt(10 / 9))


def test_residual_sd_counts_parameters_weights_and_units():
    x = np.array([1.0, 2, 3, 4, 5])
    r = np.array([0.3, -0.1, 0.2, 0.1, -0.4])
    law, w = sk.Law("y(x) = a*x + b", real="all"), [1.0, 2, 3, 1, 2]
    y = 1000 * (2 * x + 1 + r)
    found = look(make(law, x, y=y, w=w), 2000.0, 1000.0)
    assert isinstance(found["residual_sd"], float)
    # of a run of mean weight
    wanted = 1000 * np.sqrt(w @ r**2 / np.mean(w) / (5 - 2))
    assert found["residual_sd"] == pytest.approx(wanted)
    # in whatever unit the weights are
    for factor in (1e-18, 1e18):
        again = look(make(law, x, y=y, w=factor * np.array(w)), 2000.0, 1000.0)
        assert again["residual_sd"] == pytest.approx(wanted)
        assert again["warnings"] == found["warnings"]
        assert again["condition"] == pytest.approx(found["condition"])


# the starts ---------------------------------------------------------------------------------------


def test_few_starts_agree():
    few = AGREE._replace(share=0.4999, polished=64)
    text = "Only 50% of 64 polished starts reached this optimum."
    assert look(sound(), 1.0, starts=few)["warnings"] == (text,)
    quarter = look(sound(), 1.0, starts=AGREE._replace(share=0.25))["warnings"]
    assert quarter == ("Only 25% of 32 polished starts reached this optimum.",)
    assert look(sound(), 1.0, starts=AGREE._replace(share=0.5))["warnings"] == ()


def test_a_rival_within_one_percent():
    text = "Another minimum lies within 1 % of this objective."
    for rival, said in [
        (2.0199, (text,)),
        (2.001, (text,)),
        (1.01 * 2, ()),
        (2.03, ()),
        (None, ()),
    ]:
        starts = AGREE._replace(rival=rival)
        assert look(sound(), 1.0, objective=2.0, starts=starts)["warnings"] == said


def test_few_runs():
    text = "{} runs for 2 parameters leave little to check the law with."
    for n, said in [(3, (text.format(3),)), (4, ()), (5, ())]:
        x = np.arange(1.0, n + 1)
        problem = make(sk.Law("y(x) = a*x + b", real="all"), x, y=2 * x + 1 + 0.01 * (-1) ** x)
        assert look(problem, 2.0, 1.0)["warnings"] == said


def test_warnings_come_in_one_order():
    law = sk.Law("y(x) = a + x", bounds={"a": (1, 2)})
    problem = make(law, [0.0, 1e-9], y=[1.0, 1])
    bad = Starts(9, 9, 0.1, 1.001)
    first, second, third = look(problem, 1.0, starts=bad)["warnings"]
    assert "at its lower bound" in first and second.startswith("Only 10%")
    assert third.startswith("Another minimum")


# parameters that trade off ------------------------------------------------------------------------


def tilted(condition):
    """Make a problem whose two slopes, of length one, have this condition number."""
    # vectors at an angle of 2t have condition 1/tan(t)
    t = np.arctan(1 / condition)
    sign = (-1.0) ** np.arange(8)
    x, z = np.cos(t) + np.sin(t) * sign, np.cos(t) - np.sin(t) * sign
    return make(PLANE, x, z, y=x + z)


@pytest.mark.parametrize("condition", [3.0, 0.999e4])
def test_condition(condition):
    found = look(tilted(condition), 1.0, 1.0)
    # 1/tan(t) of numbers rounded at 1e-16
    assert found["condition"] == pytest.approx(condition, rel=1e-6)
    assert isinstance(found["condition"], float) and found["warnings"] == ()


@pytest.mark.parametrize("condition", [1.001e4, 0.999e10])
def test_parameters_that_trade_off(condition):
    (text,) = look(tilted(condition), 1.0, 1.0)["warnings"]
    assert text == f"The parameters trade off against one another (condition {condition:.1e})."


def test_parameters_that_are_not_told_apart_are_refused():
    with pytest.raises(
        sk.FitError, match=r"b\*z are not separately identified .*condition 1\.0e\+10"
    ):
        look(tilted(1.002e10), 1.0, 1.0)
    x = np.arange(1.0, 9)
    with pytest.raises(sk.FitError, match="not separately identified"):
        look(make(PLANE, x, 2 * x, y=x), 1.0, 1.0)


def test_whiten_inverts_what_it_is_given():
    rng = np.random.default_rng(0)
    jac = rng.normal(size=(9, 3)) * [1, 1e3, 1e-3]
    condition, root = health.whiten(jac)
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(jac.T @ jac), rtol=1e-10)
    assert condition == pytest.approx(np.linalg.cond(jac / np.linalg.norm(jac, axis=0)))
    # a slope of zero is of no use; none at all is of no harm
    assert health.whiten(jac * [1, 0, 1])[0] == np.inf
    empty, none = health.whiten(jac[:, :0])
    assert empty == 1 and none.shape == (0, 0)
    assert health.whiten(np.array([[1e-5], [0]]))[0] == 1


# a factor of e ------------------------------------------------------------------------------------


def loose(se, law=SHIFT):
    """Make runs of which the logarithm of a = 1 has this standard error."""
    # of five, s = r sqrt(5/4), and ln a has s/sqrt(5)
    r = 2 * se * np.array([1.0, -1, 1, -1, 0])
    r[4] = np.sqrt(5 * (2 * se) ** 2 - r @ r)
    return make(law, [0.0, 0, 0, 0, 1e-9], y=1 + r + [0, 0, 0, 0, 1e-9])


def test_parameters_known_no_better_than_to_a_factor_of_e():
    text = "These runs fix a no better than to a factor of e."
    assert look(loose(1.001), 1.0)["warnings"] == (text,)
    assert look(loose(0.999), 1.0)["warnings"] == ()
    # what may be negative has no factor
    signed = sk.Law(SHIFT.formula, real="all")
    assert look(loose(5, signed), 1.0)["warnings"] == ()


def test_the_loose_parameters_are_named_and_no_other():
    text = "These runs fix {} no better than to a factor of e."
    law = sk.Law("y(x, z, v) = a*x + b*z + c*v", real="c")
    # each is held by runs of its own, and ln a has s sqrt(6/3)/sqrt(2) = s/a
    x, z, v = np.repeat(np.eye(3), 2, axis=0).T
    for (a, b), names in [((1.01, 0.99), "b"), ((0.9, 0.99), "a, b"), ((1.01, 1.02), "")]:
        problem = make(law, x, z, v, y=a * x + b * z + [1, -1, 1, -1, 1, -1])
        said = look(problem, a, b, 1e-3, starts=AGREE._replace(share=0.1))["warnings"]
        assert said[:-1] == ((text.format(names),) if names else ())


def test_a_parameter_at_an_edge_is_not_called_loose():
    law = sk.Law("y(x, z) = a*x + b*z", bounds={"a": (0.5, 9)})
    x, z = np.repeat(np.eye(2), 2, axis=0).T
    problem = make(law, x, z, y=0.5 * x + 2 * z + [1, -1, 1, -1])
    assert look(problem, 0.5, 2.0)["warnings"] == ("a = 0.5 is at its lower bound.",)
    # ln b: s sqrt(4/2)/sqrt(2) = 1/b, in spite of a that is left out
    problem = make(law, x, z, y=0.5 * x + 0.9 * z + [1, -1, 1, -1])
    assert look(problem, 0.5, 0.9)["warnings"][1].startswith("These runs fix b no better")


# parameters at an edge ----------------------------------------------------------------------------

LINE = sk.Law("y(x) = a*x + b", real=["a"])


def test_a_term_that_went_to_zero():
    x = np.arange(1.0, 9)
    found = look(make(LINE, x, y=x), 1.0, 1e-9)
    assert found["params"].to_dict() == {"a": 1.0, "b": 0.0} and found["at_bound"] == ("b",)
    assert found["warnings"] == (
        "b went to zero: these runs fit best without it. Drop it, or allow the other sign with "
        "sk.Law(..., real=['b']).",
    )
    # of the other alone: one column has condition 1
    assert found["condition"] == pytest.approx(1)
    # whatever the box says of it
    assert look(make(LINE, x, y=x), 1.0, 0.0)["warnings"] == found["warnings"]
    small = look(make(LINE, x, y=x), 1.0, 1e-6)
    assert small["params"]["b"] == pytest.approx(1e-6) and small["at_bound"] == ()


def between(low, high):
    """Make a problem of a signed a with these bounds."""
    law = sk.Law("y(x) = x + a", real="all", bounds={"a": (low, high)})
    x = np.zeros(5)
    x[0] = 1e-9
    return make(law, x, y=np.array([1.0, -1, 1, -1, 0]) * 1e-3)


@pytest.mark.parametrize(
    ("low", "high", "a", "side"),
    [
        (0, 1, 0, "lower"),
        # 1e-6 from it, to the digit
        (0, 1, 1e-6, "lower"),
        (0, 1, 1.01e-6, None),
        (-1, 0, -1e-6, "upper"),
        (-1, 0, -1.01e-6, None),
        # of its size where that is more than one
        (-9, 5, 5 - 4.9e-6, "upper"),
        (-9, 5, 5 - 5.1e-6, None),
        (-5, 9, -5 + 4.9e-6, "lower"),
        (-5, 9, -5 + 5.1e-6, None),
        (0.1, 0.5, 0.5 - 0.9e-6, "upper"),
        (0.1, 0.5, 0.3, None),
    ],
)
def test_a_parameter_at_its_own_bound(low, high, a, side):
    found = look(between(low, high), a)
    if side is None:
        assert found["warnings"] == found["at_bound"] == ()
    else:
        assert found["warnings"] == (f"a = {a:.4g} is at its {side} bound.",)
        assert found["at_bound"] == ("a",) and found["params"]["a"] == a


def test_a_lower_bound_near_an_upper_one():
    # both are near: the side is that of the nearer one
    problem = between(0, 1e-6)
    assert "at its lower bound" in look(problem, 0.4e-6)["warnings"][0]
    assert "at its upper bound" in look(problem, 0.6e-6)["warnings"][0]
    assert "at its lower bound" in look(problem, 0.5e-6)["warnings"][0]


def test_a_limit_that_nobody_has_set_is_refused():
    x = np.geomspace(1, 9, 9)
    problem = make(sk.Law(FLOOR), x, y=1 + x**-0.5, space="log")
    text = "alpha = 50 is at its upper bound; these runs do not .* span too little in N, or"
    with pytest.raises(sk.FitError, match=text):
        look(problem, 1.0, 1.0, 50.0)
    with pytest.raises(sk.FitError, match=r"alpha = 0\.0001 is at its lower bound; these runs"):
        look(problem, 1.0, 1.0, 1e-4)
    both = make(PLANE, x, x[::-1], y=x)
    with pytest.raises(sk.FitError, match=r"at its lower bound; .* span too little in x or z, or"):
        health.examine(both, np.array([1.0, -1e15]), 1.0, AGREE)


def test_limits_and_zeros_are_told_and_others_may_be_free():
    law = sk.Law("y(x) = p + q*x**k + c*x", bounds={"k": (2, 3)})
    x = np.linspace(1, 2, 9)
    problem = make(law, x, y=1 + x**2)
    found = look(problem, 1.0, 1.0, 2.0, 1e-12)
    assert found["at_bound"] == ("k", "c")
    assert found["warnings"][0] == "k = 2 is at its lower bound."
    assert found["warnings"][1].startswith("c went to zero")
    columns = np.column_stack([np.ones(9), x**2])
    columns /= np.linalg.norm(columns, axis=0)
    assert found["condition"] == pytest.approx(np.linalg.cond(columns))


# numbers beyond numbers ---------------------------------------------------------------------------


def test_an_estimate_beyond_the_largest_number_is_refused():
    N = np.geomspace(1e9, 1e12, 9)
    problem = make(sk.Law(FLOOR), N, y=1 + N**-0.1, space="log")
    u = np.array([0.0, 0, np.log(49)])
    with pytest.raises(sk.FitError, match=r"^fit: A is beyond the largest number in the units"):
        health.examine(problem, u, 1.0, AGREE)


def test_a_curve_beyond_the_largest_number_is_refused():
    law = sk.Law("y(x) = b + exp(c*x)", real="all")
    problem = make(law, [1.0, 2, 3], y=[1.0, 2, 3])
    with pytest.raises(
        sk.FitError,
        match=r"^fit: the derivatives of y\(x\) = b \+ exp\(c\*x\) are not finite at its",
    ):
        look(problem, 1.0, 900.0)


# standard errors ----------------------------------------------------------------------------------


def floor(N, E, A, alpha):
    return E + A / N**alpha


@pytest.fixture(scope="module")
def runs():
    w = np.random.default_rng(5).uniform(0.5, 4, 30)
    return plant(FLOOR, n=30, noise=0.01, E=2.0, A=300.0, alpha=0.3).assign(w=w)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("space", ["log", "linear"])
def test_standard_errors_are_those_of_curve_fit(runs, weights, space):
    runs = runs.assign(L=runs["L"] * 1000)
    fit = sk.fit(FLOOR, runs, loss="squared", space=space, weights=weights)

    def model(N, *params):
        return np.log(floor(N, *params)) if space == "log" else floor(N, *params)

    sigma = None if weights is None else runs["w"] ** -0.5
    y = np.log(runs["L"]) if space == "log" else runs["L"]
    _, covariance = curve_fit(model, runs["N"], y, p0=fit.params, sigma=sigma)
    # scipy takes slopes by differences of 1e-8
    np.testing.assert_allclose(health.standard_errors(fit), np.diag(covariance) ** 0.5, rtol=1e-4)
    assert list(fit.se.index) == ["E", "A", "alpha"] and fit.se.equals(health.standard_errors(fit))


def test_a_parameter_at_its_limit_has_no_standard_error(runs):
    law = sk.Law(FLOOR, bounds={"alpha": (0.01, 0.25)})
    fit = sk.fit(law, runs, loss="squared")
    assert fit.at_bound == ("alpha",)
    se = health.standard_errors(fit)
    assert np.isnan(se["alpha"])

    def model(N, E, A):
        return np.log(floor(N, E, A, 0.25))

    _, covariance = curve_fit(model, runs["N"], np.log(runs["L"]), p0=fit.params[:2])
    # of three parameters, one more than scipy knows
    expected = np.sqrt(np.diag(covariance) * 28 / 27)
    np.testing.assert_allclose(se[["E", "A"]], expected, rtol=1e-4)


# from fits ----------------------------------------------------------------------------------------


def test_a_floor_that_is_not_there_is_zero():
    runs = plant("power_law", n=30, noise=1e-3, span={"x": (1e4, 1e9)}, A=7.5, alpha=0.17)
    fit = sk.fit("y(x) = E + A/x**alpha", runs.assign(y=runs["y"] - 0.02 * runs["y"].min()))
    assert fit.at_bound == ("E",) and fit["E"] == 0.0
    assert "went to zero" in fit.warnings[0]


def test_a_bound_reached_is_a_warning():
    law = sk.Law("y(x) = E + A/x**alpha", bounds={"alpha": (0.01, 0.3)})
    true = {"E": 0.3, "A": 240.0, "alpha": 0.45}
    fit = sk.fit(law, plant("power_law_floor", n=20, span={"x": (1e4, 1e9)}, **true))
    assert fit.at_bound == ("alpha",) and "alpha = 0.3 is at its upper bound" in fit.warnings[0]


def test_redundant_parameters_are_refused():
    runs = plant("power_law", n=20, span={"x": (1e4, 1e9)}, A=7.5, alpha=0.17)
    with pytest.raises(sk.FitError, match="not separately identified"):
        sk.fit("y(x) = A*B/x**alpha", runs)


def test_an_exponent_without_a_limit_is_refused():
    # an exponential here looks like a power of about 100
    x = np.linspace(100, 110, 12)
    with pytest.raises(sk.FitError, match="alpha = 50 is at its upper bound; these runs do not"):
        sk.fit("y(x) = E + A/x**alpha", pd.DataFrame({"x": x, "y": 1 + np.exp(100 - x)}))


def test_a_singular_value_of_minus_zero_is_zero(monkeypatch):
    # as the decomposition of these columns gave on one machine
    real = np.linalg.svd

    def svd(matrix, **options):
        u, s, vt = real(matrix, **options)
        return u, np.r_[s[:-1], -0.0], vt

    monkeypatch.setattr(np.linalg, "svd", svd)
    assert health.whiten(np.eye(3))[0] == np.inf


# the other sign -----------------------------------------------------------------------------------


def test_parameters_that_want_the_other_sign_say_so():
    runs = sk.load("routed").rename(columns={"E": "X"}).query("router == 'S-Base'")
    formula = "L(N, X) = exp(d + a*log(N) + b*log(X) + c*log(N)*log(X))"
    # a and b are negative: with all of them positive nothing but a constant is left, at 11 %
    fit = sk.fit(formula, runs)
    assert fit.at_bound == ("a", "b", "c") and fit.residual_sd > 0.1
    for name, sentence in zip("abc", fit.warnings, strict=False):
        assert sentence.startswith(f"{name} = ")
        assert "does nothing here: these runs fit best without it. Drop it, or allow" in sentence
        assert sentence.endswith(f"sk.Law(..., real=['{name}']).")
    free = sk.fit(sk.Law(formula, real="all"), runs)
    assert not free.at_bound and free.residual_sd < 0.02 and free["a"] < 0 < free["c"]


def test_a_power_that_wants_the_other_sign_says_so():
    runs = sk.load("routed").rename(columns={"E": "X"}).query("router == 'S-Base'")
    with pytest.raises(sk.FitError, match=r"a = 0\.0001 is at its lower .* sign .*real=\['a'\]"):
        sk.fit("L(N, X) = G*N**(a + c*log(X))*X**b", runs)


# noise as given -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "floor", "said"),
    [
        # the residuals of .01 over nine degrees of freedom are .0105
        (0.0105, 1.0, None),
        (0.005, 1.0, "Residuals are 2.1 times the noise given: the law misses by more than noise."),
        (0.1, 9.487, "Residuals are 0.11 times the noise given: these runs show less."),
    ],
)
def test_noise_is_held_against_the_residuals(noise, floor, said):
    found = health.examine(sound(), at(sound(), 1.0), 1.0, AGREE, np.full(10, noise))
    assert found["floor"] == pytest.approx(floor, rel=1e-3)
    assert found["warnings"] == ((said,) if said else ())
