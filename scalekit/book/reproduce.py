"""Execute the notebooks, hold the board against its record, save what they say."""

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from scalekit.book import board, ledger
from scalekit.book.catalogue import write_catalogue
from scalekit.tables import load
from scalekit.words import check_known, require

START, END = "<!-- board:start -->", "<!-- board:end -->"


def reproduce(names: Sequence[str] = (), *, save: bool = False, because: str = "") -> int:
    """Execute notebooks, print the board, hold it against the record; return the exit code.

    `names` are notebooks with or without .ipynb, all of them by default. With `save` outputs go
    into the notebooks, and data/board.csv, data/ledger.csv, data/README.md and the README's board
    are written, but nothing where a notebook failed, or where the state of a figure changed and
    `because` does not say why. The code is 0, or 1 where one failed or changed. How this misleads:
    it says nothing of figures nobody checks.
    """
    there = _notebooks()
    chosen = _chosen(names, there)
    executed, rows, failed = run(chosen.values())
    print(f"\n{board.text_board(rows)}")
    for stem, error in failed.items():
        print(f"\nFAILED {stem}: {error}")
    # A notebook not asked for, or that failed, keeps its rows; one no longer there loses them.
    resting = there.keys() - chosen.keys() | failed.keys()
    rows += [row for row in board.read_record() if row["notebook"] in resting]
    changed = ledger.changes(rows)
    for key, (was, now) in changed.items():
        print(f"CHANGED {key}\n    was {was}\n    now {now}")
    if not save:
        return int(bool(failed or changed))
    if failed or (changed and not because):
        why = "a notebook failed." if failed else 'see CHANGED above; --because "..." records it.'
        print(f"\nNothing saved: {why}")
        return 1
    _save(executed, rows)
    ledger.add(changed, dict.fromkeys(changed, because))
    return 0


def _notebooks():
    """Return the path of each notebook of the repository, by its name."""
    paths = sorted((load.folder().parent / "notebooks").glob("*.ipynb"))
    if not paths:
        raise ValueError(
            "reproduce: no notebooks here; they come with the repository, not with the installed "
            "package. Clone it and run this from there."
        )
    return {path.stem: path for path in paths}


def _chosen(names, there):
    names = {Path(name).stem if name.endswith(".ipynb") else name for name in names}
    check_known("reproduce", "notebook", sorted(names), there)
    return {name: path for name, path in there.items() if name in names or not names}


def run(paths: Iterable[Path]) -> tuple[dict, list[dict], dict[str, str]]:
    """Execute notebooks with a progress bar; return them, their board, and what failed and why."""
    executed, rows, failed = {}, [], {}
    with tqdm(paths, unit="notebook", file=sys.stderr) as bar:
        for path in bar:
            bar.set_description(path.stem)
            start = time.perf_counter()
            executed[path], error = execute(path)
            seconds, how = time.perf_counter() - start, "FAILED" if error else "ran"
            bar.write(f"{path.stem:<26} {seconds:6.1f} s  {how}", file=sys.stdout)
            if error:
                failed[path.stem] = error
            else:
                rows += shown(executed[path])
    return executed, rows, failed


def shown(notebook: Mapping) -> list[dict]:
    """Return the record of the board that an executed notebook shows last; empty if none."""
    rows = []
    for cell in notebook["cells"]:
        for out in cell.get("outputs", []):
            rows = out.get("data", {}).get(board.MIME, rows)
    return [dict(row) for row in rows]


def execute(path: Path) -> tuple:
    """Execute a notebook; return it, and what failed or None."""
    # loaded here, for they take a second that printing the board does not need
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        # where print's pieces break is chance
        coalesce_streams=True,
        # the kernel's advice would cut through the progress bar
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return notebook, _which_cell(notebook, error)
    return clean(notebook), None


def _which_cell(notebook, error):
    """Name the cell that failed, with its first line; the error alone where no cell shows one."""
    for number, cell in enumerate(notebook.cells):
        if "raises-exception" in cell.metadata.get("tags", []):
            continue
        for out in cell.get("outputs", []):
            if out.output_type == "error":
                first = cell.source.strip().splitlines()[0]
                return f"cell {number} (from 0): {out.ename}: {out.evalue}\n    {first}"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def clean(notebook):
    """Take out of an executed notebook what differs from run to run: timings, widgets' state."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    view = "application/vnd.jupyter.widget-view+json"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if view not in out.get("data", {})]
    return notebook


def _save(executed, rows):
    """Write the boards, the notebooks and the catalogue."""
    import nbformat

    # stable: within a notebook the order of the checks stays
    rows = sorted(rows, key=lambda row: row["notebook"])
    write_readme(rows)
    board.write_record(rows)
    for path, notebook in executed.items():
        nbformat.write(notebook, path)
    write_catalogue()
    print(
        f"\nSaved {len(executed)} notebooks, data/board.csv, data/ledger.csv, data/README.md and "
        "the board in README.md."
    )


def write_readme(rows: list[dict]) -> None:
    """Put the board between the two board marks of the repository's README."""
    path = load.folder().parent / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    pieces = re.split(f"({START}|{END})", text)
    require(
        pieces[1::2] == [START, END],
        f"reproduce: {path.name} needs one line {START} and one line {END} where the board goes.",
    )
    pieces[2] = f"\n{board.markdown_board(rows)}\n"
    path.write_text("".join(pieces), encoding="utf-8")
