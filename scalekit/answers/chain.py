"""Chain two fits, such as size to task loss and task loss to accuracy, with the doubt of both."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalekit.answers.crossover import need_fits
from scalekit.fits import reach, scatter
from scalekit.fits.bands import draws_of, widened
from scalekit.fits.fit import Fit
from scalekit.tables import check
from scalekit.words import tails


@dataclass(frozen=True, eq=False)
class Chain:
    """Two fits as one, from `inputs`, those of both steps but the `link` between, to `output`."""

    step1: Fit
    step2: Fit
    inputs: tuple[str, ...]
    output: str
    link: str
    paired: bool

    def predict(
        self,
        frame: pd.DataFrame | None = None,
        *,
        level: float | None = None,
        law: bool = True,
        **inputs: float | np.ndarray,
    ) -> np.ndarray | pd.DataFrame:
        """Predict the output from inputs by name or as columns of `frame`, whose link is not used.

        With `level`, for which both steps need draws, the answer is a table: value; low, high
        (confidence: where the chained curve is); pred_low, pred_high (prediction: where one new run
        would fall, with the noise of both steps); law (standard deviation of the laws' own errors,
        as residuals of step 2 are counted); reach (the larger of both steps', see `Fit.predict`).

        Beyond the runs, unless `law` is False, the intervals hold the errors of both laws: that of
        step 1 at the inputs, carried through the slope of step 2, and that of step 2 at the
        predicted link. They are taken as independent, and the slope as constant.
        """
        x, link = self._first(frame, inputs, "chain.predict")
        if self.link in self.step2.law.positive_inputs and (link <= 0).any():
            raise ValueError(
                f"chain.predict: step 1 gives {self.link} = {link.min():.4g}, but step 2 needs it "
                f"> 0; keep to inputs where the first law gives a {self.link} that can be."
            )
        value = _evaluate(self.step2, x | {self.link: link}, self.step2.params)
        if level is None:
            return value
        x, link, value = {name: np.ravel(v) for name, v in x.items()}, link.ravel(), value.ravel()
        ends = self._bands(x, tails(level, "chain.predict"), *self._draws())
        error, far = self._law_error(x, link, value)
        if law:
            # curve and new run, low and high, points
            ends = widened(self.step2.space, value, ends.reshape(2, 2, -1), error, level)
        out = pd.DataFrame(
            np.vstack([value, ends.reshape(4, -1), error, far]).T,
            columns=["value", "low", "high", "pred_low", "pred_high", "law", "reach"],
        )
        reach.warn_far("chain.predict", far)
        return out if frame is None else out.set_axis(frame.index)

    def outside(
        self, frame: pd.DataFrame | None = None, **inputs: float | np.ndarray
    ) -> np.ndarray:
        """Say where the predicted link leaves the range that the second step was fitted on."""
        _, link = self._first(frame, inputs, "chain.outside")
        return link != np.clip(link, *self.step2.data_range[self.link])

    def describe(self) -> str:
        """Say in one sentence what is chained and how the draws meet."""
        how = "draws independent: the steps saw different runs or resamples"
        if self.step1.draws is None or self.step2.draws is None:
            how = "without draws"
        elif self.paired:
            how = "draws paired: both steps saw the same resamples of the same runs"
        return (
            f"{self.output} from {', '.join(self.inputs)} through {self.link}: "
            f"{self.step1.law.formula} on {self.step1.n_obs} runs, then "
            f"{self.step2.law.formula} on {self.step2.n_obs}; {how}."
        )

    def __repr__(self):
        how = "paired" if self.paired else "independent"
        return f"Chain({self.step1.law.formula}; {self.step2.law.formula}; {how})"

    def _first(self, frame, inputs, who):
        """Check the inputs as those of one law are checked; return them and the link there."""
        positive = [*self.step1.law.positive_inputs, *self.step2.law.positive_inputs]
        x = check.inputs(self.inputs, frame, inputs, who=who, positive=positive)
        return x, _evaluate(self.step1, x, self.step1.params)

    def _bands(self, x, quantiles, one, two):
        """Quantiles of the chained curve and of a new run, (4, points), from both steps' draws."""
        rng1 = np.random.default_rng((self.step1.seed, 1))
        rng2 = np.random.default_rng((self.step2.seed, 2))
        # (draws, points); the noise of a new run enters in both steps
        link = _evaluate(self.step1, x, one)
        curves = _evaluate(self.step2, x | {self.link: link}, two)
        new_x = x | {self.link: scatter.noisy(self.step1, x, link, rng1)}
        new = scatter.noisy(self.step2, new_x, _evaluate(self.step2, new_x, two), rng2)
        return np.vstack([np.quantile(c, quantiles, axis=0) for c in (curves, new)])

    def _law_error(self, x, link, value):
        """Return the standard deviation of both laws' errors and the larger reach, (points,)."""
        error, far = reach.law_error(self.step1, x)
        # in the unit of the link, and the slope of step 2 there
        error, step = error * (link if self.step1.space == "log" else 1.0), 1e-6 * link
        near = _evaluate(self.step2, x | {self.link: link + step}, self.step2.params)
        carried = error * reach.apart(self.step2.space, value, near) / step
        own, further = reach.law_error(self.step2, x | {self.link: link})
        return np.hypot(carried, own), np.maximum(far, further)

    def _draws(self):
        """Return the drawn parameters of both steps, (draws, 1) each, to be taken together."""
        one, two = draws_of(self.step1, "chain.predict"), draws_of(self.step2, "chain.predict")
        if self.paired:
            both = one.index.intersection(two.index)
            steps = one.loc[both], two.loc[both]
        else:
            # shuffled against one another
            rng, n = np.random.default_rng(self.step1.seed), max(len(one), len(two))
            steps = [drawn.iloc[rng.permutation(n) % len(drawn)] for drawn in (one, two)]
        return [{p: drawn[p].to_numpy()[:, None] for p in drawn} for drawn in steps]


def _evaluate(step, x, params):
    """Evaluate the law of a step at those of `x` that it takes."""
    return step.law(**{name: x[name] for name in step.law.inputs}, **params)


def chain(step1: Fit, step2: Fit) -> Chain:
    r"""Chain two fits: :math:`z = f_2(f_1(x))`, with an interval that holds the doubt of both.

    Draws are paired when both fits were bootstrapped alike (same n, seed, by, stratify) on the same
    runs (equal values of the link, in one order), else combined as independent; ``by="auto"`` may
    choose two columns, so name one. Two steps: Bhagia
    et al. 2024, arXiv:2412.04403; loss, then error: Gadre et al. 2024, arXiv:2403.08540.

    Notes
    -----
    How this misleads: the second step is fitted on the measured link and used on a predicted one,
    which no run may have reached (`Chain.outside` says where); both intervals then rest on the
    second law's shape there. A run that is high in step 1 may be high in step 2 as well; pairing
    keeps that for the parameters, not for the noise of a new run.

    Examples
    --------
    >>> from scalekit.fits.fit import fit
    >>> runs = pd.DataFrame({"N": np.logspace(6, 9, 12)})
    >>> runs["L"] = 2 + 50 / runs["N"] ** 0.3
    >>> runs["error"] = 0.9 - 2 * np.exp(-0.7 * runs["L"])
    >>> loss = fit("L(N) = E + A/N**alpha", runs)
    >>> error = fit("error(L) = top - k*exp(-gamma*L)", runs)
    >>> float(chain(loss, error).predict(N=1e10).round(4))
    0.4238
    """
    need_fits("chain", step1, step2)
    link, taken, output = step1.law.output, step2.law.inputs, step2.law.output
    if link not in taken:
        turned = " They fit in the other order." * (output in step1.law.inputs)
        raise ValueError(
            f"chain: step 1 gives {link!r}, but step 2 takes {', '.join(taken)}.{turned} "
            f"Write the second law with {link!r} as an input, in the same unit."
        )
    # each input once, in order
    inputs = dict.fromkeys([*step1.law.inputs, *taken])
    del inputs[link]
    if output in inputs:
        raise ValueError(
            f"chain: the output {output!r} of step 2 is an input of step 1; chains go one way."
        )
    return Chain(step1, step2, tuple(inputs), output, link, _resampled_alike(step1, step2, link))


def _resampled_alike(step1, step2, link):
    return (
        step1.draws is not None
        and step2.draws is not None
        and step1.draws.attrs["resample"] == step2.draws.attrs["resample"]
        and np.array_equal(step1.runs[link], step2.runs[link])
    )
