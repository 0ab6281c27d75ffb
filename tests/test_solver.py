"""The solver by itself: steps, damping, box, lanes, starts, and which of them are followed."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import CHINCHILLA, FLOOR, plant
from scipy.optimize import linprog, minimize

from scalekit.fits import solver
from scalekit.fits.problem import Problem
from scalekit.formulas.law import Law

# a lane that leads nowhere is told by numbers, never by a warning
pytestmark = pytest.mark.filterwarnings("error")

TRUE = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}


def make(law, runs, loss="squared", delta=1e-3, space="log", w=None):
    """Make the problem of a law on a table."""
    law = Law(law) if isinstance(law, str) else law
    x, y = [runs[name].to_numpy() for name in law.inputs], runs[law.output].to_numpy()
    return Problem(law, x, y, np.ones(len(y)) if w is None else w, loss, delta, space)


@pytest.fixture(scope="module")
def chinchilla():
    """Return Chinchilla's law on 40 planted runs, with weights."""
    w = np.random.default_rng(1).uniform(0.5, 2, 40)
    return make(CHINCHILLA, plant(CHINCHILLA, n=40, noise=0.01, **TRUE), w=w)


class Bowl:
    """Stand in for a problem: g'd + d'Hd/2 + level at a distance d from `origin`, as it is told.

    It remembers the points at which it is asked. With `values` it answers these in turn, whatever
    the point, and `g` and `H` are those of every point.
    """

    n, delta, w = 1, 1.0, np.ones(1)

    def __init__(self, H, g=0.0, level=1.0, lo=-np.inf, hi=np.inf, **changes):
        self.H = np.atleast_2d(np.asarray(H, float))
        self.k = k = len(self.H)
        self.g = np.broadcast_to(np.asarray(g, float), k)
        self.level, self.lo, self.hi = level, np.full(k, lo), np.full(k, hi)
        self.positive, self.scale, self.origin = np.zeros(k, bool), np.ones(k), np.zeros(k)
        self.values, self.trials, self.systems = None, [], []
        self.__dict__.update(changes)

    def chunks(self, lanes):
        return [slice(0, lanes)]

    def clip(self, u):
        return np.clip(u, self.lo, self.hi)

    def objective(self, u, w, delta):
        self.trials.append(u.copy())
        if self.values is not None:
            return np.full(len(u), self.values.pop(0), float)
        d = u - self.origin
        return self.level + d @ self.g + 0.5 * np.einsum("pi,ij,pj->p", d, self.H, d)

    def newton_system(self, u, w, delta, gauss=False):
        self.systems.append(u.copy())
        g = self.g if self.values is not None else self.g + (u - self.origin) @ self.H
        return (
            np.array(np.broadcast_to(g, u.shape)),
            np.array([self.H] * len(u)),
            np.array([self.scale] * len(u)),
        )

    def first_step(self, u=None, **how):
        """Return the step that is tried first, from zero unless said."""
        start = np.zeros((1, self.k)) if u is None else np.array([u], float)
        solver.newton(self, start, steps=1, **how)
        return self.trials[1][0] - start[0]


# one step -----------------------------------------------------------------------------------------


def test_one_step_ends_at_the_minimum_of_a_bowl():
    bowl = Bowl([[2.0, 1], [1, 3]], origin=np.array([0.5, -0.25]))
    u, value = solver.newton(bowl, np.array([[1.0, 1], [0, 0]]), steps=1)
    np.testing.assert_allclose(u, [[0.5, -0.25]] * 2, rtol=1e-12)
    np.testing.assert_allclose(value, 1)


def bent_step(H, g, scale, damping=0.0):
    """-(|H| + damping)^-1 g in coordinates scaled by `scale`, as the docstring has it."""
    lam, vec = np.linalg.eigh(H / np.outer(scale, scale))
    size = np.abs(lam) + damping * np.abs(lam).max()
    return -(vec / size) @ vec.T @ (g / scale) / scale


@pytest.mark.parametrize(("gauss", "damping"), [(False, 0), (True, 1e-3)])
def test_step_where_the_objective_bends_down(gauss, damping):
    H, g, scale = np.array([[1.0, 2], [2, -3]]), np.array([0.3, 0.4]), np.array([2.0, 0.5])
    step = Bowl(H, g, scale=scale).first_step(gauss=gauss)
    np.testing.assert_allclose(step, bent_step(H, g, scale, damping), rtol=1e-12)
    assert step @ g < 0


def test_a_direction_without_bend_is_taken_as_nearly_flat():
    # 1e-12 of the largest: -1e-13/1e-12
    step = Bowl([[4.0, 0], [0, 0]], [4, 4e-13]).first_step()
    np.testing.assert_allclose(step, [-1, -0.1], rtol=1e-9)


def test_a_coordinate_that_does_nothing_holds_nobody_back():
    flat = Bowl([[2.0, 0], [0, 0]], [1, 0], scale=np.array([1.0, 0]))
    np.testing.assert_allclose(flat.first_step(), [-0.5, 0])
    # slopes of 1e-140 still count, whose square is 1e-280
    steep = Bowl([[2.0, 0], [0, 1e-280]], [1, 1e-280], scale=np.array([1.0, 1e-140]))
    np.testing.assert_allclose(steep.first_step(), [-0.5, -1])


def test_steps_are_cut_in_their_direction():
    real = Bowl(np.eye(2), [30, 40])
    np.testing.assert_allclose(real.first_step(), [-7.5, -10])
    # relative to the size of the coordinate, where that is more than one
    np.testing.assert_allclose(Bowl([[1.0]], 100).first_step([-7]), [-70 + 0.0])
    np.testing.assert_allclose(Bowl([[1.0]], 100).first_step([0.5]), [-10])
    np.testing.assert_allclose(Bowl([[1.0]], [69]).first_step([-7]), [-62])
    logs = Bowl(np.eye(2), [30, 40], positive=np.array([True, False]))
    np.testing.assert_allclose(logs.first_step(), [-3, -4])
    np.testing.assert_allclose(Bowl([[1.0]], 2.9, positive=np.array([True])).first_step(), [-2.9])


def test_without_any_bend_the_longest_step_is_taken():
    slope = Bowl([[0.0]], 1)
    u, value = solver.newton(slope, np.zeros((1, 1)), steps=1)
    assert u.item() == -10 and value.item() == -9


def test_a_flat_objective_is_left_where_it_is():
    flat = Bowl(np.zeros((2, 2)))
    u, value = solver.newton(flat, np.full((1, 2), 0.7))
    assert u.tolist() == [[0.7, 0.7]] and value.tolist() == [1]


# line search and damping --------------------------------------------------------------------------


def scripted(*values, steps=9, g=1.0, **how):
    """Give a bowl of bend one the objectives it is to answer; return it and what was found."""
    bowl = Bowl([[1.0]], g, values=[10.0, *values])
    found = solver.newton(bowl, np.zeros((1, 1)), steps=steps, **how)
    return bowl, *(f.item() for f in found)


def test_of_shorter_steps_the_best_of_the_first_fan_that_lowers_is_taken():
    bowl, u, value = scripted(9.9, steps=1)
    assert (u, value) == (-1, 9.9) and len(bowl.trials) == 2
    # the first fan holds 1/2 to 1/16
    bowl, u, value = scripted(11, [10, np.inf, 9, 9.5], steps=1)
    assert (u, value) == (-1 / 8, 9)
    assert bowl.trials[2].ravel().tolist() == [-1 / 2, -1 / 4, -1 / 8, -1 / 16]
    bowl, u, value = scripted(11, [10] * 4, [np.nan, 10, 9, 8], steps=1)
    assert (u, value) == (-1 / 256, 8)
    # down to where a step is rounding, and no further
    bowl, u, value = scripted(10, [10] * 4, [10] * 4, [10] * 8, [10] * 8, steps=9)
    assert (u, value) == (0, 10) and bowl.trials[-1][-1].item() == -(0.5**24)
    # a lane that nothing lowers has come to its end
    assert len(bowl.systems) == 1


def test_of_damped_steps_the_longest_that_lowers_is_taken():
    for length, values in [
        (1, [9.9]),
        (1 / 4, [10, 9.9]),
        (1 / 16, [11, np.inf, 9]),
        (1 / 64, [10, 10, 10, 9]),
    ]:
        bowl, u, value = scripted(*values, steps=1, gauss=True)
        assert u == pytest.approx(-length / 1.001) and value == values[-1]
        assert len(bowl.trials) == 1 + len(values)
    bowl, u, value = scripted(10, 10, 10, 10, steps=1, gauss=True)
    assert u == 0 and value == 10


def tried(bowl, points, length=1):
    """Damping that the steps of this length tell of: the step is length/(1 + damping)."""
    return [length / -(bowl.trials[i] - start).item() - 1 for i, start in points]


def test_damping_after_failed_steps():
    # four failed trials a step: the damping starts at 1e-3 and grows by four until beyond 1e4
    bowl, u, value = scripted(*[10.0] * 99, steps=99, gauss=True)
    dampings = [-1 / bowl.trials[1 + 4 * i].item() - 1 for i in range(len(bowl.systems))]
    # 1e-3 4^12 = 1.7e4 is the first of them beyond 1e4, and is not tried
    np.testing.assert_allclose(dampings, 1e-3 * 4.0 ** np.arange(12), rtol=1e-9)
    assert (u, value) == (0, 10) and len(bowl.trials) == 1 + 4 * 12


@pytest.mark.parametrize(
    ("values", "factor"),
    [([9], 0.2), ([11, 9], 1), ([11, 11, 9], 4), ([11, 11, 11, 9], 4), ([11, 11, 11, 11], 4)],
)
def test_damping_after_a_step_of_some_length(values, factor):
    # Levenberg-Marquardt steps begin with a damping of 1e-3
    bowl, *_ = scripted(*values, 1, steps=2, gauss=True)
    before, step = (-1 / (bowl.trials[i] - bowl.systems[j]).item() for i, j in ((1, 0), (-1, 1)))
    assert before == pytest.approx(1.001, rel=1e-12)
    assert step - 1 == pytest.approx(1e-3 * factor, rel=1e-9)


def test_small_damping_is_raised_by_failure_alone():
    # 1e-3 * 0.2^2 = 4e-5, then a failure: 1e-4, then a success: 2e-5
    bowl, *_ = scripted(9, 8, *[8] * 4, 7, 6, steps=5, gauss=True)
    starts = [system.item() for system in bowl.systems]
    tries = [bowl.trials[i].item() for i in (1, 2, 3, 7, 8)]
    dampings = [-1 / (t - s) - 1 for t, s in zip(tries, starts, strict=True)]
    np.testing.assert_allclose(dampings, [1e-3, 2e-4, 4e-5, 1.6e-4, 3.2e-5], rtol=1e-8)
    bowl, *_ = scripted(9, 8, 7, *[7] * 4, 6, steps=5, gauss=True)
    # 8e-6 times four is less than 1e-4
    assert -1 / (bowl.trials[-1] - bowl.systems[-1]).item() - 1 == pytest.approx(1e-4, rel=1e-8)


# arrival ------------------------------------------------------------------------------------------


def test_a_lane_arrives_when_the_model_promises_too_little():
    # from a distance of one the promise is 1/2, a quarter of the objective of 2
    for tol, systems in ((0.25, 1), (0.249, 2)):
        bowl = Bowl([[1.0]], level=1.5)
        u, value = solver.newton(bowl, np.ones((1, 1)), tol=tol)
        # the step is still taken
        assert len(bowl.systems) == systems and u.item() == 0 and value.item() == 1.5
    # relative to the size of the objective, whatever its sign
    below = Bowl([[1.0]], level=-2.5)
    solver.newton(below, np.ones((1, 1)), tol=0.25)
    assert len(below.systems) == 1
    exact = Bowl([[1.0]], level=0.0)
    solver.newton(exact, np.ones((1, 1)), tol=0)
    assert len(exact.systems) == 2


def test_defaults_of_newton():
    bowl, *_ = scripted(*np.linspace(9, 1, 200), steps=100)
    endless = Bowl([[1.0]], 1.0, values=list(np.linspace(9, 1, 200)))
    solver.newton(endless, np.zeros((1, 1)))
    assert len(endless.systems) == 100 == len(bowl.systems)
    # 1e-13 of an objective of one
    for distance, systems in ((4e-7, 1), (5e-7, 2)):
        bowl = Bowl([[1.0]])
        solver.newton(bowl, np.full((1, 1), distance))
        assert len(bowl.systems) == systems
    assert solver.TOLERANCE == 1e-13
    none = Bowl([[1.0]])
    u, value = solver.newton(none, np.ones((1, 1)), steps=0)
    assert u.item() == 1 and value.item() == 1.5 and not none.systems


def test_delta_and_weights_are_the_problems_own_unless_given():
    asked = []

    class Asked(Bowl):
        def objective(self, u, w, delta):
            asked.append((w.tolist(), delta))
            return super().objective(u, w, delta)

    bowl, start = Asked([[1.0]], delta=7.0, w=np.array([3.0])), np.ones((2, 1))
    solver.newton(bowl, start, steps=0)
    solver.newton(bowl, start, np.array([[4.0], [5]]), 0.5, steps=0)
    assert asked == [([[3], [3]], 7), ([[4], [5]], 0.5)]


# lanes --------------------------------------------------------------------------------------------


def test_lanes_without_a_value_are_left_alone():
    class Torn(Bowl):
        def objective(self, u, w, delta):
            return np.where(u[:, 0] > 5, np.inf, super().objective(u, w, delta))

    bowl, start = Torn([[1.0]]), np.array([[9.0], [1], [8]])
    u, value = solver.newton(bowl, start)
    assert u.tolist() == [[9], [0], [8]] and value.tolist() == [np.inf, 1, np.inf]
    assert [len(s) for s in bowl.systems] == [1, 1]
    # the starts themselves are never changed
    assert start.tolist() == [[9], [1], [8]]


@pytest.mark.parametrize("what", ["g", "H"])
def test_lanes_without_a_derivative_stop_at_once(what):
    class Torn(Bowl):
        def newton_system(self, u, w, delta, gauss=False):
            g, H, scale = super().newton_system(u, w, delta)
            (g if what == "g" else H)[u[:, 0] > 5] = np.nan
            return g, H, scale

    bowl = Torn([[1.0]])
    u, value = solver.newton(bowl, np.array([[9.0], [1]]))
    assert u.tolist() == [[9], [0]] and value.tolist() == [1 + 81 / 2, 1]
    assert [len(s) for s in bowl.systems] == [2, 1]


def test_part_of_a_hessian_that_is_infinite_does_not_spoil_the_other_lanes():
    class Torn(Bowl):
        def newton_system(self, u, w, delta, gauss=False):
            g, H, scale = super().newton_system(u, w, delta)
            H[0, 0, 1] = np.inf
            return g, H, scale

    u, _ = solver.newton(Torn(np.eye(2)), np.ones((2, 2)), steps=1)
    assert u.tolist() == [[1, 1], [0, 0]]


def test_lanes_go_in_chunks_and_come_back_in_order():
    class Halves(Bowl):
        def chunks(self, lanes):
            return [slice(0, 2), slice(2, lanes)]

    bowl = Halves([[1.0]])
    u, value = solver.newton(bowl, np.array([[1.0], [2], [3]]), steps=0)
    assert u.tolist() == [[1], [2], [3]] and value.tolist() == [1.5, 3, 5.5]
    assert [len(t) for t in bowl.trials] == [2, 1]


@pytest.mark.parametrize("gauss", [False, True])
def test_a_batch_is_the_same_as_one_by_one(chinchilla, gauss):
    rng = np.random.default_rng(0)
    start = chinchilla.from_raw(list(TRUE.values())) + rng.normal(0, 0.3, (6, 5))
    w = rng.exponential(size=(6, 40))
    how = {"steps": 200, "gauss": gauss}
    u, value = solver.newton(chinchilla, start, w, **how)
    alone = [solver.newton(chinchilla, start[i : i + 1], w[i : i + 1], **how) for i in range(6)]
    # arrived to 1e-13 of the objective: to its root in the coordinates
    np.testing.assert_allclose(u, np.vstack([a for a, _ in alone]), atol=3e-6)
    np.testing.assert_allclose(value, np.concatenate([b for _, b in alone]), rtol=1e-9)
    assert np.ptp(value) > 0.1 * value.mean()


def test_some_lanes_arrive_before_others(chinchilla):
    """Weights must follow the lanes that are left."""
    truth = chinchilla.from_raw(list(TRUE.values()))
    w = np.random.default_rng(0).exponential(size=(2, 40))
    there, _ = solver.newton(chinchilla, truth, w[:1])
    u, value = solver.newton(chinchilla, np.vstack([there, truth + 0.3]), w)
    alone, lowest = solver.newton(chinchilla, truth + 0.3, w[1:])
    np.testing.assert_allclose(u[1], alone[0], atol=3e-6)
    assert value[1] == pytest.approx(lowest[0], rel=1e-9)


def test_trials_of_each_lane_are_its_own():
    class Steep(Bowl):
        """A lane from u > 0 gets lower by short steps only."""

        def objective(self, u, w, delta):
            self.trials.append(u.copy())
            return np.where(u[:, 0] > 0, np.abs(u[:, 0] - 0.9), np.abs(u[:, 0] + 2)) * w[:, 0]

    bowl = Steep([[1.0]])
    w = np.array([[1.0], [3]])
    u, value = solver.newton(bowl, np.array([[1.0], [-1]]), w, steps=1)
    # neither gets lower by the full way to zero; the second by no part of it
    assert [t.ravel().tolist() for t in bowl.trials[:2]] == [[1, -1], [0, 0]]
    parts = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16])
    assert bowl.trials[2].ravel().tolist() == [*(1 - parts), *(-1 + parts)]
    assert u.tolist() == [[0.875], [-1]] and value == pytest.approx([0.025, 3])


# the box, and what is held ------------------------------------------------------------------------


def test_a_coordinate_at_its_limit_stays_where_the_objective_falls_outwards():
    H, g = np.array([[2.0, 1], [1, 2]]), np.array([1.0, 1])
    for limit in ({"lo": [0, -9]}, {"hi": [0, 9]}):
        bowl = Bowl(H, g if "lo" in limit else -g)
        bowl.lo, bowl.hi = limit.get("lo", bowl.lo), limit.get("hi", bowl.hi)
        # the other moves as if the first were a constant
        np.testing.assert_allclose(np.abs(bowl.first_step()), [0, 0.5], rtol=1e-12)


def test_a_coordinate_at_its_limit_is_released_when_the_objective_falls_inwards():
    H = np.array([[2.0, 1], [1, 2]])
    for sign, limit in ((1, "lo"), (-1, "hi")):
        inwards = Bowl(H, [-sign, 0], **{limit: 0.0})
        assert sign * inwards.first_step()[0] == pytest.approx(2 / 3)
        # a slope of zero does not hold it: the other one takes it along
        level = Bowl(H, [0, sign], **{limit: -sign * 1e-9})
        setattr(level, limit, np.array([0.0, -sign * 9]))
        np.testing.assert_allclose(level.first_step(), [sign / 3, -sign * 2 / 3], rtol=1e-12)


def test_a_slope_at_a_limit_promises_nothing():
    # arrived as soon as the other has
    bowl = Bowl(np.eye(2), [5, 0], lo=0.0)
    u, _ = solver.newton(bowl, np.zeros((1, 2)))
    assert u.tolist() == [[0, 0]] and len(bowl.systems) == 1


def test_a_coordinate_inside_the_box_moves_up_to_the_limit():
    bowl = Bowl([[1.0]], lo=0.25)
    u, value = solver.newton(bowl, np.ones((1, 1)))
    assert u.item() == 0.25 and value.item() == 1 + 0.25**2 / 2
    # that is all that was tried
    assert min(t.min() for t in bowl.trials) == 0.25


def test_a_limit_is_left_on_the_way():
    """From the lower limit of a to a minimum inside, through one of b."""
    law = Law("y(x) = a*x + b", real="all", bounds={"a": (-1, 9), "b": (-2, 9)})
    x = np.arange(1.0, 9)
    problem = Problem(law, [x], 3 * x - 5 + np.sin(x), np.ones(8), "squared", 1, "linear")
    start = problem.lo[None]
    u, _ = solver.newton(problem, start)
    # with b at its limit
    a = x @ (3 * x - 3 + np.sin(x)) / (x @ x)
    np.testing.assert_allclose(problem.to_raw(u), [[a, -2]], rtol=1e-9)


def test_fixed_coordinates_stay(chinchilla):
    start = chinchilla.from_raw(list(TRUE.values())) + 0.1
    u, value = solver.newton(chinchilla, start, fixed=[2, 4])
    assert u[0, [2, 4]].tolist() == start[0, [2, 4]].tolist()

    def f(v):
        return chinchilla.objective(np.insert(v, [2, 3], start[0, [2, 4]])[None], w, np.inf)[0]

    w = chinchilla.w[None]
    found = minimize(f, start[0, [0, 1, 3]], method="BFGS", options={"gtol": 1e-9})
    assert value[0] == pytest.approx(found.fun, rel=1e-9)
    # the other coordinates move as if there were no more
    step = Bowl([[2.0, 1], [1, 2]], [1, 1]).first_step(fixed=(0,))
    np.testing.assert_allclose(step, [0, -0.5])


# minima -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gauss", [False, True])
def test_newton_finds_the_minimum_that_scipy_finds(chinchilla, gauss):
    w = chinchilla.w[None]

    def f(u):
        return chinchilla.objective(u[None], w, np.inf)[0]

    def slope(u):
        return chinchilla.newton_system(u[None], w, np.inf)[0][0]

    start = chinchilla.from_raw(list(TRUE.values())) + 0.2
    u, value = solver.newton(chinchilla, start, gauss=gauss)
    found = minimize(f, start[0], jac=slope, method="BFGS", options={"gtol": 1e-11})
    assert value[0] == pytest.approx(found.fun, rel=1e-10)
    np.testing.assert_allclose(u[0], found.x, atol=1e-4)


def test_least_squares_of_a_line_in_one_step():
    rng = np.random.default_rng(0)
    x, w = np.linspace(-2, 3, 20), rng.uniform(0.5, 2, 20)
    y = 2 * x - 1 + rng.normal(0, 0.3, 20)
    law = Law("y(x) = a*x + b", real="all")
    problem = Problem(law, [x], y, w, "squared", 1, "linear")
    u, value = solver.newton(problem, np.zeros((1, 2)), steps=1)
    a, b = np.polyfit(x, y, 1, w=np.sqrt(w))
    np.testing.assert_allclose(problem.to_raw(u), [[a, b]], rtol=1e-12)
    assert value[0] * problem.reported == pytest.approx(w @ (y - a * x - b) ** 2, rel=1e-12)


# descent to a narrow delta ------------------------------------------------------------------------


@pytest.fixture
def spied(monkeypatch):
    """Let newton do nothing but say what it was asked."""
    asked = []

    def newton(problem, u, w=None, delta=None, **how):
        asked.append({"delta": problem.delta if delta is None else delta, "w": w, **how})
        return u + 1, np.zeros(len(u))

    monkeypatch.setattr(solver, "newton", newton)
    return asked


WIDE = {"steps": 12, "tol": 1e-4, "fixed": ()}
SHARP = {"steps": 60, "tol": 1e-10, "fixed": ()}
LAST = {"delta": 1.0, "w": None, "steps": 60, "tol": 1e-13, "fixed": ()}


@pytest.mark.parametrize(
    ("widest", "deltas"),
    [
        (None, []),
        (1.0, []),
        (1.5, []),
        (1.501, [1.501]),
        (6.0, [6]),
        (6.004, [6.004, 1.501]),
        (64.0, [64, 16, 4]),
        (1000.0, [1000, 250, 62.5, 15.625, 3.90625]),
    ],
)
def test_delta_shrinks_by_factors_of_four(spied, widest, deltas):
    u, _ = solver.descend(Bowl([[1.0]]), np.zeros((1, 1)), widest=widest)
    assert spied == [{"delta": delta, "w": None, **WIDE} for delta in deltas] + [LAST]
    # each goes on from where the one before ended
    assert u.item() == len(deltas) + 1


def test_delta_shrinks_by_factors_of_two_where_it_is_narrow(spied):
    w, how = np.ones((1, 1)), {"fixed": [0], "tol": 1e-7}
    solver.descend(Bowl([[1.0]]), np.zeros((1, 1)), w, widest=1001.0, **how)
    assert [a["delta"] for a in spied] == [1001 / 2**i for i in range(10)] + [1]
    assert all(a["w"] is w and a["fixed"] == [0] for a in spied)
    assert [(a["steps"], a["tol"]) for a in spied] == [(60, 1e-10)] * 10 + [(60, 1e-7)]


def test_least_squares_have_no_delta_to_shrink(spied):
    solver.descend(Bowl([[1.0]], delta=np.inf), np.zeros((1, 1)), widest=np.inf)
    assert spied == [LAST | {"delta": np.inf}]


def test_a_narrow_delta_is_least_absolute_error():
    rng = np.random.default_rng(3)
    x, w = np.linspace(0, 3, 25), rng.uniform(0.5, 2, 25)
    y = 2 * x - 1 + rng.standard_t(2, 25)
    law = Law("y(x) = a*x + b", real="all")
    problem = Problem(law, [x], y, w, "huber", 1e-6, "linear")
    _, value = solver.descend(problem, np.zeros((1, 2)), widest=4.0)
    # min w't with -t <= y - ax - b <= t
    terms, one = np.column_stack([x, np.ones(25)]), np.eye(25)
    found = linprog(
        np.r_[0, 0, w],
        np.block([[-terms, -one], [terms, -one]]),
        np.r_[-y, y],
        bounds=[(None, None)] * 2 + [(0, None)] * 25,
    )
    # delta |r| - delta^2/2: the second term counts for 1e-6 of the first
    assert value[0] * problem.reported == pytest.approx(1e-6 * found.fun, rel=1e-5)


# starts -------------------------------------------------------------------------------------------

DECAY = "y(x) = a*exp(-k*x)"


def decay(n=20, **options):
    x = np.linspace(1, 4, n)
    y = 3 * np.exp(-0.7 * x) * (1 + 0.1 * np.sin(9 * x))
    return Problem(Law(DECAY, **options), [x], y, np.linspace(1, 2, n), "squared", 1, "log")


def test_starts_are_sorted_by_their_sum_of_sizes():
    problem = decay()
    u, value = solver.screen(problem, 0)
    assert u.shape == (512, 2) and (value[1:] >= value[:-1]).all()
    np.testing.assert_allclose(value, np.abs(problem.residuals(u)) @ problem.w)
    # the linear parameter is solved for
    np.testing.assert_allclose(u, problem.solve_linear(u), atol=1e-12)


def test_starts_follow_from_the_seed():
    problem = decay()
    (a, _), (b, _), (c, _) = (solver.screen(problem, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_own_starts_are_screened_as_they_are_and_solved():
    problem = decay()
    own = problem.from_raw([[9.0, 0.7], [9, 0.2]])
    u, value = solver.screen(problem, 0, own)
    assert len(u) == 512 + 4 and (value[1:] >= value[:-1]).all()
    for start in [*own, *problem.solve_linear(own)]:
        assert (u == start).all(1).any()
    # the others are those that there would be without
    others, _ = solver.screen(problem, 0)
    assert all((u == start).all(1).any() for start in others)


def test_starts_without_a_value_come_last():
    x = np.linspace(1, 4, 20)
    law = Law("y(x) = sqrt(b - x)", bounds={"b": (2, 9)})
    problem = Problem(law, [x], np.sqrt(5 - x), np.ones(20), "squared", 1, "log")
    u, value = solver.screen(problem, 0)
    finite = np.isfinite(value)
    assert 0 < finite.sum() < 512 and not finite[finite.sum() :].any() and not np.isnan(value).any()
    np.testing.assert_array_equal(finite, np.exp(u[:, 0]) > 4)


def test_how_many_starts():
    x = np.linspace(1, 4, 20)
    counts = {
        "y(x) = a + b*x": 1,
        DECAY: 512,
        "y(x) = a*exp(-k*x**c)": 512,
        "y(x) = a*exp(-k*x**c) + x**d": 2048,
    }
    for formula, count in counts.items():
        problem = Problem(Law(formula), [x], x, np.ones(20), "squared", 1, "log")
        assert len(solver.screen(problem, 0)[0]) == count


def cells(share, n):
    """Sort the cells of a Latin hypercube of n cells."""
    return np.sort(np.floor(n * share)).tolist()


def test_exponents_start_between_003_and_2():
    problem = make(FLOOR, plant(FLOOR, n=20, E=2.0, A=50.0, alpha=0.3))
    u, _ = solver.screen(problem, 0)
    alpha = np.exp(u[:, 2])
    assert cells(np.log(alpha / 0.03) / np.log(2 / 0.03), 512) == list(range(512))


def test_other_parameters_start_near_and_far():
    k = solver.screen(decay(), 0)[0][:, 1]
    # half of them within 3, of the other half one in six; cells are wide by 36/512 of that
    assert np.sum(np.abs(k) <= 3) == pytest.approx(256 + 256 / 6, abs=12)
    assert np.sum(np.abs(k) <= 2) == pytest.approx(256 * 2 / 3 + 256 / 9, abs=12)
    assert 17.8 < k.max() <= 18 and -18 <= k.min() < -17.8
    assert np.median(k) == pytest.approx(0, abs=0.3)


def test_signed_parameters_start_on_both_sides():
    law, x = Law("y(x) = tanh(k*x)", real=["k"]), np.linspace(1, 4, 20)
    k = solver.screen(Problem(law, [x], x, np.ones(20), "squared", 1, "linear"), 0)[0][:, 0]
    assert np.sum(k > 0) == pytest.approx(256, abs=50)
    near = np.abs(np.log(np.abs(k))) <= 3
    assert near.sum() == pytest.approx(256 + 256 / 6, abs=12)
    # no further than e^7, no nearer than e^-7
    assert np.log(np.abs(k)).max() == pytest.approx(7)
    assert np.log(np.abs(k)).min() == pytest.approx(-7)
    assert np.sum(np.abs(k) > np.exp(6.99)) > 50


def test_starts_stay_in_the_box():
    k = np.exp(solver.screen(decay(bounds={"k": (0.5, 2)}), 0)[0][:, 1])
    # in the scaled coordinates a bound is as it was given: the input has no unit then
    assert k.min() == pytest.approx(0.5) and k.max() == pytest.approx(2)


@pytest.mark.parametrize(
    ("start", "real", "share"),
    [
        ((0.2, 5), (), lambda k: np.log(k / 0.2) / np.log(5 / 0.2)),
        # no logarithm of zero, none of what may be negative
        ((0, 5), (), lambda k: k / 5),
        ((0.2, 5), ("k",), lambda k: (k - 0.2) / 4.8),
        ((-3, 5), ("k",), lambda k: (k + 3) / 8),
    ],
)
def test_a_start_range_of_the_law(start, real, share):
    problem = decay(start={"k": start}, real=real)
    k = problem.to_raw(solver.screen(problem, 0)[0])[:, 1]
    assert cells(share(k), 512) == list(range(512))


def test_screening_looks_at_256_rows():
    for n in (256, 300):
        problem = decay(n)
        u, value = solver.screen(problem, 0)
        few = problem.thin(256)
        assert few.n == 256
        np.testing.assert_allclose(value, np.abs(few.residuals(u)) @ few.w)
        np.testing.assert_allclose(u, few.solve_linear(u), atol=1e-12)


# which starts are followed ------------------------------------------------------------------------


class Wells(Bowl):
    """Stand in for a problem whose starts are minima already: newton leaves them where they are."""

    def __init__(self, starts, **changes):
        super().__init__(np.eye(np.shape(starts)[1]), **changes)
        self.starts, self.residual = np.array(starts, float), 0.25
        self.thinned, self.kernel = [], SimpleNamespace(softened=None)
        self.n = changes.get("n", 100)

    def negligible(self, u):
        return np.zeros(len(u), bool)

    def thin(self, most):
        self.thinned.append(most)
        return self

    def residuals(self, u):
        self.measured = u.copy()
        return np.full((len(u), 3), [[-36 * self.residual, self.residual, 0.1 * self.residual]])


@pytest.fixture
def follow(monkeypatch):
    """Screen as told; newton stays where it is, with the first coordinate as the objective."""
    asked = []

    def newton(problem, u, w=None, delta=None, **how):
        asked.append((u[:, 0].tolist(), problem.delta if delta is None else delta, how))
        return u.copy(), problem.at(u) if hasattr(problem, "at") else u[:, 0].copy()

    def screen(problem, seed, own):
        problem.screened = seed, own
        starts = np.vstack([*own, problem.starts])
        return starts, np.where(starts[:, 0] < 1e6, 1.0, np.inf)

    monkeypatch.setattr(solver, "newton", newton)

    def regrow(problem, u):
        asked.append((u[:, 0].tolist(), "regrow", {}))
        return u.copy(), u[:, 0].copy()

    monkeypatch.setattr(solver, "screen", screen)
    monkeypatch.setattr(solver, "regrow", regrow)
    return asked


def spread(*values):
    """Make starts whose objectives are these, each met by no other."""
    return np.column_stack([values, np.arange(len(values))])


def test_nothing_finite_is_no_fit(follow):
    assert solver.solve(Wells(spread(1e7, 1e8)), 0) is None
    x = np.linspace(1, 4, 20)
    never = Problem(Law("y(x) = sqrt(-a - x)"), [x], x, np.ones(20), "squared", 1, "log")
    never.starts = np.full((3, 1), 1e7)
    assert solver.solve(never, 0) is None and not follow


def test_thirty_two_starts_are_followed(follow):
    wells = Wells(spread(*[1.0] * 40, *[1e7] * 5))
    u, value, screened, polished = solver.solve(wells, 7)
    assert wells.screened == (7, ()) and screened == 45 and len(u) == 32
    np.testing.assert_array_equal(u, wells.starts[:32])
    assert value.tolist() == [1] * 32 == polished.tolist()
    assert wells.thinned == [1024, 256]
    # of those that agree one is followed to its end
    assert follow[-1] == ([1.0], 1.0, {"steps": 600})


def test_own_starts_are_followed_first(follow):
    own = np.add(spread(2.0, 3.0), [0, 100])
    u, value, screened, _ = solver.solve(Wells(spread(*[1.0] * 40)), 0, own)
    # they are screened as well, and here come first; then the user's as it is, and two regrown
    assert screened == 42 and len(u) == 34 + 1 + 2
    assert value[:4].tolist() == [2, 3, 2, 3] and value[34] == 2
    assert ([2.0], 1.0, {"steps": 600}) in follow


@pytest.mark.parametrize(("delta", "tol"), [(0.5, 1e-8), (np.inf, 1e-15)])
def test_levenberg_marquardt_first_then_newton(follow, delta, tol):
    wells = Wells(spread(1.0, 2.0), delta=delta)
    wells.starts[:, 0] = 1.0
    solver.solve(wells, 0)
    wide = max(delta, 1.0)
    # four times the median of the sizes 9, .25 and .025 of the first
    assert wells.measured.tolist() == wells.starts[:1].tolist()
    for steps, (lanes, delta, how) in zip((4, 4, 8, 284), follow, strict=False):
        assert (lanes, delta) == ([1.0, 1.0], wide) and how.pop("damping").tolist() == [1e-3] * 2
        assert how == {"steps": steps, "tol": tol, "gauss": True}
    assert all("gauss" not in how for _, _, how in follow[4:])
    deltas = [then for _, then, _ in follow[4:]]
    assert deltas == ([1.0, 0.5, 0.5] if wells.delta == 0.5 else [np.inf, np.inf])


@pytest.mark.parametrize(
    ("residual", "delta", "widest"),
    [(0.25, 0.5, 1.0), (0.25, 3.0, 3.0), (np.inf, 0.5, 1.0), (np.inf, np.inf, np.inf)],
)
def test_the_widest_delta(follow, residual, delta, widest):
    wells = Wells(spread(1.0), delta=delta)
    wells.residual = residual
    solver.solve(wells, 0)
    assert follow[0][1] == widest


def test_starts_that_have_met_go_on_as_one(follow):
    # a real one: 1e-3 of its size; a logarithm: 1e-3
    real = [2.0, 2.0019, -3, -3.0031, 5, 5, 0, 0]
    logs = [7.0, 7.0009, 7, 7, 7, 7.0011, 7, 7]
    wells = Wells(np.column_stack([real, logs]), positive=np.array([False, True]))
    u, value, *_ = solver.solve(wells, 0)
    assert [len(lanes) for lanes, _, how in follow if "gauss" in how] == [8, 6, 6, 6]
    # each still counts, where the one it met has gone
    assert u[:8, 0].tolist() == [2, 2, -3, -3.0031, 5, 5, 0, 0] == value[:8].tolist()
    assert u[:8, 1].tolist() == [7, 7, 7, 7, 7, 7.0011, 7, 7]


@pytest.mark.parametrize("delta", [0.5, np.inf])
def test_a_rugged_objective_is_looked_at_further(follow, delta):
    # seven of 32 agree: fewer than a quarter
    rugged = spread(*[1 + 0.9e-6] * 6, *[1 + 1.1e-6] * 25, 1.0, *np.linspace(3, 2, 50))
    _, value, screened, polished = solver.solve(Wells(rugged, delta=delta), 0)
    assert len(polished) == 32 + 64 and screened == 82
    np.testing.assert_array_equal(value[:96], np.r_[rugged[:32, 0], rugged[:64, 0]])
    # by Newton's steps, and from the widest delta
    wide = [d for lanes, d, how in follow if len(lanes) == 64 and "gauss" not in how]
    assert wide == ([1.0, 0.5] if delta == 0.5 else [np.inf])
    ends = [lanes for lanes, _, how in follow if how.get("steps") == 1000]
    # of least squares the best four are followed to the end of their valley
    best = [1.0, 1.0, 1 + 0.9e-6, 1 + 0.9e-6]
    assert ends == ([best] if np.isinf(delta) else [])


@pytest.mark.parametrize(
    ("values", "n", "zero", "held"),
    [
        # nine of ten agree
        ([1.0] * 9 + [2.0], 100, False, None),
        ([1.0] * 8 + [3.0, 2.0], 100, False, [1.0, 2.0]),
        # fewer runs than three a parameter, and a term that adds nothing
        ([1.0] * 9 + [2.0], 5, False, [1.0, 2.0]),
        ([1.0] * 9 + [2.0], 6, False, None),
        ([1.0] * 9 + [2.0], 100, True, [1.0, 2.0]),
    ],
)
def test_minima_in_doubt_are_sought_with_parameters_held(follow, values, n, zero, held):
    class Zero(Wells):
        def negligible(self, u):
            return np.array([zero, False])

    u, *_ = solver.solve(Zero(spread(*values), n=n), 0)
    asked = [lanes for lanes, delta, _ in follow if delta == "regrow"]
    assert asked == ([held] if held else []) and len(u) == 10 + 2 * bool(held)


@pytest.mark.parametrize(("agree", "starts"), [(8, 60), (7, 32)])
def test_no_further_look_at_a_quarter_or_without_more_starts(follow, agree, starts):
    values = [1.0] * agree + list(np.linspace(2, 3, 32 - agree)) + [4.0] * (starts - 32)
    assert len(solver.solve(Wells(spread(*values)), 0)[3]) == 32


class Many(Wells):
    """Stand in for a problem of many rows, whose thinned one has other objectives."""

    def thin(self, most):
        return Wells(self.starts, n=most)

    def at(self, u):
        return 10 + u[:, 0]

    def objective(self, u, w, delta):
        return self.at(u)


def test_of_many_rows_the_best_of_the_distinct_minima_is_followed_on_all(follow):
    values = [3.0, 2.0, 2.0 * (1 + 0.9e-6), 2.0 * (1 + 2.1e-6), 5.0, 4.0, 9.0]
    u, value, screened, polished = solver.solve(Many(spread(*values), n=5000), 0)
    assert u[:, 0].tolist() == [2.0] and screened == 7 and value.tolist() == [12]
    # three of them on more rows first
    three = [2.0, 2.0 * (1 + 2.1e-6), 3.0]
    assert follow[-2:] == [(three, 1.0, {"steps": 60}), ([2.0], 1.0, {"steps": 60})]
    # objectives of the polished on the scale of all rows
    np.testing.assert_allclose(polished, np.array(values) * 12 / 2)


def test_minima_without_a_value_are_not_followed(follow):
    class Part(Wells):
        def at(self, u):
            return np.where(u[:, 0] > 4, np.inf, u[:, 0])

    class Parts(Many):
        def thin(self, most):
            return Part(self.starts, n=most)

    u, *_ = solver.solve(Parts(spread(5.0, 3.0, 6.0), n=5000), 0)
    assert u[:, 0].tolist() == [3]
    # where none has a value there is none to follow, and no error
    _, value, *_ = solver.solve(Parts(spread(5.0, 6.0), n=5000), 0)
    assert np.isinf(value).all()


def test_exact_minima_are_not_divided_by_zero(follow):
    _, value, _, polished = solver.solve(Many(spread(0.0, 0.0, 1.0), n=5000), 0)
    assert value.tolist() == [10] and polished.tolist() == [0, 0, 10]


# all of it ----------------------------------------------------------------------------------------


def test_solve_finds_the_planted_minimum(chinchilla):
    u, value, screened, polished = solver.solve(chinchilla, 0)
    truth = chinchilla.from_raw(list(TRUE.values()))
    _, lowest = solver.newton(chinchilla, truth)
    assert value.min() == pytest.approx(lowest[0], rel=1e-9)
    assert u.shape == (32, 5) and screened == 512 and len(polished) == 32
    assert np.mean(polished < lowest * (1 + 1e-6)) > 0.9


def test_solve_with_many_rows():
    runs = plant(FLOOR, n=5000, noise=0.05, E=2.0, A=50.0, alpha=0.3)
    problem = make(FLOOR, runs, loss="huber")
    u, value, screened, polished = solver.solve(problem, 0)
    assert len(u) <= 3 and screened == 512 and len(polished) == 32
    assert polished.min() == pytest.approx(value.min(), rel=1e-12)
    # on all of the rows, not on 1024 of them
    w = problem.w[None]
    assert value.min() == pytest.approx(problem.objective(u, w, problem.delta).min(), rel=1e-12)
    slope, _, scale = problem.newton_system(u[:1], w, problem.delta)
    assert (np.abs(slope) < 1e-4 * scale).all()
