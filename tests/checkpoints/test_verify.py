from __future__ import annotations

from pathlib import Path

from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.checkpoints.verify import State, verify_weights


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
