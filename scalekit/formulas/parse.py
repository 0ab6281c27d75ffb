"""Formulas as text: read with a whitelist, then turned into sympy expressions and numpy functions.

Nothing in a formula is ever executed: Python's own parser makes a tree, and only the pieces that
are listed here become an expression.
"""

import ast
import keyword
import math
import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import sympy
from sympy.core.logic import fuzzy_and, fuzzy_or
from sympy.core.parameters import global_parameters

from scalekit.words import nearest


class Tanh(sympy.Function):
    """The hyperbolic tangent, unevaluated: sympy's own takes minutes where it is nested."""

    nargs = 1

    @classmethod
    def eval(cls, x):
        """Compute it of a number."""
        return sympy.tanh(x) if x.is_Number else None

    def fdiff(self, argindex=1):
        """Return the slope."""
        return 1 - self**2

    def _latex(self, printer, exp=None):
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\tanh{power}{{\left({printer.doprint(self.args[0])} \right)}}"

    def _eval_is_extended_real(self):
        return True


class AtLeast(sympy.Function):
    """One where the first argument is at least the second, else zero; its slope is zero."""

    nargs = 2

    def fdiff(self, argindex=1):
        """Return the slope: zero, for the jump has measure zero."""
        return sympy.S.Zero


class _Extreme(sympy.Function):
    """Larger or smaller of two, with derivatives of the branch taken; at a tie of the first.

    Sympy's own Max and Min take a minute to be differentiated twice.
    """

    nargs = 2

    @classmethod
    def eval(cls, a, b):
        """Pick between two numbers, or two that are the same."""
        if a == b:
            return a
        return cls.pick(a, b) if a.is_number and b.is_number else None

    def fdiff(self, argindex=1):
        """Return the slope in an argument: one if it is taken, else zero."""
        first = AtLeast(*self.args[:: self.direction])
        return first if argindex == 1 else 1 - first

    def _eval_is_positive(self):
        return self.some(a.is_positive for a in self.args)

    def _latex(self, printer, exp=None):
        # as written: Max(a, b, c), not pairs of pairs
        terms = _flat(type(self), self)
        shown = rf"\{self.word}\left({', '.join(map(printer.doprint, terms))}\right)"
        return shown if exp is None else f"{shown}^{{{exp}}}"

    def _eval_is_extended_real(self):
        return True


def _flat(kind, term):
    return (
        [part for a in term.args for part in _flat(kind, a)] if isinstance(term, kind) else [term]
    )


def _in_pairs(kind, terms):
    # by halves, so that many terms are nested a few levels deep
    half = len(terms) // 2
    if not half:
        return terms[0]
    return kind(_in_pairs(kind, terms[:half]), _in_pairs(kind, terms[half:]))


class Larger(_Extreme):
    """The larger of two."""

    word, direction, pick, some = "max", 1, staticmethod(max), staticmethod(fuzzy_or)


class Smaller(_Extreme):
    """The smaller of two."""

    word, direction, pick, some = "min", -1, staticmethod(min), staticmethod(fuzzy_and)


FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    # as quotients, which print with their base
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "sqrt": sympy.sqrt,
    "tanh": Tanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "arctan": sympy.atan,
    "Max": lambda *terms: _in_pairs(Larger, terms),
    "Min": lambda *terms: _in_pairs(Smaller, terms),
}
# How numpy computes what it has no name for.
_BY_NUMPY = {
    "Tanh": np.tanh,
    "AtLeast": lambda a, b: np.where(a >= b, 1.0, 0.0),
    "Larger": np.maximum,
    "Smaller": np.minimum,
}
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_SIGNS = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_WORDS = {ast.Call: "call", ast.Attribute: "attribute", ast.Subscript: "index"}
_MAX_CHARACTERS = 2000
_LARGEST = 1e300
# A power that is a number; beyond it, exact arithmetic on what stands under it would take minutes.
_MAX_POWER = 100
# Whole numbers, and those of a ratio, that stay exact; operations in a row, each a level to print.
_EXACT, _MAX_ROW = 1000, 150
# Levels of nesting, and names: derivatives grow with the square of both.
_MAX_DEPTH, _MAX_NAMES = 20, 40


def parse(formula: str) -> tuple[str, tuple[str, ...], ast.expr]:
    """Read ``"L(N, D) = E + A/N**alpha"``: the output, the inputs, the tree of the right side."""
    if not isinstance(formula, str):
        raise ValueError(
            f"Law: a formula is text such as 'L(N) = A/N**alpha'; got {type(formula).__name__}."
        )
    if len(formula) > _MAX_CHARACTERS:
        raise ValueError(
            f"Law: the formula has {len(formula)} characters; at most {_MAX_CHARACTERS} are read."
        )
    left, equals, right = formula.partition("=")
    if not equals or "=" in right:
        raise ValueError(f"Law: write one '=', as in 'L(N) = A/N**alpha'; got {formula!r}.")
    output, *inputs = _head(left)
    return output, tuple(inputs), expression(right)


def expression(text: str) -> ast.expr:
    """Read one side of a formula, such as ``"beta/(alpha + beta)"``, as a tree."""
    if "^" in text:
        raise ValueError(f"Law: '^' is not a power here; write ** as in N**alpha (in {text!r}).")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        spaced = "".join(c if c.isalnum() else " " for c in text).split()
        word = next((w for w in keyword.kwlist if w in spaced), "")
        mend = f"; {word!r} is a word of Python, write {word}_ instead" if word else ""
        raise ValueError(f"Law: cannot read {text.strip()!r}{mend}.") from e


def _head(left):
    """Names on the left side: the output, then the inputs."""
    head = expression(left)
    parts = [head.func, *head.args] if isinstance(head, ast.Call) and not head.keywords else []
    if len(parts) < 2 or not all(isinstance(part, ast.Name) for part in parts):
        raise ValueError(
            f"Law: the left side names output and inputs, as in 'L(N, D)'; got {left.strip()!r}."
        )
    found = [_checked(part.id) for part in parts]
    if len(set(found)) < len(found):
        raise ValueError(f"Law: a name stands twice in {left.strip()!r}.")
    return found


def names(tree: ast.expr) -> list[str]:
    """List the names in a tree, in order, each once; functions and pi are none."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    known = {*FUNCTIONS, "pi"}
    return list(dict.fromkeys(node.id for node in found if node.id not in known))


def _checked(name):
    # and the names that a compiled law gives to functions
    reserved = name in (*FUNCTIONS, *_BY_NUMPY, "pi")
    if reserved or name.startswith("_") or name.endswith("__") or not name.isascii():
        raise ValueError(
            f"Law: {name!r} cannot name an input or parameter; use letters, digits and _ in the "
            "middle or at the end."
        )
    return name


# the whitelist ------------------------------------------------------------------------------------


def to_sympy(tree: ast.expr, symbols: Mapping):
    """Build the sympy expression of a tree out of these symbols and none of sympy's own.

    Whatever is not listed is refused, with the offending piece.
    """
    try:
        long = _depth(tree, lambda node: list(ast.iter_child_nodes(node))) > _MAX_ROW
        found = None if long else _build(tree, symbols)
    except RecursionError:
        found = None
    # printed, a sum or product is nested as it was written
    computed = global_parameters.evaluate
    if found is None or (computed and _depth(found, lambda expr: expr.args) > _MAX_DEPTH):
        raise ValueError(
            f"Law: the formula is nested too deeply; at most {_MAX_DEPTH} levels, and {_MAX_ROW} "
            "operations in a row."
        )
    if computed and found.has(sympy.zoo, sympy.oo, sympy.nan, sympy.I):
        raise ValueError(f"Law: {ast.unparse(tree)[:60]!r} is not a real, finite number.")
    count = len(found.free_symbols)
    if count > _MAX_NAMES:
        raise ValueError(f"Law: the formula holds {count} names; at most {_MAX_NAMES} are read.")
    return found


def _depth(node, parts):
    return 1 + max((_depth(part, parts) for part in parts(node)), default=0)


def _tamed(value):
    """Turn the number before a term into a float unless it is small: exact ones grow for ever."""
    factor, rest = value.as_coeff_Mul()
    if not global_parameters.evaluate or not factor.is_real:
        return value
    if abs(factor) > _LARGEST:
        raise ValueError(f"Law: the formula holds a number of more than {_LARGEST:g}.")
    exact = factor.is_Rational and max(abs(factor.p), factor.q) <= _EXACT
    return value if exact else sympy.Float(factor) * rest


def _build(node, symbols):
    match node:
        case ast.Constant():
            return _number(node)
        case ast.Name(id="pi"):
            return sympy.pi
        case ast.Name():
            return symbols[_checked(node.id)]
        case ast.UnaryOp() if type(node.op) in _SIGNS:
            return _SIGNS[type(node.op)](_build(node.operand, symbols))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            left, right = _build(node.left, symbols), _build(node.right, symbols)
            return _tamed(_operation(node, left, right))
        case ast.Call(func=ast.Name()) if node.func.id in FUNCTIONS:
            return _function(node, [_build(argument, symbols) for argument in node.args])
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    close = nearest(node.func.id, FUNCTIONS) if called else ""
    raise ValueError(
        f"Law: the {_WORDS.get(type(node), 'piece')} {ast.unparse(node)[:60]!r} is not allowed in "
        f"a formula.{close} Allowed: numbers, names, + - * / **, pi, {', '.join(FUNCTIONS)}."
    )


def _number(node):
    text = ast.unparse(node)
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        raise ValueError(f"Law: {text} is not a number.")
    if abs(node.value) > _LARGEST:
        raise ValueError(f"Law: the number {text[:40]} is too large for a formula.")
    return _tamed(sympy.sympify(node.value))


def _operation(node, left, right):
    op = type(node.op)
    if op is ast.Pow:
        return _power(left, right, node)
    if op in (ast.Add, ast.Sub) and isinstance(left, sympy.Add):
        # one sum, not nested pairs: it prints as it was written
        return sympy.Add(*left.args, right if op is ast.Add else -right)
    if op is ast.Div and right == 0:
        raise ValueError(f"Law: {ast.unparse(node)!r} divides by zero.")
    return _OPERATORS[op](left, right)


def _power(base, exponent, node):
    """Raise to a power; two numbers as floats, so that 9**9**9 is refused instead of computed."""
    symbolic = base.free_symbols or exponent.free_symbols
    if symbolic and base.is_negative and not exponent.is_integer:
        raise ValueError(f"Law: {ast.unparse(node)[:60]!r} is not a real number.")
    if exponent.free_symbols:
        return base**exponent
    if base.free_symbols:
        _check_power(base, exponent, node)
        return base**exponent
    try:
        value = float(base) ** float(exponent)
    except (OverflowError, ZeroDivisionError, TypeError):
        value = math.inf
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError(f"Law: {ast.unparse(node)!r} is not a finite number.")
    whole = value == int(value) and abs(value) <= _EXACT
    return sympy.sympify(int(value) if whole else value)


def _check_power(base, exponent, node):
    """Refuse a power that is too large a number, or makes one of the number in its base."""
    factor, size = abs(base.as_coeff_Mul()[0]), abs(float(exponent))
    if size > _MAX_POWER or size * abs(math.log(factor)) > math.log(_LARGEST):
        raise ValueError(
            f"Law: {ast.unparse(node)[:60]!r}: the power {float(exponent):.6g} is too large for a "
            f"formula; at most {_MAX_POWER}, and no number beyond {_LARGEST:g} under it."
        )


def _function(node, arguments):
    name, count = node.func.id, len(arguments)
    several = name in ("Max", "Min")
    if node.keywords or not (1 + several <= count <= 1 + 19 * several):
        wanted = "two or more arguments" if several else "one argument"
        raise ValueError(f"Law: {ast.unparse(node)!r}: {name} takes {wanted}.")
    constant = not any(argument.free_symbols for argument in arguments)
    # printed, all stands as it was written
    if constant and global_parameters.evaluate:
        return _constant(node, [sympy.Float(argument) for argument in arguments])
    if name == "exp":
        # exp(9*log(x)) is x**9 to sympy
        for term in sympy.Add.make_args(arguments[0]):
            factor, rest = term.as_independent(*term.free_symbols, as_Add=False)
            if isinstance(rest, sympy.log):
                _check_power(sympy.exp(rest), factor, node)
    return FUNCTIONS[name](*arguments)


def _constant(node, arguments):
    """Evaluate a function of numbers, as a float."""
    value = FUNCTIONS[node.func.id](*arguments)
    try:
        value = float(value)
    except (OverflowError, TypeError):
        value = math.inf
    if not abs(value) <= _LARGEST:
        # log(0), sqrt(-1), exp(exp(9))
        raise ValueError(f"Law: {ast.unparse(node)[:60]!r} is not a finite number.")
    return sympy.Float(value)


def compiled(arguments: Sequence, expressions) -> Callable:
    """Compile sympy expressions to one numpy function, common pieces computed once."""
    return sympy.lambdify(arguments, expressions, modules=[_BY_NUMPY, "numpy"], cse=True)


def latex_name(name: str) -> str:
    r"""Write a name as LaTeX: ``alpha_N`` as ``\alpha_{N}``, ``top`` upright."""
    head, _, tail = name.partition("_")
    # sympy knows which words are Greek letters
    parts = [sympy.latex(sympy.Symbol(word)) for word in (head, tail) if word]
    parts = [rf"\mathrm{{{p}}}" if len(p) > 1 and p.isalpha() else p for p in parts]
    return f"{parts[0]}_{{{parts[1]}}}" if len(parts) > 1 else parts[0]
