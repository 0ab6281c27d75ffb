"""Formulas from strangers: whatever the text, a law or a refusal, soon, and nothing is run."""

import ast
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy.core.cache import clear_cache

from scalekit.formulas.law import Law
from scalekit.formulas.parse import FUNCTIONS

# the same cases each time, and nothing is kept between runs
SAME = settings(
    database=None,
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)
# CPU seconds: what is refused or compiled takes a tenth of that here; what hung took a minute
PATIENCE = 15


def compiled(formula):
    """Make a law and all that a fit compiles of it."""
    law = Law(formula)
    kernel = law.kernel((True,) * len(law.inputs))
    return law, law.units, kernel.second, kernel.value


def nested(piece, times, core="a*N"):
    """Put a piece, with $ for what is inside it, around itself."""
    for _ in range(times):
        core = piece.replace("$", core)
    return core


# powers of numbers and constants that exact arithmetic would work on for a minute, or for ever
ENDLESS = [
    "A*(9*N)**9999999",
    "A*N*exp(1000000000*log(9))",
    "A*N*Max(cos(exp(exp(exp(3)))), .5)",
    "A*exp(1000000000*log(9*N))",
    "A*exp(99*log(exp(99*log(exp(99*log(9*N))))))",
    "A*((9*N)**99)**99",
    "A*9**9**9**9*N",
    "A*N*" + "*".join(["999999999999"] * 120),
    "A*N**(9**9**9)",
    "A*N*sin(exp(exp(99)))",
    "A*N*tanh(log(log(1)))",
    "A*N*(9**b)**(10**9/b)",
    "A*N*exp(pi*log(9*N)*10**8)",
]
# derivatives that grow with every level or name
SWOLLEN = [
    "A*N*(b/" + "9" * 290 + ")**(1/" + "9" * 250 + ")",
    nested("tanh($ + b)", 30),
    nested("tanh($ + b)", 9),
    nested("(1 + $)**b", 25),
    nested("($ + b)*($ + c)", 6),
    nested("Max($*b, c + $)", 6),
    nested("log(($ + b)*exp($ + c))", 5),
    nested("(c + $**b)", 9),
    "**".join("ABCDFGHJKM") + "**N",
    " + ".join(f"A{i}/N**a{i}" for i in range(60)),
    " + ".join(f"A{i}/N**a{i}" for i in range(19)),
    "Max(" + ", ".join(f"A{i}/N**a{i}" for i in range(18)) + ")",
    "*".join(f"(A{i} + N**a{i})" for i in range(19)),
]


@pytest.mark.parametrize("right", ENDLESS)
def test_numbers_that_would_take_for_ever_are_refused_at_once(right):
    clear_cache()
    start = time.process_time()
    with pytest.raises(
        ValueError, match=r"Law: .*(not a finite number|too large|more than 1e\+300)"
    ):
        Law(f"L(N) = {right}")
    assert time.process_time() - start < PATIENCE


@pytest.mark.parametrize(
    "right",
    ["A*N + (-A)**b", "A*N + sqrt(-A)", "A*(N - N)**(-b)", "A*N/(1 - b/b)", "A*N + (-2)**b"],
)
def test_what_is_no_real_number_is_refused(right):
    with pytest.raises(ValueError, match=r"Law: .*(not a real|divides by zero|not a finite)"):
        Law(f"L(N) = {right}")


def test_a_law_that_is_read_prints():
    for right in (
        "A*N*Max(1, 2)",
        "A*" + "*".join(f"(b + {i}*N)" for i in range(30)),
        "A*tanh(.5)*N",
    ):
        assert Law(f"L(N) = {right}").latex.startswith("L(N) = ")


def test_powers_of_negative_numbers_have_no_value():
    kernel = Law("L(N) = A*N*(-N)**b").kernel((False,))
    f, g, h = kernel.derivatives([np.array([2.0])], np.array([[1.0, 0.5]]))
    assert np.isnan(f).all() and np.isnan(g).all() and np.isnan(h).all()


@pytest.mark.parametrize("right", SWOLLEN, ids=range(len(SWOLLEN)))
def test_what_swells_is_compiled_soon_or_refused(right):
    clear_cache()
    start = time.process_time()
    try:
        compiled(f"L(N) = {right}")
    except ValueError as error:
        wanted = ("nested too deeply", "names; at most", "operations, more than", "characters")
        assert any(words in str(error) for words in wanted)
    assert time.process_time() - start < PATIENCE


def test_the_budget_is_said_with_the_mend():
    core = "N"
    for i in range(9):
        core = f"(a{i} + {core}**b{i})"
    with pytest.raises(ValueError, match=r"operations, more than the 1500 .* fewer parameters"):
        compiled(f"L(N) = {core}")


# any text -----------------------------------------------------------------------------------------

PIECES = [
    *FUNCTIONS,
    "A",
    "N",
    "beta",
    "x0",
    "pi",
    "1",
    "2.5",
    "1e3",
    "0",
    "+",
    "-",
    "*",
    "/",
    "**",
]
ODD = ["(", ")", ",", "=", "L(N)", " ", "[", "]", "{", "}", ":", ":=", ".", "lambda", "if", "else"]
ODD += ["'a'", '"b"', "f'{A}'", "__class__", "A.real", "A[0]", "print", "and", "not", "for", "in"]
ODD += [
    "\\",
    "#",
    ";",
    "\n",
    "%",
    "//",
    "@",
    "~",
    "&",
    "1j",
    "True",
    "None",
    "...",
    "await",
    "\u03b1",
]


@SAME
@given(st.lists(st.sampled_from(PIECES + ODD), max_size=12).map(" ".join))
def test_pieces_make_a_law_or_are_refused(right):
    try:
        law = Law(f"L(N) = {right}")
    except ValueError as error:
        assert str(error).startswith("Law: ")
    else:
        assert "N" in law.inputs and law.params


@SAME
@given(st.text(max_size=40))
def test_any_text_makes_a_law_or_is_refused(text):
    for formula in (text, f"L(N) = {text}", f"{text} = A*N"):
        try:
            Law(formula)
        except ValueError as error:
            assert str(error).startswith("Law: ")


SNARES = ["().__class__", "open('x')", "(lambda: 1)()", "[a for a in N]", "eval('1')", "f'{N}'"]
SNARES += ["(y := 3)", "N.__init__", "exp.__globals__", "N['a']", "'a'*3", "N if A else 2", "b'x'"]
SNARES += ["{1: 2}", "{N}", "not N", "N and A", "N < A", "exp(*N)", "exp(x=N)", "__import__('os')"]


@SAME
@given(
    st.sampled_from(SNARES), st.sampled_from(["$", "A + $", "exp($)", "A/(N + $)**2", "Max($, A)"])
)
def test_nothing_but_arithmetic_is_read(snare, around):
    with pytest.raises(ValueError, match=r"^Law: "):
        Law(f"L(N) = A*N + {around.replace('$', snare)}")


# the grammar --------------------------------------------------------------------------------------

BY_NUMPY = {
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "arctan": np.arctan,
    "Max": np.maximum,
    "Min": np.minimum,
}
ATOMS = st.sampled_from(["N", "A", "b", "2", "0.5", "3", "1.25"])


def grown(inner):
    """Make larger expressions out of smaller ones."""
    pair = st.tuples(inner, inner)
    one = [name for name in FUNCTIONS if name not in ("Max", "Min")]
    return st.one_of(
        st.tuples(pair, st.sampled_from("+-*/")).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        pair.map(lambda p: f"{p[0]}**{p[1]}" if p[0] in "NAb" else f"({p[0]})**({p[1]})"),
        st.tuples(st.sampled_from(one), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["Max", "Min"]), pair).map(
            lambda t: f"{t[0]}({t[1][0]}, {t[1][1]})"
        ),
    )


@SAME
@given(st.recursive(ATOMS, grown, max_leaves=8), st.integers(0, 99))
@np.errstate(all="ignore")
def test_a_law_is_worth_what_numpy_says(right, seed):
    try:
        law = Law(f"L(N) = {right}")
    except ValueError as error:
        assert str(error).startswith("Law: ")
        return
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(0.5, 2.0) for name in (*law.inputs, *law.params)}
    tree = ast.parse(right, mode="eval")
    wanted = eval(
        compile(tree, "", "eval"),
        {"__builtins__": {}},
        BY_NUMPY | {name: np.float64(value) for name, value in values.items()},
    )
    try:
        found = law(**values)
    except ValueError as error:
        # complex, infinite or not a number
        assert "not finite" in str(error) and not np.isfinite(wanted)
        return
    # some dozen roundings, magnified where a power is steep
    if np.isfinite(wanted) and abs(wanted) < 1e6:
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)
