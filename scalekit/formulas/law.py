"""Laws: one formula, written as a paper prints it, and everything that follows from it."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import sympy

from scalekit.formulas.kernel import Kernel
from scalekit.formulas.parse import compiled, latex_name, names, parse, to_sympy
from scalekit.formulas.units import units
from scalekit.words import check_known, require


class Law:
    """A scaling law, from its formula.

    The left side names the output and the inputs; every other name on the right side is a
    parameter: ``"L(N, D) = E + A/N**alpha + B/D**beta"`` has five.

    Parameters
    ----------
    formula : str
        Numbers, names, ``+ - * / **``, parentheses, ``pi`` and the functions exp, log (natural),
        log10, log2, sqrt, tanh, sin, cos, arctan, Max, Min. Anything else is refused; nothing in a
        formula is ever executed.
    real : sequence of str or "all", optional
        Parameters that may be negative. All others are positive, and fitted in their logarithm.
    bounds : mapping of str to (low, high), optional
        Hard limits of a parameter, in its own unit.
    start : mapping of str to (low, high), optional
        The range in which a fit looks for starts, only where a law needs it.
    name, title, theme, paper, notes : str, optional
        What the catalogue says of it.
    published : mapping, optional
        Constants that papers print, by a key such as ``"besiroglu2024"``.
    example : mapping, optional
        Constants under ``"params"`` and the span (low, high) of each input under ``"inputs"``: what
        the tests plant and the explorer starts from.

    Notes
    -----
    How this misleads: the formula says nothing of units. ``N`` with and without embeddings are
    different inputs, and constants fitted with one are wrong with the other; read ``notes`` before
    you reuse published constants.

    Examples
    --------
    >>> law = Law("L(N) = E + A/N**alpha")
    >>> law.params
    ('E', 'A', 'alpha')
    >>> float(law(N=100.0, E=1.0, A=10.0, alpha=0.5))
    2.0
    """

    def __init__(
        self,
        formula: str,
        *,
        real: Sequence[str] | str = (),
        bounds: Mapping | None = None,
        start: Mapping | None = None,
        name: str | None = None,
        title: str = "",
        theme: str = "",
        paper: str = "",
        notes: str = "",
        published: Mapping | None = None,
        example: Mapping | None = None,
    ):
        require(
            not isinstance(formula, Law),
            "Law: got a Law where a formula (text) belongs; use it as it is.",
        )
        self.output, self.inputs, self._tree = parse(formula)
        self.formula = " ".join(formula.split())
        self.params = tuple(n for n in names(self._tree) if n not in self.inputs)
        self.real = frozenset(self.params if real == "all" else real)
        # inputs are real, parameters positive unless in `real`
        self.symbols = {name: sympy.Symbol(name, real=True) for name in self.inputs}
        self.symbols |= {name: sympy.Symbol(name, **self.assumptions(name)) for name in self.params}
        self.expr = to_sympy(self._tree, self.symbols)
        self._check_names()
        self.bounds = self._ranges("bounds", bounds)
        self.start = self._ranges("start", start)
        self.name, self.title, self.theme = name, title, theme
        self.paper, self.notes = paper, notes
        self.published = {key: dict(v) for key, v in dict(published or {}).items()}
        self.example = dict(example or {})
        self._kernels = {}

    def _check_names(self):
        used = names(self._tree)
        for name in self.inputs:
            require(
                name in used,
                f"Law: the input {name!r} is not used in {self.formula!r}; drop it or use it.",
            )
        require(self.params, f"Law: {self.formula!r} has no parameter to fit.")
        require(
            self.output not in used,
            f"Law: the output {self.output!r} stands on both sides of {self.formula!r}.",
        )
        check_known("Law", "parameter for real", self.real, self.params)

    def _ranges(self, what, given):
        out = {}
        for name, (low, high) in dict(given or {}).items():
            check_known("Law", f"parameter for {what}", [name], self.params)
            signed = name in self.real
            if not low < high or (low < 0 and not signed):
                also = "" if signed else " and low >= 0"
                raise ValueError(
                    f"Law: {what} of {name!r} must be (low, high) with low < high{also}; "
                    f"got ({low:g}, {high:g})."
                )
            out[name] = (float(low), float(high))
        return out

    def __repr__(self):
        return f"Law({self.formula!r})"

    def _key(self):
        return self.formula, self.real, *map(frozenset, (self.bounds.items(), self.start.items()))

    def __eq__(self, other):
        return isinstance(other, Law) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __getstate__(self):
        # compiled functions cannot travel to another process; they are made again there
        state = {key: v for key, v in self.__dict__.items() if key != "value"}
        return state | {"_kernels": {}}

    def assumptions(self, name: str) -> dict:
        """Return what sympy may assume of a parameter: positive, or only real."""
        return {"real": True} if name in self.real else {"positive": True}

    @cached_property
    def latex(self) -> str:
        """The law as LaTeX, without dollar signs."""
        symbols = {name: sympy.Symbol(latex_name(name)) for name in self.symbols}
        left = f"{latex_name(self.output)}({', '.join(map(latex_name, self.inputs))})"
        with sympy.evaluate(False):
            # as written, not as sympy would sort it
            return f"{left} = {sympy.latex(to_sympy(self._tree, symbols), order='none')}"

    def _repr_latex_(self):
        return f"$\\displaystyle {self.latex}$"

    @cached_property
    def positive_inputs(self) -> list[str]:
        """Inputs that must be positive: those in a logarithm or under a power not known >= 0."""
        powers = self.expr.atoms(sympy.Pow)
        inside = [p.base for p in powers if not (p.exp.is_number and p.exp >= 0)]
        inside += [log.args[0] for log in self.expr.atoms(sympy.log)]
        factors = {f.as_base_exp()[0] for e in inside for f in sympy.Mul.make_args(e)}
        return [name for name in self.inputs if self.symbols[name] in factors]

    def at(self, constants: str | Mapping) -> dict[str, float]:
        """Return the law's constants, and nothing else, ready to be passed to the law.

        They come from a key of `published`, a fit's `params`, or any mapping that holds them all.

        Examples
        --------
        >>> Law("L(N) = A/N**alpha").at({"A": 2, "alpha": 0.5, "where": "Eq. 1"})
        {'A': 2.0, 'alpha': 0.5}
        """
        if isinstance(constants, str):
            check_known("at", "published constants", [constants], self.published)
            constants = self.published[constants]
        missing = [p for p in self.params if p not in constants]
        require(
            not missing,
            f"at: no value for {', '.join(missing)}; the law needs {', '.join(self.params)}.",
        )
        return {p: float(constants[p]) for p in self.params}

    @np.errstate(all="ignore")
    def __call__(self, /, **values) -> np.ndarray:
        """Evaluate the law; every input and parameter is an array or a number, broadcast."""
        wanted = self.inputs + self.params
        missing = [name for name in wanted if name not in values]
        require(
            not missing,
            f"{self.output}: no value for {', '.join(missing)}; pass {', '.join(wanted)} by name.",
        )
        check_known(self.output, "input or parameter", values, wanted)
        arrays = [np.asarray(values[name], dtype=float) for name in wanted]
        out = np.broadcast_arrays(self.value(*arrays), *arrays)[0] + 0.0
        bad = (~np.isfinite(out)).sum()
        require(
            not bad,
            f"{self.output}: the law is not finite for {bad} of {out.size} values; look for zero "
            "or negative inputs, or constants out of range.",
        )
        return out

    @cached_property
    def value(self):
        """Compiled ``value(*inputs, *params)``: what calling the law does, without its checks."""
        return compiled([self.symbols[name] for name in self.inputs + self.params], self.expr)

    @cached_property
    def units(self) -> tuple:
        """How parameters scale with the units of inputs and output; see `formulas.units`."""
        return units(self)

    @cached_property
    def exponents(self) -> set[str]:
        """Parameters that stand in an exponent and carry no unit."""
        powers = self.expr.atoms(sympy.Pow)
        standing = {symbol.name for power in powers for symbol in power.exp.free_symbols}
        return (standing & set(self.params)) - self.units[2]

    def kernel(self, logs: tuple[bool, ...]) -> Kernel:
        """Value, gradient and Hessian compiled; `logs` says which inputs come as logarithms."""
        if logs not in self._kernels:
            self._kernels[logs] = Kernel(self, logs)
        return self._kernels[logs]
