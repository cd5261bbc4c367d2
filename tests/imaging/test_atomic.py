from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from deblur_cli.imaging.atomic import TEMPORARY_SUFFIX, atomic_path, owner, sweep


def test_file_appears_only_when_the_block_ends(tmp_path):
    final = tmp_path / "result.bin"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
        assert not final.exists()
        assert temporary.parent == tmp_path
    assert final.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    final = tmp_path / "result.bin"
    final.write_bytes(b"old")
    with pytest.raises(error), atomic_path(final) as temporary:
        temporary.write_bytes(b"ne")
        raise error
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_failing_flush_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), atomic_path(tmp_path / "result.bin"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_name_may_be_as_long_as_the_system_allows(tmp_path):
    final = tmp_path / ("ü" * 125 + ".jpg")
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"x")
    assert final.read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX umask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_follows_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "result.bin"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(tmp_path / "result.bin").stat().st_mode) == 0o666 & ~umask


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "absent" / "result.bin"):
        pass


@pytest.mark.parametrize("error", [FileExistsError, PermissionError])
def test_a_drive_that_does_not_rename_over_a_file_keeps_it(tmp_path, monkeypatch, error):
    rename = Path.replace

    def rename_to_nothing(source, final):
        if final.exists():
            raise error(1, "refused")
        return rename(source, final)

    monkeypatch.setattr(Path, "replace", rename_to_nothing)
    final = tmp_path / "result.bin"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"old")
    with pytest.raises(OSError, match="may not be replaced, and was kept"), atomic_path(final):
        pass
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_only_what_the_dead_left_is_swept(tmp_path):
    mine, dead = (tmp_path / f".{name}-00000000{TEMPORARY_SUFFIX}" for name in (owner(), "dead"))
    others = [mine, tmp_path / "dead-1.jpg", tmp_path / ".dead-1.jpg"]
    for path in (dead, *others):
        path.touch()
    sweep(tmp_path, {"dead"})
    sweep(tmp_path / "absent", {"dead"})
    assert sorted(tmp_path.iterdir()) == sorted(others)
