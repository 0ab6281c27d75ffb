"""Prose repeats no number that a cell does not print: each is found among the outputs."""

import html
import json
import re
import tomllib

import pytest
from conftest import NOTEBOOKS

from scalekit.tables.load import folder

# Numbers that prose may have without a cell that prints them: by notebook, each with its reason.
EXEMPT = {}

# What is not prose, or names a thing rather than a quantity.
NO_PROSE = (
    r"```.*?```",
    r"<details>.*?</details>",
    r"\$\$.*?\$\$",
    r"\$[^$]*\$",
    r"`[^`]*`",
    r"\]\([^)]*\)",
    r"https?://\S+",
    r"arXiv:\S+",
    r"(?m)^\s*\d+\. ",
    r"(?m)^#+ \d+\w?(?= · )",
    r"\*\*\d+\.\*\*",
    r"\*\*References?\*?\*?.*",
)
# Table 3, Eq. 4.1, section 5.2, exercise 2, notebook 04a, seed 0 ...
PLACES = (
    r"(?i)\b(?:tables?|figures?|fig\.|eqs?\.|equations?|sections?|appendix|exercises?|approach(?:es)?"
    r"|steps?|stages?|notebooks?|guess|part|seeds?|claim|version|algorithm|cells?) "
    r"[A-Z]?\d+(?:\.\d+)*[a-c]?(?:(?:,| and| to| or|–|-) ?[A-Z]?\d+(?:\.\d+)*[a-c]?)*\b"
)
NAMES = r"\b(?:GPT|Llama|Pythia|OPT|PaLM|Qwen|C|A|B|M|T|v|p|x|L|H)-?\d[\d.]*\b"
OTHER_NOTEBOOKS = r"\b0\d[abc]?(?:_\w+|\b)"
ORDINALS = r"\b\d+(?:st|nd|rd|th)\b"
TIME_NEEDED = r"\b\d+ minutes"
YEARS = r"\b(?:19|20)\d\d[a-z]?\b"
NAMED = (PLACES, NAMES, OTHER_NOTEBOOKS, YEARS, ORDINALS, TIME_NEEDED)
NUMBER = re.compile(
    r"(?<![\w.])[-−+±]?(\d{1,3}(?:,\d{3})+|\d*\.\d+|\d+)(e[-+]?\d+)?"
    r"( ?(?:[kMBT]\b|million|billion|trillion))?"
)
UNITS = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
UNITS |= {"million": 1e6, "billion": 1e9, "trillion": 1e12}


def prose(markdown):
    """Cut out of a markdown text what is no prose, and what names a thing."""
    for pattern in (*NO_PROSE, *NAMED):
        markdown = re.sub(pattern, " ", markdown, flags=re.S if pattern in NO_PROSE[:5] else 0)
    return markdown


def quantities(text):
    """Yield each number of a text as (as written, value, half a unit of its last digit)."""
    for found in NUMBER.finditer(text):
        digits, power, unit = found.groups()
        digits = digits.replace(",", "")
        scale = float("1" + power) if power else 1.0
        scale *= UNITS[unit.strip()] if unit else 1.0
        decimals = len(digits.partition(".")[2])
        yield found.group().strip(), float(digits) * scale, 0.5 * 10.0**-decimals * scale


def printed(notebook):
    """Return the values of all numbers that the outputs of a notebook hold as text."""
    texts = []
    for cell in notebook["cells"]:
        for out in cell.get("outputs", []):
            texts.append("".join(out.get("text", "")))
            texts.append("".join(out.get("data", {}).get("text/plain", "")))
            cut = re.sub(
                r"<style.*?</style>|<[^>]*>",
                " ",
                "".join(out.get("data", {}).get("text/html", "")),
                flags=re.S,
            )
            texts.append(html.unescape(cut))
    return [value for _, value, _ in quantities("\n".join(texts).replace("−", "-"))]


def unprinted(notebook, exempt=()):
    """List the numbers of a notebook's prose that no output holds, with the words around them."""
    values = printed(notebook)
    missing = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        source = "".join(cell["source"])
        if source.startswith("## Exercises"):
            # what a question supposes is no claim
            continue
        text = prose(source)
        for written, value, half in quantities(text):
            near = half * (1 + 1e-6)
            if written in exempt or any(abs(value - other) <= near for other in values):
                continue
            at = text.index(written)
            missing.append(f"{written!r} in ...{text[max(0, at - 30) : at + 30]!r}")
    return missing


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_every_number_in_prose_is_printed_by_a_cell(stem):
    notebook = json.loads(NOTEBOOKS[stem].read_text("utf-8"))
    missing = unprinted(notebook, EXEMPT.get(stem.split("_")[0], ()))
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_every_guess_can_be_checked_against_a_printed_number(stem):
    notebook = json.loads(NOTEBOOKS[stem].read_text("utf-8"))
    path = folder() / "exercises" / f"{stem.split('_')[0]}.toml"
    values = printed(notebook)
    for key, entry in tomllib.loads(path.read_text("utf-8")).items():
        answer = entry["answer"]
        if "/guess-" not in key or isinstance(answer, str | bool | list):
            continue
        # as written in the file, to its last digit
        near = max(quantities(f"{answer:g}"), key=lambda found: found[2])[2] * (1 + 1e-6)
        assert any(abs(answer - value) <= near for value in values), f"{key}: {answer}"


def test_an_unprinted_number_is_seen():
    cells = [
        {
            "cell_type": "markdown",
            "source": "The loss is 2.1, not 2.3, by Eq. 4 of 2020 (`x = 9`).",
        },
        {"cell_type": "code", "source": "", "outputs": [{"text": ["loss 2.077\n"]}]},
    ]
    assert [line.split(" in ")[0] for line in unprinted({"cells": cells})] == ["'2.3'"]
    assert unprinted({"cells": cells}, exempt=("2.3",)) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [("70B", 7e10), ("1,378", 1378), ("3e21", 3e21), ("1.4 trillion", 1.4e12), (".46", 0.46)],
)
def test_a_number_is_read_as_people_write_it(written, value):
    assert [found[1] for found in quantities(written)] == [pytest.approx(value)]


def test_every_exemption_is_needed():
    for stem, path in NOTEBOOKS.items():
        exempt = EXEMPT.get(stem.split("_")[0], {})
        missing = "\n".join(unprinted(json.loads(path.read_text("utf-8"))))
        for written in exempt:
            assert f"{written!r} in" in missing, (
                f"{stem}: {written} is printed, or not in the prose"
            )
