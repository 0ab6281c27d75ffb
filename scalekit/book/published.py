"""Published figures: what the papers print, with source, place and status, looked up by key."""

import pandas as pd

from scalekit.tables import load
from scalekit.words import nearest

# How well a figure is confirmed: these may decide a verdict ...
DECIDING = ("full", "abs", "repo", "consensus")
# ... and these are shown without one; recomputed is ours, which no paper prints.
SHOWN = ("second-hand", "memory", "recomputed")
# How a figure is earned: by a fit or a statistic of runs, from the optima that the authors
# released, by arithmetic on printed constants, by simulation, or measured here first.
CLASSES = ("runs", "optima", "consequence", "simulation", "ours")


def text_table(name: str) -> pd.DataFrame:
    """Read one of the book's tables, its cells as text; an empty table where no file is."""
    path = load.folder() / name
    if not path.is_file():
        return pd.DataFrame()
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")


def published(key: str | None = None) -> pd.DataFrame | pd.Series:
    """Look up published figures: all of them, those of one paper, or one.

    `key` is one such as ``"besiroglu2024/alpha"``, which gives a Series, or the beginning of
    several, such as ``"hoffmann2022/table3"``, which gives a DataFrame, a row a figure. ``value``,
    ``low`` and ``high`` are text as printed (0.46 is not 0.460), ``number`` is the value as float.
    ``class`` says how we earn the figure (runs, optima, consequence, simulation, ours), ``table``
    on which table of `load`, ``rival`` what the opposite claim would have printed there.

    Notes
    -----
    How this misleads: a figure with status second-hand or memory was never seen in its source.
    Quote it with that status or not at all.

    Examples
    --------
    >>> one = published("hoffmann2022/alpha")
    >>> one["value"], float(one["number"])
    ('0.34', 0.34)
    """
    table = text_table("published.csv")
    table["number"] = table["value"].astype(float)
    if key is None:
        return table
    if not isinstance(key, str):
        raise ValueError(
            f"published: a key is text such as 'besiroglu2024/alpha', got {type(key).__name__}."
        )
    one = table[table["key"] == key]
    if len(one):
        return one.iloc[0].rename(key)
    below = table[table["key"].str.startswith(f"{key}/")]
    if below.empty:
        raise ValueError(
            f"published: no figure {key!r}.{nearest(key, table['key'])} "
            f"See scalekit.published() for all {len(table)}."
        )
    return below.reset_index(drop=True)
