"""Beyond the runs: how far out a point lies, and how wrong the law may be there."""

import warnings
from functools import cache

import numpy as np

from scalekit.tables import load

# The share of the change beyond the runs that a law gets wrong, and by how many standard deviations
# of the residuals it is off besides at a reach of e. `make coverage` chooses them on the kit's
# tables: of a grid, those that hold most in the worst class of reach with bands at most 2.2 times
# as wide; and it measures how such a choice does on tables that had no say.
CHANGE, SCATTER = 0.4, 1.5
_FAR = 10.0


def apart(space: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From a to b, as residuals are counted: ln(b/a) in log space, b - a in linear space."""
    return np.log(np.abs(b / a)) if space == "log" else b - a


def beyond(fit, points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return reach, change and spread of points, (n,) each, from the inputs' flat arrays by name.

    Reach is 1 inside the runs. Beyond them it is the largest ratio of an input to the nearest that
    any run has, or of N*D, the compute, to that of the nearest run, for a law in N and D; of an
    input that may be zero or less, 1 plus the distance to the nearest over the span of the runs.
    Change is what the law says that happens between the runs and the point, spread the residual
    standard deviation times sqrt(ln reach), both as residuals are counted.
    """
    law, near, times = fit.law, {}, []
    points = {name: points[name] for name in law.inputs}
    for name in law.inputs:
        x, (low, high) = points[name], fit.data_range[name]
        near[name] = np.clip(x, low, high)
        ratio = name in law.positive_inputs
        times.append(_ratio(x, near[name]) if ratio else 1 + np.abs(x - near[name]) / (high - low))
    if {"N", "D"} <= set(law.positive_inputs):
        spent = fit.runs[["N", "D"]].astype(float).prod(axis=1)
        ends = spent.min(), spent.max()
        C = points["N"] * points["D"]
        times.append(_ratio(C, np.clip(C, *ends)))
        # no corner of the box, but a point of a budget that the runs have
        C = near["N"] * near["D"]
        share = np.sqrt(np.clip(C, *ends) / C)
        near |= {"N": near["N"] * share, "D": near["D"] * share}
    reach = np.max(times, axis=0)
    change = apart(fit.space, law(**near, **fit.params), law(**points, **fit.params))
    return reach, np.abs(change), fit.residual_sd * np.sqrt(np.log(reach))


def _ratio(a, b):
    return np.maximum(a / b, b / a)


def law_error(fit, points) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the standard deviation of the law's own error at points, and their reach, (n,) each.

    .. math:: \tau^2 = (0.4\,\Delta)^2 + (1.5\,s)^2 \ln \mathrm{reach}

    with the change beyond the runs, :math:`\Delta`, and the residual standard deviation, s. It is
    common to points that lie close to one another.
    """
    reach, change, spread = beyond(fit, points)
    return np.hypot(CHANGE * change, SCATTER * spread), reach


def warn_far(who: str, reach: np.ndarray) -> None:
    """Warn of points more than ten times beyond the runs, once, with what was measured there."""
    far = reach > _FAR * (1 + 1e-9)
    if not far.any():
        return
    said, classes = "so far out nothing was measured", _measured()
    classes = classes[classes["reach_high"] >= reach.max()]
    if len(classes):
        row = classes.iloc[0]
        said = (
            f"{row['reach_low']:.0f} to {row['reach_high']:.0f} times beyond, 95 % intervals held "
            f"{row['coverage']:.0%} of larger runs left out of the kit's tables "
            f"({row['coverage_noise']:.0%} without the law's own error)"
        )
    say_once(
        f"{who}: {far.sum()} of {len(far)} points lie more than ten times beyond the runs, "
        f"{reach.max():.3g} times at most; {said}."
    )


@cache
def say_once(text: str) -> None:
    """Warn, never again in these words; without file and line, for cells have none that last."""
    warnings.warn_explicit(text, UserWarning, "scalekit", 0)


@cache
def _measured():
    """Return what `make coverage` found over all tables, a row a class of reach."""
    table = load.load("coverage_reach")
    return table[table["table"] == "all"]
