from __future__ import annotations

import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from safetensors.torch import save_file

from deblur_cli.checkpoints import hub, resolve
from deblur_cli.checkpoints.cache import converted_path
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.convert import blank_metadata, write_weights
from deblur_cli.checkpoints.manifest import MANIFEST, HubFile, load_manifest
from deblur_cli.checkpoints.resolve import ResolvedWeights, from_entry, resolve_weights
from deblur_cli.errors import UsageError, WeightsError
from tests.checkpoints.hub_server import point_to
from tests.checkpoints.run_folder import tiny_model


def test_the_best_default_is_taken_if_it_can_be_had(
    folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "fetch", lambda file, offline, anew: checkpoint)
    found = resolve_weights("motion")
    assert (found.id, found.path, found.warnings) == ("large-motion", checkpoint, ())
    assert found.source == "hub:someone/weights/nets/large.safetensors@0123abc"


def test_offline_falls_back_to_the_bundled_weights_and_says_so(
    folder: Path, empty_cache: Path
) -> None:
    found = resolve_weights("motion", offline=True)
    assert (found.id, found.source) == ("tiny-motion", "bundled")
    assert found.path == folder / "tiny-motion.safetensors"
    assert found.entry == load_manifest().entry("tiny-motion")
    assert "large-motion cannot be used" in found.warnings[0]
    assert found.warnings[-1].startswith("tiny-motion is used instead (--model tiny-motion takes")


def test_a_bundled_first_choice_gives_no_warning(folder: Path) -> None:
    assert resolve_weights("defocus").warnings == ()


def test_a_model_id_pins_the_entry(folder: Path) -> None:
    found = resolve_weights("motion", model="tiny-defocus")
    assert (found.id, found.source) == ("tiny-defocus", "bundled")


def test_a_pinned_hub_entry_does_not_fall_back(folder: Path, empty_cache: Path) -> None:
    with pytest.raises(WeightsError, match="not in the cache"):
        resolve_weights("motion", model="large-motion", offline=True)


def test_weights_to_be_converted_must_have_been_fetched(
    folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    large = load_manifest().entry("large-motion")
    assert large.hub is not None
    converted = replace(large, hub=replace(large.hub, file="variables.index"))
    with pytest.raises(WeightsError, match="deblur weights fetch large-motion"):
        from_entry(load_manifest(), converted, offline=False)
    path = converted_path(converted, str(converted.sha256))
    path.parent.mkdir(parents=True)
    path.write_bytes(checkpoint.read_bytes())
    found = from_entry(load_manifest(), converted, offline=True)
    assert (found.path, found.sha256, found.source) == (path, converted.sha256, "cache")


def test_a_host_that_is_silent_costs_seconds_and_a_warning(
    folder: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to("http://127.0.0.1:1", monkeypatch)
    monkeypatch.setattr(hub, "PATIENCE", 0.1)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *a, **k: time.sleep(60))
    found = resolve_weights("motion")
    assert found.id == "tiny-motion"
    assert "no answer within" in found.warnings[0]


def test_an_unknown_id_lists_what_exists(folder: Path) -> None:
    with pytest.raises(UsageError, match="known: large-motion, tiny-motion, tiny-defocus"):
        resolve_weights("motion", model="huge")


def test_an_unknown_task_lists_what_exists(folder: Path) -> None:
    with pytest.raises(UsageError, match="known: motion, defocus"):
        resolve_weights("dust")


def test_advice_is_the_manifest_s_for_an_id(folder: Path) -> None:
    advice = resolve_weights("motion", model="tiny-motion").advice
    assert advice == {"tile": 256, "overlap": 32, "pooling": 128, "match_mean": True}


def test_a_listed_file_given_by_its_path_is_what_it_is_by_its_id(
    folder: Path, tmp_path: Path
) -> None:
    named = with_checksum_of(folder, "tiny-motion", b"another network")
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"another network")
    found = resolve_weights("defocus", weights=str(path))
    assert found == replace(named, path=path, source="file")


def with_checksum_of(folder: Path, entry_id: str, content: bytes) -> ResolvedWeights:
    """Pin other content for an entry, and resolve it."""
    text = (folder / MANIFEST).read_text("utf-8")
    before, _, after = text.partition(f'id = "{entry_id}"')
    after = re.sub("[0-9a-f]{64}", hashlib.sha256(content).hexdigest(), after, count=1)
    (folder / MANIFEST).write_text(f'{before}id = "{entry_id}"{after}', "utf-8")
    return resolve_weights("motion", model=entry_id)


@pytest.mark.parametrize("advice", [{}, {"overlap": 48, "match_mean": True}])
def test_other_files_advise_for_themselves(tmp_path: Path, advice: dict[str, int]) -> None:
    path = tmp_path / "mine.safetensors"
    model = tiny_model(5)
    write_weights(path, model, replace(blank_metadata(model), inference=advice))
    assert resolve_weights("motion", weights=str(path)).advice == advice


@pytest.mark.parametrize("advice", ['{"overlap": "much"}', "7", "{"])
def test_advice_that_makes_no_sense_is_refused(tmp_path: Path, advice: str) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(tiny_model(5).network.state_dict(), path, {"inference": advice})
    with pytest.raises(WeightsError, match="its advice on inference makes no sense") as caught:
        resolve_weights("motion", weights=str(path))
    assert caught.value.path == path


def test_what_a_licence_forbids_is_told_at_first_use(folder: Path) -> None:
    path = folder / MANIFEST
    text = path.read_text("utf-8")
    path.write_text(text + 'restriction = "for research only"\n', "utf-8")
    first, second = (resolve_weights("defocus").warnings for _ in range(2))
    assert first == ("licence of tiny-defocus: Apache-2.0; for research only",)
    assert second == ()


def test_a_path_needs_no_manifest(checkpoint: Path) -> None:
    found = resolve_weights("motion", weights=str(checkpoint))
    assert (found.path, found.entry, found.id, found.source) == (checkpoint, None, "tiny", "file")
    assert found.sha256 == file_sha256(checkpoint)


def test_a_hub_reference_is_fetched(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[HubFile, bool]] = []

    def fetch(file: HubFile, offline: bool) -> Path:
        asked.append((file, offline))
        return checkpoint

    monkeypatch.setattr(resolve, "fetch", fetch)
    found = resolve_weights("motion", weights="hub:a/b/c/d.pth@main", offline=True)
    assert asked == [(HubFile("a/b", "c/d.pth", "main"), True)]
    assert (found.source, found.sha256) == ("hub:a/b/c/d.pth@main", file_sha256(checkpoint))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        resolve_weights("motion", weights=str(tmp_path / "absent.pth"))
    assert caught.value.path == tmp_path / "absent.pth"


def test_missing_bundled_weights_are_an_error(folder: Path) -> None:
    (folder / "tiny-defocus.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"no weights for the task 'defocus'.*missing"):
        resolve_weights("defocus")


def test_a_model_id_and_a_file_exclude_each_other(folder: Path) -> None:
    with pytest.raises(UsageError, match="either --model or --weights"):
        resolve_weights("motion", model="tiny-motion", weights="x.pth")
