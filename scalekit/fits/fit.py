"""Fit a law to runs: what is minimised, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from scalekit.fits import bands, clusters, draws, given, health, profile, reach, solver
from scalekit.fits.problem import Problem
from scalekit.formulas.law import Law
from scalekit.formulas.zoo import as_law
from scalekit.tables import check, load
from scalekit.words import FitError, check_known, tails, whole_number

# Two starts found the same optimum if their objectives agree to this share.
SAME = 1e-6
OPTIONS = ("loss", "delta", "space", "weights", "noise", "start", "seed")
# A minimum that is higher by this share is another one.
_OTHER = 1e-4


class Starts(NamedTuple):
    """How the starts of a fit fared."""

    # starts looked at, and those of them followed to a minimum
    screened: int
    polished: int
    # the part of the polished that reached the best minimum, and the objective of the next one
    share: float
    rival: float | None


@dataclass(frozen=True, repr=False, eq=False)
class Fit:
    """What a fit found. Made by `fit`; never changed: `bootstrap` returns a new one, with draws.

    Attributes
    ----------
    params : the estimates, in the units of the runs; a Series that cannot be changed.
    objective : at the estimates; Huber: the sum over runs, squared: the residual sum of squares.
    n_obs, dropped : rows used; rows of the table, or of the part chosen, left out (None: unknown).
    starts : how many were screened and polished, the share that agrees, the objective of a rival.
    condition : of the Jacobian with columns scaled to length 1: how many digits the runs cost.
    at_bound : names of the parameters at a limit.
    doubts, draws_doubts : what the optimum, and the draws, say against trust; see `warnings`.
    data_range : (low, high) of each input: predictions outside are extrapolations.
    residual_sd : sqrt(sum of squared residuals / (n_obs - parameters)), in the unit of `residuals`.
    draws : bootstrap estimates, a row a resample, or None.

    Notes
    -----
    How this misleads: single parameters are often poorly known while predictions are good, because
    the objective has a long valley (A with alpha, B with beta). Compare predictions, not constants.
    """

    law: Law
    estimates: np.ndarray
    objective: float
    n_obs: int
    dropped: int | None
    loss: str
    delta: float | None
    space: str
    starts: Starts
    condition: float
    at_bound: tuple
    doubts: tuple
    data_range: dict
    seed: int
    runs: pd.DataFrame
    residual_sd: float
    draws: pd.DataFrame | None = None
    draws_note: str = ""
    draws_doubts: tuple = ()
    level: float = 0.95
    problem: Problem = field(default=None, repr=False)
    u: np.ndarray = field(default=None, repr=False)
    # the best distinct minima, lowest first, (m, K)
    minima: np.ndarray = field(default=None, repr=False)
    # of the rows, of mean one
    weights: np.ndarray | None = field(default=None, repr=False)
    # by how much the noise given is larger than the residuals show, at least 1
    floor: float = 1.0
    # standard deviations of the rows as given
    noise: np.ndarray | None = field(default=None, repr=False)

    @property
    def params(self) -> pd.Series:
        """Series: the estimates, by name; read only."""
        values = self.estimates.view()
        values.flags.writeable = False
        return pd.Series(values, list(self.law.params), name="estimate", copy=False)

    def __getitem__(self, name: str) -> float:
        check_known("fit", "parameter", [name], self.params.index)
        return float(self.params[name])

    @cached_property
    def cluster(self) -> clusters.Cluster | None:
        """The column whose groups of rows are plainly not independent, or None."""
        return clusters.find(self)

    @property
    def warnings(self) -> tuple:
        """Why to be careful, in sentences; empty when nothing was noticed."""
        together = () if self.cluster is None else (self.cluster.describe(),)
        return self.doubts + together + self.draws_doubts

    @property
    def se(self) -> pd.Series:
        """Series: standard errors, of the draws, else by the Jacobian (squared loss), else NaN."""
        if self.draws is not None:
            return self.draws.std()
        if self.loss == "squared":
            return health.standard_errors(self)
        return pd.Series(np.nan, index=self.params.index)

    def table(self, level: float | None = None) -> pd.DataFrame:
        """Estimates, standard errors, intervals (at the bootstrap's level); NaN where unknown."""
        out = pd.DataFrame({"estimate": self.params, "se": self.se, "low": np.nan, "high": np.nan})
        if self.draws is not None:
            out[["low", "high"]] = self.ci(level)
        return out

    def ci(self, level: float | None = None) -> pd.DataFrame:
        """Percentile intervals of the draws, low and high, a row a parameter.

        How this misleads: they are not corrected for bias or skew; with few runs they cover too
        seldom. `level` is the bootstrap's own (0.95) unless given.
        """
        return bands.interval(bands.draws_of(self, "ci"), self.level if level is None else level)

    def predict(
        self,
        frame: pd.DataFrame | None = None,
        *,
        level: float | None = None,
        law: bool = True,
        **inputs,
    ) -> np.ndarray | pd.DataFrame:
        r"""Predict the output from a table with the inputs as columns, or from each by name.

        With `level`, which needs draws, a DataFrame: value; low, high (confidence: where the curve
        is); pred_low, pred_high (prediction: where one new run would fall); noise, law (standard
        deviations of the two parts of a new run's error: relative in log space, else in the unit
        of the output); reach (how many times beyond the runs, 1 inside). Without, an array.

        Beyond the runs the intervals hold the law's own error, unless `law` is False:

        .. math:: \tau^2 = (0.4\,\Delta)^2 + (1.5\,s)^2 \ln \mathrm{reach}

        with the change that the law promises between the runs and the point, :math:`\Delta`, and
        the residual standard deviation, s. Reach is the largest ratio of an input to the nearest
        that any run has, or of ``N D``, the compute, for a law in N and D; for an input that may
        be zero or negative, 1 plus the distance over the span of the runs.

        Notes
        -----
        How this misleads: the two numbers were learnt from larger runs held out of the kit's tables
        (``load("coverage_reach")`` says how often the intervals held), and know neither your law
        nor how it does below the smallest runs. The law's error is common to neighbouring points:
        if one lies outside, most do. Past ten times beyond the runs a warning says so.

        Examples
        --------
        >>> import scalekit as sk
        >>> fit = sk.fit("chinchilla", sk.load("chinchilla")).bootstrap(200, seed=0)
        >>> new = fit.predict(N=7e9, D=1.4e11, level=0.95)
        >>> list(new)
        ['value', 'low', 'high', 'pred_low', 'pred_high', 'noise', 'law', 'reach']
        """
        names, positive = self.law.inputs, self.law.positive_inputs
        x = check.inputs(names, frame, inputs, who="predict", positive=positive)
        if level is None:
            return self.law(**x, **self.params)
        out = bands.intervals(self, x, level, law)
        reach.warn_far("predict", out["reach"])
        return out if frame is None else out.set_axis(frame.index)

    def residuals(self) -> pd.Series:
        """Residuals in the order of the runs: ln y - ln fitted in log space, else y - fitted."""
        r = np.empty(self.n_obs)
        r[self.problem.order] = self.problem.residuals(self.u[None])[0]
        return pd.Series(r * self.problem.residual_unit, index=self.runs.index, name="residual")

    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        level: float = 0.95,
        by: str | None = "auto",
        stratify: str | None = None,
    ) -> Fit:
        """Refit resamples of the runs, each a set of weights, all at once.

        Parameters
        ----------
        n : int
            Resamples, at least 2. About 200 for a standard error, 2000 for a 95 % interval.
        level : float
            Of the intervals that the fit then shows.
        by : str, optional
            Resample whole clusters, the values of this column: checkpoints of one model rise and
            fall together. "auto" takes the column of ``fit.cluster`` where residuals show plainly
            that there is one, and says so; None takes single rows, as most papers do.
        stratify : str, optional
            Resample within each value of this column, keeping their counts.

        Returns
        -------
        Fit
            The same, with `draws` (n rows, but for those beyond all numbers and those with fewer
            different inputs than parameters). All resamples start from every distinct minimum of
            the fit; 24 to 48 are solved anew from many starts, and if that finds lower minima all
            start from these too and others are audited. `draws_note` says what was found and what
            is left out.

        Notes
        -----
        How this misleads: it measures the noise of these runs under this law. It knows nothing of a
        wrong law, of runs that all share one learning-rate schedule, or of digitisation errors that
        all lean one way. Efron 1979; Besiroglu et al. 2024, arXiv:2404.10102, take 4000 resamples.

        Examples
        --------
        >>> import scalekit as sk
        >>> fit = sk.fit("chinchilla", sk.load("chinchilla")).bootstrap(200, seed=0)
        >>> fit.draws.shape
        (200, 5)
        """
        tails(level, "bootstrap")
        drawn, note, doubts = draws.bootstrap(self, n, seed, by, stratify)
        about = {"draws_note": note, "draws_doubts": doubts, "level": float(level)}
        return replace(self, draws=drawn, **about)

    def profile(
        self, name: str, *, values: Sequence[float] | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Objective along one parameter, all others refitted at each value: a row each.

        It looks at `values`, or at 41 that spread until the limit is passed on both sides.
        ``attrs["limit"]`` is the largest objective that the runs do not rule out at `level`, and
        ``attrs["interval"]`` where it is passed, (low, high), NaN on a side where it never is. For
        squared loss the limit is ``Q* (1 + t^2/(n - k))`` with Student's t; for Huber the increase,
        scaled by mean(psi') / mean(psi^2), is compared with chi-squared (one degree of freedom).

        Notes
        -----
        How this misleads: for Huber with a narrow delta, mean(psi') rests on the few runs within
        delta of the curve, so the limit is itself uncertain; the bootstrap makes no use of it.
        Bates and Watts 1988, chapter 6, on profiles.

        Examples
        --------
        >>> import scalekit as sk
        >>> fit = sk.fit("chinchilla", sk.load("chinchilla"))
        >>> low, high = fit.profile("E").attrs["interval"]
        >>> bool(low < fit["E"] < high)
        True
        """
        return profile.profile(self, name, values, level)

    def derive(self, formula: str, *, level: float | None = None) -> pd.Series:
        """Compute a quantity such as ``"beta/(alpha + beta)"``, and carry it through the draws.

        The formula is read as safely as a law's. Returns value, se, low, high, the last three NaN
        without draws; `level` is the bootstrap's own unless given.

        Notes
        -----
        How this misleads: a ratio of poorly known parameters can have a well-known value, and the
        reverse. That is the point of carrying the draws, not the separate intervals.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> N = np.logspace(6, 9, 12)
        >>> f = fit("L(N) = E + A/N**alpha", pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3}))
        >>> float(f.derive("1/alpha")["value"].round(3))
        3.333
        """
        return bands.derive(self, formula, self.level if level is None else level)

    def describe(self) -> str:
        """Say in a few sentences what was fitted and how well."""
        log = self.space == "log"
        used = f"{self.n_obs} runs"
        if self.dropped:
            used += f" ({self.dropped} of {self.n_obs + self.dropped} left out)"
        side = "one-sided " * (self.loss == "one-sided")
        how = f"the sum of {side}Huber({self.delta:g})" if self.delta else "least squares"
        where = "log " * log + self.law.output
        miss = f"{100 * self.residual_sd:.2g} %" if log else f"{self.residual_sd:.3g}"
        agree = f"{self.starts.share:.0%} of {self.starts.polished} polished starts agree."
        return (
            f"{self.law.formula} on {used} by {how} on {where}: {self._values()}; residuals have a "
            f"standard deviation of {miss}. {' '.join(self.warnings) or agree}"
        )

    def _values(self, equals=" = "):
        return ", ".join(f"{name}{equals}{value:.4g}" for name, value in self.params.items())

    def __repr__(self):
        count = len(self.warnings)
        doubt = f"; {count} warning{'s' * (count > 1)}" * (count > 0)
        return (
            f"Fit({self.law.formula}; {self.n_obs} runs; {self._values('=')}; "
            f"objective={self.objective:.6g}{doubt})"
        )

    def _repr_html_(self):
        table = self.table()
        low, high = table["low"].map("{:.3g}".format), table["high"].map("{:.3g}".format)
        shown = {
            "estimate": table["estimate"].map("{:.4g}".format),
            "standard error": table["se"].map("{:.2g}".format),
            f"{100 * self.level:g} % interval": low + " to " + high,
        }
        show = pd.DataFrame(shown).replace(["nan", "nan to nan"], "not estimated")
        note = f"<p>{self.draws_note}</p>" if self.draws_note else ""
        return f"<p>{self.describe()}</p>{show.to_html()}{note}"


def fit(
    law: Law | str,
    runs: pd.DataFrame,
    *,
    loss: str = "huber",
    delta: float = 1e-3,
    space: str = "log",
    weights: str | Sequence[float] | None = None,
    noise: str | float | Sequence[float] | None = None,
    start: Mapping | Sequence[float] | None = None,
    seed: int = 0,
) -> Fit:
    r"""Fit a law to runs, from many starts, and say how far to trust it.

    Minimises :math:`\sum_i w_i\,\rho(r_i)` with :math:`r_i = \ln y_i - \ln f(x_i)` (or
    :math:`y_i - f(x_i)`), where :math:`\rho` is Huber's loss, :math:`r^2/2` up to `delta` and
    :math:`\delta(|r| - \delta/2)` beyond, or the square.

    Parameters
    ----------
    law : Law or str
        A law, the name of one in the zoo, or a formula such as ``"L(N) = E + A/N**alpha"``.
    runs : DataFrame, shape (n, ...)
        A column for the output and each input, a row a run. Never changed.
    loss : {"huber", "squared", "one-sided"}
        With ``"squared"`` the objective reported is the residual sum of squares. ``"one-sided"`` is
        for runs that can be too bad, never too good, such as undertuned ones: Huber's loss above
        the curve, :math:`r^2/2` below it however far. It is the least over :math:`e \ge 0` of
        :math:`(r - e)^2/2 + \delta e`: a run's excess e costs its size times `delta`.
    delta : float
        Where Huber's loss turns from square to line; in the unit of the residuals.
    space : {"log", "linear"}
        Residuals of ln y, or of y.
    weights : str or array of shape (n,), optional
        Positive weights of the rows, or the column that holds them; a Series goes by its labels.
        Only their ratios count, but for the objective.
    noise : str, float or array of shape (n,), optional
        Standard deviation of each run's residual (log space: relative), as repeated runs show it,
        or the column that holds it; or the column of seeds, whose name holds "seed": runs that
        differ in it alone show the noise. Weights are divided by its square, residuals compared
        with it, and no interval is narrower than it allows.
    start : mapping or sequence, optional
        A start of your own, tried besides ours. All parameters, in the units of the runs.
    seed : int
        Of the starts. The result is the same for any seed when the starts agree.

    Raises
    ------
    FitError
        No start leads anywhere, or the runs do not fix or tell apart the parameters.

    Notes
    -----
    How this misleads: with delta = 1e-3 the objective is close to least absolute error, so most
    runs only vote on the sign of their residual, and a *mean* instead of a sum stops optimisers
    early at the same tolerance. Rows are taken as independent: checkpoints of one model are not;
    ``warnings`` say so where it is plain, and ``fit.bootstrap`` then resamples whole models.

    References
    ----------
    Hoffmann et al. 2022, arXiv:2203.15556, section 3.3 (objective). Huber 1964 (loss).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> N = np.logspace(6, 9, 12)
    >>> runs = pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3})
    >>> round(fit("L(N) = E + A/N**alpha", runs)["alpha"], 6)
    0.3
    """
    law = as_law(law)
    whole_number("fit", "seed", seed)
    x, y, w = given.table(law, runs, loss, delta, space, weights, "fit")
    given.refuse_too_little(law, x, y)
    sigma = given.noise(law, runs, y, noise, space)
    w = w if sigma is None else w / sigma**2
    problem = Problem(law, x, y, w, loss, delta, space)
    own = () if start is None else problem.from_raw(given.starts(law, start, seed))
    found = solver.solve(problem, seed, own)
    if found is None or not np.isfinite(found[1]).any():
        raise FitError(
            f"fit: {law.formula} or its derivatives are not finite on these runs from any start; "
            "look for inputs outside its domain, or give start={...} or the law a start range."
        )
    minima = found[0][solver.distinct(found[1], 4, _OTHER)]
    u, value, starts = best_of(problem, *found, own)
    objective = value * problem.reported
    about = health.examine(problem, u, objective, starts, sigma)
    # the fit keeps what it saw
    runs = runs.copy()
    return Fit(
        law=law,
        objective=objective,
        n_obs=problem.n,
        dropped=load.left_out(runs),
        loss=loss,
        delta=None if loss == "squared" else float(delta),
        space=space,
        starts=starts,
        data_range={c: (float(runs[c].min()), float(runs[c].max())) for c in law.inputs},
        seed=seed,
        runs=runs,
        problem=problem,
        u=u,
        minima=np.vstack([u, minima[1:]]),
        weights=None if weights is None and noise is None else w / w.mean(),
        noise=sigma,
        estimates=about.pop("params").to_numpy(),
        doubts=about.pop("warnings"),
        **about,
    )


def best_of(problem, u, value, screened, polished, own):
    """Pick the best minimum: its coordinates, its objective, and how the starts fared."""
    floor = problem.rounding
    best = _choose(u, value, floor, own)
    same = polished <= value[best] * (1 + SAME) + floor
    other = polished[(polished > value[best] * (1 + _OTHER) + floor) & np.isfinite(polished)]
    rival = float(other.min() * problem.reported) if len(other) else None
    starts = Starts(screened, len(polished), float(same.mean()), rival)
    return u[best], float(value[best]), starts


def _choose(u, value, floor, own):
    """Pick the lowest; of equals the one that the user's start led to, or that lies nearest.

    Equals are terms that can change places, or signs.
    """
    equal = np.flatnonzero(value <= value.min() * (1 + 1e-9) + floor)
    if len(own) and equal[0] == 0:
        return 0
    # terms that can change places must not tie
    side = 1 + 1e-3 * np.arange(u.shape[1])
    # not 0: of mirror images the positive one
    anchor = own[0] if len(own) else 1e-3
    nearest = equal[np.argmin(np.abs(u[equal] - anchor) @ side)]
    near = equal[np.abs(u[equal] - u[nearest]).max(1) < 1e-3]
    return int(near[np.argmin(value[near])])


def objective(
    law: Law | str,
    runs: pd.DataFrame,
    params: str | Mapping,
    *,
    loss: str = "huber",
    delta: float = 1e-3,
    space: str = "log",
    weights: str | Sequence[float] | None = None,
) -> float:
    """Objective of given constants on runs: the number that `fit`, with these options, minimises.

    `params` are published constants by their key, or a value for each parameter.

    Notes
    -----
    How this misleads: objectives compare only on the same runs, loss, delta and space.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"N": [1e6, 1e7, 1e8], "L": [4.0, 3.0, 2.0]})
    >>> at = {"A": 3, "alpha": 0}
    >>> objective("L(N) = A + alpha*N", runs, at, loss="squared", space="linear")
    2.0
    """
    law = as_law(law, "objective")
    x, y, w = given.table(law, runs, loss, delta, space, weights, "objective")
    f = law(**dict(zip(law.inputs, x, strict=True)), **law.at(params))
    log = space == "log"
    below = int((f <= 0).sum())
    if log and below:
        raise ValueError(f"objective: the law is <= 0 on {below} runs, so its log is not defined.")
    r = np.log(y) - np.log(f) if log else y - f
    c = np.clip(r, -np.inf if loss == "one-sided" else -delta, delta)
    return float(np.sum(w * (r**2 if loss == "squared" else c * (r - 0.5 * c))))
