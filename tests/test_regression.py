"""General nonlinear regression: textbook problems, noise-free, from starts off by a factor of two.

Forms are classics of the regression literature; constants are of their size, abscissae ours.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

import scalekit as sk

PEAKS = "y(x) = b1*exp(-b2*x) + b3*exp(-(x - b4)**2/b5**2) + b6*exp(-(x - b7)**2/b8**2)"
RATIONAL = "y(x) = (b1 + b2*x + b3*x**2 + b4*x**3)/(1 + b5*x + b6*x**2 + b7*x**3)"
THREE = "y(x) = b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
WAVES = "y(x) = b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b4*cos(2*pi*x/b5) + b6*sin(2*pi*x/b5)"
PROBLEMS = {
    "exponential rise": ("y(x) = b1*(1 - exp(-b2*x))", [239, 5.5e-4], np.linspace(77, 760, 14)),
    "decay over a floor": ("y(x) = b1*exp(-b2*x) + b3", [5, 0.7, 0.3], np.linspace(0, 10, 40)),
    "three exponentials": (THREE, [0.0951, 1, 0.8607, 3, 1.5576, 5], np.arange(24) * 0.05),
    "two slow exponentials": (
        "y(x) = b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
        [0.375, 1.936, -1.465, 0.0129, 0.0221],
        np.arange(0, 330, 10.0),
    ),
    "damped rational": (
        "y(x) = exp(-b1*x)/(b2 + b3*x)",
        [0.19, 0.0061, 0.0105],
        np.linspace(0.5, 5.75, 54),
    ),
    "ratio of cubics": (
        RATIONAL,
        [1288, 1491, 583, 75.4, 0.966, 0.398, 0.0497],
        np.linspace(-3, 2.2, 37),
    ),
    "ratio of cubics, small": (
        RATIONAL,
        [1.08, -0.1227, 4.09e-3, -1.43e-6, -5.76e-3, 2.4e-4, -1.23e-7],
        np.linspace(14, 850, 236),
    ),
    "enzyme": (
        "y(x) = b1*(x**2 + x*b2)/(x**2 + x*b3 + b4)",
        [0.193, 0.191, 0.123, 0.136],
        np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]),
    ),
    "two peaks on a background": (
        PEAKS,
        [98.8, 0.0109, 100.5, 67.5, 23.1, 72, 178, 18.4],
        np.arange(1, 251.0),
    ),
    "one narrow peak": (
        "y(x) = b1/b2*exp(-0.5*((x - b3)/b2)**2)",
        [1.55, 4.09, 451.5],
        np.linspace(400, 500, 35),
    ),
    "logistic growth": (
        "y(x) = b1/(1 + exp(b2 - b3*x))",
        [72.5, 2.62, 0.0674],
        np.linspace(9, 79, 9),
    ),
    "generalised logistic": (
        "y(x) = b1/(1 + exp(b2 - b3*x))**(1/b4)",
        [699.6, 5.277, 0.7596, 1.279],
        np.arange(1, 16.0),
    ),
    "Michaelis-Menten": (
        "y(x) = b1*x/(b2 + x)",
        [212.7, 0.0641],
        np.array([0.02, 0.06, 0.11, 0.22, 0.56, 1.1]),
    ),
    "arctangent": (
        "y(x) = b1 - b2*x - arctan(b3/(x - b4))/pi",
        [0.202, -6.2e-6, 1204.5, -181.3],
        np.linspace(-5000, 6000, 25) + 13,
    ),
    "steep exponential": (
        "y(x) = b1*exp(b2/(x + b3))",
        [0.0056, 6181.3, 345.2],
        np.linspace(50, 125, 16),
    ),
    "shifted power": (
        "y(x) = b1*(b2 + x)**(-1/b3)",
        [-2523.5, 46.74, 0.9322],
        np.linspace(7.4, 15, 154),
    ),
    "two waves": (WAVES, [10.5, 3.08, 0.53, -1.62, 44.3, 0.52], np.arange(1, 169.0)),
}
# A start that misses a narrow peak or a period altogether says nothing of where it is: these two
# start nearer.
CLOSE = {"one narrow peak": 1.1, "two waves": 1.2}
WITHOUT_START = [
    "exponential rise",
    "decay over a floor",
    "logistic growth",
    "generalised logistic",
    "Michaelis-Menten",
]


def make(name):
    formula, true, x = PROBLEMS[name]
    law = sk.Law(formula, real="all")
    true = dict(zip(sorted(law.params), map(float, true), strict=True))
    return law, true, pd.DataFrame({"x": x, "y": law(x=x, **true)})


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("side", [1, -1])
def test_six_digits_from_a_start_that_is_off(name, side):
    law, true, runs = make(name)
    off = CLOSE.get(name, 2.0) ** side
    start = {p: v * off for p, v in true.items()}
    fit = sk.fit(law, runs, loss="squared", space="linear", start=start)
    np.testing.assert_allclose(
        fit.params, [true[p] for p in law.params], rtol=1e-6
    )  # the six digits asked for
    x, y = runs["x"].to_numpy(), runs["y"].to_numpy()
    with np.errstate(all="ignore"):
        try:
            theirs = least_squares(
                lambda p: law.value(x, *p) - y,
                [start[p] for p in law.params],
                x_scale="jac",
                xtol=1e-15,
                ftol=1e-15,
                gtol=1e-15,
                max_nfev=2000,
            )
        except ValueError:  # it meets infinities on the way
            return
    rounding = (
        len(y) * (1e-14 * np.abs(y).max()) ** 2
    )  # a few roundings of y: below it, two zeros are compared
    assert fit.objective <= 2 * theirs.cost * (1 + 1e-9) + rounding


@pytest.mark.parametrize("name", WITHOUT_START)
def test_six_digits_without_a_start(name):
    law, true, runs = make(name)
    fit = sk.fit(law, runs, loss="squared", space="linear")
    np.testing.assert_allclose(fit.params, [true[p] for p in law.params], rtol=1e-6)


@pytest.mark.parametrize("start", [[2, 4e5, 25000], None])
def test_a_long_bent_valley_is_followed_to_its_end(start):
    # starts two orders of magnitude off: hundreds of steps along a valley of condition 1e9
    law, true, runs = make("steep exponential")
    fit = sk.fit(law, runs, loss="squared", space="linear", start=start)
    np.testing.assert_allclose(fit.params, [true[p] for p in law.params], rtol=1e-6)


def test_of_mirror_images_the_positive_one():
    law, true, runs = make("one narrow peak")  # the same curve with b1 and b2 negative
    fit = sk.fit(law, runs, loss="squared", space="linear")
    np.testing.assert_allclose(fit.params, [true[p] for p in law.params], rtol=1e-6)


def test_power_law_without_a_start():
    x = np.linspace(1, 3.7, 15)
    fit = sk.fit(
        "y(x) = A*x**b", pd.DataFrame({"x": x, "y": 0.77 * x**3.86}), loss="squared", space="linear"
    )
    np.testing.assert_allclose(fit.params, [0.77, 3.86], rtol=1e-6)


def test_standard_errors_and_residual_sd_of_a_straight_line():
    # the one problem with a closed form: compared with ordinary least squares
    rng = np.random.default_rng(0)
    x = np.linspace(-3, 8, 30)
    y = 2 - 0.7 * x + rng.normal(0, 0.3, 30)
    law = sk.Law("y(x) = a + b*x", real="all")
    fit = sk.fit(law, pd.DataFrame({"x": x, "y": y}), loss="squared", space="linear")
    design = np.column_stack([np.ones(30), x])
    beta, rss, *_ = np.linalg.lstsq(design, y, rcond=None)
    cov = rss[0] / 28 * np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(fit.params, beta, rtol=1e-9)
    np.testing.assert_allclose(
        fit.se, np.sqrt(np.diag(cov)), rtol=1e-6
    )  # to_raw is differentiated by differences
    assert fit.residual_sd == pytest.approx(np.sqrt(rss[0] / 28), rel=1e-9)
    assert fit.objective == pytest.approx(rss[0], rel=1e-9)


def test_standard_errors_with_weights_match_repeated_rows():
    rng = np.random.default_rng(1)
    x = np.linspace(0, 5, 40)
    runs = pd.DataFrame({"x": x, "y": 3 * np.exp(-0.7 * x) + 0.5 + rng.normal(0, 0.02, 40)})
    fit = sk.fit(
        "y(x) = a*exp(-b*x) + c", runs, loss="squared", space="linear", weights=np.full(40, 4.0)
    )
    plain = sk.fit("y(x) = a*exp(-b*x) + c", runs, loss="squared", space="linear")
    np.testing.assert_allclose(fit.params, plain.params, rtol=1e-7)
    np.testing.assert_allclose(
        fit.se, plain.se, rtol=1e-5
    )  # a common factor of the weights cancels


def test_inputs_may_be_negative_or_zero_where_the_law_allows_it():
    x = np.linspace(-4, 4, 33)
    law = sk.Law("y(x) = a/(1 + exp(-k*(x - m)))", real=["m"])
    fit = sk.fit(
        law,
        pd.DataFrame({"x": x, "y": law(x=x, a=2.0, k=1.3, m=-0.4)}),
        loss="squared",
        space="linear",
    )
    np.testing.assert_allclose(fit.params, [2.0, 1.3, -0.4], rtol=1e-6)
