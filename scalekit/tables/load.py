"""The tables of the kit: each ``data/<name>.csv`` with its card, the sidecar ``.meta.json``."""

import hashlib
import json
import tomllib
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from scalekit.words import unknown


def folder() -> Path:
    """Return the folder of the tables: inside an installed wheel, else ``data/`` by the package."""
    inside = Path(__file__).resolve().parents[1] / "_data"
    return inside if inside.is_dir() else inside.parents[1] / "data"


def names(ending: str = ".meta.json") -> list[str]:
    """List the names of the data sets, which are those of the files with this ending."""
    return sorted(path.name.removesuffix(ending) for path in folder().glob(f"*{ending}"))


@cache
def entries(kind: str) -> dict:
    """Return the entries of all ``data/<kind>/*.toml`` by their names."""
    found = {}
    for path in sorted((folder() / kind).glob("*.toml")):
        found |= tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def card(name: str) -> dict:
    """Return the card of the data set `name`: see `load`."""
    path = folder() / f"{name}.meta.json"
    # Only a plain file name reaches the disk: it must be among those that are there.
    if name not in names() + names(".csv"):
        raise ValueError(unknown("load", "data set", name, names()))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        unread = f"the sidecar {path.name}, which says where its numbers come from, cannot be read"
        raise _damaged(path, f"{unread} ({error})") from None


def _damaged(path, what):
    """Return the error for a file that is missing or changed, with how it comes back."""
    installed = path.parent.name == "_data"
    checkout = f"restore it with: git checkout -- data/{path.name}"
    return ValueError(f"load: {what}; {'reinstall scalekit' if installed else checkout}")


def load(name: str) -> pd.DataFrame:
    """Load a data set of the kit by its name (see `datasets`): a tidy table, a row a run.

    It is in base units: parameters, tokens, FLOP, nats per token. Large counts are floats, for
    ``6*N*D`` in 64-bit integers silently turns negative above 9.2e18. ``.attrs["card"]`` is the
    sidecar: title, paper, table, source, method, measurement_error, rows, dropped, licence, columns
    (meaning and unit), sha256, notes, not_for.

    Notes
    -----
    How this misleads: a table that loads is a table unchanged (its bytes have the card's sha256),
    not a table without error. Read its card's notes and not_for before you trust a third digit.

    Examples
    --------
    >>> import scalekit as sk
    >>> runs = sk.load("chinchilla")
    >>> list(runs.columns), len(runs)
    (['N', 'D', 'C', 'L'], 245)
    """
    if not isinstance(name, str):
        raise ValueError(
            f"load: a data set's name is text such as 'chinchilla', got {type(name).__name__}; "
            "a table that you have already goes to sk.fit, or through sk.read to be checked first."
        )
    about = card(name)
    path = folder() / f"{name}.csv"
    if not path.is_file():
        raise _damaged(path, f"{path.name} is missing")
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    if got != about["sha256"]:
        raise _damaged(
            path,
            f"{path.name} is not the table its sidecar describes, and was not loaded. "
            f"sha256 expected {about['sha256']}, got {got}",
        )
    runs = pd.read_csv(path)
    for column, values in runs.items():
        # Integers beyond 64 bits arrive as objects; so may labels, which stay.
        if values.dtype == object or (values.dtype.kind in "iu" and values.abs().max() >= 1e6):
            runs[column] = values.astype(float, errors="ignore")
    runs.attrs["card"] = about
    return runs


def datasets() -> pd.DataFrame:
    """List the data sets of the kit: a row each, with name, title, rows, paper, licence.

    Notes
    -----
    How this misleads: a title does not say how the numbers were come by; the card does (`load`).

    Examples
    --------
    >>> import scalekit as sk
    >>> "chinchilla" in set(sk.datasets()["name"])
    True
    """
    return pd.DataFrame(map(card, names()), columns=["name", "title", "rows", "paper", "licence"])


# Whole tables to count in; never handed out, for they would be changed.
_whole = lru_cache(load)


def left_out(runs: pd.DataFrame) -> int | None:
    """Count the rows that `runs` leave out of the table that they come from; None where unknown.

    A part of a table, one corpus of three say, is held against that part: the rows of the table
    that agree with `runs` in every column that has one value there (a missing one agrees with
    another). Of a table that is not the kit's only the number of rows is known (`sk.read` notes
    it), so the count is unknown where a column has one value, which may have picked a part. How
    this misleads: it does not compare rows, and holds two corpora of three against the whole table.
    """
    try:
        about = runs.attrs["card"]
        ours = about["name"] in names()
        part = _whole(about["name"]) if ours else pd.DataFrame(index=range(about["rows"]))
        for column, values in runs.items():
            if len(values.unique()) == 1:
                part = part[part[column].isin(values.iloc[:1])]
    except (LookupError, TypeError, ValueError):
        # No card, no such column in the table, or cells that cannot be compared.
        return None
    return len(part) - len(runs) if len(part) >= len(runs) else None
