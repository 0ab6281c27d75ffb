"""data/README.md is made from the sidecars, and fresh."""

import json

from scalekit.book.catalogue import catalogue, write_catalogue
from scalekit.tables import load


def test_the_page_in_the_repository_is_fresh():
    page = (load.folder() / "README.md").read_text(encoding="utf-8")
    assert page == catalogue(), "data/README.md is stale; run: python -m scalekit catalogue"


def test_a_table_has_a_row_and_a_section(tmp_path, monkeypatch):
    card = load.card("chinchilla") | {"name": "mine", "title": "My runs", "rows": 3}
    card["columns"] = {"N": "parameters", "L": "loss, nats/token"}
    (tmp_path / "mine.meta.json").write_text(json.dumps(card))
    monkeypatch.setattr(load, "folder", lambda: tmp_path)
    write_catalogue()
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert lines[0] == "# Data"
    assert f"| [mine](#mine) | 3 | My runs | {card['paper']} | {card['licence']} |" in lines
    section = lines[lines.index("## mine") :]
    assert section[2] == "My runs. 3 rows."
    assert section[4:8] == [
        "| column | meaning and unit |",
        "| --- | --- |",
        "| `N` | parameters |",
        "| `L` | loss, nats/token |",
    ]
    assert section[-1] == f"- **sha256**: {card['sha256']}"
    assert [line.split("**")[1] for line in section[9:]] == [
        "Paper",
        "Table or figure",
        "Source",
        "Method",
        "Measurement error",
        "Rows dropped",
        "Licence",
        "Notes",
        "Do not use it for",
        "sha256",
    ]
