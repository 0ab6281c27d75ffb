"""Bring your own runs: a table in, its columns named, its units converted, its oddities listed."""

import hashlib
import io
import json
import re
import warnings
from bisect import bisect_right
from collections.abc import Hashable, Mapping
from operator import neg
from pathlib import Path

import numpy as np
import pandas as pd

from scalekit.tables.check import labels, many, name_rows, of_another_library
from scalekit.words import check_known, is_number, require, unknown

_WORTH = {"N": "parameters", "D": "tokens", "C": "FLOP", "L": "nats per token"}
_COUNT = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "tokens": 1.0, "parameters": 1.0}
_FLOP = {"flop": 1.0, "flops": 1.0, "pf-days": 8.64e19, "ef": 1e18, "zf": 1e21}
# Two that are no multiples of nats: see _converted.
_LOSS = {"nats": 1.0, "bits": np.log(2), "perplexity": None, "('bits/byte', bytes a token)": None}
_UNITS = {"N": _COUNT, "D": _COUNT, "C": _FLOP | _COUNT, "L": _LOSS}
_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json")
# A number, perhaps with separators between its thousands, and what stands behind it.
_NUMBER = re.compile(
    r"([+-]?(?:[1-9]\d{0,2}(?:[,_]\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)?\s*(.*)",
    re.DOTALL,
)
# One comma, which may stand between thousands or before decimals.
_EITHER = re.compile(r"[+-]?\d+,\d+")
# A loss this much above that of a smaller, shorter run: beyond the 4 % that seeds are said to cost.
_MARGIN = 1.05


def read(
    source: str | Path | pd.DataFrame,
    *,
    N: str | None = None,
    D: str | None = None,
    C: str | None = None,
    L: str | None = None,
    model: str | None = None,
    units: Mapping | None = None,
    doubts: str = "warn",
) -> pd.DataFrame:
    """Read a table of runs, check it, put it into base units; nothing is changed without a word.

    Of N, D and C any two are enough: the third is completed by ``C = 6*N*D``. All that cannot be (a
    column that is not there, a cell that is missing or not positive) is listed in one ValueError.

    The result has columns N, D, C, L (those that there are), then all others. ``attrs["report"]``
    tells what was ``done`` and what is ``doubted`` (improbable, unchanged), a sentence each, with
    rows by the table's index; doubts also raise one UserWarning unless `doubts` is "keep".
    ``attrs["card"]`` has the file's name, number of rows and sha256.

    Parameters
    ----------
    source : path or DataFrame
        Text in UTF-8: CSV or TSV (the header shows which: commas, tabs or semicolons), JSON lines
        (``.jsonl``, ``.ndjson``) or JSON (``.json``, a list of records).
    N, D, C, L, model : str, optional
        Columns of parameters, tokens, training FLOP, loss and model labels, if named otherwise.
        Cells may say ``1.3B``, ``300 M``, ``1,000,000`` or ``12 PF-days``.
    units : mapping, optional
        Of whole columns: N and D ``"k", "M", "B", "T"``; C ``"PF-days", "EF", "ZF"``; L ``"bits"``
        (per token), ``"perplexity"``, or ``("bits/byte", bytes_per_token)``. A cell's suffix wins.

    Notes
    -----
    How this misleads: it finds what looks odd, not what is wrong. It cannot see whether N counts
    embeddings, whether D counts repeated tokens, or whether all losses were measured on one text.
    A value completed by C = 6ND (Kaplan et al. 2020, arXiv:2001.08361, section 2.1) leaves out
    attention and embeddings, which matter for small models.

    Examples
    --------
    >>> table = pd.DataFrame({"params": ["70M", "1.3B"], "tokens": [2.0, 26.0], "ppl": [40, 15]})
    >>> runs = read(table, N="params", D="tokens", L="ppl", units={"D": "B", "L": "perplexity"})
    >>> runs["N"].tolist(), runs["L"].round(3).tolist()
    ([70000000.0, 1300000000.0], [3.689, 2.708])
    """
    table, card = _table(source)
    check_known("read", "way with doubts", [doubts], ("warn", "keep"))
    units = units or {}
    require(
        isinstance(units, Mapping), f"read: units is a mapping such as {{'D': 'B'}}, got {units!r}."
    )
    asked = {"N": N, "D": D, "C": C, "L": L, "model": model}
    # what cannot be a name is that of no column
    asked = {role: c if isinstance(c, Hashable) else repr(c) for role, c in asked.items()}
    asked |= {role: role for role in asked if asked[role] is None and role in table}
    chosen = {name: asked[name] for name in _UNITS if asked[name] in table}
    wrong = _misnamed(table, asked, chosen, units)
    done = _renamed(table, chosen)
    values, odd, unsure = {}, {}, []
    for name, column in chosen.items():
        values[name], odd[name], *said = _numbers(table[column], name, units.get(name))
        done += said[0]
        unsure += said[1]
    values, said = _complete(values, table.index)
    done += said
    if asked["model"] in table:
        labels(table, [asked["model"]], who="read")
    # Without labels each run is a model of its own.
    models = table.get(asked["model"], pd.Series(range(len(table))))
    # With a column or a unit amiss, doubts of rows are noise.
    doubted = [] if wrong else unsure + _doubts(values, models, table.index)
    for name, column in chosen.items():
        wrong += _faults(name, values[name], odd[name], table[column])
    if wrong:
        told = "\n  ".join(_told(wrong=wrong, doubted=doubted))
        raise ValueError(
            f"read: {len(wrong)} thing{'s' * (len(wrong) > 1)} to mend in {card['name']}:\n  {told}"
        )
    rest = table.drop(columns=[*chosen.values(), *values], errors="ignore")
    result = pd.concat([pd.DataFrame(values, index=table.index), rest], axis=1)
    result.attrs = {"card": card, "report": _told(done=done, doubted=doubted)}
    if doubted and doubts == "warn":
        warnings.warn(
            f"read: {'; '.join(doubted)}. Nothing was changed; the list is in .attrs['report'].",
            stacklevel=2,
        )
    return result


def _told(**kinds):
    return tuple(f"{kind}: {line}" for kind, lines in kinds.items() for line in lines)


def _found(rows_of, index, mend=""):
    """Return a sentence for each thing that was found in any row, with its rows."""
    return [f"{x} {name_rows(rows, index)}{mend}" for x, rows in rows_of.items() if rows.any()]


def _table(source):
    """Return the raw table and its card."""
    if isinstance(source, pd.DataFrame):
        table = source
        own = source.attrs.get("card")
        card = {"name": "a DataFrame", "rows": len(source)}
        card |= own if isinstance(own, Mapping) else {}
    elif isinstance(source, str | Path):
        path = Path(source)
        require(path.is_file(), f"read: no file {str(source)!r}; the kit's tables: sk.load(name).")
        table = _parse(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        card = {"name": path.name, "rows": len(table), "sha256": sha256}
    else:
        kind = f"{type(source).__name__} {of_another_library(source)}".strip()
        raise ValueError(f"read: give a path or a DataFrame, got {kind}.")
    require(len(table), f"read: {card['name']} has no rows.")
    again = table.columns[table.columns.duplicated()]
    if len(again):
        raise ValueError(f"read: {card['name']} has two columns named {again[0]!r}; rename one.")
    return table, card


def _parse(path):
    kind = path.suffix.lower()
    try:
        known = ", ".join(_ENDINGS)
        require(kind in _ENDINGS, f"the ending {kind!r} is not one of {known}; unpack or export it")
        text = path.read_text(encoding="utf-8-sig")
        if kind in (".jsonl", ".ndjson"):
            return _records([_json(line) for line in text.splitlines() if line.strip()])
        return _records(_json(text)) if kind == ".json" else _separated(text)
    except (ValueError, TypeError, RecursionError) as error:
        # Those of pandas' parser and of text that is not UTF-8 are ValueErrors.
        raise ValueError(f"read: cannot read {path.name}: {' '.join(str(error).split())}") from None


def _json(text):
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs):
    """Return an object of JSON, of which the standard library would keep the last of two keys."""
    keys = [key for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    require(not twice, f"the key {twice[:1]} is twice in one object; keep one")
    return dict(pairs)


def _records(records):
    table = pd.DataFrame(records)
    nested = table.columns[table.map(lambda cell: isinstance(cell, dict | list)).any()].tolist()
    require(
        not nested,
        f"{nested} hold lists or objects; a list of flat records is wanted, which "
        "pandas.json_normalize makes",
    )
    return table


def _separated(text):
    """Return the table in a text whose first line shows what stands between the fields."""
    head = text.lstrip().partition("\n")[0]
    sep = max(",\t;", key=head.count)
    # pandas' own header would rename the second of two equal columns and shift rows too long.
    lines = pd.read_csv(io.StringIO(text), header=None, dtype=str, skipinitialspace=True, sep=sep)
    names = [f"unnamed {i}" if pd.isna(c) else c.strip() for i, c in enumerate(lines.iloc[0])]
    return lines.iloc[1:].set_axis(names, axis=1).reset_index(drop=True).apply(_as_numbers)


def _as_numbers(column):
    """Return a column of text as numbers if that loses nothing, as it does of the label 007."""
    numbers = pd.to_numeric(column, errors="coerce")
    lossless = numbers.notna().equals(column.notna()) and not column.str.match(r"0\d").any()
    return numbers if lossless else column


def _misnamed(table, asked, chosen, units):
    """List what is amiss with the columns and the units that were named."""
    wrong = [
        unknown(role, "column", column, table.columns)
        for role, column in asked.items()
        if column is not None and column not in table
    ]
    if not wrong and ("L" not in chosen or len(chosen) < 2):
        wrong.append(
            "a loss and at least one of N, D, C are needed; name their columns, as in sk.read(..., "
            f"N='params', L='val_loss'). There are: {', '.join(map(repr, table.columns))}."
        )
    if len(set(chosen.values())) < len(chosen):
        wrong.append(f"one column stands for two quantities: {chosen}")
    for name, unit in units.items():
        if name not in chosen:
            wrong.append(unknown("units", "column", name, chosen))
        elif _converted(np.ones(1), name, unit) is None:
            wrong.append(unknown(name, "unit", unit, _UNITS[name]))
    return wrong


def _renamed(table, chosen):
    """List the columns that are given another name, and those that lose it to them."""
    done = []
    for name, column in chosen.items():
        if column != name:
            done.append(f"column {column!r} is {name} ({_WORTH[name]})")
            if name in table and name not in chosen.values():
                done.append(f"the table's own column {name!r} is left out")
    return done


def _converted(values, name, unit):
    """Return values of a unit in base units; None where there is no such unit."""
    match unit:
        case str() if name == "L" and unit.lower() == "perplexity":
            # What is not positive stays, to be refused.
            return np.where(values > 0, np.log(np.maximum(values, 1e-300)), values)
        case [str(word), rate] if name == "L" and word.lower() == "bits/byte" and is_number(rate):
            factor = np.log(2) * rate if rate > 0 else None
        case _:
            factor = _UNITS[name].get(str(unit).lower())
    return None if factor is None else values * factor


def _numbers(cells, name, unit):
    """Return a column as floats in base units, which cells are no number, what was done, doubts."""
    read = [_cell(cell, name) for cell in cells.astype(object).where(cells.notna(), "")]
    values, suffixed, commas, either, twice, odd = map(np.array, zip(*read, strict=True))
    hows = {
        f"{name}: {many(suffixed, 'cell')} read by the suffix": suffixed,
        f"{name}: {many(commas, 'cell')} read with commas between thousands": commas,
    }
    done = _found(hows, cells.index)
    # other cells may tell: two commas, or a point after one
    either = either & (either == commas).all()
    unsure = {
        f"{name}: a comma, as in {next(iter(cells[either]), '')!r}, is taken to stand between "
        "thousands; if it is decimal, write a point": either,
        f"{name}: an exponent and a suffix, as in {next(iter(cells[twice]), '')!r}": twice,
    }
    base = _converted(values, name, unit)
    if base is not None:
        values = np.where(suffixed, values, base)
        called = unit if isinstance(unit, str) else f"{unit[0]} at {unit[1]:g} bytes a token"
        done.append(f"{name}: converted from {called} to {_WORTH[name]}")
    return values, odd, done, _found(unsure, cells.index)


def _cell(cell, name):
    """Return what a cell is worth, and flags.

    Whether it has a suffix, has commas, has one comma only, has an exponent and a suffix, is no
    number.
    """
    if is_number(cell):
        return float(cell), False, False, False, False, False
    number, suffix = _NUMBER.fullmatch(str(cell).strip().lower()).groups("")
    commas = "," in number
    # A loss bears no suffix, and the comma of its "2,345" is a decimal one.
    alien = (suffix or commas) if name == "L" else suffix not in {"", *_UNITS[name]}
    if not number or alien:
        return np.nan, False, False, False, False, bool(number or suffix)
    worth = _UNITS[name].get(suffix, 1.0)
    either, twice = bool(_EITHER.fullmatch(number)), "e" in number and worth > 1
    value = float(number.replace(",", "")) * worth
    return value, bool(suffix), commas, either, twice, False


@np.errstate(all="ignore")
def _complete(values, index):
    """Fill N, D or C from the other two, whole columns or single cells; tell what was done."""
    given = values.keys() & set("NDC")
    if len(given) < 2:
        return values, []
    done = []
    values = dict.fromkeys("NDC", np.full(len(index), np.nan)) | values
    N, D, C = map(values.get, "NDC")
    rules = {"C": 6 * N * D, "D": C / (6 * N), "N": C / (6 * D)}
    for name, rule in rules.items():
        new = np.isnan(values[name]) & np.isfinite(rule) & (rule > 0)
        values[name] = np.where(new, rule, values[name])
        if new.any():
            where = f" {name_rows(new, index)}" * (name in given)
            done.append(f"{name}: {many(new, 'value')} completed by C = 6*N*D{where}")
    return values, done


def _faults(name, values, odd, cells):
    """List the cells of a column that cannot be."""
    first = next(iter(cells[odd]), None)
    comma = ": for a decimal comma write a point" * ("," in str(first))
    faults = {
        f"no number, such as {first!r:.40}{comma}": odd,
        "missing": np.isnan(values) & ~odd,
        "infinite": np.isinf(values),
        "not positive": values <= 0,
    }
    counted = {f"{name}: {rows.sum()} {fault}": rows for fault, rows in faults.items()}
    return _found(counted, cells.index, mend="; drop or correct them")


def _doubts(values, models, index):
    """List what is improbable, a sentence each, with rows."""
    have = pd.DataFrame(values, columns=list("NDCL"), index=index, dtype=float)
    have = have.where((have > 0) & np.isfinite(have))
    N, D, C, L = (have[name] for name in "NDCL")
    ratio, per = C / (6 * N * D), D / N
    say = ", to be said with units={...}?"
    doubts = {
        f"N: below 1000; is it in M or B{say}": N < 1e3,
        f"D: below 100000; is it in M or B{say}": D < 1e5,
        f"C: below 1e+11; is it in PF-days{say}": C < 1e11,
        "L: above 12 nats, worse than guessing among 160,000 tokens; perplexity?": L > 12,
        "L: below 0.7 nats per token; bits per byte, or an accuracy?": L < 0.7,
        # The tables of the kit go to 4.1e11, 1.5e13 and 3.7e25: margins of 25 and more.
        "N: above 1e+13 parameters, as no model has; is its unit right?": N > 1e13,
        "D: above 1e+15 tokens, as no run has seen; is its unit right?": D > 1e15,
        "C: above 1e+28 FLOP, as no run has cost; is its unit right?": C > 1e28,
        # There from 1.8e-4, early checkpoints, to 6.4e4: margins of 2 and 15.
        "D/N: below 0.0001 or above 1e+06 tokens a parameter; are both units right?": (per < 1e-4)
        | (per > 1e6),
        "C: further from 6ND than attention and embeddings explain": (ratio < 0.75) | (ratio > 1.5),
        "the same run again, to the last digit of its loss": have.duplicated() & L.notna(),
    }
    lines = _found(doubts, index)
    both = have[["N", "D"]].dropna()
    per = both["D"] / both["N"]
    if len(both) > 2 and np.log(per).std() < 1e-3 * np.log(both["N"]).std():
        lines.append(
            f"D/N is {per.median():.4g} in every run, so the effects of N and D cannot be told "
            "apart; fit a law in one of them"
        )
    usual = N.groupby(models.to_numpy()).transform("median")
    sizes = [have[name] for name in "ND" if name in values] or [C]
    worse = L > _MARGIN * _least(sizes[0], sizes[-1], L)
    more = {
        f"another N than the other runs of the same {models.name!r}": abs(np.log(N / usual)) > 1e-3,
        f"L: more than {_MARGIN - 1:.0%} above a run with no more parameters and tokens": worse,
    }
    return lines + _found(more, index)


def _least(a, b, L):
    """Return the least loss among the runs that have no more of a and of b, for each run."""
    a, b, L = np.array([a, b, L])
    out = np.full(len(L), np.nan)
    order = np.lexsort((L, b, a))
    # A staircase down: the least loss up to each b so far.
    ends, least = [-np.inf], [np.inf]
    for i in order[np.isfinite(a + b + L)[order]]:
        step = bisect_right(ends, b[i])
        out[i] = min(L[i], least[step - 1])
        if L[i] < least[step - 1]:
            # Steps that begin further and lie no lower are of no use any more.
            stop = bisect_right(least, -L[i], lo=step, key=neg)
            ends[step:stop], least[step:stop] = [b[i]], [L[i]]
    return out
