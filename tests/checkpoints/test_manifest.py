from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deblur_cli.checkpoints.manifest import (
    MANIFEST,
    Entry,
    HubFile,
    NpmFile,
    load_manifest,
    weights_folder,
)
from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import create_model
from deblur_cli.models.registry import ARCHITECTURES


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


CONVERTED = """
[[weights]]
id = "from-tensorflow"
task = "motion"
architecture = "maxim"
licence = "Apache-2.0"
hub = { repo = "someone/weights", file = "variables/variables.index", revision = "main" }
bytes = 7
trained_on = ["GoPro"]
reported = { gopro_psnr = 32.9 }
"""
INTEGRITY = f"sha512-{'x' * 86}=="
NPM = f"""npm = {{ package = "@a/b", version = "1", integrity = "{INTEGRITY}", file = "m.json" }}
"""
MIRROR = 'mirror = { repo = "b/a", file = "variables/variables.index", revision = "main" }\n'


def with_more(folder: Path, text: str) -> Entry:
    path = folder / MANIFEST
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return load_manifest().entries[-1]


def test_weights_on_the_hub_may_be_unpinned(folder: Path) -> None:
    assert with_more(folder, CONVERTED.replace("index", "pth")).sha256 is None


def test_an_entry_is_known_by_its_checksum(folder: Path) -> None:
    manifest = load_manifest()
    known = manifest.entries[0]
    assert manifest.with_checksum(str(known.sha256)) == known
    assert manifest.with_checksum("0" * 64) is None


def test_what_a_licence_forbids_is_read(folder: Path) -> None:
    entry = with_more(folder, CONVERTED + 'restriction = "for research only"\n')
    assert entry.restriction == "for research only"
    assert load_manifest().entries[0].restriction == ""


def test_weights_to_be_converted_may_be_unpinned(folder: Path) -> None:
    entry = with_more(folder, CONVERTED)
    assert entry.hub is not None
    assert entry.converted
    assert entry.sha256 is None
    assert entry.reported == {"gopro_psnr": 32.9}
    assert entry.origins == {"hub": entry.hub}
    assert not any(entry.converted for entry in load_manifest().entries[:-1])


def test_a_package_is_preferred_to_the_hub(folder: Path) -> None:
    pin = f'sha256 = "{"0" * 64}"\n'
    entry = with_more(folder, CONVERTED.replace("bytes =", f"{NPM}{pin}bytes ="))
    assert entry.npm == NpmFile("@a/b", "1", INTEGRITY, "m.json")
    assert str(entry.npm) == "npm:@a/b@1"
    assert list(entry.origins) == ["npm", "hub"]
    assert entry.converted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CONVERTED + NPM, "'from-tensorflow': sha256 is missing"),
        (CONVERTED + 'file = "x.pth"\n', "'from-tensorflow': is bundled, and is to be fetched"),
        (CONVERTED + NPM.replace("sha512", "sha1"), "npm, integrity is no sha512"),
        (CONVERTED + NPM.replace("version", "release"), "npm: has an unknown field release"),
        (CONVERTED + MIRROR, "mirror is only for a pinned file of the Hub, used as it is"),
    ],
)
def test_wrong_origins_are_refused(folder: Path, text: str, message: str) -> None:
    text = text.replace("reported = { gopro_psnr = 32.9 }\n", "")
    pinned = f'{text}sha256 = "{"0" * 64}"\n' if "integrity is" in message else text
    with pytest.raises(WeightsError) as caught:
        with_more(folder, pinned)
    assert message in str(caught.value)


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
        (drop("file"), "entry 'tiny-defocus': has neither file nor hub nor npm"),
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


ENTRIES = load_manifest().entries
OWN = [entry for entry in ENTRIES if entry.architecture in ARCHITECTURES]


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.id)
def test_every_entry_that_comes_with_the_program_describes_a_network(entry: Entry) -> None:
    with torch.device("meta"):
        network = create_model(entry.architecture, **entry.config)
    assert entry.bytes > 2 * network.descriptor.parameters  # in half precision at least


def test_the_only_foreign_network_is_one_whose_licence_is_unclear() -> None:
    foreign = [entry for entry in ENTRIES if entry not in OWN]
    assert {entry.architecture for entry in foreign} == {"restormer"}
    assert all(entry.restriction and not entry.config for entry in foreign)


def test_the_weights_folder_is_the_clone_s_or_the_package_s() -> None:
    assert weights_folder().name == "weights"
    assert weights_folder().is_dir()
