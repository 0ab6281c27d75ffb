"""How far laws carry: scores on runs held out, and laws side by side on the same runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import optimize, special

from scalekit.fits.bands import intervals
from scalekit.fits.fit import OPTIONS, Fit, fit
from scalekit.formulas.law import Law
from scalekit.formulas.zoo import as_law
from scalekit.tables.check import columns
from scalekit.words import FitError, check_known, require, whole_number


def score(actual: np.typing.ArrayLike, predicted: np.typing.ArrayLike) -> dict[str, float]:
    """Score positive predictions by ``off = ln predicted - ln actual``.

    are is the mean absolute relative error, ``mean(abs(predicted/actual - 1))``; rmsle is
    ``sqrt(mean(off**2))``; bias is ``mean(off)``, positive where the law promises too high a loss.

    Examples
    --------
    >>> {k: round(v, 3) for k, v in score([2.0, 2.0], [2.2, 2.2]).items()}
    {'are': 0.1, 'rmsle': 0.095, 'bias': 0.095}
    """
    actual, predicted = np.asarray(actual, float), np.asarray(predicted, float)
    unlike = not actual.size or actual.shape != predicted.shape
    if unlike or not ((actual > 0) & (predicted > 0)).all():
        raise ValueError("score: actual and predicted must be positive and of one length.")
    off = np.log(predicted) - np.log(actual)
    return {
        "are": float(np.mean(np.abs(np.expm1(off)))),
        "rmsle": float(np.sqrt(np.mean(off**2))),
        "bias": float(np.mean(off)),
    }


def holdout(
    laws: Law | str | list | Mapping,
    runs: pd.DataFrame,
    *,
    by: str = "C",
    cutoffs: int | list[float] = 4,
    span: float | None = None,
    horizon: float | None = None,
    draws: int = 0,
    cluster: str | None = None,
    **options,
) -> pd.DataFrame:
    """Fit below a cutoff, predict above it, and score: how far each law can be trusted beyond.

    `laws` are a law, a list of laws, or a mapping of names to laws; `options` are those of `fit`.
    Fitted are rows with ``by <= cutoff``, predicted those above. `by` is a column of numbers, such
    as compute, model size, step or year, and need not be an input of the law. `cutoffs` are values
    of it, or how many to take, spread evenly over the ranks between 40 and 90 % of the runs.

    With `span`, a rolling window, only rows with ``by > cutoff/span`` are fitted; with `horizon`,
    only rows with ``by <= cutoff*horizon`` are predicted. Bootstrap `draws` of each fit, of whole
    values of the column `cluster`, give the coverage of its 95 % prediction interval, else NaN; the
    interval holds the law's own error beyond the runs (see `Fit.predict`).

    Returns a row a law and cutoff: law, cutoff, n_fit, n_held, reach (largest `by` predicted over
    the cutoff), are, rmsle, bias (fractions; see `score`), coverage, error (why a law could not be
    fitted there), then the parameters. As in arXiv:2209.06640; see also arXiv:2410.11840.

    Notes
    -----
    How this misleads: the scores of successive cutoffs share runs and are not independent. A small
    error above a cutoff of 1e21 FLOP says nothing of 1e24. Parameters may move far while
    predictions stay good: read both.

    Examples
    --------
    >>> N = np.logspace(6, 9, 12)
    >>> runs = pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3})
    >>> holdout("L(N) = E + A/N**alpha", runs, by="N", cutoffs=[1e8])["are"].round(6).tolist()
    [0.0]
    """
    laws = _named(laws, "holdout", options)
    x = columns(runs, [by], who="holdout", positive=[by] * bool(span or horizon))[by]
    rows = []
    for cutoff in _cuts(x, by, cutoffs, span, horizon):
        below, above = _split(x, by, cutoff, span, horizon)
        place = {"cutoff": cutoff, "n_fit": below.sum(), "n_held": above.sum()}
        place["reach"] = x[above].max() / cutoff if cutoff > 0 else np.nan
        for name, law in laws.items():
            scores = _held_out(law, runs[below], runs[above], draws, cluster, options)
            rows.append({"law": name} | place | scores)
    return pd.DataFrame(rows)


def _cuts(x, by, cutoffs, span, horizon):
    if isinstance(cutoffs, int | np.integer) and cutoffs > 0:
        cutoffs = np.unique(np.quantile(x, np.linspace(0.4, 0.9, cutoffs), method="lower"))
    cuts = pd.to_numeric(np.ravel(cutoffs), errors="coerce")
    factors = (span is None or span > 1) and (horizon is None or horizon > 1)
    if not len(cuts) or np.isnan(cuts).any() or not factors:
        raise ValueError(
            f"holdout: cutoffs are numbers in the unit of {by}, or how many, span and horizon "
            f"factors above 1; got {cutoffs!r}, {span!r} and {horizon!r}."
        )
    return cuts


def _split(x, by, cutoff, span, horizon):
    below, above = x <= cutoff, x > cutoff
    if span:
        below &= x > cutoff / span
    if horizon:
        above &= x <= cutoff * horizon
    require(
        below.any() and above.any(),
        f"holdout: {below.sum()} rows at or below {by} = {cutoff:.4g} to fit, {above.sum()} "
        f"above to predict; {by} runs from {x.min():.4g} to {x.max():.4g}.",
    )
    return below, above


def _held_out(law, below, above, draws, cluster, options):
    """Fit the runs below, score those above; where that fails, the reason."""
    row = dict.fromkeys(["are", "rmsle", "bias", "coverage"], np.nan) | {"error": ""}
    if len(below) <= len(law.params):
        return row | {"error": f"{len(law.params)} parameters, {len(below)} runs"}
    try:
        found = fit(law, below, **options)
        if draws:
            found = found.bootstrap(draws, by=cluster)
    except FitError as e:
        return row | {"error": str(e)}
    row |= found.params
    try:
        row |= score(above[law.output], found.predict(above))
        if draws:
            # as `predict` gives it, without its warning: the reach is in the row
            band = intervals(found, above[list(law.inputs)], 0.95, law=True).set_axis(above.index)
            row["coverage"] = above[law.output].between(band["pred_low"], band["pred_high"]).mean()
    except ValueError as e:
        # beyond the cutoff the law, or one of the draws, is not finite, or not positive
        row["error"] = str(e)
    return row


def compare(
    laws: list | Mapping,
    runs: pd.DataFrame,
    *,
    group: str | None = None,
    folds: int = 5,
    by: str | None = None,
    cutoffs: int | list[float] = 4,
    seed: int = 0,
    **options,
) -> pd.DataFrame:
    r"""Put laws (a list, or a mapping of names to laws) side by side on the same runs.

    The information criteria take the fit's objective at its word: residuals are independent with
    the density :math:`\exp(-\lambda\rho(r))/Z(\lambda)`, where :math:`\rho` is the loss that was
    minimised and the scale :math:`\lambda` is fitted too. For squared loss that is the normal; for
    Huber with a small delta nearly Laplace (Burnham and Anderson 2002, chapter 2).

    Cross-validation in `folds` leaves out whole values of the column `group`: if not given,
    ``model`` if there is such a column, else an input N with at least `folds` values, else single
    rows. With `by`, the laws are scored by `holdout` too. `options` are those of `fit`.

    Returns a row a law, least ``cv`` first: k (parameters), objective, AICc, BIC, d_AICc (above the
    least), cv (cross-validated root mean square log error), beyond (mean ``are`` of `holdout`),
    against_best (mean difference of squared log error to the best law, in standard errors over
    groups), verdict. ``attrs`` has ``verdict``, a sentence, and ``group``, the column.

    Notes
    -----
    How this misleads: AICc and BIC count checkpoints of one run as independent, so they are too
    sure; cross-validation by model is not, but it interpolates, and the law that interpolates best
    need not extrapolate best. Not told apart is not equal: it is within two standard errors.

    Examples
    --------
    >>> N = np.logspace(6, 9, 12)
    >>> runs = pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3})
    >>> compare(["L(N) = E + A/N**alpha", "L(N) = A/N**alpha"], runs, loss="squared")["k"].tolist()
    [3, 2]
    """
    laws = _named(laws, "compare", options)
    if len(laws) < 2 or len({law.output for law in laws.values()}) > 1:
        raise ValueError("compare: give two laws or more, of one output.")
    whole_number("compare", "seed", seed)
    group, code = _groups(runs, group, folds)
    groups = int(code.max()) + 1
    require(
        isinstance(folds, int | np.integer) and 2 <= folds <= groups,
        f"compare: {folds} folds of {groups} groups; folds must lie between 2 and the groups.",
    )
    fold = np.random.default_rng(seed).permutation(groups)[code] % folds
    rows, errors = [], {}
    for name, law in laws.items():
        try:
            whole = fit(law, runs, **options)
            off = _left_out(law, runs, fold, options)
        except FitError as e:
            raise FitError(f"compare: {name}: {e}") from None
        errors[name] = pd.Series(off**2).groupby(code).mean()
        row = {"k": len(law.params), "objective": whole.objective} | criteria(whole)
        row |= {"cv": np.sqrt(np.mean(off**2)), "beyond": np.nan}
        if by:
            row["beyond"] = holdout(law, runs, by=by, cutoffs=cutoffs, **options)["are"].mean()
        rows.append(row)
    out = pd.DataFrame(rows, index=pd.Index(laws, name="law")).sort_values("cv")
    out.insert(4, "d_AICc", out["AICc"] - out["AICc"].min())
    worse = pd.DataFrame(errors).sub(errors[out.index[0]], axis=0)
    se = worse.std() / np.sqrt(groups)
    out["against_best"] = (worse.mean() / se).where(se > 0, 0.0)
    out["verdict"] = np.where(out["against_best"] > 2, "worse", "not told apart")
    out.iloc[0, -1] = "best"
    out.attrs.update(group=group, verdict=_verdict(out, group))
    return out


def _verdict(table, group):
    same = ", ".join(table.index[table["verdict"] == "not told apart"])
    told = "the others are worse by over two standard errors"
    untold = f"these runs cannot tell it from {same}"
    return (
        f"{table.index[0]} predicts left-out values of {group} best "
        f"({100 * table['cv'].iloc[0]:.2g} %); {untold if same else told}."
    )


def _groups(runs, group, folds):
    """Column that tells groups apart, or "row", and the number of each row's group."""
    usable = [c for c in ("model", "N") if c in runs and runs[c].nunique() >= folds]
    group = group or next(iter(usable), None)
    if group is None:
        return "row", np.arange(len(runs))
    check_known("compare", "column for group", [group], list(runs.columns))
    return group, pd.factorize(runs[group], sort=True, use_na_sentinel=False)[0]


def _left_out(law, runs, fold, options):
    """Log errors of each row, predicted from the other folds."""
    y = columns(runs, [law.output], who="compare", positive=[law.output])[law.output]
    off = np.empty(len(runs))
    for k in np.unique(fold):
        left = fold == k
        predicted = fit(law, runs[~left], **options).predict(runs[left])
        off[left] = np.log(predicted) - np.log(y[left])
    return off


def criteria(found: Fit) -> dict[str, float]:
    """AICc and BIC of a fit in log or linear space, the scale of its residuals fitted too."""
    n, k, delta = found.n_obs, len(found.params) + 1, found.delta

    def minus(log_lam):
        # half of the middle of exp(-lam rho) is normal, a tail beyond delta exponential
        lam = np.exp(log_lam)
        normal = np.sqrt(np.pi / 2 / lam)
        above = normal * special.erf(delta * np.sqrt(lam / 2))
        above += np.exp(-lam * delta**2 / 2) / (lam * delta)
        below = normal if found.loss == "one-sided" else above
        return lam * found.objective + n * np.log(above + below)

    if found.loss == "squared":
        log_l = -0.5 * n * (np.log(2 * np.pi * found.objective / n) + 1)
    else:
        guess = np.log(n / max(found.objective, 1e-300))
        log_l = -optimize.minimize_scalar(minus, bracket=(guess - 1, guess + 1)).fun
    small = 2 * k * (k + 1) / max(n - k - 1, 1e-9)
    return {"AICc": 2 * k - 2 * log_l + small, "BIC": k * np.log(n) - 2 * log_l}


def _named(laws, who, options):
    """Return the laws by name, in order; check the options meant for `fit`."""
    check_known(who, "option", options, OPTIONS)
    require(
        isinstance(options.get("weights", ""), str),
        f"{who}: weights are split with the rows only as a column; name it.",
    )
    if not isinstance(laws, Mapping):
        listed = laws if isinstance(laws, (list, tuple)) else [laws]
        found = [as_law(law, who) for law in listed]
        laws = {law.name or law.formula: law for law in found}
        require(
            len(laws) == len(found),
            f"{who}: a law is listed twice among {[*laws]}; give a mapping.",
        )
    require(laws, f"{who}: no law was given.")
    return {str(name): as_law(law, who) for name, law in laws.items()}
