"""Tables in, checked: each function returns a DataFrame."""

from scalekit.tables.check import columns
from scalekit.tables.load import card, datasets, folder, names

__all__ = ["card", "columns", "datasets", "folder", "names"]
