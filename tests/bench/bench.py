"""The benchmark: `make bench`. One table, everything timed in this run, with its references.

Times are medians over repeats; CPU time covers this process. References that would take minutes are
timed on a part and extrapolated, which the table says. Peers are installed into a throw-away
environment, never here.
"""

import os

# one thread, ours and theirs alike; it must be said before numpy is imported
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import itertools
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import date
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sympy.core.cache import clear_cache

import scalekit as sk
from scalekit.fits import solver

ROWS = []


def timed(call, repeats):
    """Median wall and CPU seconds of `call`, and its last result."""
    wall, cpu, out = [], [], None
    for _ in range(repeats):
        w, c = time.perf_counter(), time.process_time()
        out = call()
        wall.append(time.perf_counter() - w)
        cpu.append(time.process_time() - c)
    return statistics.median(wall), statistics.median(cpu), out


def row(what, wall, cpu="", note=""):
    """Keep a row of the table, and print it at once."""
    ROWS.append((what, seconds(wall), seconds(cpu), note))
    print(" | ".join(ROWS[-1]), flush=True)


def seconds(x):
    """Write a time; a text stays as it is."""
    return x if isinstance(x, str) else f"{x:.3g} s"


def plant(law, true, span, n, noise, seed=0):
    """Make n runs that follow a law over the spans of its inputs, with heavy-tailed noise."""
    rng = np.random.default_rng(seed)
    x = {name: 10 ** rng.uniform(*np.log10(span[name]), n) for name in law.inputs}
    return pd.DataFrame({**x, law.output: law(**x, **true) * np.exp(noise * rng.standard_t(3, n))})


def reference(runs):
    """Return the Huber objective of (a, b, e, alpha, beta), with gradient, as a reader codes it."""
    logN, logD, y = (np.log(runs[c].to_numpy()) for c in ("N", "D", "L"))

    def f(p, w=1.0, delta=1e-3):
        t = np.stack([p[0] - p[3] * logN, p[1] - p[4] * logD, np.full_like(y, p[2])])
        m = t.max(0)
        s = np.exp(t - m)
        total = s.sum(0)
        r = m + np.log(total) - y
        psi = w * np.clip(r, -delta, delta)
        share = s / total
        c = np.minimum(np.abs(r), delta)
        value = np.sum(w * c * (np.abs(r) - 0.5 * c))
        grad = [
            psi @ share[0],
            psi @ share[1],
            psi @ share[2],
            -(psi * logN) @ share[0],
            -(psi * logD) @ share[1],
        ]
        return value, np.array(grad)

    return f


def fits(runs):
    """Time the fit of the replication and its bootstrap, beside scipy; return the fit."""
    law = sk.law("chinchilla")
    law.kernel((True, True))
    wall, cpu, fit = timed(lambda: sk.fit("chinchilla", runs), 15)
    row(
        "fit of chinchilla, 240 runs",
        wall,
        cpu,
        f"objective {fit.objective:.8e} ({fit.starts.screened} screened, "
        f"{fit.starts.polished} polished, {fit.starts.share:.0%} agree)",
    )
    f = reference(runs)
    grid = list(
        itertools.product(
            range(0, 30, 5),
            range(0, 30, 5),
            np.arange(-1, 1.5, 0.5),
            np.arange(0, 2.5, 0.5),
            np.arange(0, 2.5, 0.5),
        )
    )
    some = [grid[i] for i in np.random.default_rng(0).choice(len(grid), 100, replace=False)]
    for jac, how in (
        (None, "gradient by differences, as the replication runs it"),
        (True, "exact gradient"),
    ):
        g = f if jac else lambda p: f(p)[0]
        w, c, found = timed(
            lambda g=g, jac=jac: [minimize(g, x0, jac=jac, method="L-BFGS-B").fun for x0 in some], 1
        )
        w, c = w * len(grid) / 100, c * len(grid) / 100
        hit = np.mean(np.array(found) <= fit.objective * (1 + 1e-6))
        row(
            f"scipy L-BFGS-B, {len(grid)} starts, {how}",
            w,
            c,
            f"extrapolated from 100; best {min(found):.8e}; "
            f"{hit:.0%} of starts reach our optimum; **ours {c / cpu:,.0f} times faster (CPU)**",
        )
    wall, cpu, drawn = timed(lambda: fit.bootstrap(4000, by=None), 3)
    problem, rng = fit.problem, np.random.default_rng(1)
    counts = rng.multinomial(240, np.full(240, 1 / 240), size=40).astype(float)
    p = fit.params
    x0 = [np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]]
    _, ours = solver.descend(problem, np.tile(fit.u, (40, 1)), counts[:, problem.order])
    row("4000 bootstraps of it", wall, cpu, drawn.draws_note)
    for jac, how in (
        (None, "gradient by differences, as the replication runs it"),
        (True, "exact gradient"),
    ):
        g = f if jac else lambda p, k: f(p, k)[0]
        w, c, theirs = timed(
            lambda g=g, jac=jac: [
                minimize(g, x0, args=(k,), jac=jac, method="BFGS").fun for k in counts
            ],
            1,
        )
        w, c, ratio = 100 * w, 100 * c, ours / np.array(theirs)
        row(
            f"scipy BFGS, 4000 resamples, one start each, {how}",
            w,
            c,
            f"extrapolated from 40; there ours is at most "
            f"{ratio.max() - 1:.0e} above theirs and down to {1 - ratio.min():.1e} below; "
            f"**ours {c / cpu:,.0f} times faster (CPU)**",
        )
    return fit


def zoo():
    """Every law of the zoo on runs planted from its entry, cold: derivatives, compiling and fit."""
    for name in sk.laws().index:
        entry = sk.law(name)
        runs = plant(entry, entry.example["params"], entry.example["inputs"], n=240, noise=1e-3)
        fresh = sk.Law(entry.formula, real=entry.real, bounds=entry.bounds, start=entry.start)
        # nothing that another law left behind
        clear_cache()
        try:
            wall, cpu, fit = timed(lambda law=fresh, runs=runs: sk.fit(law, runs), 1)
            agree = f"{fit.starts.share:.0%} of {fit.starts.polished} polished starts agree"
            row(f"zoo, cold: {name}", wall, cpu, f"{len(fresh.params)} parameters, {agree}")
        except sk.FitError as error:
            row(f"zoo, cold: {name}", "refused", "", str(error))


def growth():
    """Time the fit and a resample as rows grow."""
    law = sk.law("chinchilla")
    true, span = law.at("besiroglu2024"), {"N": (1e7, 1e10), "D": (1e9, 1e12)}
    rng = np.random.default_rng(0)
    for n in (250, 2_500, 25_000, 250_000):
        runs = plant(law, true, span, n, noise=0.01)
        wall, cpu, fit = timed(lambda runs=runs: sk.fit(law, runs), 3)
        draws = max(4, 1_000_000 // n)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)
        starts = np.tile(fit.u, (draws, 1))
        w, _, _ = timed(lambda f=fit, u=starts, w=weights: solver.descend(f.problem, u, w), 1)
        note = f"a resample {1e3 * w / draws:.3g} ms, {1e9 * w / draws / n:.3g} ns a row"
        row(f"synthetic, {n:,} rows: fit", wall, cpu, note)


LARGE = """
import resource, sys, time
import numpy as np, pandas as pd, scalekit as sk
rows, draws = int(sys.argv[1]), int(sys.argv[2])
law, rng = sk.law("chinchilla"), np.random.default_rng(0)
N, D = 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(9, 12, rows)
L = law(N=N, D=D, **law.at("besiroglu2024")) * np.exp(0.01 * rng.normal(size=rows))
runs = pd.DataFrame({"N": N, "D": D, "L": L})
t = time.process_time()
fit = sk.fit(law, runs)
fitted = time.process_time() - t
t = time.process_time()
fit.bootstrap(draws, by=None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(fitted, time.process_time() - t, peak)
"""


def memory():
    """Measure the peak of processes that fit and bootstrap tables, small and large."""
    for rows, draws in ((1_000, 4000), (100_000, 100), (1_000_000, 4)):
        command = [sys.executable, "-c", LARGE, str(rows), str(draws)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        fitted, drawn, peak = map(float, done.stdout.split())
        # resamples are made a part at a time: more of them need no more memory
        note = f"{draws} bootstraps {drawn:.3g} s; peak of the whole process {peak / 1024:.0f} MB"
        row(f"synthetic, {rows:,} rows, in a process of its own: fit", "", fitted, note)


def processes():
    """Time 1,000 groups through fit_many: serially, and on two processes."""
    law = sk.law("power_law_floor")
    runs = plant(law, {"E": 1.8, "A": 50.0, "alpha": 0.3}, {"x": (1e6, 1e9)}, 10_000, 0.01)
    runs["group"] = np.arange(10_000) % 1000
    with joblib.parallel_config("sequential"):
        serial, _, one = timed(lambda: sk.fit_many(law, runs, by="group"), 1)
    # processes are started before they are timed
    sk.fit_many(law, runs.query("group < 20"), by="group")
    both, _, two = timed(lambda: sk.fit_many(law, runs, by="group"), 1)
    same = "the same result" if one.equals(two) else "ANOTHER result"
    row("fit_many, 1,000 groups of 10 rows, serially", serial)
    row("the same on two processes", both, "", f"**{serial / both:.2f} times faster**, {same}")


def imports():
    """Time the import, over that of what it rests on."""

    def run(code):
        return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True), 9)[0]

    base = run("import pandas, scipy.optimize")
    ours = run("import pandas, scipy.optimize, scalekit as sk; sk.load, sk.fit")
    row(
        "import scalekit with sk.load and sk.fit, over pandas and scipy.optimize",
        ours - base,
        "",
        f"{base:.3g} s for those two alone",
    )


def large():
    """Time the law of most parameters on many rows."""
    law = sk.law("bnsl_2")
    runs = plant(law, law.example["params"], law.example["inputs"], 100_000, noise=0.01)
    wall, cpu, _ = timed(lambda: sk.fit(law, runs), 1)
    row("synthetic, 100,000 rows: fit of bnsl_2", wall, cpu, f"{len(law.params)} parameters")


def slider(runs):
    """Time a slider's refit, from the event to the new picture."""
    seen = []

    def draw(ax, delta):
        fit = sk.fit("chinchilla", runs, delta=delta)
        ax.plot(runs["N"], fit.residuals(), "o", ms=3)
        ax.set_xscale("log")
        return fit.describe()

    box = sk.widgets.explore(draw, delta=("log", 1e-4, 1e-1, 1e-3))
    box.picture.observe(lambda change: seen.append(time.perf_counter()), "value")
    took = []
    for value in np.logspace(-3.8, -1.2, 15):
        start = time.perf_counter()
        box.controls["delta"].value = value
        took.append(seen[-1] - start)
    row(
        "a slider's refit of 240 runs, event to new picture",
        statistics.median(took),
        "",
        f"slowest of 15: {max(took):.3g} s",
    )


PEER = """
import json, logging, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from chinchilla import Chinchilla
from chinchilla._metrics import log_huber
runs = pd.read_csv(sys.argv[1])
scales, exponents = [100, 400, 1600], [0.2, 0.35, 0.5]
grid = dict(E=[1.2, 1.8, 2.4], A=scales, B=scales, alpha=exponents, beta=exponents)
huber = lambda y, f: log_huber(y, f, delta=1e-3)
cc = Chinchilla(sys.argv[2], param_grid=grid, loss_fn=huber, log_level=logging.ERROR)
for N, D, L in runs[["N", "D", "L"]].itertuples(index=False):
    cc.append(N=N, D=D, loss=L)
t = time.perf_counter()
cc.visualizer.optim = lambda *a, **k: None
cc.fit(parallel=False)
found = {k: float(getattr(cc, k)) for k in ("E", "A", "B", "alpha", "beta")}
print(json.dumps({"wall": time.perf_counter() - t, **found}))
"""


def peers(runs, fit):
    """Time the packages of PyPI that fit this law, each in its own way and environment."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        runs.to_csv(folder / "runs.csv", index=False)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        got = subprocess.run([*pip, "simple-scaling-laws"], capture_output=True, text=True)
        if got.returncode:
            wants = "; ".join(x.strip() for x in got.stderr.splitlines() if "Requires-Python" in x)
            why = f"Python {platform.python_version()}: {wants[:120]}"
            row("peer simple-scaling-laws", "not installable", "", why)
        else:
            why = "installs here; its interface was never tried"
            row("peer simple-scaling-laws", "not timed", "", why)
        if subprocess.run([*pip, "chinchilla"], capture_output=True).returncode:
            row("peer chinchilla", "not installable")
            return
        try:
            out = subprocess.run(
                [python, "-c", PEER, folder / "runs.csv", folder / "project"],
                capture_output=True,
                text=True,
                timeout=900,
            )
        except subprocess.TimeoutExpired:
            row("peer chinchilla", "over 900 s", "", "243 starts, given up")
            return
        if out.returncode:
            row("peer chinchilla", "does not run", "", out.stderr.strip().splitlines()[-1][:160])
            return
        found = json.loads(out.stdout.strip().splitlines()[-1])
        value = sk.objective("chinchilla", runs, found)
        row(
            "peer chinchilla (BFGS, long double), 243 starts near the answer",
            found["wall"],
            "",
            f"objective {value:.8e}, {value / fit.objective - 1:.1e} above ours",
        )


def main():
    """Time everything and print the table."""
    runs = sk.load("chinchilla").sort_values("L").iloc[:240]
    # first, for a new process begins with the peak of the one that starts it
    memory()
    imports()
    fit = fits(runs)
    growth()
    processes()
    large()
    slider(runs)
    zoo()
    peers(runs, fit)
    cores = os.cpu_count()
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    machine = f"{cores} cores, {ram:.0f} GiB, Python {platform.python_version()}, one thread"
    print(f"\n{date.today()}, {machine}; peak of this process {peak:.0f} MB.\n")
    print("| what | wall | CPU | note |\n| --- | ---: | ---: | --- |")
    for r in ROWS:
        print("| " + " | ".join(r) + " |")


if __name__ == "__main__":
    main()
