"""Laws: what follows from a formula, and what a law refuses."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import CHINCHILLA, FLOOR

import scalekit as sk
from scalekit.formulas.law import Law

POWER = "L(N) = A/N**alpha"


def refusal(function, *arguments, **options):
    """Return the message with which the arguments are refused."""
    with pytest.raises(ValueError) as refused:
        function(*arguments, **options)
    return str(refused.value)


# names --------------------------------------------------------------------------------------------


def test_names_follow_the_formula():
    law = Law(CHINCHILLA)
    assert (law.output, law.inputs) == ("L", ("N", "D"))
    assert law.params == ("E", "A", "alpha", "B", "beta")
    assert repr(law) == f"Law({CHINCHILLA!r})"
    assert list(law.symbols) == [*law.inputs, *law.params]
    assert Law("L(N)  =\n A / N**alpha ").formula == "L(N) = A / N**alpha"


def test_what_the_catalogue_says():
    law = Law(POWER)
    assert (law.name, law.title, law.theme, law.paper, law.notes) == (None, "", "", "", "")
    assert (law.bounds, law.start, law.published, law.example) == ({}, {}, {}, {})
    said = {"name": "n", "title": "t", "theme": "h", "paper": "p", "notes": "o"}
    published, example = {"x2020": {"A": 1}}, {"params": {"A": 2}}
    law = Law(POWER, **said, published=published, example=example)
    assert {key: getattr(law, key) for key in said} == said
    assert law.published == published and law.example == example
    # copies: what is changed later stays outside
    published["x2020"]["A"] = example["more"] = 3
    assert law.published == {"x2020": {"A": 1}} and law.example == {"params": {"A": 2}}


def test_inputs_are_real_and_parameters_positive():
    law = Law(POWER, real=["alpha"])
    signs = {name: (s.is_real, s.is_positive) for name, s in law.symbols.items()}
    assert signs == {"N": (True, None), "A": (True, True), "alpha": (True, None)}
    assert law.real == {"alpha"} and Law(POWER).real == frozenset()
    assert Law(POWER, real="all").real == {"A", "alpha"}
    assert law.assumptions("A") == {"positive": True}
    assert law.assumptions("alpha") == {"real": True}
    assert Law("y(x) = sqrt(a**2)*x", real="all")(x=3.0, a=-2.0) == 6


REFUSED = [
    ("L(N, D) = A*N", "the input 'D' is not used in 'L(N, D) = A*N'; drop it or use it."),
    ("L(N) = 2*N", "'L(N) = 2*N' has no parameter to fit."),
    ("L(N) = A*L/N", "the output 'L' stands on both sides of 'L(N) = A*L/N'."),
    (Law(POWER), "got a Law where a formula (text) belongs; use it as it is."),
    ("L(N) = A*ln(N)", "the call 'ln(N)' is not allowed in a formula."),
]


@pytest.mark.parametrize(("formula", "message"), REFUSED)
def test_formulas_that_are_refused(formula, message):
    assert refusal(Law, formula).startswith(f"Law: {message}")


def test_real_names_parameters():
    message = "Law: no parameter for real 'N'. There are: A, alpha."
    assert refusal(Law, POWER, real=["A", "N"]) == message
    assert "Did you mean 'alpha'?" in refusal(Law, POWER, real=["alpa"])


@pytest.mark.parametrize("what", ["bounds", "start"])
def test_ranges(what):
    law = Law(POWER, real=["alpha"], **{what: {"A": (0, 2), "alpha": (-1, np.int64(1))}})
    ranges = getattr(law, what)
    assert ranges == {"A": (0.0, 2.0), "alpha": (-1.0, 1.0)}
    assert {type(end) for pair in ranges.values() for end in pair} == {float}
    assert getattr(law, {"bounds": "start", "start": "bounds"}[what]) == {}
    message = f"Law: no parameter for {what} 'a'."
    assert refusal(Law, POWER, **{what: {"a": (0, 1)}}).startswith(message)
    for low, high in [(2, 1), (1, 1), (-1, 1), (np.nan, 1), (0, np.nan)]:
        assert refusal(Law, POWER, **{what: {"A": (low, high)}}) == (
            f"Law: {what} of 'A' must be (low, high) with low < high and low >= 0; "
            f"got ({low:g}, {high:g})."
        )
    assert refusal(Law, POWER, real="all", **{what: {"A": (2, 2)}}) == (
        f"Law: {what} of 'A' must be (low, high) with low < high; got (2, 2)."
    )


# what follows from the formula --------------------------------------------------------------------


POSITIVE = [
    (CHINCHILLA, ["N", "D"]),
    # under the powers not known to be at least 0
    ("y(x, t) = a*t**b + c/x", ["x", "t"]),
    ("y(x, t) = a*x**2 + b*sqrt(t)", []),
    ("y(x, t) = a*x**pi + b/sqrt(t)", ["t"]),
    ("L(N) = (N_c/N)**alpha", ["N"]),
    # in a logarithm, with all its factors
    ("y(x, t) = a*log10(b*x*t**2)", ["x", "t"]),
    ("y(x, t) = a*log(1 + x) + b*log(t)", ["t"]),
    ("y(x) = a*exp(-b*x) + Max(x, c)", []),
    ("y(x, t) = a*(1 + x/t)**b", ["t"]),
]


@pytest.mark.parametrize(("formula", "names"), POSITIVE)
def test_inputs_that_must_be_positive(formula, names):
    assert Law(formula).positive_inputs == names


EXPONENTS = [
    (CHINCHILLA, {"alpha", "beta"}),
    ("L(N, D) = ((N_c/N)**(alpha_N/alpha_D) + D_c/D)**alpha_D", {"alpha_N", "alpha_D"}),
    ("y(x, t) = a*x**(b*t + c)", {"c"}),
    ("y(x) = a*x**2", set()),
    # k has the unit of x, which also stands in the exponent
    ("y(x) = a*2**(-x/k)", set()),
]


@pytest.mark.parametrize(("formula", "names"), EXPONENTS)
def test_exponents(formula, names):
    assert Law(formula).exponents == names


def test_units_are_those_of_the_formula():
    inputs, output, carriers = Law(FLOOR).units
    # A (row 1) carries N**alpha (column 1 + 2)
    np.testing.assert_array_equal(inputs[0], [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(output, [1, 1, 0])
    assert carriers == {"E", "A"}


def test_latex():
    law = Law("L(N, D) = top - (N_c/N)**alpha_N/D + E")
    assert law.latex == (
        r"L(N, D) = \mathrm{top} - \frac{\left(\frac{N_{c}}{N}\right)^{\alpha_{N}}}{D} + E"
    )
    assert law._repr_latex_() == rf"$\displaystyle {law.latex}$"
    assert Law("L_top(n_1) = A*n_1").latex == r"L_{\mathrm{top}}(n_{1}) = A n_{1}"


def test_what_is_costly_is_made_once():
    law = Law(CHINCHILLA)
    for name in ("value", "latex", "units"):
        assert getattr(law, name) is getattr(law, name)
    assert law.kernel((True, True)) is law.kernel((True, True))
    kernel = law.kernel((True, False))
    assert kernel is not law.kernel((True, True)) and kernel.logs == (True, False)
    assert kernel.law is law


# constants ----------------------------------------------------------------------------------------


def test_published_constants():
    law = sk.law("chinchilla")
    printed = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
    assert law.at("hoffmann2022") == printed
    message = refusal(law.at, "hofmann2022")
    assert message.startswith(
        "at: no published constants 'hofmann2022'. Did you mean 'hoffmann2022"
    )
    assert "There are: none." in refusal(Law(POWER).at, "x")


def test_constants_of_a_mapping():
    law = Law(POWER)
    found = law.at({"alpha": np.float32(0.5), "A": 2, "where": "Eq. 1"})
    assert found == {"A": 2.0, "alpha": 0.5} and list(found) == ["A", "alpha"]
    assert {type(v) for v in found.values()} == {float}
    assert law.at(pd.Series({"A": 1, "alpha": 2, "E": 3})) == {"A": 1.0, "alpha": 2.0}
    assert refusal(law.at, {"A": 1}) == "at: no value for alpha; the law needs A, alpha."
    assert refusal(law.at, {}) == "at: no value for A, alpha; the law needs A, alpha."


# values -------------------------------------------------------------------------------------------


def test_evaluation_broadcasts():
    law = Law(CHINCHILLA)
    constants = {"E": 1.5, "A": 400, "alpha": 0.3, "B": 500, "beta": 0.3}
    got = law(N=np.array([1e8, 1e9])[:, None], D=[1e9, 1e10, 1e11], **constants)
    assert got.shape == (2, 3)
    # two roundings a term
    assert got[1, 2] == pytest.approx(1.5 + 400 / 1e9**0.3 + 500 / 1e11**0.3, rel=1e-14)
    # the shape is that of all values, also of one that cancels; the values are the caller's own
    flat = Law("y(x) = a + 0*x*b")(x=[1, 2], a=3, b=np.ones((3, 1)))
    np.testing.assert_array_equal(flat, np.full((3, 2), 3.0))
    flat[0, 0] = 4
    assert flat[1, 1] == 3
    one = Law(POWER)(N=4, A=8, alpha=1)
    assert isinstance(one, (np.ndarray, np.floating)) and np.shape(one) == () and one == 2


def test_value_takes_inputs_then_parameters_unchecked():
    law = Law(POWER)
    np.testing.assert_array_equal(law.value(np.array([2.0, 4.0]), 8.0, 2.0), [2, 0.5])
    assert law.value(np.float64(1), np.inf, 1.0) == np.inf


def test_any_name_may_be_an_input():
    assert Law("y(self) = a*self")(self=2.0, a=3.0) == 6.0


def test_values_that_are_refused():
    law = Law(POWER)
    message = refusal(law, N=1, A=1)
    assert message == "L: no value for alpha; pass N, A, alpha by name."
    assert refusal(law) == "L: no value for N, A, alpha; pass N, A, alpha by name."
    message = refusal(law, N=1, A=1, alpha=1, alfa=3)
    assert message.startswith("L: no input or parameter 'alfa'. Did you mean 'alpha'?")
    mend = "look for zero or negative inputs, or constants out of range."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for N, bad in [([0.0, 1.0], "1 of 2"), ([-1.0, np.nan, 1.0], "2 of 3"), (0, "1 of 1")]:
            message = refusal(law, N=N, A=1.0, alpha=0.5)
            assert message == f"L: the law is not finite for {bad} values; {mend}"


# the same law -------------------------------------------------------------------------------------


def test_laws_are_equal_if_they_fit_alike():
    law = Law("y(x) = a*x + b")
    for same in [Law("y(x)  =  a*x + b", title="other", published={"k": {}}), law]:
        assert law == same and hash(law) == hash(same)
    others = [
        Law("y(x) = a*x - b"),
        Law(law.formula, bounds={"a": (0, 1)}),
        Law(law.formula, start={"a": (0, 1)}),
        Law(law.formula, bounds={"a": (0, 2)}),
        Law(law.formula, real="all"),
        Law(law.formula, real=["a"]),
    ]
    assert len({law, *others}) == 7
    assert all(law != other for other in others)
    assert law != law.formula and (law == 3) is False


def test_the_order_of_bounds_does_not_matter():
    pairs = {"a": (0, 1), "b": (0, 2)}
    turned = dict(reversed(pairs.items()))
    assert Law("y(x) = a*x + b", bounds=pairs) == Law("y(x) = a*x + b", bounds=turned)


def test_a_law_travels_to_another_process():
    law = Law(FLOOR, real=["E"], bounds={"alpha": (0, 1)}, title="t", published={"k": {"E": 1}})
    # compiled functions cannot travel
    law.kernel((True,))
    constants = {"E": 1.0, "A": 1.0, "alpha": 1.0}
    assert law(N=1.0, **constants) == 2.0
    again = pickle.loads(pickle.dumps(law))
    assert again == law and again(N=1.0, **constants) == 2.0
    assert (again.title, again.published, again.latex) == ("t", {"k": {"E": 1}}, law.latex)
    assert again.kernel((True,)).law is again
