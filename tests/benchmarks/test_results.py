from __future__ import annotations

from pathlib import Path

from benchmarks.results import Table, section, tables
from deblur_cli.checkpoints.manifest import load_manifest

PAGE = (Path(__file__).parents[2] / "docs/results.md").read_text("utf-8")


def test_page_is_of_the_weights_that_are_bundled() -> None:
    bundled = [entry for entry in load_manifest().entries if entry.file is not None]
    for entry in bundled:
        renew = "python -m benchmarks.results DATA docs/results.md writes it anew"
        assert f"weights `{str(entry.sha256)[:16]}" in PAGE, renew


def test_page_gives_the_command_of_every_table() -> None:
    for table in tables():
        assert f"    deblur {' '.join(table.command('DATA'))}\n" in PAGE


def test_a_section_has_a_row_for_each_method() -> None:
    written = {
        "rows": [
            {"method": "blurred", "pictures": 3, "figures": {"psnr": 21.9591}},
            {"method": "net", "pictures": 3, "figures": {"psnr": None, "mae": 0.1}},
        ],
        "settings": {
            "blurred": {"method": ""},
            "net": {"method": "net on cpu", "weights": "0123456789abcdef0123"},
        },
    }
    text = section(Table("Title", "Text.", ("--dataset", "DATA/x")), written)
    assert "    deblur eval --dataset DATA/x\n" in text
    assert "| blurred | 21.959 | - | 3 |" in text
    assert "| net | ∞ | 0.1000 | 3 |" in text
    assert text.count("Measured with net on cpu; weights `0123456789abcdef…`.") == 1
