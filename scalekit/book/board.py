"""The scoreboard: published figures beside ours, with a verdict a row, on screen and on record."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from html import escape
from itertools import groupby
from json import dumps
from operator import itemgetter

import pandas as pd

from scalekit.book.published import DECIDING, published, text_table
from scalekit.tables import load
from scalekit.words import is_number, require

# Worst first; the last two decide nothing.
VERDICTS = ("differs", "close", "reproduced", "not decided", "shown")
_DECIDED = VERDICTS[:3]
# What the headline counts, and of how many rows a table, so that twelve numbers of one regression
# do not pass for twelve findings.
EARNED = ("runs", "optima")
CAP = 40
# Rows; a longer board is folded.
_LONG = 25
_NUMBERS = ("ours", "ours_low", "ours_high")
_PRINTED = ("value", "low", "high")
# What is recorded; published, low and high are text as printed.
RECORD = (
    *("key", "notebook", "class", "table", "published", "low", "high"),
    *(*_NUMBERS, "verdict", "note"),
)
_LINE = "  {verdict:<11}  {class:<11}  {key:<44}  published {published}  ours {ours}  {difference}"
# Under this type a displayed board leaves its record in the notebook, the only source of board.csv.
MIME = "application/vnd.scalekit.board+json"


def judge(figure: Mapping, ours: float, low: float | None = None, high: float | None = None) -> str:
    """Judge a number of ours, in the unit of a row of `published`, by the rule of `Scoreboard`."""
    if figure["status"] not in DECIDING or figure["class"] == "ours":
        return "shown"
    if figure["class"] in EARNED and not figure["table"]:
        return "not decided"
    value, unit = float(figure["value"]), _last_digit(figure)
    # binary floats cannot hold half a decimal unit exactly
    off = abs(ours - value) / (1 + 1e-9)
    # a bound has no printed digits to agree with
    digits = math.inf if figure["interval"] in ("at least", "at most") else off
    within = _within(figure, ours)
    if digits <= unit / 2 or off <= float(figure["tol"] or 0) or (within and not figure["tol"]):
        return "reproduced"
    inside = low is not None and low <= float(figure["rival"] or "nan") <= high
    covered = low is not None and low <= value <= high
    close = "not decided" if inside else "close"
    return close if covered or within or digits <= unit else "differs"


def _last_digit(figure):
    """Return the unit of the last printed digit; 0 for a count, where nothing was rounded."""
    if figure["interval"] == "exact":
        return 0.0
    return float(Decimal(1).scaleb(Decimal(figure["value"]).as_tuple().exponent))


def _within(figure, ours):
    """Say whether a number lies in the published interval, of which one end may be missing."""
    low, high = figure["low"], figure["high"]
    return low + high != "" and float(low or "-inf") <= ours <= float(high or "inf")


class Scoreboard:
    """Published figures beside ours, with a verdict a row: the last cell of a notebook.

    `notebook` is its file name without the ending. The verdict is the first of these that holds:

    - shown: the figure is second-hand or from memory, or ours (its class): it decides nothing;
    - not decided: other runs, or a guess at which, stand in for the paper's: the figure names no
      `table` of them;
    - reproduced: ours, rounded as the figure is printed, is the figure (half a unit of its last
      digit); or lies within the row's tolerance, whose reason stands beside it; or, where there is
      none, within the published interval (one end for 'at least', 'at most');
    - close: our own interval covers the published value; or the published interval covers ours
      where a stricter tolerance outranks it; or ours is one unit of the last digit away, the cost
      of computing from rounded numbers (a count must agree exactly). But not decided, where our
      interval also holds what the opposite claim would have printed (`rival`);
    - differs: anything else.

    What is not reproduced needs a note: the reason as far as known. Displayed, the board leaves
    its record in the notebook's output, from where ``data/board.csv`` is written. The headline
    counts what was decided on runs or on the authors' optima, at most 40 figures a table, the worst
    first, so that the cap can only understate; arithmetic and simulation stand beside it.

    Notes
    -----
    How this misleads: **reproduced** within a wide published interval is weak evidence, so refits
    of the paper's own data carry a tolerance (a quarter of a standard error, say) that outranks it.
    **close** means that the two cannot be told apart; an interval of ours that is wide enough is
    close to everything. Intervals that merely overlap are not close: two 95 % intervals can touch
    at a difference of p = .006. Numbers of ours are rounded to six significant digits and interval
    ends to three before they are judged, for the record then says the same on every machine.

    Examples
    --------
    >>> board = Scoreboard("02b_chinchilla_replicated")
    >>> board.check("hoffmann2022/alpha", 0.3392)
    'reproduced'
    """

    def __init__(self, notebook: str):
        if not isinstance(notebook, str) or not re.fullmatch(r"\w[\w.-]*", notebook):
            raise ValueError(
                f"Scoreboard: {notebook!r} is no notebook name; pass the file name without .ipynb, "
                "as '02a_chinchilla'."
            )
        self.notebook = notebook
        self._rows = {}

    def check(
        self,
        key: str,
        value: float,
        low: float | None = None,
        high: float | None = None,
        note: str | None = None,
    ) -> str:
        """Hold a number of ours against the published figure `key`; return the verdict.

        `value` and both ends of its interval, or neither, are in the unit of the published row; the
        `note` says what a reader should know. Checking a key again replaces its row. How this
        misleads: a unit forgotten (a fraction for per cent) reads as a difference.

        Examples
        --------
        >>> board = Scoreboard("02b_chinchilla_replicated")
        >>> board.check("hoffmann2022/E", 1.817, note="refit on the reconstructed runs")
        'differs'
        """
        figure, about = published(key), f"Scoreboard.check: {key!r}"
        if isinstance(figure, pd.DataFrame):
            raise ValueError(f"{about} names {len(figure)} figures; check them one by one.")
        if (low is None) != (high is None):
            raise ValueError(f"{about} has half an interval ({low}, {high}); pass both ends.")
        value = _recorded("value", key, value, 6)
        if low is not None:
            low, high = _recorded("low", key, low, 3), _recorded("high", key, high, 3)
            require(low <= high, f"{about} has low {low} above high {high}; swap them.")
        verdict = judge(figure, value, low, high)
        note = " ".join((note or "").split())
        if verdict != "reproduced" and not note:
            raise ValueError(
                f"{about}: {verdict} (published {figure['value']}, ours {show(value)}); "
                "say why, or that you do not know, with note=..."
            )
        earned, printed = figure[["class", "table"]], figure[list(_PRINTED)]
        row = (key, self.notebook, *earned, *printed, value, low, high, verdict, note)
        self._rows[key] = dict(zip(RECORD, row, strict=True))
        return verdict

    def rows(self) -> list[dict]:
        """Return the record, a dict a figure: published as printed, ours as float or None."""
        return [dict(row) for row in self._rows.values()]

    def table(self) -> pd.DataFrame:
        """Return the board as text: key, class, published, ours, difference, verdict, note.

        How this misleads: the difference is relative, and near zero it is large for nothing.
        """
        columns = ["key", "class", "published", "ours", "difference", "verdict", "note"]
        return pd.DataFrame(map(tabulate, self._rows.values()), columns=columns)

    def _worst_first(self):
        """Return the table with what needs a reader's eye on top."""
        order = ("differs", "close", "not decided", "shown", "reproduced")
        return self.table().sort_values("verdict", key=lambda v: v.map(order.index), kind="stable")

    def __repr__(self):
        """Return the board as text, worst first."""
        head = f"Scoreboard {self.notebook}: {tally(self.rows())}"
        if not self._rows:
            return head
        return f"{head}\n{self._worst_first().to_string(index=False, max_colwidth=60)}"

    def _repr_html_(self):
        """Return the board for a notebook, worst first; a long one folds what it reproduced."""
        table = self._worst_first()
        head = f"<p><b>{escape(self.notebook)}</b>: {escape(tally(self.rows()))}</p>"
        if len(table) <= _LONG:
            return f"{head}\n{_html(table)}"
        good = table["verdict"] == "reproduced"
        other = "" if good.all() else _html(table[~good])
        return (
            f"{head}\n{other}\n<details><summary>{good.sum()} reproduced</summary>\n"
            f"{_html(table[good])}\n</details>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return the record, which the notebook keeps beside what a reader sees."""
        return {MIME: self.rows()}


def _recorded(name, key, value, digits):
    """Return a finite number with the significant digits that go on record."""
    finite = is_number(value) and math.isfinite(value)
    require(finite, f"Scoreboard.check: {name} for {key!r} is {value!r}; pass one finite number.")
    return _rounded(value, digits)


def _rounded(number, digits):
    return float(f"{number:.{digits - 1}e}")


def show(number: float | None, digits: int = 4) -> str:
    """Format with significant digits: 2376, 0.3473, 1.016e12; an empty string for None."""
    if number is None:
        return ""
    number = _rounded(number, digits)
    if number == 0 or 1e-3 <= abs(number) < 10**digits:
        return f"{number:#.{digits}g}".removesuffix(".")
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _interval(low, high):
    if low and high:
        return f" ({low}, {high})"
    one = low and f" (at least {low})"
    return one or (high and f" (at most {high})")


def tabulate(row: Mapping) -> dict[str, str]:
    """Return one row of a record as the text of a board."""
    value, ours = float(row["published"]), row["ours"]
    difference = f"{100 * (ours / value - 1):+z.2f} %" if value else ""
    ends = show(row["ours_low"], 3), show(row["ours_high"], 3)
    return {
        "key": row["key"],
        "class": row["class"],
        "published": row["published"] + _interval(row["low"], row["high"]),
        "ours": show(ours) + _interval(*ends),
        "difference": difference.replace("+0.00", "0.00"),
        "verdict": row["verdict"],
        "note": row["note"],
    }


def headline(rows: list[dict]) -> tuple[list[dict], list[dict]]:
    """Return the rows that the headline counts, and those decided on runs beyond the cap."""
    earned = [row for row in rows if row["class"] in EARNED and row["verdict"] in _DECIDED]
    counted, beyond, seen = [], [], Counter()
    for row in sorted(earned, key=lambda row: _DECIDED.index(row["verdict"])):
        seen[row["table"]] += 1
        (counted if seen[row["table"]] <= CAP else beyond).append(row)
    return counted, beyond


def _counts(rows):
    found = Counter(row["verdict"] for row in rows)
    return [found[verdict] for verdict in ("reproduced", "close", "differs")]


def _words(rows):
    return "{} reproduced, {} close, {} differ".format(*_counts(rows))


def tally(rows: list[dict]) -> str:
    """Count in one line what the headline counts, and beside it everything else."""
    counted, beyond = headline(rows)
    rest = [row for row in rows if row["class"] not in EARNED]
    found = Counter(row["verdict"] for row in rows)
    more = f" (and {len(beyond)} beyond {CAP} a table)" if beyond else ""
    return (
        f"from runs {_words(counted)}{more}; by arithmetic {_words(rest)}; "
        f"{found['not decided']} not decided, {found['shown']} shown"
    )


def _html(table):
    head = "".join(f"<th>{name}</th>" for name in table.columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _unchecked(rows):
    return f"Published figures that no notebook checks: {len(published()) - len(rows)}."


def text_board(rows: list[dict]) -> str:
    """Return the board as text: a line a figure, its note below if not reproduced, totals last."""
    lines = []
    for notebook, part in groupby(rows, itemgetter("notebook")):
        part = list(part)
        lines.append(f"{notebook}: {tally(part)}")
        for cells in map(tabulate, part):
            lines.append(_LINE.format(**cells).rstrip())
            if cells["verdict"] != "reproduced":
                lines.append(f"{'':15}{cells['note']}")
    return "\n".join([*lines, f"all notebooks: {tally(rows)}"])


def markdown_board(rows: list[dict]) -> str:
    """Return the block of the README: what was decided on which table, and what differs and why."""

    def line(cells):
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    counted, beyond = headline(rows)
    more = Counter(row["table"] for row in beyond)
    earned = [row for row in rows if row["class"] in EARNED]
    undecided = Counter(row["table"] for row in earned if row["verdict"] == "not decided")
    by_table = sorted({row["table"] for row in earned}, key=lambda t: (not t, t))
    out = [
        line(["table of runs", "reproduced", "close", "differs", "not decided", f"beyond {CAP}"]),
        line(["---", *["---:"] * 5]),
    ]
    for table in by_table:
        found = _counts(row for row in counted if row["table"] == table)
        out.append(line([table or "other runs stand in", *found, undecided[table], more[table]]))
    total = [*_counts(counted), undecided.total(), len(beyond)]
    out += [line(["**all**", *total]), ""]
    rest = [row for row in rows if row["class"] not in EARNED]
    shown = sum(row["verdict"] == "shown" for row in rows)
    unsettled = sum(row["verdict"] == "not decided" for row in rest)
    out += [
        f"Beside it, by arithmetic on printed constants or by simulation: {_words(rest)}, "
        f"{unsettled} not decided. Shown without a verdict, for we have not seen their source: "
        f"{shown}. {_unchecked(rows)}",
        "",
    ]
    off = [tabulate(row) for row in rows if row["verdict"] == "differs"]
    if off:
        figures = [
            ["figure", "published", "ours", "note"],
            ["---"] * 4,
            *([f"`{c['key']}`", c["published"], c["ours"], c["note"]] for c in off),
        ]
        out += [f"<details><summary>What differs ({len(off)} figures), and why</summary>", ""]
        out += [*map(line, figures), "", "</details>", ""]
    return "\n".join([*out, "The full board: [data/board.csv](data/board.csv)."])


def read_record() -> list[dict]:
    """Return the recorded board, ``data/board.csv``; an empty list where none was recorded yet."""
    return _with_numbers(text_table("board.csv").to_dict("records"), _NUMBERS)


def _with_numbers(rows, names):
    """Turn text into numbers, and what is empty into None."""
    return [row | {n: float(row[n]) if row[n] else None for n in names} for row in rows]


def write_record(rows: list[dict]) -> None:
    """Write ``data/board.csv``."""
    table = pd.DataFrame(rows, columns=list(RECORD))
    table.to_csv(load.folder() / "board.csv", index=False, lineterminator="\n", encoding="utf-8")


def scoreboard(*, json: bool = False) -> None:
    """Print the recorded board, as text or as JSON; executes nothing."""
    rows = read_record()
    if json:
        # published numbers are text in the record, so that their digits stay
        rows = _with_numbers(rows, ("published", "low", "high"))
        print(dumps(rows, indent=1, ensure_ascii=False))
    elif rows:
        print(f"{text_board(rows)}\n{_unchecked(rows)}")
    else:
        print(
            "No board recorded yet; `python -m scalekit reproduce --save` in a clone of the "
            "repository records it."
        )
