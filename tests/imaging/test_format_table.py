from __future__ import annotations

import re

import pytest

from deblur_cli.imaging.formats.table import FORMATS
from tests.imaging.format_table import DOCUMENT, ROWS, renewed

TEXT = DOCUMENT.read_text("utf-8")


def test_the_document_says_what_is_measured():
    pytest.importorskip("pillow_heif")
    assert renewed(TEXT) == TEXT, "python -m tests.imaging.format_table renews it"


def test_every_format_that_is_written_has_a_row():
    assert set(ROWS) == {name for name, known in FORMATS.items() if known.becomes is None}


def test_the_extras_it_names_exist():
    (names,) = re.findall(r"deblur-cli\[([\w,]+)\]", TEXT)
    manifest = (DOCUMENT.parents[1] / "pyproject.toml").read_text("utf-8")
    assert all(f"\n{name} = [" in manifest for name in names.split(","))
