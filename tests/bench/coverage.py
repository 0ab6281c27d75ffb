"""Coverage of intervals on planted data: `make coverage`. Writes data/coverage_simulated.csv.

The truth is known here, so it can be counted how often an interval holds it: for five designs, four
kinds of noise and what is read off a fit. Designs, noises, quantities and seeds were fixed first.
"""

import hashlib
import json
import os
import sys

# one thread each, as in the benchmark; it must be said before numpy is imported
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

import scalekit as sk
from scalekit.book.catalogue import write_catalogue
from scalekit.tables.load import folder
from scalekit.words import tails

SETS, DRAWS, LEVELS = 100, 300, (0.8, 0.95)
# Besiroglu et al. 2024, arXiv:2404.10102, rounded
E, A, ALPHA, B, BETA = 1.82, 482.0, 0.348, 2085.0, 0.366
LAW, CURVE = sk.Law("L(N, D) = E + A/N**alpha + B/D**beta"), sk.Law("L(N) = E + A/N**alpha")
# of ln L; of a cluster's variance the part that its rows share
SD, SMALL_END, LARGE_END, SHARED = 0.01, 0.03, 0.003, 0.8
NOISES = ("normal", "heavy tails", "uneven", "clustered")
BEYOND = (4, 20)


def optimum(C):
    """Size of lowest loss at a budget, where both terms fall alike."""
    return (ALPHA * A / (BETA * B) * (C / 6) ** BETA) ** (1 / (ALPHA + BETA))


# designs: sizes, tokens, and the group of each run ------------------------------------------------


def grid(rng):
    N, D = np.meshgrid(np.logspace(7, 9.5, 5), np.logspace(9, 11.5, 5), indexing="ij")
    return N.ravel(), D.ravel(), np.arange(25) // 5


def budgets(rng):
    C = np.logspace(18, 21, 5)[:, None]
    N = optimum(C) * np.exp(np.linspace(-1.3, 1.3, 9))
    return N.ravel(), (C / 6 / N).ravel(), np.arange(45) // 9


def twelve(rng):
    return np.logspace(7, 9.5, 12), np.full(12, np.inf), np.arange(12) // 3


def many(rng):
    C = 10 ** rng.uniform(18, 21.5, 240)
    N = optimum(C) * np.exp(rng.normal(0, 0.7, 240))
    return N, C / 6 / N, np.arange(240) // 10


def checkpoints(rng):
    N, D = np.meshgrid(np.logspace(7, 9.5, 8), np.logspace(9, 11.5, 12), indexing="ij")
    return N.ravel(), D.ravel(), np.arange(96) // 12


DESIGNS = {
    "grid of 25": grid,
    "5 isoFLOP budgets": budgets,
    "12 runs, one input": twelve,
    "240 runs": many,
    "checkpoints of 8 models": checkpoints,
}


# noises -------------------------------------------------------------------------------------------


def size(N, D):
    """What a run costs, up to a factor: N*D, or N in the design of one input."""
    return np.where(np.isinf(D), N, N * D)


def spread(noise, at, ends):
    """Standard deviation of ln L at runs of some size; beyond the ends as at the ends."""
    if noise != "uneven":
        return np.full(len(at), SD)
    place = np.clip(np.log(at / ends[0]) / np.log(ends[1] / ends[0]), 0, 1)
    return SMALL_END * (LARGE_END / SMALL_END) ** place


def standard(noise, group, rng):
    """Noise of variance one."""
    n = len(group)
    if noise == "heavy tails":
        return rng.standard_t(3, n) / np.sqrt(3)
    own = rng.normal(size=n)
    if noise != "clustered":
        return own
    return np.sqrt(SHARED) * rng.normal(size=group.max() + 1)[group] + np.sqrt(1 - SHARED) * own


def cdf(noise, z):
    return stats.t.cdf(z * np.sqrt(3), 3) if noise == "heavy tails" else stats.norm.cdf(z)


# one data set -------------------------------------------------------------------------------------


def one(job):
    """Chance that each interval holds the truth, and its width: rows, or None if refused."""
    design, noise, seed = job
    place = list(DESIGNS).index(design), NOISES.index(noise)
    rng = np.random.default_rng((seed, *place))
    N, D, group = DESIGNS[design](rng)
    cost = size(N, D)
    ends = cost.min(), cost.max()
    loss = E + A / N**ALPHA + B / D**BETA
    L = loss * np.exp(spread(noise, cost, ends) * standard(noise, group, rng))
    runs = pd.DataFrame({"N": N, "D": D, "C": 6 * N * D, "L": L, "group": group})
    law = CURVE if np.isinf(D).any() else LAW
    runs = runs.loc[:, np.isfinite(runs).all()]
    with warnings.catch_warnings():
        # of predictions far beyond the runs, which are asked for here
        warnings.simplefilter("ignore")
        try:
            fit = sk.fit(law, runs).bootstrap(DRAWS, seed=seed)
            squares = sk.fit(law, runs, loss="squared")
        except sk.FitError:
            return None
        rows = [*parameters(fit), *squared(squares), *predictions(fit, noise, ends)]
        if design == "5 isoFLOP budgets":
            rows += optima(runs)
    return rows


def held(quantity, level, truth, ends):
    """Whether an interval holds the truth; a side that is never passed is open."""
    low, high = ends
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    return quantity, level, float(low <= truth <= high), high - low


def parameters(fit):
    truth = {"E": E, "alpha": ALPHA}
    if "beta" in fit.params:
        truth["beta/(alpha + beta)"] = BETA / (ALPHA + BETA)
    for level, (name, value) in product(LEVELS, truth.items()):
        yield held(name, level, value, fit.derive(name, level=level)[["low", "high"]].tolist())


def squared(fit):
    for level in LEVELS:
        ends = fit.profile("alpha", level=level).attrs["interval"]
        yield held("alpha, profile", level, ALPHA, ends)
        half = stats.norm.ppf(tails(level)[1]) * fit.se["alpha"]
        ends = fit["alpha"] - half, fit["alpha"] + half
        yield held("alpha, standard error", level, ALPHA, ends)


def predictions(fit, noise, ends):
    """At the smallest, the middle and the largest run, and beyond it with N and D in proportion."""
    runs = fit.runs.assign(D=fit.runs.get("D", np.inf))
    cost = size(runs["N"], runs["D"])
    at = runs.iloc[np.argsort(cost, kind="stable")[[0, len(runs) // 2, -1]]][["N", "D"]]
    far = at.iloc[[2, 2]].mul(np.array(BEYOND)[:, None] ** (1 / len(fit.law.inputs)))
    at = pd.concat([at, far])
    truth = np.log(E + A / at["N"] ** ALPHA + B / at["D"] ** BETA).to_numpy()
    sd = spread(noise, size(at["N"], at["D"]), ends)
    x = {name: at[name].to_numpy() for name in fit.law.inputs}
    places = ["small end", "middle", "large end", *(f"{times} times beyond" for times in BEYOND)]
    for level, law in product(LEVELS, (True, False)):
        band = np.log(fit.predict(**x, level=level, law=law))
        z = [(band[end] - truth) / sd for end in ("pred_low", "pred_high")]
        chance, width = cdf(noise, z[1]) - cdf(noise, z[0]), band["pred_high"] - band["pred_low"]
        for i, place in enumerate(places):
            if law:
                yield f"new run, {place}", level, chance[i], width[i]
            elif i > 2:
                yield f"new run, {place}, law=False", level, chance[i], width[i]
        if law:
            yield held("curve, middle", level, truth[1], band.loc[1, ["low", "high"]])


def optima(runs):
    for level in LEVELS:
        try:
            found = sk.isoflop(runs, np.logspace(18, 21, 5), n=DRAWS, level=level)
        except sk.FitError:
            continue
        ends = np.log(found.points[["N_low", "N_high"]].to_numpy())
        truth = np.log(optimum(found.points["C"].to_numpy()))
        hit = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
        yield "N_opt, isoFLOP", level, hit.mean(), np.median(ends[:, 1] - ends[:, 0])
        exponent = BETA / (ALPHA + BETA)
        yield held("exponent a, isoFLOP", level, exponent, found.ci(level).loc["a"].tolist())


# the table ----------------------------------------------------------------------------------------


def summed(design, noise, found):
    """Coverage with its standard error, and the median width, a row a quantity and level."""
    kept = [row for rows in found if rows is not None for row in rows]
    table = pd.DataFrame(kept, columns=["quantity", "nominal", "chance", "width"])
    by = table.groupby(["quantity", "nominal"], sort=False)
    out = by.agg(coverage=("chance", "mean"), se=("chance", "sem"), sets=("chance", "size"))
    out["width"] = by["width"].median().replace(np.inf, np.nan)
    about = {"design": design, "noise": noise, "refused": sum(rows is None for rows in found)}
    return out.reset_index().assign(**about)


ORDER = "design noise quantity nominal coverage se width sets refused".split()

CARD = {
    "name": "coverage_simulated",
    "title": "How often intervals hold the truth, on simulated runs of a planted law (synthetic)",
    "paper": "none: measured by this project",
    "table": "made for this kit",
    "source": "simulated by make coverage (tests/bench/coverage.py)",
    "method": f"L = {E} + {A:g}/N^{ALPHA} + {B:g}/D^{BETA} is planted with noise in ln L, "
    f"and fitted with the package's defaults, {DRAWS} bootstrap draws; `sets` data sets a cell, "
    "seeds 0, 1, 2 and so on",
    "measurement_error": "the column se, of the mean over data sets",
    "rows": 0,
    "dropped": "data sets whose fit is refused; the column refused counts them",
    "licence": "MIT, as the kit's code",
    "columns": {
        "design": "which runs; 12 runs, one input: L(N) = E + A/N^alpha alone",
        "noise": f"of ln L, standard deviation {SD:g}: normal; heavy tails: Student's t, 3 degrees "
        f"of freedom; uneven: normal, {SMALL_END:g} at the smallest run to {LARGE_END:g} at the "
        f"largest; clustered: groups of neighbouring runs share {SHARED:.0%} of the variance",
        "quantity": "what the interval is of; a new run is of a group of its own, and law=False "
        "leaves out the law's own error; profile and standard error: least squares; isoFLOP: "
        "sk.isoflop, mean over the budgets",
        "nominal": "level of the interval",
        "coverage": "share of data sets whose interval holds the truth; of new runs, the chance",
        "se": "standard error of the coverage",
        "width": "median width; of new runs, the curve and N_opt in natural logarithms; empty: the "
        "interval is open on one side in most",
        "sets": "data sets counted",
        "refused": "data sets whose fit was refused",
    },
    "sha256": "",
    "notes": "The planted law is the one that is fitted: nothing here tells how wrong a law may be "
    "beyond real runs; coverage_reach does.",
    "not_for": "evidence about models: no model was trained.",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sets", type=int, default=SETS, help="a cell; other than this: only printed"
    )
    sets = parser.parse_args().sets
    parts = []
    with ProcessPoolExecutor(2) as pool:
        for i, (design, noise) in enumerate(product(DESIGNS, NOISES)):
            jobs = [(design, noise, seed) for seed in range(sets)]
            parts.append(summed(design, noise, pool.map(one, jobs, chunksize=5)))
            print(f"\r{i + 1} of {len(DESIGNS) * len(NOISES)}: {design}, {noise:30s}", end="")
    out = pd.concat(parts, ignore_index=True)[ORDER].round(4)
    print("\n", out.query("nominal == 0.95").to_string(index=False))
    if sets != SETS:
        return
    text = out.to_csv(index=False, lineterminator="\n")
    (folder() / "coverage_simulated.csv").write_text(text, encoding="utf-8")
    card = CARD | {"rows": len(out), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    page = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (folder() / "coverage_simulated.meta.json").write_text(page, encoding="utf-8")
    write_catalogue()


if __name__ == "__main__":
    sys.exit(main())
