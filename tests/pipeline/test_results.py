from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deblur_cli.errors import ImageReadError, ImageWriteError
from deblur_cli.imaging.read import read_photo
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.results import give_times, put_copy, put_photo
from tests.pipeline.fakes import mean_of, save_picture


def test_copy_is_the_very_file(tmp_path: Path) -> None:
    source = save_picture(tmp_path / "a.jpg")
    put_copy(Job(source, tmp_path / "b.jpg", tmp_path), Fingerprint.of(source))
    assert (tmp_path / "b.jpg").read_bytes() == source.read_bytes()
    assert (tmp_path / "b.jpg").stat().st_ino != source.stat().st_ino


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o444])
def test_in_place_the_mode_stays(tmp_path: Path, mode: int) -> None:
    path = save_picture(tmp_path / "a.png", value=90)
    other = read_photo(save_picture(tmp_path / "b.png", value=40))
    path.chmod(mode)
    put_photo(Job(path, path, tmp_path, in_place=True), other, Fingerprint.of(path))
    assert mean_of(path) == 40
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_in_place_owner_and_attributes_stay_and_times_do_not(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", value=90)
    os.utime(path, (1, 1))
    try:
        os.setxattr(path, "user.xdg.tags", b"beach")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    owner = (12345, 12346) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    put_photo(Job(path, path, tmp_path, in_place=True), read_photo(path), Fingerprint.of(path))
    assert os.getxattr(path, "user.xdg.tags") == b"beach"
    assert (path.stat().st_uid, path.stat().st_gid) == owner
    assert path.stat().st_mtime > 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs to change the user")
def test_in_place_files_that_their_owner_may_only_read() -> None:
    with TemporaryDirectory() as name:
        path = save_picture(Path(name) / "a.png", value=90)
        photo = read_photo(path)
        path.chmod(0o444)
        for each in (path, path.parent):
            os.chown(each, 12345, 12346)
        os.seteuid(12345)
        try:
            put_photo(Job(path, path, path.parent, in_place=True), photo, Fingerprint.of(path))
        finally:
            os.seteuid(0)
        assert path.stat().st_mode & 0o777 == 0o444


def test_times_to_the_nanosecond(tmp_path: Path) -> None:
    source = save_picture(tmp_path / "a.png")
    target = save_picture(tmp_path / "b.png")
    os.utime(source, ns=(1_000_000_001, 2_000_000_003))
    give_times(target, source.stat())
    assert (target.stat().st_atime_ns, target.stat().st_mtime_ns) == (1_000_000_001, 2_000_000_003)
    with pytest.raises(ImageWriteError, match="times cannot be set"):
        give_times(tmp_path / "gone.png", source.stat())


def test_result_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    source = save_picture(tmp_path / "a.png")
    job = Job(source, tmp_path / "gone/b.png", tmp_path)
    with pytest.raises(ImageWriteError, match=r"b\.png: cannot be written"):
        put_copy(job, Fingerprint.of(source))
    with pytest.raises(ImageWriteError, match=r"b\.png: cannot be written"):
        put_photo(job, read_photo(source), Fingerprint.of(source))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("in_place", [False, True])
def test_input_that_changed_keeps_the_old_file(tmp_path: Path, in_place: bool) -> None:
    source = save_picture(tmp_path / "a.png", value=40)
    target = source if in_place else save_picture(tmp_path / "b.png", value=7)
    job, read = Job(source, target, tmp_path, in_place=in_place), Fingerprint.of(source)
    save_picture(source, value=90, size=(30, 20))
    before = target.read_bytes()
    with pytest.raises(ImageReadError, match="was changed while it was restored"):
        put_photo(job, read_photo(source), read)
    with pytest.raises(ImageReadError, match="was changed while it was restored"):
        put_copy(job, read)
    assert target.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1 + (not in_place)
