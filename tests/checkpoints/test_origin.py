from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deblur_cli.checkpoints.metadata import Metadata, Training
from deblur_cli.checkpoints.origin import SOURCES, describe_origin, find_weights
from deblur_cli.checkpoints.split import split_file
from deblur_cli.errors import WeightsError
from deblur_cli.models import RestorationModel, load_model
from tests.checkpoints.run_folder import INIT, RECIPE, leave_run, set_age, tiny_model

BLANK = Metadata("algnet", {}, 1, "float16")


def assert_same(one: RestorationModel, other: RestorationModel) -> None:
    for mine, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, its)


def origin(checkpoint: Path) -> Metadata:
    return describe_origin(BLANK, checkpoint, find_weights(checkpoint))


def test_the_newer_of_a_run_s_weights_and_state_is_taken(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), weights=tiny_model(2))
    assert find_weights(run) == run / "weights.safetensors"
    set_age(run / "weights.safetensors", 120)
    assert find_weights(run) == run / "state.pt"


def test_the_best_weights_of_a_run_come_first(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), weights=tiny_model(2))
    save_file(tiny_model(3).network.state_dict(), run / "best.safetensors", {"step": "900"})
    set_age(run / "best.safetensors", 600)
    assert find_weights(run) == run / "best.safetensors"
    assert origin(run).training == Training(1234, 600.0, INIT, chosen_at=900)


def test_pieces_are_joined(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1))
    listing = split_file(run / "state.pt", 10_000)
    assert find_weights(listing) == find_weights(run) == run / "state.pt"
    assert_same(load_model(run / "state.pt"), tiny_model(1))


def test_the_mean_of_the_weights_is_what_a_state_is_loaded_for(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), average=tiny_model(2))
    assert_same(load_model(run / "state.pt"), tiny_model(2))


def test_a_folder_that_is_no_run_s_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"neither weights\.safetensors nor state\.pt") as caught:
        find_weights(tmp_path)
    assert caught.value.path == tmp_path


@pytest.mark.parametrize("name", ["", "state.pt"])
def test_a_run_tells_its_recipe_and_how_far_it_came(tmp_path: Path, name: str) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), weights=tiny_model(1))
    told = origin(run / name)
    assert told.recipe == RECIPE
    assert told.task == "defocus"
    assert told.trained_on == (
        "sharp photos, to which blur was added while training: photos",
        "pairs of blurred and sharp photos: dpdd/train",
    )
    assert told.training == Training(1234, 600.0, INIT)


def test_without_a_state_the_recipe_is_still_told(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1), weights=tiny_model(1))
    (run / "state.pt").unlink()
    told = origin(run)
    assert (told.recipe, told.training) == (RECIPE, None)


def test_of_others_checkpoints_nothing_is_known(tmp_path: Path) -> None:
    parameters = tiny_model(1).network.state_dict()
    torch.save({"params": parameters, "epoch": 3}, tmp_path / "net.pth")
    save_file(parameters, tmp_path / "net.safetensors", {"format": "pt", "task": "motion"})
    assert origin(tmp_path / "net.pth") == origin(tmp_path / "net.safetensors") == BLANK


@pytest.mark.parametrize("damage", ["recipe = [", "settings"])
def test_a_run_that_contradicts_itself_is_named(tmp_path: Path, damage: str) -> None:
    run = leave_run(tmp_path / "run", tiny_model(1))
    content = torch.load(run / "state.pt", weights_only=True)
    content["settings"] = {"recipe": damage, "init": None} if damage != "settings" else 7
    torch.save(content, run / "state.pt")
    with pytest.raises(WeightsError, match="makes no sense") as caught:
        origin(run)
    assert caught.value.path == run / "state.pt"


def test_damaged_metadata_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    for damaged in ({"recipe": "= ["}, {"training": "7"}):
        text = BLANK.to_text() | damaged
        save_file(tiny_model(1).network.state_dict(), path, text)
        with pytest.raises(WeightsError, match="makes no sense"):
            origin(path)


def test_sources_are_those_of_a_recipe() -> None:
    from deblur_cli.training.recipe import Data

    assert {field.name for field in fields(Data)} >= SOURCES.keys()
