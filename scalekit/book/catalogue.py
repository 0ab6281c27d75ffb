"""The catalogue of the data sets, made from their sidecars."""

from scalekit.tables import load

_HEAD = """\
# Data

Tidy UTF-8 tables, a row a run, in base units; a missing value is an empty field. Load one with
`runs = sk.load("chinchilla")`; what follows is in `runs.attrs["card"]`. The loader refuses a table
whose sha256 is not the one in its sidecar. Each table keeps its own licence: the kit's licence \
covers
its code only.

This page is generated from the sidecars by `python -m scalekit catalogue`; edit those instead.

| name | rows | what | paper | licence |
| --- | ---: | --- | --- | --- |"""
# Field of a sidecar -> what the page calls it.
_TITLES = {
    "paper": "Paper",
    "table": "Table or figure",
    "source": "Source",
    "method": "Method",
    "measurement_error": "Measurement error",
    "dropped": "Rows dropped",
    "licence": "Licence",
    "notes": "Notes",
    "not_for": "Do not use it for",
    "sha256": "sha256",
}


def catalogue() -> str:
    """Return ``data/README.md``: the data sets as a page of Markdown, made from their sidecars."""
    cards = [*map(load.card, load.names())]
    row = "| [{name}](#{name}) | {rows} | {title} | {paper} | {licence} |"
    lines = [_HEAD, *(row.format(**about) for about in cards)]
    for about in cards:
        lines += ["", f"## {about['name']}", "", f"{about['title']}. {about['rows']} rows.", ""]
        lines += ["| column | meaning and unit |", "| --- | --- |"]
        lines += [f"| `{column}` | {meaning} |" for column, meaning in about["columns"].items()]
        lines += ["", *(f"- **{title}**: {about[field]}" for field, title in _TITLES.items())]
    return "\n".join(lines) + "\n"


def write_catalogue() -> None:
    """Write ``data/README.md`` from the sidecars."""
    (load.folder() / "README.md").write_text(catalogue(), encoding="utf-8")
