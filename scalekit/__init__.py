"""scalekit: a Jupyter-first kit for neural scaling laws.

    import scalekit as sk

    runs = sk.load("chinchilla")       # tidy table; where it comes from is in runs.attrs["card"]
    fit = sk.fit("chinchilla", runs)   # a law by its name in the zoo, or by its formula
    sk.optimal(fit, C=5.76e23)         # the compute-optimal N, D and loss

Every public name is found on first use, so ``import scalekit`` stays light: nothing that draws,
nothing symbolic and no widget is loaded before it is needed.
"""

import sys
from importlib import import_module

__version__ = "0.1.0"

# Public name -> the module that defines it.
_HOME = {
    "FitError": "words",
    "load": "tables.load",
    "datasets": "tables.load",
    "read": "tables.read",
    "Law": "formulas.law",
    "law": "formulas.zoo",
    "laws": "formulas.zoo",
    "fit": "fits.fit",
    "objective": "fits.fit",
    "Fit": "fits.fit",
    "fit_many": "fits.many",
    "optimal": "answers.optimal",
    "closed_form": "answers.optimal",
    "envelope": "answers.frontier",
    "isoflop": "answers.frontier",
    "Frontier": "answers.frontier",
    "power_law": "answers.frontier",
    "holdout": "answers.holdout",
    "compare": "answers.holdout",
    "crossover": "answers.crossover",
    "design": "answers.design",
    "chain": "answers.chain",
    "checklist": "answers.checklist",
    "trend": "answers.trend",
    "Trend": "answers.trend",
    "Scoreboard": "book.board",
    "published": "book.published",
    "check": "book.exercise",
}
# Public name -> the room or module that it stands for.
_ROOMS = {
    "data": "tables",
    "flops": "answers.flops",
    "plot": "pictures",
    "widgets": "pictures.explore",
}

__all__ = ["__version__", *_HOME, *_ROOMS]


def __getattr__(name):
    if name in _ROOMS:
        value = import_module(f"{__name__}.{_ROOMS[name]}")
    elif name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(
            f"module 'scalekit' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )
    globals()[name] = value
    return value


def __dir__():
    return sorted({*__all__, *globals()})
