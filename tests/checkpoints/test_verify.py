from __future__ import annotations

from pathlib import Path

from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.checkpoints.verify import Place, State, find_place, verify_weights


def states() -> list[State]:
    return [check.state for check in verify_weights(load_manifest())]


def test_bundled_files_are_intact_and_the_hub_s_not_fetched(
    folder: Path, empty_cache: Path
) -> None:
    assert states() == [State.NOT_FETCHED, State.INTACT, State.INTACT]
    assert all(state.acceptable for state in states())


def test_damage_and_absence_are_found(folder: Path, empty_cache: Path) -> None:
    damaged = folder / "tiny-motion.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    (folder / "tiny-defocus.safetensors").unlink()
    assert states() == [State.NOT_FETCHED, State.DAMAGED, State.MISSING]
    assert not State.DAMAGED.acceptable and not State.MISSING.acceptable
    assert verify_weights(load_manifest())[1].path == damaged


def test_the_place_is_told_without_reading(folder: Path, empty_cache: Path) -> None:
    manifest = load_manifest()
    (folder / "tiny-motion.safetensors").write_bytes(b"damaged")
    places = [find_place(manifest, entry) for entry in manifest.entries]
    assert places == [Place.NOT_FETCHED, Place.BUNDLED, Place.BUNDLED]
    commit = "0123456789" * 4
    snapshot = empty_cache / "models--someone--weights" / "snapshots" / commit / "nets"
    snapshot.mkdir(parents=True)
    (snapshot / "large.safetensors").write_bytes(b"weights")
    (empty_cache / "models--someone--weights" / "refs").mkdir()
    (empty_cache / "models--someone--weights" / "refs" / "0123abc").write_text(commit)
    assert find_place(manifest, manifest.entries[0]) is Place.CACHED
    assert verify_weights(manifest)[0].state is State.DAMAGED
