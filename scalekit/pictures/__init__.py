"""Figures (``sk.plot``) and explorers; `scalekit.pictures.explore` alone imports ipywidgets."""

from scalekit.pictures.axes import COLORS, LABELS, MARKERS, axis, human, label_lines, style
from scalekit.pictures.figures import curve, fit, residuals, runs, valley
from scalekit.pictures.frontiers import envelope, frontier, isoflop

__all__ = ["COLORS", "LABELS", "MARKERS", "axis", "curve", "envelope", "fit", "frontier", "human"]
__all__ += ["isoflop", "label_lines", "residuals", "runs", "style", "valley"]
