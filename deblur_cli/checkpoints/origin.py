"""A checkpoint as users name it: a file, its pieces or a run's folder; and where it comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deblur_cli.checkpoints.metadata import Metadata, Training, from_text, read_advice, read_text
from deblur_cli.checkpoints.split import join_if_split, whole_file
from deblur_cli.errors import WeightsError
from deblur_cli.models.state_dict import read_pickle

STATE_FILE = "state.pt"
RECIPE_FILE = "recipe.toml"
WEIGHTS_FILE = "weights.safetensors"
BEST_FILE = "best.safetensors"
"""The best weights by validation, beside the last ones of the run."""

SOURCES = {
    "sharp": "sharp photos, to which blur was added while training",
    "frames": "frames of video, averaged",
    "pairs": "pairs of blurred and sharp photos",
    "dataset": "pairs of the data set",
}
"""What a recipe trains on, by the keys of its table `data`."""


def find_weights(checkpoint: Path) -> Path:
    """The file that holds the parameters; pieces are joined first.

    Of a run's folder it is the best weights, if some were chosen by validation, else the newer of
    weights and state: a run that went on after it had written weights, and was killed, has come
    further in its state.

    Raises:
        WeightsError: a folder that is no run's; pieces that do not fit together.
    """
    if not checkpoint.is_dir():
        return whole_file(checkpoint)
    if (best := join_if_split(checkpoint / BEST_FILE)) is not None:
        return best
    found = [join_if_split(checkpoint / name) for name in (WEIGHTS_FILE, STATE_FILE)]
    files = [file for file in found if file is not None]
    if not files:
        raise WeightsError(
            f"has neither {WEIGHTS_FILE} nor {STATE_FILE} in it",
            path=checkpoint,
            remedy="name the folder of a training run, or a file",
        )
    return max(files, key=lambda file: file.stat().st_mtime_ns)


def describe_origin(blank: Metadata, checkpoint: Path, weights: Path) -> Metadata:
    """Fill in what the files say of task, recipe, training and what was trained on.

    Args:
        blank: what is known of the network.
        checkpoint: as the user named it.
        weights: the file that holds the parameters, as `find_weights` found it.

    Raises:
        WeightsError: recipe, state or metadata are damaged.
    """
    try:
        if checkpoint.is_dir():
            told = _of_run(blank, checkpoint)
            return _chosen(told, weights) if weights.name == BEST_FILE else told
        if weights.suffix == ".safetensors":
            return _of_safetensors(blank, weights)
        return _of_state(blank, read_pickle(weights))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"says of itself what makes no sense: {error}", path=weights) from error


def _of_run(blank: Metadata, folder: Path) -> Metadata:
    state, recipe = join_if_split(folder / STATE_FILE), folder / RECIPE_FILE
    if state is not None:
        return _of_state(blank, read_pickle(state))
    return _with_recipe(blank, recipe.read_text("utf-8")) if recipe.is_file() else blank


def _chosen(told: Metadata, best: Path) -> Metadata:
    """Add at which step of the run the best weights were found."""
    if told.training is None:
        return told
    step = int(read_text(best)["step"])
    return replace(told, training=replace(told.training, chosen_at=step))


def _of_state(blank: Metadata, content: object) -> Metadata:
    """What `deblur train` keeps with its state; nothing is known of others' pickles."""
    if not isinstance(content, dict) or not {"learner", "settings"} <= content.keys():
        return blank
    settings = content["settings"]
    training = Training(int(content["step"]), float(content["spent"]), settings["init"])
    return replace(_with_recipe(blank, settings["recipe"]), training=training)


def _of_safetensors(blank: Metadata, weights: Path) -> Metadata:
    """What an earlier conversion wrote, but its figures: they are of the parameters as rounded."""
    told = from_text(read_text(weights))
    if told is None:
        return replace(blank, inference=read_advice(weights))
    return replace(
        _with_recipe(blank, told.recipe),
        task=told.task,
        trained_on=told.trained_on,
        training=told.training,
        inference=told.inference,
    )


def _with_recipe(blank: Metadata, recipe: str) -> Metadata:
    table = tomllib.loads(recipe)
    data: Mapping[str, Any] = table.get("data", {})
    return replace(
        blank,
        task=str(table.get("task", "")),
        recipe=_without_machine(recipe, str(data.get("validation", ""))),
        trained_on=tuple(f"{SOURCES[key]}: {data[key]}" for key in SOURCES if data.get(key)),
    )


def _without_machine(recipe: str, validation: str) -> str:
    """The recipe without the path of this machine that `deblur train --validation` leaves in it."""
    folder = Path(validation)
    return recipe.replace(validation, folder.name) if folder.is_absolute() else recipe
