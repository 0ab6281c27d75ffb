"""Plant small faults, one at a time, and see whether the tests of their own module notice.

By default a sample of 300 over all modules, half an hour on two cores; or:

    make mutants ARGS="--module fits/solver --count 40 --seed 1"

A mutant, made by cosmic-ray, swaps an operator, shifts a number by one, flips a boolean, or drops
a statement, a decorator, a loop or a not; messages, annotations and imports are left alone. It is
killed if tests/test_<module>.py fails or takes far longer. Does a survivor change anything?
"""

import argparse
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Queue

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[2]
ROOMS = ("formulas", "fits", "answers")
# Swaps that a tired writer could make. Others, such as + for <<, any test would notice.
SWAPS = {
    "ReplaceBinaryOperator": "Add_Sub Sub_Add Mul_Div Div_Mul Pow_Mul FloorDiv_Div Mod_Mul "
    "BitAnd_BitOr BitOr_BitAnd",
    "ReplaceComparisonOperator": "Lt_LtE LtE_Lt Gt_GtE GtE_Gt Lt_Gt Gt_Lt LtE_GtE GtE_LtE "
    "Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is",
    "ReplaceUnaryOperator": "USub_UAdd Delete_USub Delete_Not Delete_Invert",
}
OTHERS = (
    "AddNot ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd "
    "ReplaceBreakWithContinue ReplaceContinueWithBreak NumberReplacer RemoveDecorator "
    "ZeroIterationForLoop"
)
# Messages and imports, in which nothing is planted; and where a star or a slash is no operator.
SPARED = ("fstring", "raise_stmt", "import_from", "import_name")
DROPPED = ("expr_stmt", "atom_expr", "del_stmt")
STARRED = ("parameters", "param", "argument", "arglist", "dictorsetmaker")


class DropStatement(Operator):
    """Put `pass` where an assignment, a call or a del stands; cosmic-ray has no such operator."""

    def mutation_positions(self, node):
        """Yield the place of such a statement; a docstring is none."""
        if node.type == "simple_stmt" and node.children[0].type in DROPPED:
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """Keep the indent before it and the end of the line."""
        prefix = node.get_first_leaf().prefix
        node.children[0] = parso.python.tree.Keyword("pass", node.start_pos, prefix)
        return node

    @classmethod
    def examples(cls):
        """Return none: only the base class asks for them."""
        return ()


NAMES = [f"{kind}_{swap}" for kind, swaps in SWAPS.items() for swap in swaps.split()]
OPERATORS = {name: get_operator(f"core/{name}")() for name in NAMES + OTHERS.split()}
OPERATORS["DropStatement"] = DropStatement()


def is_spared(node):
    """Say whether a node is an annotation, or a sign such as the * of *args."""
    parent = node.parent
    if parent.type == "funcdef":
        return node is parent.annotation
    if parent.type in STARRED and node.type == "operator":
        return True
    place = {"tfpdef": 2, "annassign": 1}.get(parent.type)
    return place is not None and node is parent.children[place]


def lies_in_spared(node):
    """Say whether a node lies in a message, an annotation or an import."""
    while node.parent is not None:
        if node.parent.type in SPARED or is_spared(node):
            return True
        node = node.parent
    return False


def sites(tree, module):
    """List where a module can be mutated: (module, kind, position), with the ways to do it."""
    source = parso.parse((tree / "scalekit" / f"{module}.py").read_text("utf-8"))
    found = {}
    for name, operator in OPERATORS.items():
        occurrence = 0
        for node in ast_nodes(source):
            for start, _ in operator.mutation_positions(node):
                if not lies_in_spared(node):
                    key = (module, name.split("_")[0], start)
                    found.setdefault(key, []).append((name, occurrence))
                occurrence += 1
    return found.items()


def copy_tree(folder):
    """Copy the tree, without environments and caches."""
    skipped = shutil.ignore_patterns(".*", "__pycache__", "notebooks")
    return Path(shutil.copytree(ROOT, folder, ignore=skipped))


def passes(tree, module, limit):
    """Run a module's own tests in a tree; say whether they pass within the limit, in seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command.append(f"tests/test_{Path(module).name}.py")
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(tree / ".hyp")}
    # a session of its own, so that workers which the tests start end with them
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(command, cwd=tree, env=environment, **quiet)
    try:
        return process.wait(limit) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def limits_of(tree, modules):
    """Time each module's tests without a fault: ten times that, and 30 s, is a mutant's limit."""
    limits = {}
    for module in modules:
        start = time.monotonic()
        if passes(tree, module, 600):
            limits[module] = 30 + 10 * (time.monotonic() - start)
        else:
            print(f"{module}: no tests of its own, or they fail without a fault; left out.")
    return limits


def judge(trees, limits, site, way):
    """Plant one fault, run the tests, mend it; say whether it survived, where, and the change."""
    (module, _, (line, _)), (name, occurrence) = site, way
    tree = trees.get()
    path = tree / "scalekit" / f"{module}.py"
    sound = path.read_text("utf-8")
    mutant = mutate_code(sound, OPERATORS[name], occurrence)
    try:
        path.write_text(mutant, "utf-8")
        survived = passes(tree, module, limits[module])
    finally:
        path.write_text(sound, "utf-8")
        trees.put(tree)
    print("s" if survived else ".", end="", flush=True)
    lines = list(difflib.unified_diff(sound.splitlines(), mutant.splitlines(), n=0, lineterm=""))
    change = [text for text in lines[2:] if not text.startswith("@@")]
    return survived, f"scalekit/{module}.py:{line}  {name}", change


def main():
    """Sample, judge, print the survivors and the count."""
    files = [path for room in ROOMS for path in sorted(ROOT.glob(f"scalekit/{room}/[!_]*.py"))]
    every = [f"{path.parent.name}/{path.stem}" for path in files]
    words = argparse.ArgumentParser()
    words.add_argument("--module", action="append", choices=every, metavar="ROOM/MODULE")
    words.add_argument("--count", type=int, default=300)
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args()
    cores, rng = os.cpu_count() or 1, random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        copies = [copy_tree(Path(folder) / str(i)) for i in range(cores)]
        limits = limits_of(copies[0], asked.module or every)
        possible = {site: ways for module in limits for site, ways in sites(copies[0], module)}
        chosen = rng.sample(sorted(possible), min(asked.count, len(possible)))
        chosen.sort(key=lambda site: (site[0], site[2]))
        jobs = [(site, rng.choice(possible[site])) for site in chosen]
        trees = Queue()
        for tree in copies:
            trees.put(tree)
        with ThreadPoolExecutor(cores) as pool:
            results = list(pool.map(lambda job: judge(trees, limits, *job), jobs))
    for survived, where, change in results:
        if survived:
            print(f"\n\n{where}", *change, sep="\n  ", end="")
    killed = sum(not survived for survived, *_ in results)
    print(f"\n\n{killed} of {len(results)} killed, of {len(possible)} places; seed {asked.seed}.")


if __name__ == "__main__":
    main()
