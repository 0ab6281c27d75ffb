"""Formulas as text: read with a whitelist, then turned into sympy expressions and numpy functions.

Nothing in a formula is ever executed: Python's own parser makes a tree, and only the pieces that
are listed here become an expression.
"""

import ast
import keyword
import math
import operator
from collections.abc import Callable, Mapping, Sequence

import sympy

from scalekit.words import nearest

FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    # as quotients, which print with their base
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "arctan": sympy.atan,
    "Max": sympy.Max,
    "Min": sympy.Min,
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
    reserved = name in FUNCTIONS or name == "pi"
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
        return _build(tree, symbols)
    except RecursionError as e:
        raise ValueError("Law: the formula is nested too deeply.") from e


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
            return _operation(node, _build(node.left, symbols), _build(node.right, symbols))
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
    return sympy.sympify(node.value)


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
    if base.free_symbols or exponent.free_symbols:
        return base**exponent
    try:
        value = float(base) ** float(exponent)
    except (OverflowError, ZeroDivisionError, TypeError):
        value = math.inf
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError(f"Law: {ast.unparse(node)!r} is not a finite number.")
    whole = value == int(value) and abs(value) < 2**53
    return sympy.sympify(int(value) if whole else value)


def _function(node, arguments):
    name, count = node.func.id, len(arguments)
    several = name in ("Max", "Min")
    if node.keywords or not (1 + several <= count <= 1 + 19 * several):
        wanted = "two or more arguments" if several else "one argument"
        raise ValueError(f"Law: {ast.unparse(node)!r}: {name} takes {wanted}.")
    value = FUNCTIONS[name](*arguments)
    if not value.free_symbols and not (value.is_real and value.is_finite):
        # log(0), sqrt(-1)
        raise ValueError(f"Law: {ast.unparse(node)!r} is not a finite number.")
    return value


def compiled(arguments: Sequence, expressions) -> Callable:
    """Compile sympy expressions to one numpy function, common pieces computed once."""
    return sympy.lambdify(arguments, expressions, modules="numpy", cse=True)


def latex_name(name: str) -> str:
    r"""Write a name as LaTeX: ``alpha_N`` as ``\alpha_{N}``, ``top`` upright."""
    head, _, tail = name.partition("_")
    # sympy knows which words are Greek letters
    parts = [sympy.latex(sympy.Symbol(word)) for word in (head, tail) if word]
    parts = [rf"\mathrm{{{p}}}" if len(p) > 1 and p.isalpha() else p for p in parts]
    return f"{parts[0]}_{{{parts[1]}}}" if len(parts) > 1 else parts[0]
