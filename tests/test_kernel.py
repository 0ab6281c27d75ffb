"""A law compiled: value, derivatives, which parameters are linear."""

import pickle
import time

import mpmath
import numpy as np
import pytest
import sympy
from conftest import CHINCHILLA
from sympy.core.cache import clear_cache

from scalekit.formulas.law import Law

NIST = "y(x) = b1*(1 - exp(-b2*x)) + b3*sin(pi*x/b4) + arctan(x)*b5 + cos(b1*x)"
FORMULAS = [
    (CHINCHILLA, ()),
    ("L(N, D) = ((N_c/N)**(alpha_N/alpha_D) + D_c/D)**alpha_D", ()),
    (NIST, "all"),
    ("y(x) = A*tanh(x/k) + log10(x)*a + sqrt(b*x) + log2(c*x) + exp(-x/k)", ()),
    ("y(x) = a + b/x**c_0*(1 + (x/d_1)**(1/f_1))**(-c_1*f_1)", ("c_0", "c_1")),
    ("y(x, t) = Max(a*x, b*t)**2 + Min(c*x, b)*c + b*a**2", ()),
]


def plain(law):
    """Return the kernel that takes the inputs as they are."""
    return law.kernel((False,) * len(law.inputs))


def exact(law, x, p, *orders):
    """Differentiate the law numerically at 30 digits; `orders` says how often in each parameter."""
    with mpmath.workdps(30):
        modules = [{"Larger": max, "Smaller": min, "Tanh": mpmath.tanh}, "mpmath"]
        f = sympy.lambdify(list(law.symbols.values()), law.expr, modules)
        return float(mpmath.diff(lambda *q: f(*x, *q), tuple(p), orders or (0,) * len(p)))


@pytest.mark.parametrize(("formula", "real"), FORMULAS)
@pytest.mark.parametrize("log", [True, False])
def test_value_and_derivatives(formula, real, log):
    law = Law(formula, real=real)
    kernel, k = law.kernel((log,) * len(law.inputs)), len(law.params)
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1.5, (2, k))
    x = rng.uniform(0.5, 2.0, (len(law.inputs), 3))
    f, g, h = kernel.derivatives(list(np.log(x) if log else x), p)
    assert (f.shape, g.shape, h.shape) == ((2, 3), (2, k, 3), (2, len(kernel.second), 3))
    # a float's rounding, some ten operations long
    close = {"rtol": 1e-12, "atol": 1e-13}
    # the unit vectors, (K, K)
    once = np.eye(k, dtype=int)
    for i, n in [(0, 0), (1, 2)]:
        point = law, x[:, n], p[i]
        np.testing.assert_allclose(f[i, n], exact(*point), **close)
        np.testing.assert_allclose(g[i, :, n], [exact(*point, *e) for e in once], **close)
    bends = [exact(*point, *(once[i] + once[j])) for i, j in kernel.second]
    np.testing.assert_allclose(h[1, :, 2], bends, **close)


def test_max_of_five_power_laws_compiles_at_once():
    # sympy's own derivatives of Max took 40 s here; half a second leaves room for a slow machine
    law = Law("L(N) = Max(A/N**a, B/N**b, C/N**c, D/N**d, F/N**f)")
    clear_cache()
    start = time.process_time()
    kernel = law.kernel((True,))
    # A = a^1.9: each of the terms is the largest somewhere
    a = np.array([0.6, 0.4, 0.3, 0.2, 0.1])
    x, p = [np.log(np.logspace(1, 6, 50))], np.ravel([a**1.9, a], order="F")[None]
    f, g, _ = kernel.derivatives(x, p)
    assert law.units and time.process_time() - start < 10
    # (5, n): the terms, of which each point takes the largest
    terms = p[0, ::2, None] * np.exp(-p[0, 1::2, None] * x[0])
    taken = terms.argmax(0)
    assert len(set(taken)) == 5
    np.testing.assert_allclose(f[0], terms.max(0), rtol=1e-13)
    np.testing.assert_allclose(
        g[0, ::2], terms / p[0, ::2, None] * (taken == np.c_[:5]), rtol=1e-13
    )


@pytest.mark.parametrize(("formula", "real"), FORMULAS[-1:])
def test_softened_is_the_law_away_from_its_kinks(formula, real):
    kernel = plain(Law(formula, real=real))
    rng = np.random.default_rng(0)
    p, x = rng.uniform(0.5, 1.5, (4, 3)), list(rng.uniform(0.5, 2.0, (2, 6)))
    # second derivatives are off by about h^2/d^3, for a distance d from the kink
    a, b, c = p.T[:, :, None]
    far = np.minimum(abs(a * x[0] - b * x[1]), abs(c * x[0] - b)) > 0.1
    assert far.sum() > 12
    soft = kernel.softened.derivatives([*x, np.full(6, 1e-7)], p)
    for found, wanted in zip(soft, kernel.derivatives(x, p), strict=True):
        gap = np.abs(found - wanted) if found.ndim == 2 else np.abs(found - wanted).max(1)
        assert gap[far].max() < 1e-9
    assert Law(CHINCHILLA).kernel((True, True)).softened is None
    rounded = Law("y(x) = Max(a*x, b)").kernel((False,)).softened
    # where both branches are 1: (1 + 1 + sqrt(h^2 (1 + 1)))/2
    assert rounded.value(1.0, 0.5, 1.0, 1.0) == pytest.approx(1 + 0.5 / np.sqrt(2))


@pytest.mark.parametrize("log", [True, False])
def test_gradient_is_what_derivatives_gives(log):
    law = Law(CHINCHILLA)
    x, p = [np.array([1.5, 2.0]), np.array([3.0, 2.5])], np.arange(1.0, 11.0).reshape(2, 5)
    kernel = law.kernel((log, not log))
    found = kernel.gradient(x, p)
    assert len(found) == 2
    for one, other in zip(found, kernel.derivatives(x, p), strict=False):
        np.testing.assert_array_equal(one, other)
    # columns of shape (P, 1), as the value takes them
    np.testing.assert_array_equal(kernel.value(*x, *p.T[:, :, None]), found[0])
    given = [np.exp(v) if as_log else v for v, as_log in zip(x, (log, not log), strict=True)]
    # an exponential more or less: rounding
    np.testing.assert_allclose(found[0][1], law.value(*given, *p[1]), rtol=1e-13)


def test_inputs_far_out_are_taken_as_logarithms():
    # e**800 is no float, yet its powers are
    f, g = (
        Law("L(N) = (N_c/N)**alpha")
        .kernel((True,))
        .gradient([np.array([800.0])], np.array([[1.0, 0.1]]))
    )
    # exp(-80), and times -800 its slope in alpha: the exponential's own rounding
    np.testing.assert_allclose(f, [[np.exp(-80)]], rtol=1e-13)
    np.testing.assert_allclose(g, np.exp(-80) * np.array([[[0.1], [-800.0]]]), rtol=1e-13)


def test_real_parameters_may_be_negative():
    x, p = [np.array([3.0])], np.array([[-2.0]])
    law = Law("y(x) = sqrt(a**2)*x", real=["a"])
    assert [float(v.squeeze()) for v in plain(law).gradient(x, p)] == [6, -3]


SECOND = [
    (CHINCHILLA, [(1, 2), (2, 2), (3, 4), (4, 4)]),
    ("y(x) = a + b*x + c*x**2", []),
    ("y(x) = a*b*x + b*c", [(0, 1), (1, 2)]),
    ("y(x) = exp(a + b*x)", [(0, 0), (0, 1), (1, 1)]),
    # the kink of Max and Min has measure zero
    ("y(x, t) = Max(a*x, b*t) + Min(c*t, a*x)", []),
    ("y(x) = c*Min(a*x, b)", [(0, 1), (0, 2)]),
]


@pytest.mark.parametrize(("formula", "pairs"), SECOND)
def test_second_derivatives_that_are_not_zero(formula, pairs):
    kernel = plain(Law(formula))
    assert list(kernel.second) == pairs
    assert not any(h.has(sympy.DiracDelta) for h in kernel.second.values())
    assert all(type(i) is int for pair in kernel.second for i in pair)


LINEAR = [
    (CHINCHILLA, {}, ["E", "A", "B"]),
    # greedy, in the order of the formula
    ("y(x) = a*b*x + c", {}, ["a", "c"]),
    ("y(x) = b*a*x + c*b + a", {}, ["b"]),
    ("y(x) = a**2*x + b", {}, ["b"]),
    ("y(x) = exp(a*x)", {}, []),
    # a bounded one is not, and leaves room for the next
    ("y(x) = a*b*x + c", {"a": (0, 1)}, ["b", "c"]),
    ("y(x) = a*b*x + c", {"c": (0, 1)}, ["a"]),
]


@pytest.mark.parametrize(("formula", "bounds", "linear"), LINEAR)
def test_linear_parameters(formula, bounds, linear):
    law = Law(formula, bounds=bounds)
    assert [law.params[i] for i in plain(law).linear] == linear


def test_a_law_without_second_derivatives():
    f, g, h = plain(Law("y(x) = a*x + b")).derivatives(
        [np.array([2.0, 3.0])], np.array([[4.0, 5.0]])
    )
    np.testing.assert_array_equal(f, [[13, 17]])
    np.testing.assert_array_equal(g, [[[2, 3], [1, 1]]])
    assert h.shape == (1, 0, 2)


def test_each_input_says_whether_it_comes_as_a_logarithm():
    law = Law(CHINCHILLA)
    for logs in [(True,), (True, False, True), ()]:
        with pytest.raises(ValueError, match="zip"):
            law.kernel(logs)


def test_a_kernel_travels_to_another_process():
    kernel = Law(CHINCHILLA, bounds={"E": (0, 9)}).kernel((True, False))
    x, p = [np.array([1.0, 2.0]), np.array([3.0, 4.0])], np.full((1, 5), 0.5)
    before = kernel.derivatives(x, p)
    again = pickle.loads(pickle.dumps(kernel))
    assert (again.law, again.logs, again.k) == (kernel.law, (True, False), 5)
    assert again.linear == kernel.linear == [1, 3]
    for one, other in zip(before, again.derivatives(x, p), strict=True):
        np.testing.assert_array_equal(one, other)
