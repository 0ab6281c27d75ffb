"""One law on one table: coordinates, box, objective, derivatives, linear parameters."""

from functools import cache

import numpy as np
import pytest
from conftest import CHINCHILLA, FLOOR
from scipy.optimize import lsq_linear, nnls

from scalekit.fits.problem import Problem
from scalekit.formulas.law import Law

# what has no value, no derivative or no logarithm is told by numbers, never by a warning
pytestmark = pytest.mark.filterwarnings("error")

# No parameter of it has a unit, so nothing is scaled: y - x - a stays exact.
SHIFT = "y(x) = x + a"
LINE = "y(x) = a*x + b"


@cache
def law_of(formula, real, bounds):
    return Law(formula, real=real, bounds=dict(bounds))


def make(formula, *x, y=None, w=None, loss="huber", delta=1e-3, space="log", real=(), bounds=None):
    """Make a problem; y of ones and weights of one unless given."""
    x = [np.asarray(column, float) for column in x]
    y = np.ones(len(x[0])) if y is None else np.asarray(y, float)
    w = np.ones(len(y)) if w is None else np.asarray(w, float)
    law = law_of(formula, real, tuple((bounds or {}).items()))
    return Problem(law, x, y, w, loss, delta, space)


def sizes(n=30, seed=0):
    """Draw N and D over some decades, L near what Chinchilla's law says of them, and weights."""
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7, 11, (2, n))
    L = (1.8 + 480 / N**0.35 + 2100 / D**0.37) * np.exp(rng.normal(0, 0.02, n))
    return N, D, L, rng.uniform(0.5, 2, n)


RAW = np.array([[1.8, 480, 0.35, 2100, 0.37], [2.2, 90, 0.2, 9000, 0.5]])


# the table ----------------------------------------------------------------------------------------


def test_rows_are_ordered_by_output_then_weight_then_inputs():
    y = [2.0, 1, 1, 1, 1]
    w = [1.0, 2, 1, 1, 1]
    N = [1.0, 1, 7, 5, 5]
    D = [1.0, 1, 1, 4, 3]
    problem = make(CHINCHILLA, N, D, y=y, w=w)
    assert problem.order.tolist() == [4, 3, 2, 1, 0]
    assert problem.n == 5
    # of mean one
    np.testing.assert_allclose(problem.w, np.array([1, 1, 1, 2, 1]) / 1.2)
    np.testing.assert_allclose(np.exp(problem.raw_x), [[5, 5, 7, 1, 1], [3, 4, 1, 1, 1]])
    shuffled = [3, 0, 4, 1, 2]
    N, D, y, w = np.array([N, D, y, w])[:, shuffled]
    again = make(CHINCHILLA, N, D, y=y, w=w)
    for name in ("x", "y", "w", "target"):
        np.testing.assert_array_equal(getattr(again, name), getattr(problem, name))


def test_positive_inputs_are_logarithms_about_their_mean():
    problem = make(FLOOR, [1.0, 10, 1000], y=[3.0, 2, 1])
    log = np.log(10)
    # order: by y
    np.testing.assert_allclose(problem.raw_x[0], [3 * log, log, 0], atol=1e-15)
    np.testing.assert_allclose(problem.log_scale, [4 / 3 * log])
    np.testing.assert_allclose(problem.x[0], np.array([5 / 3, -1 / 3, -4 / 3]) * log)
    assert problem.logs == (True,)


def test_inputs_with_zeros_or_signs_are_divided_by_their_root_mean_square():
    problem = make(LINE, [0.0, -4, 9], y=[1.0, 2, 3], space="linear", real="all")
    assert problem.logs == (False,) and problem.raw_x[0].tolist() == [0, -4, 9]
    rms = np.sqrt(97 / 3)
    np.testing.assert_allclose(problem.log_scale, [np.log(rms)])
    np.testing.assert_allclose(problem.x[0], [0, -4 / rms, 9 / rms])
    nothing = make(LINE, [0.0, 0, 0], y=[1.0, 2, 3], space="linear")
    assert nothing.log_scale[0] == 0 and nothing.x[0].tolist() == [0, 0, 0]
    # one zero is enough
    assert make(LINE, [0.0, 1, 1]).logs == (False,)


def test_an_input_without_a_unit_stays_as_it_is():
    problem = make("y(x) = a + b*log(1 + x)", [1.0, 10, 100])
    assert problem.log_scale[0] == 0
    np.testing.assert_array_equal(problem.x[0], problem.raw_x[0])


def test_the_output_is_divided_by_its_size():
    y = np.array([1.0, 10, 100])
    log = make(FLOOR, [1.0, 2, 3], y=y)
    assert log.y_log_scale == pytest.approx(np.log(10), rel=1e-14)
    np.testing.assert_allclose(log.y, [0.1, 1, 10])
    np.testing.assert_allclose(log.target, np.log([0.1, 1, 10]), atol=1e-14)
    linear = make(FLOOR, [1.0, 2, 3], y=y, space="linear")
    rms = np.sqrt(10101 / 3)
    assert linear.y_log_scale == pytest.approx(np.log(rms), rel=1e-14)
    np.testing.assert_allclose(linear.y, y / rms)
    np.testing.assert_array_equal(linear.target, linear.y)
    nothing = make(LINE, [1.0, 2, 3], y=np.zeros(3), space="linear")
    assert nothing.y_log_scale == 0 and nothing.y.tolist() == [0, 0, 0]
    without_unit = make(SHIFT, [1.0, 2, 3], y=y, space="linear")
    assert without_unit.y_log_scale == 0 and without_unit.y.tolist() == y.tolist()


def test_units_of_residuals_delta_and_objective():
    y = [3.0, 4, 5]
    rms = np.sqrt(50 / 3)
    log = make(FLOOR, [1.0, 2, 3], y=y, delta=0.25)
    assert (log.residual_unit, log.reported, log.delta) == (1.0, 1.0, 0.25)
    linear = make(FLOOR, [1.0, 2, 3], y=y, delta=0.25, space="linear")
    assert linear.residual_unit == pytest.approx(rms)
    assert linear.reported == pytest.approx(rms**2) and linear.delta == pytest.approx(0.25 / rms)
    squared = make(FLOOR, [1.0, 2, 3], y=y, loss="squared")
    assert (squared.reported, squared.delta) == (2.0, np.inf)
    both = make(FLOOR, [1.0, 2, 3], y=y, loss="squared", space="linear")
    assert both.reported == pytest.approx(2 * rms**2)


# the box ------------------------------------------------------------------------------------------


def test_box_without_bounds():
    problem = make("y(x) = r + p*x**q + x**s", [1.0, 2], real=("r", "s"))
    assert problem.law.params == ("r", "p", "q", "s")
    assert problem.positive.tolist() == [False, True, True, False]
    # an exponent that may be negative is a number like others
    assert problem.exponent.tolist() == [False, False, True, False]
    np.testing.assert_allclose(problem.lo, [-1e15, -60, np.log(1e-4), -1e15])
    np.testing.assert_allclose(problem.hi, [1e15, 60, np.log(50), 1e15])


@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [
        ({"p": (2, 5)}, np.log(2), np.log(5)),
        # beyond the box: a floor that counts for nothing, a limit that was asked for
        ({"p": (0, 5)}, -60, np.log(5)),
        ({"p": (1e-40, 1e40)}, -60, np.log(1e40)),
        ({"q": (0.2, 99)}, np.log(0.2), np.log(99)),
        ({"q": (1e-9, 99)}, np.log(1e-9), np.log(99)),
        ({"q": (0, 1)}, -1e300, 0),
        ({"r": (-9e20, 9e20)}, -9e20, 9e20),
        ({"r": (0, 1)}, 0, 1),
    ],
)
def test_box_with_bounds(bounds, low, high):
    problem = make("y(x) = r + p*x**q", [1.0, 2], real=("r",), bounds=bounds)
    i = problem.law.params.index(*bounds)
    assert (problem.lo[i], problem.hi[i]) == pytest.approx((low, high))
    others = np.arange(3) != i
    np.testing.assert_allclose(problem.lo[others], np.array([-1e15, -60, np.log(1e-4)])[others])


def test_clip():
    problem = make(LINE, [1.0, 2], real=("b",), bounds={"b": (-1, 2)})
    u = np.array([[99.0, -9], [-99, 9], [1, 1]])
    assert problem.clip(u).tolist() == [[60, -1], [-60, 2], [1, 1]]


# coordinates --------------------------------------------------------------------------------------


def test_positive_parameters_are_logarithms():
    problem = make(LINE, [1.0, 2], real=("b",))
    np.testing.assert_allclose(problem.params(np.array([[np.log(3), -2]])), [[3, -2]])
    # a large number that is no logarithm
    assert problem.params(np.array([[0.0, 1e6]])).tolist() == [[1, 1e6]]


@pytest.mark.parametrize("space", ["log", "linear"])
def test_coordinates_of_chinchilla_by_hand(space):
    N, D, L, w = sizes()
    problem = make(CHINCHILLA, N, D, y=L, w=w, space=space)
    y = np.exp(np.log(L).mean()) if space == "log" else np.sqrt((L**2).mean())
    n, d = np.log(N).mean(), np.log(D).mean()
    E, A, alpha, B, beta = RAW.T
    scaled = [E / y, A / y * np.exp(-alpha * n), alpha, B / y * np.exp(-beta * d), beta]
    np.testing.assert_allclose(problem.from_raw(RAW), np.log(scaled).T, rtol=1e-12)
    np.testing.assert_allclose(problem.to_raw(problem.from_raw(RAW)), RAW, rtol=1e-12)
    # one vector is one lane
    np.testing.assert_array_equal(problem.from_raw(RAW[0]), problem.from_raw(RAW)[:1])


@pytest.mark.parametrize(
    ("formula", "x", "raw"),
    [
        (SHIFT, [1.0, 2, 3], [[0.5], [7]]),
        ("y(x) = a + b*log(1 + x)", [1.0, 2, 3], [[0.5, 2], [7, 1]]),
        ("y(x) = exp(-a*x)", [1.0, 2, 30], [[0.5], [7]]),
        (LINE, [-3.0, 0, 4], [[0.5, 2], [0.1, 1]]),
    ],
)
@pytest.mark.parametrize("space", ["log", "linear"])
def test_round_trip(formula, x, raw, space):
    y = np.array([4.0, 5, 9])
    problem = make(formula, x, y=y, space=space)
    u = problem.from_raw(raw)
    np.testing.assert_allclose(problem.to_raw(u), raw, rtol=1e-12)
    # whatever the scales: residuals of the law itself
    f = problem.law.value(np.array(x), *np.array(raw).T[:, :, None])
    expected = np.log(y / f) if space == "log" else y - f
    found = problem.residuals(u) * problem.residual_unit
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_signed_parameters_and_zeros():
    x = [1.0, 2, 30]
    problem = make(LINE, x, y=[4.0, 5, 9], space="linear", real=("a",))
    raw = [[-2.0, 3], [0, 1]]
    np.testing.assert_allclose(problem.to_raw(problem.from_raw(raw)), raw, rtol=1e-12)
    zero = problem.from_raw([[1.0, 0]])
    assert zero[0, 1] == -60
    # by its own bound, where it has one
    bounded = make(LINE, x, bounds={"b": (2, 3)}).from_raw([[1.0, 0], [1, 9]])
    np.testing.assert_allclose(bounded[:, 1], np.log([2, 3]))


# the same problem, changed ------------------------------------------------------------------------


def test_but_leaves_the_problem_as_it_was():
    problem = make(FLOOR, [1.0, 2, 3], y=[3.0, 2, 1])
    other = problem.but(w=np.zeros(3), n=7)
    assert (other.n, problem.n) == (7, 3) and other.w.sum() == 0 and problem.w.sum() == 3
    assert other.x is problem.x


def test_thin_keeps_evenly_spaced_rows():
    y, w = np.arange(1.0, 11), np.arange(11.0, 21)
    problem = make(FLOOR, np.arange(21.0, 31), y=y, w=w)
    few = problem.thin(4)
    assert few.n == 4 and few.rows.tolist() == [0, 3, 6, 9]
    np.testing.assert_allclose(few.w, np.array([11, 14, 17, 20]) / 15.5)
    np.testing.assert_array_equal(few.x[0], problem.x[0][[0, 3, 6, 9]])
    np.testing.assert_array_equal(few.y, problem.y[[0, 3, 6, 9]])
    np.testing.assert_array_equal(few.target, problem.target[[0, 3, 6, 9]])
    # to the nearest row: 0, 2.25, 4.5, 6.75, 9
    assert problem.thin(5).rows.tolist() == [0, 2, 4, 7, 9]
    for most in (10, 25):
        assert problem.thin(most).rows.tolist() == list(range(10)) and problem.thin(most).n == 10


def test_in_raw_units():
    N, D, L, w = sizes()
    problem = make(CHINCHILLA, N, D, y=L, w=w, bounds={"B": (1, 1e9)})
    raw = problem.in_raw_units()
    np.testing.assert_allclose(raw.to_raw(raw.from_raw(RAW)), RAW, rtol=1e-12)
    u, v = problem.from_raw(RAW), raw.from_raw(RAW)
    np.testing.assert_allclose(raw.residuals(v), problem.residuals(u), atol=1e-12)
    # holding a coordinate holds the parameter, whatever the exponent
    v[:, 2] = np.log(0.9)
    np.testing.assert_allclose(raw.to_raw(v)[:, 1], RAW[:, 1], rtol=1e-12)
    kept = [False, False, True, True, True]
    np.testing.assert_array_equal(raw.lo, np.where(kept, problem.lo, -690))
    np.testing.assert_array_equal(raw.hi, np.where(kept, problem.hi, 690))
    signed = make(LINE, [0.0, 2, 3], real="all").in_raw_units()
    assert signed.lo.tolist() == [-1e300] * 2 and signed.hi.tolist() == [1e300] * 2
    assert signed.x[0].tolist() == [0, 2, 3]


def test_chunks_hold_sixty_thousand_numbers():
    problem = make(SHIFT, [1.0, 2])
    slices = [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert problem.but(n=30_000).chunks(5) == slices
    assert problem.but(n=20_001).chunks(5) == slices
    assert problem.but(n=60_001).chunks(2) == [slice(0, 1), slice(1, 2)]
    assert problem.chunks(30_000) == [slice(0, 30_000)] and len(problem.chunks(30_001)) == 2
    assert problem.chunks(0) == []


# values -------------------------------------------------------------------------------------------


def test_residuals():
    problem = make(SHIFT, [-1.0, 1, 3], y=[1.0, 2, 4], space="linear", real="all")
    assert problem.residuals(np.array([[1.0], [0]])).tolist() == [[1, 0, 0], [2, 1, 1]]
    log = make(SHIFT, [-1.0, 1, 3], y=[1.0, 2, 4], real="all")
    expected = [[np.inf, 0, 0], [np.inf, np.log(2), np.log(4 / 3)]]
    np.testing.assert_allclose(log.residuals(np.array([[1.0], [0]])), expected)
    # a law without its input in some lanes still has a value for each row
    assert log.residuals(np.array([[np.nan]])).tolist() == [[np.inf] * 3]


@pytest.mark.parametrize("delta", [1.0, 2.0, 0.5])
def test_objective_is_huber_on_both_sides_of_delta(delta):
    y, w = np.array([0.0, 1, -1, 2, -3]), np.array([[1.0, 2, 3, 4, 5], [5, 4, 3, 2, 1]])
    problem = make(SHIFT, np.zeros(5), y=y, space="linear", real="all")
    r = np.sort(y)
    huber = np.where(np.abs(r) <= delta, r**2 / 2, delta * (np.abs(r) - delta / 2))
    found = problem.objective(np.zeros((2, 1)), w, delta)
    np.testing.assert_allclose(found, w @ huber, rtol=1e-15)
    squared = problem.objective(np.zeros((2, 1)), w, np.inf)
    np.testing.assert_allclose(squared, w @ r**2 / 2, rtol=1e-15)


def test_objective_is_infinite_where_one_row_is_undefined():
    problem = make(SHIFT, [-1.0, 1, 3], y=[1.0, 2, 4], real="all")
    u = np.array([[0.0], [2], [np.nan]])
    for delta in (1.0, np.inf):
        assert np.isinf(problem.objective(u, np.ones((3, 3)), delta)).tolist() == [
            True,
            False,
            True,
        ]


# derivatives --------------------------------------------------------------------------------------

BENT = [
    (CHINCHILLA, (), [-0.5, -1.9, -1.1, -1.7, -0.9]),
    (CHINCHILLA, ("E", "A"), [0.4, 0.3, -1.1, -0.7, -0.8]),
    # every pair of parameters bends the curve
    ("L(N, D) = E*N**alpha*D**-beta", (), [0.3, -2.0, -2.5]),
]


def central(f, u, h=1e-6):
    """Differentiate f, of lanes (P, K), in each coordinate; the last axis is that coordinate."""
    steps = h * np.eye(u.shape[1])
    return np.stack([(f(u + step) - f(u - step)) / (2 * h) for step in steps], axis=-1)


@pytest.mark.parametrize(("formula", "real", "at"), BENT)
@pytest.mark.parametrize("space", ["log", "linear"])
@pytest.mark.parametrize("delta", [0.3, np.inf])
def test_newton_system_is_gradient_and_hessian(formula, real, at, space, delta):
    N, D, L, w = sizes()
    problem = make(formula, N, D, y=L, w=w, space=space, real=real)
    u = np.array([at, np.array(at) + 0.1])
    rows = np.array([w, w[::-1]])
    r = np.abs(problem.residuals(u))
    assert (r < delta).any(1).all() and (np.isinf(delta) or (r > delta).any(1).all())
    grad, hess, _ = problem.newton_system(u, rows, delta)
    # central differences of step 1e-6: errors of about 1e-10 of the largest
    g = central(lambda v: problem.objective(v, rows, delta), u)
    np.testing.assert_allclose(grad, g, atol=1e-7 * np.abs(g).max())
    h = central(lambda v: problem.newton_system(v, rows, delta)[0], u)
    np.testing.assert_allclose(hess, h, atol=1e-7 * np.abs(h).max())


@pytest.mark.parametrize(("formula", "real", "at"), BENT)
@pytest.mark.parametrize("space", ["log", "linear"])
def test_gauss_newton_and_scale_by_their_formulas(formula, real, at, space):
    N, D, L, w = sizes()
    problem = make(formula, N, D, y=L, w=w, space=space, real=real)
    u = np.array([at, np.array(at) + 0.1])
    rows = np.array([w, w[::-1]])
    for delta in (0.3, np.inf):
        grad, hess, scale = problem.newton_system(u, rows, delta, gauss=True)
        np.testing.assert_allclose(grad, problem.newton_system(u, rows, delta)[0], rtol=1e-12)
        for lane in range(2):
            jac, r = problem.jacobian(u[lane]), np.abs(problem.residuals(u[lane : lane + 1])[0])
            weight = rows[lane] * np.where(r > delta, delta / r, 1)
            np.testing.assert_allclose(hess[lane], (jac.T * weight) @ jac, rtol=1e-10)
            np.testing.assert_allclose(scale[lane], np.sqrt(rows[lane] @ jac**2), rtol=1e-12)


def test_a_residual_of_delta_still_counts_as_a_square():
    problem = make(SHIFT, np.zeros(3), y=[-1.0, 1, 2], space="linear", real="all")
    grad, hess, _ = problem.newton_system(np.zeros((1, 1)), np.ones((1, 3)), 1.0)
    assert grad.tolist() == [[-1]] and hess.tolist() == [[[2]]]
    # of residuals of 1, 1 and 2, and of one that is zero
    gauss = problem.newton_system(np.zeros((1, 1)), np.ones((1, 3)), 1.0, gauss=True)[1]
    assert gauss.tolist() == [[[2.5]]]
    exact = problem.newton_system(np.ones((1, 1)), np.ones((1, 3)), 0.5, gauss=True)[1]
    assert exact.tolist() == [[[0.25 + 1 + 0.5]]]


def test_derivatives_that_do_not_exist_are_told_by_numbers():
    problem = make(SHIFT, [-1.0, 1, 3], y=[1.0, 2, 4], real="all")
    grad, hess, _ = problem.newton_system(np.ones((1, 1)), np.ones((1, 3)), 1.0)
    assert not np.isfinite(grad).any() and not np.isfinite(hess).any()
    assert not np.isfinite(problem.jacobian(np.ones(1))[0]).any()


@pytest.mark.parametrize(("formula", "real", "at"), BENT)
@pytest.mark.parametrize("space", ["log", "linear"])
def test_jacobian(formula, real, at, space):
    N, D, L, _ = sizes()
    problem = make(formula, N, D, y=L, space=space, real=real)
    u = np.array([at])
    slopes = -central(problem.residuals, u)[0]
    # errors of central differences, as above
    np.testing.assert_allclose(problem.jacobian(u[0]), slopes, atol=1e-8)


# terms that add nothing ---------------------------------------------------------------------------


def marked(problem, raw):
    return problem.negligible(problem.from_raw([raw])[0]).tolist()


def test_a_term_below_a_ten_millionth_everywhere_is_negligible():
    problem = make("y(x) = a + b*x", [1.0, 10, 100])
    assert marked(problem, [1, 0.99e-9]) == [False, True]
    # the largest share counts, not the mean
    assert marked(problem, [1, 1.01e-9]) == [False, False]
    assert marked(problem, [0.99e-7, 1]) == [True, False]
    assert marked(problem, [1.01e-7, 1]) == [False, False]


def test_only_positive_linear_parameters_are_negligible():
    tiny = [1, 1e-12, 1]
    assert marked(make("y(x) = a + b*x**c", [1.0, 2, 3]), tiny) == [False, True, False]
    signed = make("y(x) = a + b*x**c", [1.0, 2, 3], real=("b",))
    assert marked(signed, tiny) == [False, False, False]
    # a parameter with bounds is not solved for as a linear one
    bounded = make("y(x) = a + b*x**c", [1.0, 2, 3], bounds={"b": (1e-20, 1)})
    assert marked(bounded, tiny) == [False, False, False]
    # nor is one inside a function, however little it moves the curve
    assert marked(make("y(x) = a + exp(-b*x)", [1.0, 2]), [1, 1e-12]) == [False, False]


def test_negligible_at_its_edge():
    # a of one beside a curve of -1e7, exactly: a ten millionth
    problem = make(SHIFT, [-1e7 - 1, -2e7], space="linear")
    assert problem.negligible(np.zeros(1)).tolist() == [False]
    assert problem.negligible(np.full(1, -1e-8)).tolist() == [True]


def test_a_curve_through_zero():
    # where all is zero a term has no share: a curve of 0/0 would hide that b adds nothing
    problem = make("y(x) = a*tanh(x) + b*x", [0.0, 1, 2], space="linear")
    assert marked(problem, [1, 1e-9]) == [False, True]
    # a share is one of the curve at its own row: .05 b of .05^4 is 8000 b, above 1e-7
    steep = make("y(x) = a*x**4 + b*x", [0.0, 0.05, 1], space="linear")
    assert marked(steep, [1, 1e-10]) == [False, False]
    # but never of less than a millionth of the height
    line = make("y(x) = a*x + b", [0.0, 1], space="linear")
    assert marked(line, [1, 1e-12]) == [False, False]
    assert marked(line, [1, 1e-14]) == [False, True]


# linear parameters --------------------------------------------------------------------------------


def noisy(f, seed):
    return f * np.exp(np.random.default_rng(seed).normal(0, 0.05, len(f)))


@pytest.mark.parametrize("space", ["log", "linear"])
def test_solve_linear_is_weighted_least_squares(space):
    N, D, L, w = sizes()
    problem = make(CHINCHILLA, N, D, y=L, w=w, space=space)
    assert problem.linear == [0, 1, 3]
    solved = problem.to_raw(problem.solve_linear(problem.from_raw(RAW)))
    np.testing.assert_allclose(solved[:, [2, 4]], RAW[:, [2, 4]], rtol=1e-12)
    # ln y linearised at y: relative errors
    root = np.sqrt(w) / (L if space == "log" else 1)
    for alpha, beta, found in zip(RAW[:, 2], RAW[:, 4], solved[:, [0, 1, 3]], strict=True):
        terms = np.column_stack([np.ones(30), N**-alpha, D**-beta])
        expected = np.linalg.lstsq(terms * root[:, None], L * root)[0]
        assert (expected > 0).all()
        # normal equations lose twice the digits of a condition of about 1e3
        np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_solve_linear_whatever_the_size_of_weights_and_terms():
    x = np.linspace(0.2, 3, 25)
    for w, size in ((1e-24, 1), (1e24, 1), (1, 1e-12)):
        y = size * (2 + 3 * x)
        problem = make("y(x) = a + b*x", x, y=y, w=np.full(25, w), space="linear")
        found = problem.to_raw(problem.solve_linear(np.zeros((1, 2))))[0]
        # the ridge of 1e-13 times the condition
        np.testing.assert_allclose(found, [2 * size, 3 * size], rtol=1e-10)


def test_solve_linear_with_terms_below_zero():
    x = np.linspace(-3, -1, 9)
    for real in ((), ("a",)):
        sign = -1 if real else 1
        y = sign * 2 * x + 9
        problem = make(LINE, x, y=y, space="linear", real=real)
        found = problem.to_raw(problem.solve_linear(np.zeros((1, 2))))[0]
        np.testing.assert_allclose(found, [sign * 2, 9], rtol=1e-9)


def test_terms_that_are_the_same_are_shared():
    x = np.linspace(0.2, 3, 25)
    problem = make("y(x) = a*x + b*x", x, y=3 * x, space="linear")
    found = problem.to_raw(problem.solve_linear(np.zeros((1, 2))))[0]
    # rounding of 1e-16 beside a ridge of 1e-13
    assert found.sum() == pytest.approx(3, rel=1e-2)


def test_what_is_not_linear_is_part_of_the_rest():
    x = np.linspace(0.5, 3, 20)
    y = noisy(2 * x + np.exp(-0.5 * x), 0)
    problem = make("y(x) = a*x + exp(-k*x)", x, y=y, space="linear")
    assert problem.linear == [0]
    solved = problem.to_raw(problem.solve_linear(problem.from_raw([[9.0, 0.7]])))[0]
    assert solved[0] == pytest.approx(x @ (y - np.exp(-0.7 * x)) / (x @ x), rel=1e-12)
    assert solved[1] == pytest.approx(0.7, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_positive_ones_may_go_to_zero(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.2, 3, 25)
    terms = np.column_stack([np.ones(25), x, x**2, x**3])
    y = terms @ rng.permutation([3.0, -0.5, 1.0, -0.3]) + rng.normal(0, 0.1, 25)
    problem = make("y(x) = a + b*x + c*x**2 + d*x**3", x, y=y, space="linear")
    u = problem.solve_linear(np.zeros((1, 4)))
    expected = nnls(terms, y)[0]
    zero = expected == 0
    assert zero.any()
    raw, params = problem.to_raw(u)[0], problem.params(u)[0]
    np.testing.assert_allclose(raw[~zero], expected[~zero], rtol=1e-7)
    # a millionth of the largest, in coordinates
    np.testing.assert_allclose(params[zero], 1e-6 * params.max(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_signed_ones_may_be_negative(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.2, 3, 25)
    terms = np.column_stack([np.ones(25), x, x**2])
    y = terms @ rng.permutation([3.0, -2.0, -1.0]) + rng.normal(0, 0.1, 25)
    problem = make("y(x) = a + b*x + c*x**2", x, y=y, space="linear", real=("a", "b"))
    found = problem.to_raw(problem.solve_linear(np.zeros((1, 3))))[0]
    expected = lsq_linear(terms, y, ([-np.inf, -np.inf, 0], np.inf), tol=1e-14).x
    kept = expected > 1e-6
    kept[:2] = True
    np.testing.assert_allclose(found[kept], expected[kept], rtol=1e-6)
    assert (expected[:2] < 0).any()


FIVE = "y(x) = a + b*x + c*x**2 + d*x**3 + e/x"


def test_more_than_four_are_solved_once():
    x = np.linspace(0.2, 3, 25)
    terms = np.column_stack([np.ones(25), x, x**2, x**3, 1 / x])
    good, bad = terms @ [1, 2, 3, 1, 2], terms @ [1, 2, -3, 1, 2]
    problem = make(FIVE, x, y=good, space="linear")
    found = problem.to_raw(problem.solve_linear(np.zeros((1, 5))))[0]
    # normal equations of a condition of about 1e3
    np.testing.assert_allclose(found, [1, 2, 3, 1, 2], rtol=1e-6)
    # which ones should go is not tried: none is found
    assert make(FIVE, x, y=bad, space="linear").solve_linear(np.zeros((1, 5))).tolist() == [
        [-60] * 5
    ]
    # nor is it needed where all may be negative
    signed = make(FIVE, x, y=bad, space="linear", real="all")
    found = signed.to_raw(signed.solve_linear(np.zeros((1, 5))))[0]
    np.testing.assert_allclose(found, [1, 2, -3, 1, 2], rtol=1e-6)


def test_nothing_to_solve():
    problem = make("y(x) = exp(-a*x)", [1.0, 2])
    u = np.zeros((2, 1))
    assert problem.linear == [] and problem.solve_linear(u) is u
    # no coefficient may be left: positive terms for an output below zero
    below = make(LINE, [1.0, 2, 3], y=[-1.0, -2, -3], space="linear")
    assert below.solve_linear(np.zeros((1, 2))).tolist() == [[-60, -60]]


def test_lanes_without_a_value_are_nan_and_the_others_are_not_touched():
    x = np.linspace(1, 1000, 20)
    problem = make("y(x) = a + b*x**k", x, y=3 + x**2, space="linear", real=("k",))
    u = np.array([[0.0, 0, 2], [0, 0, 900], [0, 0, np.nan], [0, 0, 1]])
    both = problem.solve_linear(u)
    assert np.isnan(both).all(1).tolist() == [False, True, True, False]
    np.testing.assert_array_equal(both[[0, 3]], problem.solve_linear(u[[0, 3]]))
    # the part of the law that is not linear counts as well
    rest = make("y(x) = a*x + exp(k*x)", x, y=3 + x, space="linear", real=("k",))
    assert np.isnan(rest.solve_linear(np.array([[0.0, 9e9], [0, -1]]))).all(1).tolist() == [
        True,
        False,
    ]


def test_lanes_in_chunks_are_the_same_as_one_by_one():
    N, D, L, w = sizes()
    problem = make(CHINCHILLA, N, D, y=L, w=w)
    u = problem.from_raw(RAW)[[0, 1, 0, 1, 1]] + 0.1 * np.arange(5)[:, None]
    alone = np.vstack([problem.solve_linear(u[i : i + 1]) for i in range(5)])
    # sums in another order
    np.testing.assert_allclose(problem.solve_linear(u), alone, rtol=1e-9)


def test_solved_ones_stay_in_the_box():
    problem = make(LINE, [1.0, 2, 3], y=[1e-30, 1e-30, 1e-30], space="linear", real=("b",))
    huge = problem.but(lo=np.array([-1.0, -0.5]), hi=np.array([1.0, 0.5]))
    u = huge.solve_linear(np.zeros((1, 2)))[0]
    assert (u >= huge.lo).all() and (u <= huge.hi).all()
    assert 0.5 in np.abs(u)
