"""How parameters scale with the units of inputs and output."""

import warnings

import numpy as np
import pytest
from conftest import CHINCHILLA

from scalekit.formulas.law import Law
from scalekit.formulas.units import units

KAPLAN = "L(N, D) = ((N_c/N)**(alpha_N/alpha_D) + D_c/D)**alpha_D"


def powers(law, d):
    """Write the powers of an input's scale: {parameter: {"" or parameter: power}}."""
    if d is None:
        return None
    assert d.shape == (len(law.params), 1 + len(law.params))
    rows = zip(law.params, d, strict=True)
    columns = ("", *law.params)
    return {
        name: {columns[j]: round(float(row[j]), 9) for j in np.flatnonzero(row)}
        for name, row in rows
        if row.any()
    }


def scales(law):
    """Write what `units` finds: of the inputs, of the output, and who carries a unit."""
    inputs, output, carriers = units(law)
    if output is not None:
        assert output.shape == (len(law.params),)
        output = {n: round(float(v), 9) for n, v in zip(law.params, output, strict=True) if v}
    assert isinstance(inputs, tuple) and isinstance(carriers, frozenset)
    return [powers(law, d) for d in inputs], output, set(carriers)


FOUND = [
    # A carries N**alpha
    (
        CHINCHILLA,
        [{"A": {"alpha": 1}}, {"B": {"beta": 1}}],
        {"E": 1, "A": 1, "B": 1},
        {"E", "A", "B"},
    ),
    (KAPLAN, [{"N_c": {"": 1}}, {"D_c": {"": 1}}], None, {"N_c", "D_c"}),
    ("y(x) = a + b*x", [{"b": {"": -1}}], {"a": 1, "b": 1}, {"a", "b"}),
    ("y(x) = a*sqrt(x)", [{"a": {"": -0.5}}], {"a": 1}, {"a"}),
    ("y(x) = a*x**(1/3)", [{"a": {"": round(-1 / 3, 9)}}], {"a": 1}, {"a"}),
    ("y(x) = a/(x**2*exp(x/k))", [{"a": {"": 2}, "k": {"": 1}}], {"a": 1}, {"a", "k"}),
    ("y(x) = a*x**(b - 2)", [{"a": {"": 2, "b": -1}}], {"a": 1}, {"a"}),
    ("y(x) = (a + b*x)**2", [{"b": {"": -1}}], {"a": 0.5, "b": 0.5}, {"a", "b"}),
    # shared where several could carry it alone
    ("y(x) = a*b*x**c", [{"a": {"c": -0.5}, "b": {"c": -0.5}}], {"a": 0.5, "b": 0.5}, {"a", "b"}),
    # c times s**b would scale y by s, which is no plain power
    ("y(x) = x**(-1/b)*c**(1/b)", [{"c": {"": 1}}], None, {"c"}),
    # the output's unit alone
    ("y(x) = a + b*log(x)", [None], {"a": 1, "b": 1}, {"a", "b"}),
    # a quarter is no unit's power
    ("y(x) = a*x**0.25", [None], {"a": 1}, {"a"}),
    ("y(x) = exp(x)*a", [None], {"a": 1}, {"a"}),
    # nothing carries a unit, nothing scales
    ("y(x) = exp(x) + a", [None], None, set()),
    ("y(x) = 1/(1 + exp(-k*(log(x) - m)))", [None], None, set()),
    # a share: the input's unit, but none of the output
    ("y(x) = x/(x + k)", [{"k": {"": 1}}], None, {"k"}),
    # a miss of 1e-6 is no identity; the law's size does not matter
    ("y(x) = a*x*(1 + x*1e-6)", [None], {"a": 1}, {"a"}),
    ("y(x) = 1e-20*a*exp(x)", [None], {"a": 1}, {"a"}),
    ("y(x) = 1e20*a*x", [{"a": {"": -1}}], {"a": 1}, {"a"}),
]


@pytest.mark.parametrize(("formula", "inputs", "output", "carriers"), FOUND)
def test_units(formula, inputs, output, carriers):
    assert scales(Law(formula)) == (inputs, output, carriers)


@pytest.mark.parametrize("formula", [CHINCHILLA, KAPLAN, "y(x) = a*x**(b - 2) + c*exp(-x/k)"])
def test_scaled_parameters_leave_the_law_as_it_is(formula):
    law = Law(formula)
    rng = np.random.default_rng(0)
    x, p = rng.uniform(0.5, 2, len(law.inputs)), rng.uniform(0.5, 2, len(law.params))
    inputs, output, _ = units(law)
    for i, d in enumerate(inputs):
        longer = x * np.where(np.arange(len(x)) == i, 1000.0, 1)
        scaled = p * 1000.0 ** (d[:, 0] + d[:, 1:] @ p)
        # powers of 1000 are rounded some ten times
        assert law.value(*longer, *scaled) == pytest.approx(law.value(*x, *p), rel=1e-12)
    if output is not None:
        assert law.value(*x, *(p * 7**output)) == pytest.approx(7 * law.value(*x, *p), rel=1e-12)


def test_an_exponent_that_carries_a_unit():
    # x'b - b'b says that a is scaled by s**b and b by 1/s, so b would change under way
    formula = "y(x, t) = a*exp(b - b*x) + c/t"
    assert scales(Law(formula)) == ([None, None], {"a": 1, "c": 1}, {"a", "c"})


def test_a_bounded_parameter_keeps_its_unit():
    # A is stated in the user's unit of N and L; D may still be rescaled
    found = scales(Law(CHINCHILLA, bounds={"A": (0, 9)}))
    assert found == ([None, {"B": {"beta": 1}}], None, {"E", "A", "B"})
    found = scales(Law(CHINCHILLA, bounds={"E": (0, 9)}))
    assert found == ([{"A": {"alpha": 1}}, {"B": {"beta": 1}}], None, {"E", "A", "B"})
    # a pure number may be bounded
    assert scales(Law(CHINCHILLA, bounds={"alpha": (0, 1)})) == scales(Law(CHINCHILLA))


def test_a_law_that_is_seldom_defined_is_left_alone():
    # the 84 points at which a law with two parameters is tried
    tried = np.sort(np.random.default_rng(0).uniform(0.4, 2.5, 84))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # 2K(K + 1) of them are too few
        for defined, output in [(12, None), (13, {"a": 1, "b": 1})]:
            low = tried[-defined - 1 : len(tried) - defined + 1].mean()
            found = scales(Law(f"y(x) = a*sqrt(x - {low}) + b"))
            assert found == ([None], output, set(output or ()))
        assert scales(Law("y(x, t) = a*log(x - 9)/t + b")) == ([None, None], None, set())


def test_the_law_keeps_what_was_found():
    law = Law(CHINCHILLA)
    assert law.units is law.units
    np.testing.assert_array_equal(law.units[1], units(law)[1])
