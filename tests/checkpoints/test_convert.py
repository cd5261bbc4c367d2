from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from deblur_cli.checkpoints import convert as module
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.convert import (
    Checkpoint,
    card_of,
    check_target,
    default_target,
    read_checkpoint,
    rounded,
    write_weights,
    write_with_card,
)
from deblur_cli.checkpoints.manifest import Entry, Manifest
from deblur_cli.checkpoints.metadata import Metadata, from_text
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.checkpoints.split import split_file
from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import create_model, load_model
from tests.checkpoints.run_folder import RECIPE, leave_run, tiny_model
from tests.recipe_weights import fill_by_recipe


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """As a trainer on several GPUs leaves it, with its optimiser."""
    path = tmp_path / "net_g_latest.pth"
    state = {f"module.{key}": value for key, value in tiny_model(1).network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, path)
    return path


def read_metadata(path: Path) -> Metadata:
    with safe_open(path, "pt") as file:
        metadata = from_text(file.metadata())
    assert metadata is not None
    return metadata


def convert(read: Checkpoint, target: Path, dtype: str = "float16") -> float:
    return write_weights(target, read.model, replace(read.metadata, dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "torch_dtype"), [("float16", torch.half), ("float32", torch.float)]
)
def test_parameters_are_stored_as_asked_for(
    official: Path, tmp_path: Path, dtype: str, torch_dtype: torch.dtype
) -> None:
    target = tmp_path / "out.safetensors"
    convert(read_checkpoint(official), target, dtype)
    stored, wanted = load_file(target), tiny_model(1).network.state_dict()
    assert stored.keys() == wanted.keys()
    for key, value in stored.items():
        assert value.dtype == torch_dtype
        assert torch.equal(value, wanted[key].to(torch_dtype))
    assert read_metadata(target).dtype == dtype


def test_the_file_says_what_makes_its_network(official: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.safetensors"
    convert(read_checkpoint(official), target)
    metadata = read_metadata(target)
    model = load_model(target)
    assert metadata.architecture == "algnet"
    assert metadata.parameters == sum(value.numel() for value in load_file(target).values())
    assert metadata.config["width"] == 4
    assert metadata.config.keys() == model.descriptor.config.keys()


def test_the_change_is_that_of_the_result_for_pictures(official: Path, tmp_path: Path) -> None:
    read = read_checkpoint(official)
    assert convert(read, tmp_path / "32.safetensors", "float32") == 0
    change = convert(read, tmp_path / "16.safetensors", "float16")
    assert 0 < change < 0.5
    picture = torch.rand((1, 3, 40, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact = read.model(picture)
        half = load_model(tmp_path / "16.safetensors")(picture)
        assert torch.equal(rounded(read.model, "float16")(picture), half)
    found = (exact - half).square().mean().sqrt() * 255
    assert change / 3 < found < change * 3


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_parameters_too_large_for_half_precision_are_refused(tmp_path: Path, dtype: str) -> None:
    model = tiny_model(1)
    path, target = tmp_path / "large.safetensors", tmp_path / "out.safetensors"
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = 7e4
    save_file(model.network.state_dict(), path)
    target.write_bytes(b"before")
    if dtype == "float32":
        assert convert(read_checkpoint(path), target, dtype) == 0
        return
    with pytest.raises(WeightsError, match=r"float16.*by nan grey levels.*float32"):
        convert(read_checkpoint(path), target, dtype)
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [path, target]


def test_a_network_that_gives_no_picture_is_refused(tmp_path: Path) -> None:
    model = tiny_model(1)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    save_file(model.network.state_dict(), tmp_path / "nan.safetensors")
    read = read_checkpoint(tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="no finite colours"):
        convert(read, tmp_path / "out.safetensors", "float32")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_run_s_folder_brings_its_recipe_and_another_conversion_keeps_it(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), weights=tiny_model(2))
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    convert(read_checkpoint(run), first)
    convert(read_checkpoint(first), second, "float32")
    assert read_metadata(first).recipe == RECIPE
    assert replace(read_metadata(second), dtype="float16") == read_metadata(first)
    for mine, its in zip(load_model(second).parameters(), tiny_model(2).parameters(), strict=True):
        assert torch.equal(mine, its.half().float())


def test_what_the_manifest_says_of_a_file_goes_with_it(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = {"overlap": 48, "pooling": 128}
    entry = Entry(
        "net", "motion", "algnet", "MIT", file_sha256(official), 7, ["GoPro"], inference=advice
    )
    monkeypatch.setattr(module, "load_manifest", lambda: Manifest(tmp_path, (entry,), {}))
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    convert(read_checkpoint(official), first)
    convert(read_checkpoint(first), second)  # which no manifest knows
    for path in (first, second):
        told = read_metadata(path)
        assert (told.task, told.trained_on, told.inference) == ("motion", ("GoPro",), advice)
        assert resolve_weights("motion", weights=str(path)).advice == advice


def test_pieces_are_read_as_the_file_they_make(official: Path) -> None:
    listing = split_file(official, 3000)
    read = read_checkpoint(listing)
    assert read.path == official
    assert read.model.descriptor.name == "algnet"


def test_weights_and_card_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "net.safetensors"
    model = tiny_model(1)
    save_file(model.network.state_dict(), tmp_path / "source.safetensors")
    read = read_checkpoint(tmp_path / "source.safetensors")
    write_with_card(target, read.model, read.metadata)
    before = target.read_bytes(), card_of(target).read_bytes()
    with torch.no_grad():
        next(read.model.parameters()).fill_(1e6)
    with pytest.raises(WeightsError):
        write_with_card(target, read.model, replace(read.metadata, task="motion"))
    assert before == (target.read_bytes(), card_of(target).read_bytes())
    card_of(target).write_text("my notes")
    with pytest.raises(WeightsError, match="no model card"):
        write_with_card(target, tiny_model(2), read.metadata)
    assert target.read_bytes() == before[0]


@pytest.mark.parametrize(
    ("checkpoint", "target"),
    [
        ("net.pth", "net.safetensors"),
        ("v1.2.pth", "v1.2.safetensors"),
        ("net.pth.split", "net.safetensors"),
        ("run-0.5", "run-0.5.safetensors"),
    ],
)
def test_weights_go_beside_the_checkpoint(tmp_path: Path, checkpoint: str, target: str) -> None:
    (tmp_path / "run-0.5").mkdir()
    assert default_target(tmp_path / checkpoint) == tmp_path / target


def test_places_that_must_not_be_written_are_refused(official: Path, tmp_path: Path) -> None:
    fine, other = tmp_path / "fine.safetensors", tmp_path / "other.safetensors"
    check_target(fine, official, overwrite=False)
    other.write_bytes(b"precious")
    for target, source in ((tmp_path / "a.pth", official), (tmp_path, official), (other, other)):
        with pytest.raises(UsageError):
            check_target(target, source, overwrite=True)
    for path in (other, card_of(fine)):
        path.write_bytes(b"precious")
        target = path.with_suffix(".safetensors")
        with pytest.raises(UsageError, match="exists already") as caught:
            check_target(target, official, overwrite=False)
        assert caught.value.path == path
        check_target(target, official, overwrite=True)


def test_a_network_with_scans_survives_half_precision(tmp_path: Path) -> None:
    model = create_model("algnet", width=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1)).eval()
    fill_by_recipe(model.network, seed=1)
    save_file(model.network.state_dict(), tmp_path / "net.safetensors")
    read = read_checkpoint(tmp_path / "net.safetensors")
    assert 0 < convert(read, tmp_path / "out.safetensors") < 0.5
