from __future__ import annotations

import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.acquisition.unpack import safe_path, unpack, unpacked_bytes
from deblur_cli.errors import DataError
from tests.acquisition.archives import files_below, tarred, zipped

FILES = {"train/a/blur/1.png": b"one", "train/a/sharp/1.png": b"two" * 99, "list.txt": b"x y\n"}
LITTER = {"__MACOSX/train/._1.png": b"mac", "train/.DS_Store": b"mac"}
OUTSIDE = [
    "../escaped",
    "/absolute",
    "train/../../escaped",
    "C:\\escaped",
    "train\\..\\..\\x",
    "..",
]


def unpacked(content: bytes, folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """What lies in an empty folder once an archive is unpacked there, and what is left out."""
    archive, target = folder / "archive", folder / "below" / "target"
    archive.write_bytes(content)
    target.mkdir(parents=True)
    left_out = unpack(archive, target)
    return files_below(target), left_out


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_files_are_written_and_litter_is_not(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    assert unpacked(pack(FILES | LITTER), tmp_path) == (FILES, [])


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_is_written_outside(pack: object, name: str, tmp_path: Path) -> None:
    assert callable(pack)
    with pytest.raises(DataError, match="outside its folder"):
        unpacked(pack({name: b"escaped"}), tmp_path)
    assert files_below(tmp_path).keys() == {"archive"}
    assert not Path("/absolute").exists()


@given(st.text(min_size=1))
def test_a_safe_path_stays_below_any_folder(name: str) -> None:
    try:
        path = safe_path(name)
    except DataError:
        return
    folder = Path("/some/folder")
    assert folder in (folder / path).resolve().parents


def test_links_of_a_tar_are_left_out_and_named(tmp_path: Path) -> None:
    link = tarfile.TarInfo("train/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("train/hard")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../outside"
    through = tarfile.TarInfo("train/link/below")
    content = tarred(FILES, [link, hard, through])
    files, left_out = unpacked(content, tmp_path)
    assert files == FILES | {"train/link/below": b""}
    assert left_out == ["train/link", "train/hard"]


def test_links_of_a_zip_are_left_out_and_named(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("train/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    content = zipped([*FILES.items(), (link, b"/etc/passwd")])
    assert unpacked(content, tmp_path) == (FILES, ["train/link"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no archive at all", "no archive that can be unpacked"),
        (zipped(FILES).replace(b"two", b"tvo", 1), "damaged archive"),
        (tarred(FILES)[:-40], "damaged archive"),
        (tarred(FILES, [tarfile.TarInfo("list.txt")]), "two files named"),
    ],
    ids=["none", "changed", "cut", "twice"],
)
def test_a_damaged_archive_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told) as caught:
        unpacked(content, tmp_path)
    assert caught.value.path == tmp_path / "archive"


def test_only_a_zip_says_how_large_it_becomes(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(zipped(FILES))
    (tmp_path / "tar").write_bytes(tarred(FILES))
    assert unpacked_bytes(tmp_path / "zip") == sum(map(len, FILES.values()))
    assert unpacked_bytes(tmp_path / "tar") is None
