"""Formulas as text: what is read, what is refused, and how it prints."""

import inspect
import math

import numpy as np
import pytest
import sympy
from conftest import CHINCHILLA

from scalekit.formulas.law import Law
from scalekit.formulas.parse import (
    FUNCTIONS,
    Larger,
    compiled,
    expression,
    latex_name,
    names,
    parse,
    to_sympy,
)

X = sympy.Symbol("x")


def read(text):
    """Return the sympy expression of one side in x."""
    return to_sympy(expression(text), {"x": X})


def refusal(function, *arguments):
    """Return the message with which the arguments are refused."""
    with pytest.raises(ValueError) as refused:
        function(*arguments)
    return str(refused.value)


# what is read -------------------------------------------------------------------------------------


def test_the_two_sides():
    output, inputs, tree = parse(f"  {CHINCHILLA} ")
    assert (output, inputs) == ("L", ("N", "D"))
    assert names(tree) == ["E", "A", "N", "alpha", "B", "D", "beta"]
    assert parse("lambda_(a_x)=a_x")[:2] == ("lambda_", ("a_x",))


def test_names_stand_in_the_order_of_reading():
    assert names(expression("c**(b/a) + exp(pi*d) - a*Max(b, e)")) == ["c", "b", "a", "d", "e"]
    # a line break: the line counts before the column
    assert names(expression("(        E*N\n + A/N)")) == ["E", "N", "A"]
    assert names(expression("2*pi")) == []


def test_names_that_sympy_owns_are_parameters_here():
    law = Law("y(S) = E*S**beta + I*gamma + N/zeta")
    assert set(law.params) == {"E", "beta", "I", "gamma", "N", "zeta"}
    value = law(S=4.0, E=1.0, beta=0.5, I=2.0, gamma=3.0, N=1.0, zeta=2.0)
    # 2 + 6 + 1/2: exact in floats
    assert value == 8.5


VALUES = [
    ("exp(x)", math.exp),
    ("log(x)", math.log),
    ("log10(x)", math.log10),
    ("log2(x)", math.log2),
    ("sqrt(x)", math.sqrt),
    ("tanh(x)", math.tanh),
    ("sin(x)", math.sin),
    ("cos(x)", math.cos),
    ("arctan(x)", math.atan),
    ("Max(x, 2, 1)", lambda x: max(x, 2)),
    ("Min(x, 2)", lambda x: min(x, 2)),
    ("pi*x", lambda x: math.pi * x),
    ("-x + +x*3", lambda x: 2 * x),
    ("2 - x - 3 + x*x", lambda x: x * x - x - 1),
    ("7/x - (1 - x)", lambda x: 7 / x - 1 + x),
    ("x**-2*1.5e-3 + 0", lambda x: 1.5e-3 / x**2),
    ("2**-x", lambda x: 2**-x),
    ("0/3 + x", lambda x: x),
    ("x + sqrt(2)*log(3)", lambda x: x + math.sqrt(2) * math.log(3)),
]


@pytest.mark.parametrize(("text", "wanted"), VALUES)
@pytest.mark.parametrize("x", [0.7, 3.1])
def test_each_piece_has_its_value(text, wanted, x):
    # a few roundings
    assert compiled([X], read(text))(x) == pytest.approx(wanted(x), rel=1e-14, abs=1e-15)


def test_every_function_is_tried():
    assert set(FUNCTIONS) <= {text.partition("(")[0] for text, _ in VALUES}


def test_several_expressions_are_compiled_at_once():
    y = sympy.Symbol("y")
    f = compiled([X, y], [X + y, sympy.exp(X + y)])
    total, power = f(np.array([0.0, 1.0]), 1.0)
    np.testing.assert_array_equal(total, [1, 2])
    np.testing.assert_array_equal(power, np.exp([1.0, 2.0]))
    twice = inspect.getsource(compiled([X], [sympy.exp(X), X * sympy.exp(X)]))
    assert twice.count("exp(") == 1


@pytest.mark.parametrize(("text", "value"), [("2**3", 8), ("10**3", 1000), ("(-2)**9", -512)])
def test_whole_powers_stay_whole(text, value):
    got = read(text)
    assert got.is_Integer and got == value


# beyond 1000 exact numbers could grow for ever
POWERS = [
    ("3**7", 2187.0),
    ("2**53", 2.0**53),
    ("(-2)**53", -(2.0**53)),
    ("2**0.5", 2**0.5),
    ("2**-1", 0.5),
]


@pytest.mark.parametrize(("text", "value"), POWERS)
def test_other_powers_are_floats(text, value):
    got = read(text)
    assert got.is_Float and float(got) == value


def test_limits():
    stem = "L(N) = A*N + "
    assert parse(stem + " " * (1999 - len(stem)) + "1")[1] == ("N",)
    message = refusal(parse, stem + " " * (2000 - len(stem)) + "1")
    assert message == "Law: the formula has 2001 characters; at most 2000 are read."
    assert read("1e300") == 1e300 and read("-1e300") == -1e300
    several = read(f"Max({', '.join(f'x**{i}' for i in range(2, 22))})")
    # pairs of pairs
    assert several.count(Larger) == 19


def test_deep_nesting_is_refused():
    # a level of Python's stack for each sum, which ends at 1000
    wanted = (
        "Law: the formula is nested too deeply; at most 20 levels, and 150 operations in a row."
    )
    assert refusal(read, "x" + "+x" * 990) == wanted
    assert refusal(read, "tanh(1 + " * 10 + "x" + ")" * 10) == wanted
    assert read("tanh(1 + " * 9 + "x" + ")" * 9)
    assert refusal(read, "(" * 900 + "x" + ")" * 900).startswith("Law: cannot read '((((")


# what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", [3, None, b"L(N) = A*N", ["L(N) = A*N"]])
def test_a_formula_is_text(formula):
    wanted = "Law: a formula is text such as 'L(N) = A/N**alpha'; got "
    assert refusal(parse, formula) == f"{wanted}{type(formula).__name__}."


@pytest.mark.parametrize("formula", ["A*N", "L(N) = A*N == 3", "L(N) = A*N =", "L(N=1) = A*N", ""])
def test_one_sign_of_equality(formula):
    wanted = f"Law: write one '=', as in 'L(N) = A/N**alpha'; got {formula!r}."
    assert refusal(parse, formula) == wanted


LEFT = ["L", "3", "L()", "L(3)", "L(N, 3)", "L(*N)", "L(N, **D)", "L.x(N)", "L(N.x)", "L(N)(D)"]


@pytest.mark.parametrize("left", LEFT)
def test_the_left_side(left):
    wanted = f"Law: the left side names output and inputs, as in 'L(N, D)'; got {left!r}."
    assert refusal(parse, f"{left} = A*N") == wanted


@pytest.mark.parametrize("left", ["L(N, N)", "L(L)", "L(D, N, D)"])
def test_a_name_stands_once(left):
    assert refusal(parse, f" {left} = A*N") == f"Law: a name stands twice in {left!r}."


@pytest.mark.parametrize("name", ["exp", "Max", "pi", "_x", "__x", "x__", "ν"])
def test_names_that_are_refused(name):
    wanted = f"Law: {name!r} cannot name an input or parameter; use letters, digits and _ in the "
    wanted += "middle or at the end."
    for left in (f"L({name})", f"L(N, {name})", f"{name}(N)"):
        assert refusal(parse, f"{left} = A*N") == wanted
    if name != "pi":
        assert refusal(Law, f"L(N) = A*N*{name}") == wanted


UNREADABLE = [
    ("A*N +", ""),
    ("A*N; B", ""),
    ("A**N**", ""),
    ("", ""),
    ("lambdas N", ""),
    ("lambda*N", "; 'lambda' is a word of Python, write lambda_ instead"),
    ("A*N if", "; 'if' is a word of Python, write if_ instead"),
    ("A*N/(in)", "; 'in' is a word of Python, write in_ instead"),
]


@pytest.mark.parametrize(("right", "mend"), UNREADABLE)
def test_what_cannot_be_read(right, mend):
    assert refusal(parse, f"L(N) =  {right} ") == f"Law: cannot read {right!r}{mend}."


def test_a_hat_is_no_power():
    message = refusal(parse, "L(N) = A*N^2")
    assert message == "Law: '^' is not a power here; write ** as in N**alpha (in ' A*N^2')."
    assert "'^' is not a power" in refusal(parse, "L(N^2) = A*N")


PIECES = [
    ("().__class__.__bases__", "attribute '().__class__.__bases__'"),
    ("A*N.real", "attribute 'N.real'"),
    ("A*N[0]", "index 'N[0]'"),
    ("open(N)", "call 'open(N)'"),
    ("__import__('os').system('true')", "call \"__import__('os').system('true')\""),
    ("A.logg(N)", "call 'A.logg(N)'"),
    ("(lambda: N)()", "call '(lambda: N)()'"),
    ("exp(A)(N)", "call 'exp(A)(N)'"),
    ("A*(lambda: N)", "piece 'lambda: N'"),
    ("[A for A in N]", "piece '[A for A in N]'"),
    ("A*N if N else A", "piece 'A * N if N else A'"),
    ("A*N < 3", "piece 'A * N < 3'"),
    ("A and N", "piece 'A and N'"),
    ("A//N", "piece 'A // N'"),
    ("A%N", "piece 'A % N'"),
    ("A@N", "piece 'A @ N'"),
    ("A - ~N", "piece '~N'"),
    ("not N", "piece 'not N'"),
    ("Max(*A, N)", "piece '*A'"),
    ("(A, N)", "piece '(A, N)'"),
    ("f'{A}'", "piece \"f'{A}'\""),
]
ALLOWED = (
    "Allowed: numbers, names, + - * / **, pi, exp, log, log10, log2, sqrt, tanh, sin, cos, arctan, "
    "Max, Min."
)


@pytest.mark.parametrize(("right", "piece"), PIECES)
def test_what_is_not_listed(right, piece):
    wanted = f"Law: the {piece} is not allowed in a formula. {ALLOWED}"
    assert refusal(Law, f"L(N) = {right}") == wanted


def test_a_function_nearby_is_named():
    message = refusal(Law, "L(N) = A*logg(N)")
    close = "Did you mean 'log'?"
    assert message == f"Law: the call 'logg(N)' is not allowed in a formula. {close} {ALLOWED}"
    assert f"the call '{'a' * 60}' is" in refusal(Law, f"L(N) = A*{'a' * 70}(N)")


@pytest.mark.parametrize("text", ["'text'", "1j", "True", "None", "...", "b'x'"])
def test_what_is_no_number(text):
    assert refusal(read, f"x + {text}") == f"Law: {text} is not a number."


@pytest.mark.parametrize(("text", "said"), [("9e999", "1e309"), ("1.1e300", "1.1e+300")])
def test_numbers_that_are_too_large(text, said):
    assert refusal(read, f"x - {text}") == f"Law: the number {said} is too large for a formula."
    assert f"number {'9' * 40} is too" in refusal(read, "x*" + "9" * 301)


@pytest.mark.parametrize("right", ["x/0", "x/(1 - 1)", "0/0", "x/(0*x)"])
def test_division_by_zero(right):
    assert "divides by zero" in refusal(read, right)


INFINITE = ["9**9**9", "(-8)**0.5", "10.0**999", "0**-1", "log(0)", "sqrt(-1)", "log(-2)"]


@pytest.mark.parametrize("right", INFINITE)
def test_constants_that_are_no_finite_numbers(right):
    assert refusal(read, f"x*2 + {right}").endswith(" is not a finite number.")


COUNTS = [
    ("exp(x, x)", "one argument"),
    ("exp()", "one argument"),
    ("log(x, 10)", "one argument"),
    ("sqrt(x, **x)", "one argument"),
    ("Max(x)", "two or more arguments"),
    ("Min()", "two or more arguments"),
    ("Min(x, 1, **x)", "two or more arguments"),
    (f"Max({', '.join(['x'] * 21)})", "two or more arguments"),
]


@pytest.mark.parametrize(("right", "wanted"), COUNTS)
def test_the_number_of_arguments(right, wanted):
    name = right.partition("(")[0]
    assert refusal(read, right) == f"Law: {right!r}: {name} takes {wanted}."


# how it prints ------------------------------------------------------------------------------------


LATEX = [
    (CHINCHILLA, r"L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}"),
    ("L_c(N) = (N_c/N)**alpha_N", r"L_{c}(N) = \left(\frac{N_{c}}{N}\right)^{\alpha_{N}}"),
    ("y(x) = c - b*x + a - d", "y(x) = c - b x + a - d"),
    ("y(x) = c - (b + x) - (a - d)", r"y(x) = c - \left(b + x\right) - \left(a - d\right)"),
    ("y(x) = a*x + 2**3 + pi/2", r"y(x) = a x + 8 + \frac{\pi}{2}"),
]


@pytest.mark.parametrize(("formula", "latex"), LATEX)
def test_a_sum_prints_as_it_was_written(formula, latex):
    assert Law(formula).latex == latex


@pytest.mark.parametrize("base", [2, 10])
def test_logarithms_print_their_base(base):
    assert str(base) in Law(f"y(x) = a*log{base}(x)").latex


NAMES = [
    ("N", "N"),
    ("alpha", r"\alpha"),
    ("alpha_N", r"\alpha_{N}"),
    ("top", r"\mathrm{top}"),
    ("alpha_top", r"\alpha_{\mathrm{top}}"),
    ("floor_2", r"\mathrm{floor}_{2}"),
    ("b1", "b_{1}"),
    ("a_b_c", "a_{b_{c}}"),
    ("lambda_", r"\lambda"),
]


@pytest.mark.parametrize(("name", "latex"), NAMES)
def test_names_in_latex(name, latex):
    assert latex_name(name) == latex
