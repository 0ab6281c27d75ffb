"""The checklist: what a reader needs to reproduce a fit, filled in from it, with the gaps named."""

import re
from contextlib import suppress
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from scalekit.answers.holdout import holdout
from scalekit.fits.fit import SAME, Fit
from scalekit.fits.solver import TOLERANCE
from scalekit.tables.check import columns
from scalekit.words import check_known

MISSING = "not stated"


@dataclass(frozen=True)
class Checklist:
    """What is known of a fit, a row of `table` an item, and who says it: "fit" or "author"."""

    table: pd.DataFrame

    @property
    def missing(self) -> list[str]:
        """Items that read "not stated"."""
        return self.table.loc[self.table["answer"] == MISSING, "item"].tolist()

    def fill(self, **answers: str) -> "Checklist":
        """Return a list with items answered, by name with _ for blanks: ``batch_size="512"``."""
        table = self.table.copy()
        names = table["item"].str.replace(" ", "_").tolist()
        check_known("fill", "item", answers, names)
        for name, answer in answers.items():
            if not isinstance(answer, str) or not answer.strip():
                raise ValueError(
                    f"fill: the answer to {name!r} is empty; leave it out and it reads {MISSING!r}."
                )
            row = names.index(name)
            if table["who"][row] == "fit":
                raise ValueError(
                    f"fill: {name!r} was read off the fit ({table['answer'][row]}); refit to "
                    "change it."
                )
            table.loc[row, "answer"] = answer.strip()
        return Checklist(table)

    def markdown(self) -> str:
        """Return the list as Markdown for an appendix; N**alpha and L_c4 are shown as they are."""
        lines = "- **" + self.table["item"].map(_plain) + "**: " + self.table["answer"].map(_plain)
        parts = lines.groupby(self.table["section"], sort=False).agg("\n".join)
        return "\n".join(f"### {section}\n\n{items}\n" for section, items in parts.items())

    def describe(self) -> str:
        """Say in one sentence how complete it is."""
        n, gaps = len(self.table), self.missing
        return f"{n - len(gaps)} of {n} items are stated; not stated: {', '.join(gaps) or 'none'}."

    def __repr__(self):
        return f"Checklist: {self.describe()}\n\n{self.markdown()}"

    def _repr_html_(self):
        with pd.option_context("display.max_colwidth", None):
            return f"<p>{escape(self.describe())}</p>{self.table.to_html(index=False)}"


def _plain(text):
    """Text on one line, with what Markdown would take as markup escaped."""
    return re.sub(r"([\\`*_<\[\]~|])", r"\\\1", " ".join(text.split()))


def checklist(fit: Fit) -> Checklist:
    """Fill in what a reader needs to reproduce a fit; name what only the author can supply.

    The headings are those of the survey of Li et al. 2025, arXiv:2502.18969 (form, training setup,
    data collection, fitting); the items are in our own words. The card of the fit's data set
    (``runs.attrs["card"]``) supplies definitions and provenance where there is one.

    Notes
    -----
    How this misleads: a complete list makes a fit repeatable, not right. The held-out error is that
    of one split, fitted on the 70 % of runs with least compute (or first input): a short reach.

    Examples
    --------
    >>> from scalekit.fits.fit import fit
    >>> N = np.logspace(6, 9, 12)
    >>> runs = pd.DataFrame({"N": N, "L": 2 + 50 / N**0.3})
    >>> "optimizer" in checklist(fit("L(N) = E + A/N**alpha", runs)).missing
    True
    """
    rows = [
        (section, item, str(answer or MISSING), "fit" if answer else "author")
        for section, answers in _answers(fit).items()
        for item, answer in answers.items()
    ]
    return Checklist(pd.DataFrame(rows, columns=["section", "item", "answer", "who"]))


def _answers(fit):
    """Answers by section and item; None where only the author can say."""
    law, starts, limits, delta = fit.law, fit.starts, fit.law.bounds.items(), fit.delta
    card = {"columns": {}} | (fit.runs.attrs.get("card") or {})
    sign = f"{', '.join(sorted(law.real))} of either sign, others" if law.real else "all parameters"
    left_out = None if fit.dropped is None else f"{fit.dropped} of {fit.n_obs + fit.dropped}"
    loss = f"sum over runs of Huber's loss, delta = {delta:g}" if delta else "sum of squares"
    rival = "no other minimum" if starts.rival is None else f"best other minimum {starts.rival:.6g}"
    return {
        "Hypothesis and form": {
            "law": f"{law.formula} ({sign} positive)",
            "source of the form": law.paper,
            "question": None,
        },
        "Training setup": {
            "runs": str(fit.n_obs),
            "ranges": "; ".join(
                f"{c} {fit.runs[c].min():.4g} to {fit.runs[c].max():.4g}"
                for c in (*law.inputs, law.output)
            ),
            "definition of N": card["columns"].get("N"),
            "definition of FLOP": card["columns"].get("C"),
            "C against 6ND": _against_6nd(fit.runs),
            "training data": None,
            "architecture": None,
            "optimizer": None,
            "learning rate schedule": None,
            "batch size": None,
            "hyperparameter tuning": None,
        },
        "Data collection": {
            "data set": card.get("title") or card.get("name"),
            "provenance": card.get("source"),
            "sha256": card.get("sha256"),
            "definition of the output": card["columns"].get(law.output),
            "measurement error": card.get("measurement_error"),
            "rows left out": left_out,
            "why they were left out": None,
            "checkpoints used": None,
            "seeds": None,
        },
        "Fitting": {
            "objective": loss,
            "space": "log " * (fit.space == "log") + law.output,
            "weights": "none" if fit.weights is None else "by row, given",
            "bounds": "; ".join(f"{p} in ({low:g}, {high:g})" for p, (low, high) in limits)
            or "none beyond the solver's wide box",
            "algorithm": "damped Newton with the exact Hessian from many starts (scalekit)",
            "starts": f"{starts.screened} screened, {starts.polished} polished, "
            f"{starts.share:.0%} of these agree; {rival}",
            "tolerance": f"predicted decrease below {TOLERANCE:g} of the objective; starts agree "
            f"within {SAME:g} of it".replace("e-0", "e-"),
            "seed": str(fit.seed),
            "uncertainty": fit.draws_note,
            "held-out error": _held_out(fit) if fit.weights is None else None,
        },
        "What was found": {
            "estimates": "; ".join(_estimate(row, fit.level) for row in fit.table().itertuples()),
            "objective at the optimum": f"{fit.objective:.6g}",
            "residual standard deviation": f"{fit.residual_sd:.3g}"
            + " (of the log)" * (fit.space == "log"),
            "condition number": f"{fit.condition:.3g}",
            "parameters at a bound": ", ".join(fit.at_bound) or "none",
            "warnings": " ".join(fit.warnings) or "none",
        },
    }


def _against_6nd(runs):
    with suppress(ValueError):
        x = columns(runs, ["C", "N", "D"], who="checklist", positive=["N", "D"])
        ratio = x["C"] / (6 * x["N"] * x["D"])
        return f"C/(6ND) from {ratio.min():.3f} to {ratio.max():.3f}"
    return None


def _held_out(fit):
    by = "C" if "C" in fit.runs else fit.law.inputs[0]
    options = {"loss": fit.loss, "delta": fit.delta or 1e-3, "space": fit.space, "seed": fit.seed}
    with suppress(ValueError):
        cut = np.quantile(columns(fit.runs, [by], who="checklist")[by], 0.7, method="lower")
        row = holdout(fit.law, fit.runs, by=by, cutoffs=[cut], **options).iloc[0]
        if not row["error"]:
            return (
                f"{100 * row['are']:.2f} % mean absolute relative error on {row['n_held']} runs "
                f"with {by} above {cut:.3g}, fitted on the {row['n_fit']} below"
            )
    return None


def _estimate(row, level):
    ends = f" ({row.low:.3g} to {row.high:.3g} at {level:.0%})" if np.isfinite(row.low) else ""
    return f"{row.Index} = {row.estimate:.6g}{ends}"
