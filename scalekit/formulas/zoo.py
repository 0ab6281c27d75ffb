"""The zoo: published laws as data, each an entry of data/laws/<theme>.toml."""

from functools import cache

import pandas as pd

from scalekit.formulas.law import Law
from scalekit.tables.load import entries
from scalekit.words import check_known, unknown


@cache
def _build(name):
    return Law(name=name, **entries("laws")[name])


def law(name: str) -> Law:
    """Return a law of the zoo by a name that `laws` lists; it is made and compiled once.

    Notes
    -----
    How this misleads: a law has no range of its own. Its published constants hold for the runs they
    were fitted to.

    Examples
    --------
    >>> law("chinchilla").formula
    'L(N, D) = E + A/N**alpha + B/D**beta'
    """
    if not isinstance(name, str):
        raise ValueError(f"law: a name such as 'chinchilla' is wanted; got {type(name).__name__}.")
    if name not in entries("laws"):
        mend = " Or write a formula, as in 'L(N) = A/N**alpha'."
        raise ValueError(unknown("law", "law", name, entries("laws")) + mend)
    return _build(name)


def laws(theme: str | None = None) -> pd.DataFrame:
    """List the laws of the zoo, or of one theme: title, theme, formula, paper, published, by name.

    Notes
    -----
    How this misleads: what the zoo holds was published and fits on one line; that says nothing of
    its merit.

    Examples
    --------
    >>> "chinchilla" in laws().index
    True
    """
    table = pd.DataFrame.from_dict(entries("laws"), orient="index").rename_axis("name")
    published = table["published"].map(", ".join, na_action="ignore").fillna("")
    table = table[["title", "theme", "formula", "paper"]].assign(published=published)
    if theme is None:
        return table
    check_known("laws", "theme", [theme], sorted(set(table["theme"])))
    return table[table["theme"] == theme]


def as_law(law_or_text: Law | str, who: str = "fit") -> Law:
    """Return a Law from a Law, the name of one in the zoo, or a formula."""
    if isinstance(law_or_text, Law):
        return law_or_text
    if not isinstance(law_or_text, str):
        order = " The law comes first, the runs second." * hasattr(law_or_text, "columns")
        raise ValueError(
            f"{who}: a law is a Law, a name such as 'chinchilla' or a formula; got "
            f"{type(law_or_text).__name__}.{order}"
        )
    return Law(law_or_text) if "=" in law_or_text else law(law_or_text)
