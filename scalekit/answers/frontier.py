"""Compute-optimal sizes from runs: approaches 1 and 2 of Hoffmann et al. 2022."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.interpolate import Akima1DInterpolator

from scalekit.fits.bands import interval
from scalekit.tables.check import columns, inputs
from scalekit.words import FitError, check_known, is_number, require, tails, whole_number

_CONSTANTS = ["a", "b", "ln_k_N", "ln_k_D"]
# Of logarithms: what lies exactly on an edge that the caller gives is inside.
_ROUNDING = 1e-12


class PowerLaw(NamedTuple):
    """A line in logs, ``ln N = ln_prefactor + exponent * ln C``; ``se`` is the exponent's."""

    exponent: float
    ln_prefactor: float
    se: float


def power_law(C: ArrayLike, N: ArrayLike, sd: ArrayLike | None = None) -> PowerLaw:
    """Fit ``N = k C**a`` by least squares in logs, weighted by ``1/sd**2`` where ``sd`` is given.

    All are of shape (n,): budgets in FLOP, what grows with them, and the standard deviation of
    ``ln N``. The exponent's standard error comes from `sd`, or else from the scatter.

    Notes
    -----
    How this misleads: a handful of points over two decades give an R² above .99 whether or not the
    law holds; look at the residuals. If they exceed ``sd``, the standard error is too small.

    Examples
    --------
    >>> round(power_law([1e18, 1e19, 1e20], [1e8, 3.16e8, 1e9]).exponent, 3)
    0.5
    """
    given = {"C": C, "N": N, "sd": 1.0 if sd is None else sd}
    given = inputs(given, None, given, who="power_law", positive=given)
    C, N, sigma = map(np.ravel, given.values())
    if len(C) < 3 or np.ptp(np.log(C)) == 0:
        raise FitError(
            f"power_law: an exponent needs three budgets that differ, got {len(np.unique(C))}."
        )
    x, y, w = np.log(C), np.log(N), sigma**-2.0
    slope, intercept = _line(x, y, w)
    unit = (w * (y - intercept - slope * x) ** 2).sum() / (len(x) - 2) if sd is None else 1.0
    se = np.sqrt(unit / (w * (x - np.average(x, weights=w)) ** 2).sum())
    return PowerLaw(float(slope), float(intercept), float(se))


def _line(x, Y, w=1.0):
    """Slope and intercept of Y, shape (..., n), on x along its last axis, skipping NaN."""
    W = np.where(np.isfinite(Y), w, 0.0)
    Y = np.nan_to_num(Y)
    x_mean, y_mean = (W * x).sum(-1) / W.sum(-1), (W * Y).sum(-1) / W.sum(-1)
    dx = x - x_mean[..., None]
    slope = (W * dx * (Y - y_mean[..., None])).sum(-1) / (W * dx**2).sum(-1)
    return slope, y_mean - slope * x_mean


@dataclass(frozen=True, repr=False)
class Frontier:
    """Compute-optimal sizes and the power laws ``N_opt = k_N C**a`` and ``D_opt = k_D C**b``.

    `points` has ``C, N, D, L`` at each optimum and, where estimated, ``N_low, N_high``; `draws` the
    exponents and natural logarithms of the prefactors of each resample; `refused` the budgets
    without a usable optimum, ``C, reason``. For pictures: `runs`, those used (``budget`` or
    ``model``, ``N, C, L``), and `curves`, one a budget. `level` is that of intervals by default.
    """

    method: str
    points: pd.DataFrame
    a: float
    b: float
    ln_k_N: float
    ln_k_D: float
    draws: pd.DataFrame
    level: float = 0.95
    refused: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["C", "reason"]))
    runs: pd.DataFrame | None = None
    curves: pd.DataFrame | None = None

    def ci(self, level: float | None = None) -> pd.DataFrame:
        """Percentile intervals of the exponents: indexed ``a, b`` with ``low, high``."""
        return interval(self.draws[["a", "b"]], self.level if level is None else level)

    def predict(self, C: ArrayLike, level: float | None = None) -> pd.DataFrame:
        """Optimum at other budgets: ``C, N, D, D_per_N`` and their ``_low, _high``, one a row."""
        C = as_budgets(C, "predict")
        ends = tails(self.level if level is None else level, "predict")
        # (4, 1 + draws, 1) against (budgets,)
        own = [self.a, self.b, self.ln_k_N, self.ln_k_D]
        a, b, ln_k_N, ln_k_D = np.vstack([own, self.draws]).T[:, :, None]
        N, D = np.exp(ln_k_N + a * np.log(C)), np.exp(ln_k_D + b * np.log(C))
        return with_ends(C, {"N": N, "D": D, "D_per_N": D / N}, ends)

    def describe(self) -> str:
        """One plain sentence with the numbers."""
        C, low, high = self.points["C"], *self.ci().to_numpy().T
        refused = f"; {len(self.refused)} budgets were refused" * bool(len(self.refused))
        return (
            f"{self.method}: from {C.min():.2g} to {C.max():.2g} FLOP the optimal model grows as "
            f"C^{self.a:.3f} ({self.level:.0%} interval {low[0]:.3f} to {high[0]:.3f}) and its "
            f"tokens as C^{self.b:.3f} ({self.level:.0%} interval {low[1]:.3f} to {high[1]:.3f}), "
            f"over {len(C)} budgets{refused}."
        )

    def __repr__(self):
        return f"Frontier({self.describe()})"


def with_ends(C: np.ndarray, values: dict, ends: tuple[float, float]) -> pd.DataFrame:
    """Table of the first row of `values` (1 + draws, budgets) and quantiles `ends` of the rest."""
    out = pd.DataFrame({"C": C} | {name: v[0] for name, v in values.items()})
    for name, v in values.items():
        if len(v) > 1:
            out[f"{name}_low"], out[f"{name}_high"] = np.quantile(v[1:], ends, axis=0)
    return out


def as_budgets(C: ArrayLike, who: str) -> np.ndarray:
    """Return budgets (FLOP) as a flat array of floats."""
    C = np.atleast_1d(inputs(["C"], None, {"C": C}, who=who, positive=["C"])["C"])
    require(
        C.ndim == 1 and len(C),
        f"{who}: C has shape {C.shape}; give a number or a flat list of budgets.",
    )
    return C


def _checked(runs, n, level, seed, who):
    """Check what both approaches take; return N, C, L and D, or else C/(6N)."""
    tails(level, who)
    whole_number(who, "n", n, 2)
    whole_number(who, "seed", seed)
    names = ["N", "C", "L"]
    out = pd.DataFrame(columns(runs, names, who=who, positive=names))
    out["D"] = out["C"] / (6 * out["N"])
    if "D" in runs:
        out["D"] = columns(runs, ["D"], who=who, positive=["D"])["D"]
    return out


def envelope(
    runs: pd.DataFrame,
    by: str | list[str] = "model",
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Frontier:
    """Approach 1: at each budget the model of lowest loss so far, then a power law through these.

    `runs` are training curves with ``N, C, L`` (``D`` if it is not ``C/(6N)``) and the column `by`,
    or columns, that name a model. Curves ``ln L`` over ``ln C`` are interpolated linearly, one a
    model, at 200 budgets evenly spaced in ``log C``. A budget counts only if its best model is
    bracketed: a smaller and a larger model also reach it, and lose (arXiv:2203.15556, section 3.1;
    arXiv:2001.08361, section 6). Of `n` resamples of whole models those without two bracketed
    models are left out; ``draws.attrs["lost"]`` is their share.

    Notes
    -----
    How this misleads: a point halfway down a cosine schedule is not what a run planned to stop
    there would reach, so the envelope favours small models; with a dozen sizes N_opt is a
    staircase. The interval is a bootstrap's: Hoffmann's 80 % subsamples vary half as much.

    Examples
    --------
    >>> import scalekit as sk
    >>> envelope(sk.load("gpt3_curves"), n=200).points["N"].nunique()  # of eight models
    4
    """
    table = _checked(runs, n, level, seed, "envelope")
    names = np.ravel(by).tolist()
    check_known("envelope", "column", names or [None], list(runs.columns))
    for name in names:
        table[name] = runs[name].to_numpy()
    N, lnC, lnL, lnD = _on_one_grid(table, names)

    def lines(at, models):
        return np.ravel(_line(lnC[at], np.array([np.log(N[models]), lnD[models, at]])))

    at, best = _bracketed(lnL, np.arange(len(N)))
    if len(set(best)) < 3:
        raise FitError(
            f"envelope: {len(set(best))} models are best somewhere with a smaller and a larger one "
            "beside them; an exponent needs at least three. Add sizes, or longer curves."
        )
    rng, draws = np.random.default_rng(seed), []
    for _ in range(n):
        drawn = _bracketed(lnL, np.unique(rng.choice(len(N), len(N))))
        if len(set(drawn[1])) >= 2:
            draws.append(lines(*drawn))
    if len(draws) < n / 2:
        raise FitError(
            f"envelope: {n - len(draws)} of {n} resamples have fewer than two bracketed models; "
            f"the exponent hangs on single models of the {len(N)}."
        )
    drawn = pd.DataFrame(draws, columns=_CONSTANTS)
    drawn.attrs["lost"] = 1 - len(draws) / n
    D, L = np.exp(lnD[best, at]), np.exp(lnL[best, at])
    points = pd.DataFrame({"C": np.exp(lnC[at]), "N": N[best], "D": D, "L": L})
    table["model"] = table[names].astype(str).agg(" ".join, axis=1)
    shown, method = table[["model", "N", "C", "L"]], "Approach 1 (envelope of curves)"
    return Frontier(method, points, *lines(at, best), drawn, level, runs=shown)


def _on_one_grid(runs, names):
    """Curves by size, infinite beyond their ends: N, ln C (grid,), ln L and ln D (models, grid)."""
    curves = []
    for label, model in runs.sort_values("N", kind="stable").groupby(names, sort=False):
        require(
            np.ptp(np.log(model["N"])) <= 0.01,
            f"envelope: N differs inside {label}; by must name single models.",
        )
        curve = model.groupby("C", as_index=False).mean(numeric_only=True)
        if len(curve) > 1:
            curves.append(curve)
    if len(curves) < 3:
        raise FitError(f"envelope: {len(curves)} models have a curve; an exponent needs three.")
    lnC = np.linspace(*np.log(pd.concat(curves)["C"].agg(["min", "max"])), 200)

    def on_grid(name):
        logs = [np.log(curve[["C", name]].to_numpy().T) for curve in curves]
        return np.array([np.interp(lnC, *knots, np.inf, np.inf) for knots in logs])

    return np.array([curve["N"].iloc[0] for curve in curves]), lnC, on_grid("L"), on_grid("D")


def _bracketed(lnL, models):
    """Grid points where the best of some models (sorted) lies between two others, and it."""
    reached, best = np.isfinite(lnL[models]), lnL[models].argmin(0)
    smallest, largest = reached.argmax(0), len(models) - 1 - reached[::-1].argmax(0)
    at = np.flatnonzero((smallest < best) & (best < largest))
    return at, models[best[at]]


def isoflop(
    runs: pd.DataFrame,
    budgets: ArrayLike | None = None,
    *,
    method: str = "parabola",
    window: float | None = 0.7,
    tolerance: float = 0.05,
    noise: float | None = None,
    weighted: bool = False,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Frontier:
    """Approach 2: at each budget the size of lowest loss, then a power law through these sizes.

    `runs` have ``N, C, L`` (``D`` if it is not ``C/(6N)``), several sizes at each budget.
    ``points`` also has ``sd`` (of ln N), ``runs`` (used) and ``kept``, the share of resamples with
    an optimum. From arXiv:2203.15556, section 3.2; Akima's curve (doi:10.1145/321607.321609) and
    `weighted`, budgets by ``1/sd**2``, from arXiv:2406.19146.

    Parameters
    ----------
    budgets, tolerance
        A run goes to the nearest budget (FLOP) within `tolerance` decades of C, or is left out; .05
        moves the loss by about a reading error. No budgets: each exact C that four runs share.
    method : {"parabola", "akima"}
        ``parabola``: least squares of L on 1, ln N, (ln N)², and its vertex. ``akima``: a piecewise
        cubic through the points in ln N (sizes within 1 % averaged), and its exact minimum.
    window : float
        Decades of N to either side of the lowest point that the parabola sees; None: all. With
        exponents near .35 the quartic term of the true curve is 3 % of the quadratic one at .7.
    n, noise
        In each of `n` resamples noise is added to the losses, of that standard deviation in nats,
        or else the parabolas' relative residuals, those of all budgets together, resampled; the
        optima and power laws are found again.

    Notes
    -----
    How this misleads: a parabola is symmetric and the true curve is not unless the exponents are
    equal, so a wide or off-centre grid moves the vertex, which the interval does not show. Akima
    has no such bias but follows the noise. Runs of unequal compute in one group tilt its curve.

    Examples
    --------
    >>> import scalekit as sk
    >>> round(float(isoflop(sk.load("chinchilla"), [6e19, 1e20, 3e20, 6e20, 1e21]).a), 2)
    0.48
    """
    runs = _checked(runs, n, level, seed, "isoflop")
    _check_options(method, window, tolerance, noise)
    runs = assign(runs, budgets, tolerance)
    rng = np.random.default_rng(seed)
    groups = [group for _, group in runs.groupby("budget")]
    if noise is None:
        noise = np.concatenate([np.empty(0), *(_misses(group, window) for group in groups)])
    found = [bowl(group, method, window, noise, n, level, rng) for group in groups]
    bowls = [b for b in found if isinstance(b, Bowl)]
    refused = [(r.C, r.reason) for r in found if isinstance(r, Refusal)]
    if len(bowls) < 3:
        why = "; ".join(f"{C:.2g}: {reason}" for C, reason in refused) or (
            f"{len(found)} of those given have runs near them; give budgets of trained runs."
        )
        raise FitError(
            f"isoflop: {len(bowls)} budgets have an optimum; an exponent needs three. {why}"
        )
    points = pd.DataFrame([b.point for b in bowls])
    if weighted and not (points["sd"] > 0).all():
        raise FitError("isoflop: weighted=True needs optima with some uncertainty (noise above 0).")
    w = points["sd"].to_numpy() ** -2.0 if weighted else 1.0
    lnC, *own = np.log(points[["C", "N", "D"]].to_numpy().T)
    # (budgets, 2, draws) to (2, draws, budgets)
    drawn = np.transpose([b.drawn for b in bowls], (1, 2, 0))
    return Frontier(
        f"Approach 2 (isoFLOP, {method.replace('akima', 'Akima')})",
        points,
        *np.ravel(_line(lnC, own, w)),
        pd.DataFrame(np.vstack(_line(lnC, drawn, w)).T, columns=_CONSTANTS),
        level,
        pd.DataFrame(refused, columns=["C", "reason"]),
        runs,
        pd.concat([f.curve for f in found]),
    )


def _check_options(method, window, tolerance, noise):
    require(
        method in _METHODS, f"isoflop: method = {method!r} is unknown; use 'parabola' or 'akima'."
    )
    require(
        noise is not None or method != "akima",
        "isoflop: Akima goes through every point and leaves no residuals; pass noise=, the "
        "standard deviation of a loss in nats, as repeated runs show it.",
    )
    require(
        window is None or (is_number(window) and 0 < window < np.inf),
        f"isoflop: window = {window!r} is not a number above zero, or None.",
    )
    for name, value in {"tolerance": tolerance, "noise": noise or 0}.items():
        require(
            is_number(value) and 0 <= value < np.inf,
            f"isoflop: {name} = {value!r} is not zero or a positive number.",
        )


def assign(
    runs: pd.DataFrame, budgets: ArrayLike | None = None, tolerance: float = 0.05
) -> pd.DataFrame:
    """Return the runs within `tolerance` decades of a budget, with the column ``budget``."""
    if budgets is None:
        counts = runs["C"].value_counts()
        budgets = np.sort(counts.index[counts >= 4].to_numpy(float))
        require(
            len(budgets) >= 3,
            f"isoflop: C has {len(counts)} values, {len(budgets)} shared by four runs or more; "
            "pass budgets=[...] in FLOP.",
        )
        tolerance = 0.0
    budgets = as_budgets(budgets, "isoflop")
    # (runs, budgets)
    gap = np.abs(np.log10(runs["C"].to_numpy(float))[:, None] - np.log10(budgets))
    return runs.assign(budget=budgets[gap.argmin(1)])[gap.min(1) <= tolerance + _ROUNDING]


class Bowl(NamedTuple):
    """The optimum of one budget, a row of `Frontier.points`; its ln N and ln D, drawn (2, n)."""

    point: dict
    drawn: np.ndarray
    curve: pd.DataFrame


class Refusal(NamedTuple):
    """Why a budget has no optimum; its curve, where one was fitted."""

    C: float
    reason: str
    curve: pd.DataFrame | None = None


def bowl(
    runs: pd.DataFrame,
    method: str,
    window: float | None,
    noise: float | np.ndarray | None,
    n: int,
    level: float,
    rng: np.random.Generator,
) -> Bowl | Refusal:
    """Find the size of lowest loss at one budget of `assign`, or say why there is none.

    `noise` is a standard deviation in nats, or relative residuals to be resampled, or else None:
    those of this budget alone.
    """
    C = runs["budget"].iloc[0]
    x, L, lnD = _in_order(runs, method, window)
    if len(set(x)) < 4:
        return Refusal(C, f"{len(set(x))} sizes, at least four are needed")
    find, through = _METHODS[method]
    (best,), (lowest,), (fitted,) = find(x, L[None])
    fine = np.linspace(x[0], x[-1], 100)
    curve = pd.DataFrame({"C": C, "N": np.exp(fine), "L": through(x, L)(fine)})
    if not np.isfinite(best):
        return Refusal(C, "the parabola opens downwards: the points have no minimum", curve)
    if not x[0] < best < x[-1]:
        N, least, most = np.exp([best, x[0], x[-1]])
        reason = f"the minimum, N = {N:.2g}, is not inside its points, {least:.2g} to {most:.2g}"
        return Refusal(C, reason, curve)
    if noise is None:
        noise = _misses(runs, window)
    drawn = find(x, fitted + _errors(fitted, noise, n, rng))[0]
    drawn[(drawn <= x[0]) | (drawn >= x[-1])] = np.nan
    kept = np.isfinite(drawn).mean()
    # the optimum is not bracketed at the level asked for
    if kept < level:
        lost = f"{1 - kept:.0%} of the resamples have no minimum inside their points"
        return Refusal(C, lost, curve)
    low, high = np.exp(np.nanquantile(drawn, tails(level)))
    point = {"C": C, "N": np.exp(best), "D": np.exp(np.interp(best, x, lnD)), "L": lowest}
    point |= {"N_low": low, "N_high": high, "sd": np.nanstd(drawn), "runs": len(x), "kept": kept}
    return Bowl(point, np.array([drawn, np.interp(drawn, x, lnD)]), curve)


def _misses(runs, window):
    """Relative residuals of one budget's parabola, widened for its three coefficients."""
    x, L, _ = _in_order(runs, "parabola", window)
    if len(set(x)) < 4:
        return np.empty(0)
    fitted = _vertex(x, L[None])[2][0]
    return (L / fitted - 1) * np.sqrt(len(x) / (len(x) - 3))


def _errors(fitted, noise, n, rng):
    """Errors of n resamples, (n, points): of the standard deviation `noise`, or of residuals."""
    shape = (n, len(fitted))
    if np.ndim(noise) == 0:
        return rng.normal(0, noise, shape)
    return fitted * rng.choice(noise - noise.mean(), shape)


def _in_order(runs, method, window):
    """Sorted ln N, L, and ln D of the tokens that a run would have seen at its budget."""
    tokens = runs["D"] * runs["budget"] / runs["C"]
    runs = runs.assign(x=np.log(runs["N"]), lnD=np.log(tokens)).sort_values("x", kind="stable")
    if method == "akima":
        runs = runs.groupby((runs["x"].diff() > 0.01).cumsum()).mean(numeric_only=True)
    elif window is not None:
        lowest = runs["x"].iloc[runs["L"].to_numpy().argmin()]
        runs = runs[(runs["x"] - lowest).abs() <= window * np.log(10) + _ROUNDING]
    return runs[["x", "L", "lnD"]].to_numpy(float).T.copy()


@np.errstate(all="ignore")
def _vertex(x, Y):
    """Vertex of the least-squares parabola of each row of Y, its height, and the fitted values."""
    x0 = x.mean()
    X = np.vander(x - x0, 3, increasing=True)
    p = Y @ np.linalg.pinv(X).T
    u = np.where(p[:, 2] > 0, -p[:, 1] / (2 * p[:, 2]), np.nan)
    return u + x0, p[:, 0] + u * p[:, 1] / 2, p @ X.T


def _parabola(x, L):
    centred = np.poly1d(np.polyfit(x - x.mean(), L, 2))
    return lambda at: centred(at - x.mean())


@np.errstate(all="ignore")
def _lowest(x, Y):
    """Exact minimum of the Akima curve of each row of Y, perhaps an end of x; its height; Y."""
    # (4, pieces, rows), cubic first
    c = Akima1DInterpolator(x, Y.T).c
    # the slope is a t² + b t + c[2]; its rising root is the minimum of the piece
    a, b = 3 * c[0], 2 * c[1]
    s = np.sqrt(b * b - 4 * a * c[2])
    t = np.where(b > 0, -2 * c[2] / (b + s), (s - b) / (2 * a))
    t = np.where((t >= 0) & (t <= np.diff(x)[:, None]), t, 0.0)
    height = ((c[0] * t + c[1]) * t + c[2]) * t + c[3]
    piece, row = height.argmin(0), np.arange(len(Y))
    best, height = x[piece] + t[piece, row], height[piece, row]
    return np.where(Y[:, -1] < height, x[-1], best), np.minimum(height, Y[:, -1]), Y


# How to find the minimum of each row, and a function that draws the curve of one row.
_METHODS = {"parabola": (_vertex, _parabola), "akima": (_lowest, Akima1DInterpolator)}
