"""The ledger: the state of every published figure and why it changed; lines are only ever added.

A figure's state is what is published of it, how it is earned and judged, a hash of what is said of
it in words, and its verdict on the board. Each line of ``data/ledger.csv`` is sealed with a hash of
itself and of the seal before it, so that no figure, tolerance or verdict changes, and none leaves,
without a line that says why.
"""

from collections.abc import Mapping
from hashlib import sha256

import pandas as pd

from scalekit.book.published import published, text_table
from scalekit.tables import load
from scalekit.words import require

SEALED = ("value", "low", "high", "interval", "status", "class", "table", "tol", "rival")
NEW, RETIRED = "new", "retired"


def states(rows: list[dict]) -> dict[str, str]:
    """Return the state of each published figure as text; `rows` are those of all boards."""
    verdicts = {}
    for row in rows:
        key = row["key"]
        require(key not in verdicts, f"ledger: {key!r} is checked twice; one key, one verdict.")
        verdicts[key] = f"{row['verdict']} in {row['notebook']}"
    found = {}
    for figure in published().to_dict("records"):
        parts = [f"{name} {figure[name]}" for name in SEALED if figure[name]]
        words = _hash([str(value) for name, value in figure.items() if name not in SEALED])
        verdict = verdicts.get(figure["key"], "not checked")
        found[figure["key"]] = "; ".join([*parts, f"words {words[:6]}", verdict])
    return found


def _hash(texts):
    return sha256("\n".join(texts).encode()).hexdigest()


def read() -> list[dict]:
    """Return the lines of the ledger, oldest first: key, state, because, seal."""
    return text_table("ledger.csv").to_dict("records")


def changes(rows: list[dict]) -> dict[str, tuple[str, str]]:
    """Return the state on record and the state now of each figure where the two differ."""
    was = {line["key"]: line["state"] for line in read()}
    now = states(rows)
    pairs = {key: (was.get(key, NEW), now.get(key, RETIRED)) for key in {**now, **was}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def seal(before: str, line: Mapping) -> str:
    """Return the seal of a line that follows the seal `before`."""
    return _hash([before, line["key"], line["state"], line["because"]])[:12]


def add(changed: Mapping[str, tuple[str, str]], because: Mapping[str, str]) -> None:
    """Add a line for each change, with its reason, to ``data/ledger.csv``."""
    lines = read()
    for key, (_, now) in changed.items():
        line = {"key": key, "state": now, "because": because[key]}
        before = lines[-1]["seal"] if lines else ""
        lines.append(line | {"seal": seal(before, line)})
    table = pd.DataFrame(lines, columns=["key", "state", "because", "seal"])
    table.to_csv(load.folder() / "ledger.csv", index=False, lineterminator="\n", encoding="utf-8")
