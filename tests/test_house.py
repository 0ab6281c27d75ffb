"""The house: arrows point down, no circle, no private name across modules, and it stays thin."""

import ast
from pathlib import Path

import pytest

import scalekit as sk

PACKAGE = Path(sk.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
# What each room may import besides itself.
BELOW = {
    "words": set(),
    "tables": {"words"},
    "formulas": {"tables", "words"},
    "fits": {"formulas", "tables", "words"},
    "answers": {"fits", "formulas", "tables", "words"},
    "book": {"tables", "words"},
    "pictures": {"answers", "fits", "formulas", "tables", "words"},
    "__main__": {"book", "tables", "words"},
    # it names modules only, as text
    "__init__": set(),
}


def imports(tree):
    """List what a module imports from the package: (module, names), wherever the import stands."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scalekit":
            found.append((node.module.removeprefix("scalekit").lstrip("."), node.names))
        elif isinstance(node, ast.Import):
            found += [(a.name[9:], []) for a in node.names if a.name.startswith("scalekit.")]
    return found


def targets(tree):
    """Modules that a module imports; ``from scalekit.fits import draws`` is one of fits.draws."""
    found = set()
    for module, names in imports(tree):
        inside = {f"{module}.{a.name}" for a in names} & set(MODULES)
        found |= inside or {module if module in MODULES else f"{module}.__init__"}
    return found


ARROWS = {name: targets(tree) for name, tree in MODULES.items()}


def test_the_rooms_are_those_that_are_drawn():
    assert {name.split(".")[0] for name in MODULES} == set(BELOW)


@pytest.mark.parametrize("name", MODULES)
def test_arrows_point_down(name):
    room = name.split(".")[0]
    rooms = {target.split(".")[0] for target in ARROWS[name]}
    assert rooms <= BELOW[room] | {room}, f"{name} imports from {rooms}"


def test_there_is_no_circle():
    left = {name: set(arrows) - {name} for name, arrows in ARROWS.items()}
    while left:
        free = {name for name, arrows in left.items() if not arrows & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: arrows for name, arrows in left.items() if name not in free}


def test_a_circle_and_an_arrow_up_would_be_seen():
    tree = ast.parse(
        "def f():\n    from scalekit.fits import fit\n    import scalekit.answers.chain"
    )
    assert targets(tree) == {"fits.fit", "answers.chain"}
    assert targets(ast.parse("from scalekit.words import nearest")) == {"words"}
    assert targets(ast.parse("from scalekit.pictures import axis")) == {"pictures.__init__"}


@pytest.mark.parametrize("name", MODULES)
def test_no_private_name_is_taken(name):
    taken = [a.name for _, names in imports(MODULES[name]) for a in names if a.name[0] == "_"]
    assert not taken


def test_nothing_beside_the_package_is_named_like_a_public_function():
    beside = {path.stem for path in PACKAGE.iterdir()}
    rooms = {"data", "flops", "plot", "widgets"}
    assert not beside & (set(sk.__all__) - rooms - {"__version__"})
    assert type(sk).__name__ == "module"


# thinness -----------------------------------------------------------------------------------------

INSIDE = (ast.comprehension, ast.IfExp, ast.Lambda, ast.NamedExpr)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def thinness(tree):
    """Count statements, comprehensions, conditionals, lambdas, walruses; docstrings apart."""
    nodes = list(ast.walk(tree))
    documented = sum(isinstance(n, DOCUMENTED) and ast.get_docstring(n) is not None for n in nodes)
    return sum(isinstance(n, (ast.stmt, *INSIDE)) for n in nodes) - documented


def test_the_core_is_read_in_an_afternoon():
    core = ("formulas", "fits", "words")
    tables = ("tables.load", "tables.check")
    parts = [n for n in MODULES if n.split(".")[0] in core or n in tables]
    assert sum(thinness(MODULES[name]) for name in parts) <= 2120


def test_the_package_is_thin():
    assert sum(thinness(tree) for tree in MODULES.values()) <= 4420


def test_it_is_counted_so_that_density_buys_nothing():
    loose = "x = []\nfor i in y:\n    x.append(i)"
    dense = "x = [i for i in y]"
    assert thinness(ast.parse(loose)) == 3 and thinness(ast.parse(dense)) == 2
    assert thinness(ast.parse('"""Doc."""\nf = lambda: 1 if x else 2')) == 3


def test_it_is_short():
    lines = [path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")]
    assert sum(lines) <= 7990


def test_every_public_name_has_hints():
    """Every function that a user reaches says what it takes and gives."""
    bare = []
    for name in sk.__all__:
        thing = getattr(sk, name)
        if not callable(thing):
            continue
        own = {n: f for n, f in vars(thing).items() if n[0] != "_" and callable(f)}
        functions = own if isinstance(thing, type) else {name: thing}
        for key, function in functions.items():
            hints = getattr(function, "__annotations__", {})
            takes = getattr(function, "__code__", None)
            if takes is None:
                continue
            wanted = set(takes.co_varnames[: takes.co_argcount]) - {"self", "cls"} | {"return"}
            bare += [f"{name}.{key}: {missing}" for missing in wanted - set(hints)]
    assert not bare
