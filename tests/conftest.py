"""What several test files share: the replication's runs and fits, formulas, planted tables."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import scalekit as sk

mpl.use("Agg")

CHINCHILLA = "L(N, D) = E + A/N**alpha + B/D**beta"
FLOOR = "L(N) = E + A/N**alpha"
_FOLDER = sk.data.folder().parent / "notebooks"
NOTEBOOKS = {path.stem: path for path in sorted(_FOLDER.glob("*.ipynb"))}


def plant(law, n=60, noise=0.0, seed=0, span=None, **true):
    """Make runs that follow a law, with heavy-tailed noise of the given size in log y.

    Inputs are spread evenly in their logarithms over `span`, 1e7 to 1e11 unless given.
    """
    law = sk.law(law) if isinstance(law, str) and "=" not in law else law
    law = sk.Law(law) if isinstance(law, str) else law
    rng = np.random.default_rng(seed)
    ends = {name: np.log10((span or {}).get(name, (1e7, 1e11))) for name in law.inputs}
    x = {name: 10 ** rng.uniform(*ends[name], n) for name in law.inputs}
    y = law(**x, **true)
    return pd.DataFrame({**x, law.output: y * np.exp(noise * rng.standard_t(3, n))})


def curve(n=12, low=1e6, high=1e9):
    """Return noise-free runs of L = 2 + 50/N**0.3 at n sizes."""
    N = np.geomspace(low, high, n)
    return pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3})


@pytest.fixture(scope="session")
def runs240():
    """Return the 240 runs that the replication fits: without the five of highest loss."""
    return sk.load("chinchilla").sort_values("L").iloc[:240]


@pytest.fixture(scope="session")
def fit240(runs240):
    return sk.fit("chinchilla", runs240)


@pytest.fixture(scope="session")
def drawn240(fit240):
    """Return that fit with 4000 draws, as the replication takes."""
    return fit240.bootstrap(4000, seed=0)
