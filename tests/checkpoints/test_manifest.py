from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deblur_cli.checkpoints.manifest import (
    MANIFEST,
    HubFile,
    load_manifest,
    weights_folder,
)
from deblur_cli.errors import UsageError, WeightsError


def test_every_field_is_read(folder: Path) -> None:
    manifest = load_manifest()
    assert manifest.folder == folder
    assert manifest.tasks == ("motion", "defocus")
    large, tiny, plain = manifest.entries
    assert large.file is None
    assert large.hub == HubFile("someone/weights", "nets/large.safetensors", "0123abc")
    assert str(large.hub) == "hub:someone/weights/nets/large.safetensors@0123abc"
    assert (tiny.task, tiny.architecture, tiny.licence) == ("motion", "algnet", "Apache-2.0")
    assert tiny.config == {"width": 4, "encoder_blocks": [1], "decoder_blocks": [1]}
    assert tiny.measured["gopro_psnr"] == 24.4
    assert tiny.command == "deblur train recipes/motion.toml"
    assert tiny.inference == {"tile": 256, "overlap": 32, "pooling": 128, "match_mean": True}
    assert tiny.bytes == (folder / "tiny-motion.safetensors").stat().st_size
    assert (plain.command, plain.config, plain.measured, plain.inference) == ("", {}, {}, {})


def test_defaults_come_in_their_order(folder: Path) -> None:
    assert [e.id for e in load_manifest().defaults("motion")] == ["large-motion", "tiny-motion"]


def test_an_unknown_id_or_task_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"'huge'.*large-motion, tiny-motion, tiny-defocus"):
        load_manifest().entry("huge")
    with pytest.raises(UsageError, match=r"'dust'.*motion, defocus"):
        load_manifest().defaults("dust")


def replace(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def drop(field: str) -> Callable[[str], str]:
    """Leave out the last line that sets a field."""

    def edit(text: str) -> str:
        lines = text.splitlines()
        last = max(i for i, line in enumerate(lines) if line.startswith(f"{field} ="))
        return "\n".join(lines[:last] + lines[last + 1 :])

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        *(
            (drop(name), f"entry 'tiny-defocus': {name} is missing")
            for name in ("task", "architecture", "licence", "sha256", "bytes", "trained_on")
        ),
        (drop("id"), "entry '3': id is missing"),
        (drop("file"), "entry 'tiny-defocus': has neither file nor hub"),
        (replace('id = "tiny-defocus"', "id = 7"), "entry '7': id is no text"),
        (replace('licence = "Apache-2.0"', 'licence = ""'), "'large-motion': licence is empty"),
        (replace("bytes = ", "bytes = -"), "'large-motion': bytes is not positive"),
        (replace("bytes = ", "bytes = true #"), "'large-motion': bytes is no whole number"),
        (replace('sha256 = "', 'sha256 = "G'), "'large-motion': sha256 is not 64"),
        (replace('["GoPro"]', "[1]"), "'large-motion': trained_on is no list of text"),
        (replace("tiny-motion.safetensors", "../x.pth"), "file is no plain file name"),
        (replace(', revision = "0123abc"', ""), "'large-motion', hub: revision is missing"),
        (replace("revision =", "branch ="), "'large-motion', hub: has an unknown field branch"),
        (replace("match_mean = true", "match_mean = 1"), "match_mean is no true or false"),
        (replace("tile = 256", "tile = -1"), "'tiny-motion', inference: tile is negative"),
        (replace("overlap = 32", "seam = 2"), "inference: has an unknown field seam"),
        (replace('command = "', 'comand = "'), "'tiny-motion': has an unknown field comand"),
        (replace("[defaults]", "[default]"), "the manifest: has an unknown field default"),
        (replace('id = "tiny-motion"', 'id = "large-motion"'), "two entries have the same id"),
        (replace('["tiny-defocus"]', "[]"), "defaults.defocus: is no list of ids"),
        (replace('["tiny-defocus"]', '["no-such"]'), "names 'no-such', which is no entry"),
        (replace('["tiny-defocus"]', '["tiny-motion"]'), "which is for another task"),
        (replace(', "tiny-motion"]', "]"), "ends with 'large-motion', which is not bundled"),
        (lambda text: text + "[[", "is no TOML"),
        (lambda text: "weights = 3\n", "the manifest: weights is no list"),
        (lambda text: "weights = [3]\n", "entry 1: is no table"),
    ],
)
def test_a_wrong_manifest_is_refused_by_entry_and_field(
    folder: Path, edit: Callable[[str], str], message: str
) -> None:
    path = folder / MANIFEST
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(WeightsError) as caught:
        load_manifest()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_absent_manifest_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="reinstall"):
        load_manifest(tmp_path)


def test_the_weights_folder_is_the_clone_s_or_the_package_s() -> None:
    assert weights_folder().name == "weights"
    assert weights_folder().is_dir()
