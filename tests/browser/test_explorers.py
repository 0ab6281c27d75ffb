"""The explorers as a reader meets them: a key is pressed, picture and sentence follow."""

import ast
import json
import os
import re
import symtable
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
USES = "widgets.explore("
FAILED = "No picture for these values"
MINIMAL = """\
import scalekit as sk
runs = sk.load("chinchilla").nsmallest(240, "L")

def draw(ax, log10_delta, budget, drop, marks, show):
    fit = sk.fit("chinchilla", runs.nsmallest(len(runs) - drop, "L"), delta=10.0**log10_delta)
    if show:
        ax.loglog(runs["C"], runs["L"], "o", alpha=0.4)
    ax.loglog(runs["C"], fit.predict(runs), "." if marks == "dots" else "x")
    ax.axvline(budget)
    found = f"alpha {fit['alpha']:.5f}, beta {fit['beta']:.5f}"
    return f"Budget {budget:.2e} & delta 1e{log10_delta:.2f}: {found}."

sk.widgets.explore(draw, log10_delta=(-4.0, -1.0, -3.0, 0.05), budget=("log", 1e18, 1e26, 5.76e23),
                   drop=(0, 20, 5), marks=["dots", "crosses"], show=True)
"""
# The bytes behind the picture, as text: its address changes with every event, whether or not the
# picture does.
BYTES = (
    "async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer())).join()"
)


def cells_of(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def uses_widgets(notebook):
    return any(USES in "".join(cell["source"]) for cell in cells_of(notebook))


def with_widgets():
    found = {path.name: json.loads(path.read_text()) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    return [name for name, notebook in found.items() if uses_widgets(notebook)]


def names_of(source):
    """Return the names that a cell sets, those it changes in place and those it needs."""
    top = symtable.symtable(source, "cell", "exec")
    tables, needs = [top], set()
    for table in tables:
        tables += table.get_children()
        needs |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and (table is top or s.is_global())
        }
    sets = {
        s.get_name()
        for s in top.get_symbols()
        if s.is_assigned() or s.is_imported() or s.is_namespace()
    }
    parts = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    return sets, {part.id for part in parts if isinstance(part, ast.Name)}, needs


def needed(cells):
    """Return the explorers' cells and those that set a name they need; `make test` runs others."""
    names, kept = set(), []
    for cell in reversed(cells):
        source = "".join(cell["source"])
        sets, changes, needs = names_of(source)
        if USES in source or (sets | changes) & names:
            kept.insert(0, cell)
            names = (names - sets) | needs
    return kept


def open_and_run(page, server, name, notebook):
    """Open a copy of the cells needed, without outputs, run all and wait for the explorers."""
    cells = needed(cells_of(notebook))
    for cell in cells:
        cell["outputs"], cell["execution_count"] = [], None
    (server.root / name).write_text(json.dumps(notebook | {"cells": cells}))
    for patience in (
        60_000,
        120_000,
    ):  # a server that starts cold can lose its first kernel: open the page anew
        page.goto(server.address(name))
        page.locator(".jp-Notebook").wait_for(timeout=patience)
        try:
            page.get_by_text("| Idle").wait_for(timeout=patience)  # in the status bar
            break
        except Exception:
            if patience > 60_000:
                raise
    begun = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[*\d]+\]")).first
    for _ in range(6):
        page.get_by_text("| Idle").wait_for()  # in the status bar
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_timeout(3000)
        if begun.count():  # else the kernel was not quite ready, and JupyterLab has lost the order
            break
    explorers = page.locator(".jp-OutputArea-output .widget-vbox:has(.widget-image)")
    error = page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.error"]')
    last_picture = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".widget-image")
    last_picture.or_(error).first.wait_for(
        timeout=120_000
    )  # a whole notebook is promised to run in 60 s
    assert error.all_inner_texts() == []
    page.get_by_text("| Idle").wait_for()
    return explorers


def press(explorer):
    """Give the first control one key; a slider that stands at its end goes back."""
    handle = explorer.get_by_role("slider")
    if handle.count():
        handle.first.focus()
        at_end = float(handle.first.get_attribute("aria-valuenow")) >= float(
            handle.first.get_attribute("aria-valuemax")
        )
        handle.first.press("ArrowLeft" if at_end else "ArrowRight")
    elif explorer.locator(".widget-toggle-button:not(.mod-active)").count():
        explorer.locator(".widget-toggle-button:not(.mod-active)").first.press("Enter")
    elif explorer.locator("input[type=checkbox]").count():
        explorer.locator("input[type=checkbox]").first.press("Space")
    else:
        explorer.locator("select").first.press("ArrowDown")


def read(explorer):
    image = explorer.locator(".widget-image")
    return explorer.locator("[role=status]").inner_text(), image.evaluate(BYTES)


def wait_for_change(page, explorer, before, seconds=3):
    """Read again until both the sentence and the picture differ, or the time is over."""
    for _ in range(int(seconds / 0.05)):
        now = read(explorer)
        if now[0] != before[0] and now[1] != before[1]:
            break
        page.wait_for_timeout(50)
    return now


def check_looks(explorer):
    """Nothing is cut: labels and numbers show whole, the picture is there and inside its cell."""
    for label in explorer.locator(".widget-label, .widget-readout").all():
        cut = label.evaluate("l => l.scrollWidth > l.clientWidth")
        assert not cut, f"{label.inner_text()!r} is cut"
    image = explorer.locator(".widget-image")
    assert image.evaluate("i => i.complete && i.naturalWidth > 0")
    box, cell = (
        image.bounding_box(),
        explorer.locator("xpath=ancestor::*[contains(@class, 'jp-Cell')][1]"),
    )
    around = cell.bounding_box()
    assert around["x"] <= box["x"] and box["x"] + box["width"] <= around["x"] + around["width"]


def move_and_check(page, explorer):
    check_looks(explorer)
    before = read(explorer)
    assert before[0] and FAILED not in before[0]
    for _ in range(20):  # a single step may change neither a rounded number nor a pixel
        press(explorer)
        after = wait_for_change(page, explorer, before, seconds=1)
        if after[0] != before[0] and after[1] != before[1]:
            break
    assert after[0] != before[0], f"the sentence stayed: {before[0]}"
    assert after[1] != before[1], f"the picture stayed; the sentence became: {after[0]}"
    assert FAILED not in after[0]
    check_looks(explorer)


def snap(page, explorer, name):
    """Keep a picture of the page where SCALEKIT_SNAPS names a folder."""
    if os.environ.get("SCALEKIT_SNAPS"):
        explorer.scroll_into_view_if_needed()
        explorer.locator("xpath=ancestor::*[contains(@class, 'jp-Cell')][1]").screenshot(
            path=Path(os.environ["SCALEKIT_SNAPS"]) / f"{name}.png"
        )
        page.screenshot(path=Path(os.environ["SCALEKIT_SNAPS"]) / f"{name}-page.png")


def test_a_minimal_notebook_follows_the_keyboard(page, server):
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": MINIMAL,
        "outputs": [],
        "execution_count": None,
    }
    notebook = {
        "cells": [cell],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    explorer = open_and_run(page, server, "minimal.ipynb", notebook).first
    snap(page, explorer, "minimal")
    start = read(explorer)
    assert start[0].startswith("Budget 5.76e+23 & delta 1e-3.00: alpha")
    move_and_check(page, explorer)

    for name, key, target in [
        ("log slider", "PageDown", explorer.get_by_role("slider").nth(1)),
        ("integer slider", "End", explorer.get_by_role("slider").nth(2)),
        ("buttons", "Enter", explorer.get_by_role("button", name="crosses")),
        ("check box", "Space", explorer.get_by_role("checkbox")),
        ("reset", "Enter", explorer.get_by_role("button", name="Reset")),
    ]:
        before = read(explorer)[1]
        target.press(key)
        page.wait_for_timeout(1000)  # the last of the pictures that a key starts
        assert read(explorer)[1] != before, f"the {name} did not move the picture"
        snap(page, explorer, f"minimal-{name}")
    assert read(explorer) == start


@pytest.mark.parametrize("name", with_widgets())
def test_every_explorer_of_a_notebook_follows_the_keyboard(page, server, name):
    explorers = open_and_run(page, server, name, json.loads((NOTEBOOKS / name).read_text()))
    assert explorers.count() > 0
    for i, explorer in enumerate(explorers.all()):
        explorer.scroll_into_view_if_needed()
        snap(page, explorer, f"{Path(name).stem}-{i}")
        move_and_check(page, explorer)
