from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.checkpoints.cache import cache_folder, converted_path, find_converted, first_use
from deblur_cli.checkpoints.manifest import Entry

FIRST, SECOND = "1" * 64, "2" * 64
ENTRY = Entry("net-large", "motion", "algnet", "MIT", FIRST, 7, ["GoPro"])
UNPINNED = replace(ENTRY, sha256=None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    return tmp_path


def put(entry: Entry, sha256: str, seconds: int) -> Path:
    path = converted_path(entry, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))
    return path


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, "home/.cache/deblur"),
        ("linux", {"XDG_CACHE_HOME": "/other"}, "/other/deblur"),
        ("darwin", {}, "home/Library/Caches/deblur"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/deblur"),
        ("win32", {}, "home/AppData/Local/deblur"),
        ("linux", {"XDG_CACHE_HOME": "/other", "DEBLUR_CACHE": "~/mine"}, "home/mine"),
    ],
)
def test_every_platform_has_its_folder(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    environment: dict[str, str],
    folder: str,
) -> None:
    for name in ("XDG_CACHE_HOME", "DEBLUR_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.platform", platform)
    assert cache_folder() == tmp_path / folder


def test_nothing_is_found_in_a_cache_that_is_not_there(cache: Path) -> None:
    assert find_converted(ENTRY) is None


def test_pinned_weights_are_those_of_the_manifest(cache: Path) -> None:
    put(ENTRY, SECOND, 2)
    assert find_converted(ENTRY) is None
    path = put(ENTRY, FIRST, 1)
    assert find_converted(ENTRY) == (path, FIRST)


def test_of_others_the_newest_is_taken(cache: Path) -> None:
    put(UNPINNED, FIRST, 1)
    newest = put(UNPINNED, SECOND, 2)
    put(replace(ENTRY, id="net"), FIRST, 3)
    put(replace(ENTRY, id="a-net-large"), FIRST, 3)
    assert find_converted(UNPINNED) == (newest, SECOND)


def test_only_the_first_use_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    assert [first_use(name) for name in ("a", "b", "a")] == [True, True, False]
    (tmp_path / "in the way").touch()
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "in the way"))
    assert first_use("a") and first_use("a")
