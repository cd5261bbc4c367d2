from __future__ import annotations

import os
from pathlib import Path

import pytest

from deblur_cli.pipeline.paths import identity, is_folder, is_regular_file, is_special, place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def test_kinds(folder: Path) -> None:
    kinds = {
        is_folder: {"folder", "up"},
        is_regular_file: {"file", "link"},
        is_special: {"pipe", "folder", "up"},
    }
    names = {path.name for path in folder.iterdir()} | {"gone", "x" * 300}
    for is_kind, expected in kinds.items():
        assert {name for name in names if is_kind(folder / name)} == expected


def test_identity_is_the_files_whatever_its_name(folder: Path) -> None:
    assert identity(folder / "link") == identity(folder / "up/file") is not None
    assert identity(folder / "broken") is None


def test_place_is_the_names_whatever_the_way_there(folder: Path) -> None:
    assert place(folder / "up/file") == place(folder / "file")
    assert place(folder / "link") != place(folder / "file")
    assert place(folder / "loop/a").name == "a"
