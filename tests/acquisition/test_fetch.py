from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.acquisition import fetch as module
from deblur_cli.acquisition.catalogue import (
    COLLECTIONS,
    ByHand,
    Collection,
    HubArchive,
    HubFolders,
)
from deblur_cli.acquisition.check import State, check_split, splits_of
from deblur_cli.acquisition.fetch import Fetched, fetch_collection
from deblur_cli.checkpoints import hub
from deblur_cli.errors import DataError
from tests.acquisition.archives import files_below, tarred, write_set, zipped
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub

ARCHIVES = {"gopro": "GOPRO_Large.zip", "realblur": "RealBlur.tar.gz"}
LICENCE = "CC BY 4.0"


def on_the_server(name: str) -> Collection:
    """The collection as the small Hub has it."""
    collection = COLLECTIONS[name]
    assert not isinstance(collection.origin, ByHand)
    return replace(collection, origin=replace(collection.origin, repo=REPO))


def contents(folder: Path, name: str) -> dict[str, bytes]:
    """What the archives of a collection hold, by the path from its folder."""
    for one in COLLECTIONS[name].sets:
        if one != "gopro-gamma":
            write_set(folder, one)
    return files_below(folder / COLLECTIONS[name].folder)


def fetched(name: str, data: Path, offline: bool = False) -> tuple[Fetched, list[str]]:
    """A collection fetched, and what was told."""
    told: list[str] = []
    return fetch_collection(on_the_server(name), data, offline, told.append), told


def assert_complete(name: str, data: Path) -> None:
    for one, split in splits_of(COLLECTIONS[name].sets, None):
        assert check_split(one, split, data, decode=True).state is State.COMPLETE


@pytest.fixture
def gopro(server: FakeHub, tmp_path: Path) -> dict[str, bytes]:
    """The archive as its author made it: without a folder at its top."""
    files = contents(tmp_path / "made", "gopro")
    server.files["GOPRO_Large.zip"] = zipped(files)
    return files


@pytest.fixture
def dpdd(server: FakeHub, tmp_path: Path) -> dict[str, bytes]:
    """Single files, among others."""
    files = contents(tmp_path / "made", "dpdd")
    named = {f"dd_dp_dataset_png/{name}": content for name, content in files.items()}
    server.files.update(named | {"README.md": b"-", "dd_dp_dataset_png/test_l/source/1.png": b"-"})
    return files


@pytest.mark.parametrize("top", ["", "some folder/"])
@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_becomes_the_folder_that_is_read(
    name: str, top: str, server: FakeHub, tmp_path: Path
) -> None:
    files = contents(tmp_path / "made", name)
    top = top.replace("some folder", COLLECTIONS[name].folder)
    pack = zipped if name == "gopro" else tarred
    archive = pack({top + path: content for path, content in files.items()})
    server.files[ARCHIVES[name]] = archive
    data = tmp_path / "new" / "data"
    found, told = fetched(name, data)
    assert found.folder == data / COLLECTIONS[name].folder
    assert found.origin == f"hub:datasets/{REPO}/{ARCHIVES[name]}@main"
    assert files_below(found.folder) == files
    assert_complete(name, data)
    assert [path.name for path in data.iterdir()] == [found.folder.name]
    assert f"fetching {name} from hub:datasets/{REPO} (0." in told[0]
    assert told[0].endswith(f"licence: {LICENCE}")
    assert told[1].startswith("unpacking ") and told[1].endswith(f"into {found.folder}")


def test_what_is_here_is_not_fetched_again(
    server: FakeHub, gopro: dict[str, bytes], tmp_path: Path
) -> None:
    first, _ = fetched("gopro", tmp_path)
    asked = len(server.asked)
    again, told = fetched("gopro", tmp_path)
    assert again == replace(first, origin=None)
    assert (told, len(server.asked)) == ([], asked)


def test_offline_takes_the_archive_from_the_cache(
    server: FakeHub, gopro: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="not in the cache and may not be fetched offline"):
        fetched("gopro", tmp_path, offline=True)
    fetched("gopro", tmp_path)
    asked = len(server.asked)
    elsewhere, _ = fetched("gopro", tmp_path / "elsewhere", offline=True)
    assert files_below(elsewhere.folder) == gopro
    assert len(server.asked) == asked


def test_a_download_goes_on_where_it_broke_off(
    server: FakeHub, gopro: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = server.files["GOPRO_Large.zip"]
    half = len(content) // 2
    blobs = tmp_path / "cache" / f"datasets--{REPO.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{hashlib.sha256(content).hexdigest()}.part").write_bytes(content[:half])
    needs: list[list[int]] = []
    monkeypatch.setattr(
        module, "require_space", lambda name, sizes: needs.append([size for _, size in sizes])
    )
    found, _ = fetched("gopro", tmp_path / "data")
    assert files_below(found.folder) == gopro
    assert needs[0] == [len(content) - half, len(content)]
    ranges = [wanted for method, _, wanted in server.asked if wanted and method == "GET"]
    assert ranges == [f"bytes={half}-"]


def test_nothing_is_fetched_without_room_for_all_of_it(
    server: FakeHub, gopro: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(server.files["GOPRO_Large.zip"])
    usage = shutil._ntuple_diskusage(10**9, 10**9, 2 * size - 1)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DataError, match=r"gopro needs .* on this disk"):
        fetched("gopro", tmp_path / "data")
    assert not [path for _, path, _ in server.asked if "GOPRO_Large" in path]
    assert not (tmp_path / "data").exists()


def test_a_full_disk_leaves_nothing_of_the_set(
    gopro: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(archive: Path, folder: Path) -> list[str]:
        (folder / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device", str(folder / "half"))

    monkeypatch.setattr(module, "unpack", full)
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(DataError, match="cannot be written: No space left") as caught:
        fetched("gopro", data)
    assert caught.value.remedy == "make room on this disk"
    assert list(data.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_away(
    gopro: dict[str, bytes], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    left = data / ".gopro.part" / "train"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"x")
    found, _ = fetched("gopro", data)
    assert files_below(found.folder) == gopro
    assert list(data.iterdir()) == [found.folder]


def test_an_incomplete_folder_is_left_alone(gopro: dict[str, bytes], tmp_path: Path) -> None:
    found, _ = fetched("gopro", tmp_path / "data")
    next(found.folder.glob("test/*/blur/*.png")).unlink()
    before = files_below(found.folder)
    with pytest.raises(DataError, match="part of gopro test is missing") as caught:
        fetched("gopro", tmp_path / "data")
    assert "deblur data check gopro --data" in caught.value.remedy
    assert files_below(found.folder) == before


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"GOPRO_Large.zip": zipped({"readme/notes.txt": b""})}, "no gopro in a layout .* readme"),
        ({"GOPRO_Large.zip": zipped({"../../outside": b""})}, "outside its folder"),
        ({"GOPRO_Large.zip": b"moved"}, "no archive that can be unpacked"),
        ({"elsewhere/new.zip": b""}, "has no gopro where it used to be; it has elsewhere"),
    ],
    ids=["other", "outside", "none", "gone"],
)
def test_what_is_no_set_does_not_appear(
    files: dict[str, bytes], told: str, server: FakeHub, tmp_path: Path
) -> None:
    server.files = files
    data = tmp_path / "below" / "data"
    with pytest.raises(DataError, match=told):
        fetched("gopro", data)
    assert not data.exists()
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(("status", "told"), [(503, "try again later"), (404, "does not exist")])
def test_trouble_with_the_hub_is_told_as_of_data(
    status: int, told: str, server: FakeHub, gopro: dict[str, bytes], tmp_path: Path
) -> None:
    server.status, server.error_code = status, "RepoNotFound" if status == 404 else ""
    with pytest.raises(DataError, match=told) as caught:
        fetched("gopro", tmp_path)
    assert f"hub:datasets/{REPO}" in str(caught.value)
    assert "weights" not in str(caught.value).replace(REPO, "")


def test_single_files_are_fetched_pinned_and_appear_split_by_split(
    server: FakeHub, dpdd: dict[str, bytes], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    found, told = fetched("dpdd", data)
    assert files_below(found.folder) == dpdd
    assert_complete("dpdd", data)
    assert f"({len(dpdd)} files, 0." in told[0] and "not stated by its authors" in told[0]
    assert told[-1] == f"{len(dpdd)} of {len(dpdd)} files"
    assert all(f"/{COMMIT}/" in path for _, path, _ in server.asked if "/resolve/" in path)
    assert [path.name for path in data.iterdir()] == ["dd_dp_dataset_png"]


def test_only_absent_splits_are_fetched(
    server: FakeHub, dpdd: dict[str, bytes], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    found, _ = fetched("dpdd", data)
    shutil.rmtree(found.folder / "val_c")
    shutil.rmtree(tmp_path / "cache")
    server.asked.clear()
    fetched("dpdd", data)
    assert files_below(found.folder) == dpdd
    assert all("/val_c/" in path for _, path, _ in server.asked if "/resolve/" in path)
    next(found.folder.glob("test_c/source/*.png")).unlink()
    with pytest.raises(DataError, match="dpdd is here, but not all of it"):
        fetched("dpdd", data)


def test_no_split_appears_when_a_file_cannot_be_had(
    server: FakeHub, dpdd: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hub.fetch

    def failing(file: hub.HubFile, offline: bool) -> Path:
        if "/val_c/" in file.file:
            raise OSError(5, "Input/output error", file.file)
        return real(file, offline)

    monkeypatch.setattr(hub, "fetch", failing)
    with pytest.raises(DataError, match="Input/output error"):
        fetched("dpdd", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_single_files_need_the_hub(dpdd: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="single files, which the Hub has to list"):
        fetched("dpdd", tmp_path, offline=True)


@pytest.mark.parametrize("name", ["hide", "rwbi"])
def test_what_people_have_to_fetch_is_told_with_its_place(name: str, tmp_path: Path) -> None:
    collection = COLLECTIONS[name]
    assert isinstance(collection.origin, ByHand)
    with pytest.raises(DataError, match="not published where a program can fetch it") as caught:
        fetch_collection(collection, tmp_path / "data", False, print)
    assert collection.origin.page in caught.value.remedy
    assert str(tmp_path / "data" / collection.folder) in caught.value.remedy
    assert f"deblur data check {name} --data {tmp_path / 'data'}" in caught.value.remedy
    assert not (tmp_path / "data").exists()


def test_every_origin_names_a_licence_and_its_place() -> None:
    for collection in COLLECTIONS.values():
        assert collection.origin.licence
        if isinstance(collection.origin, HubFolders):
            assert all(
                folder.startswith(f"{collection.folder}/") for folder in collection.origin.folders
            )
        elif isinstance(collection.origin, HubArchive):
            assert "/" not in collection.origin.archive
