"""What a run needs to go on after an interruption, and the weights it leaves."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from deblur_cli.checkpoints.split import join_if_split
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.workers import WorkerStream
from deblur_cli.errors import DeblurError
from deblur_cli.models import RestorationModel
from deblur_cli.training.learner import Learner
from deblur_cli.training.recipe import Recipe
from deblur_cli.training.settings import Settings

STATE_FILE = "state.pt"
RECIPE_FILE = "recipe.toml"
WEIGHTS_FILE = "weights.safetensors"
_CONTENT = {"learner", "stream", "settings", "step", "spent", "skipped"}


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    spent: float = 0.0
    """Seconds of the budget so far."""
    skipped: int = 0
    """Steps whose gradients were not finite."""


@dataclass(frozen=True)
class Run:
    """The moving parts of a run."""

    folder: Path
    recipe: Recipe
    settings: Settings
    learner: Learner
    stream: PatchStream | WorkerStream


def save_state(run: Run, progress: Progress) -> None:
    """Write the resumable state atomically to `state.pt` in the run's folder.

    Raises:
        DeblurError: it cannot be written; a state that was there before is left as it is.
    """
    content = {
        "learner": run.learner.state(),
        "stream": run.stream.state(),
        "settings": asdict(run.settings),
        **asdict(progress),
    }
    with _replacing(run.folder / STATE_FILE) as temporary:
        torch.save(content, temporary)


def read_state(folder: Path) -> dict[str, Any] | None:
    """The state in a run's folder, whole or in pieces; None if it holds none.

    Raises:
        DeblurError: it is damaged, or was written by another version.
    """
    path = join_if_split(folder / STATE_FILE)
    if path is None:
        return None
    content = _unpickled(path) if zipfile.is_zipfile(path) else None
    if not isinstance(content, dict) or not content.keys() >= _CONTENT:
        raise DeblurError(
            "is damaged, or of another version of deblur",
            path=path,
            remedy="delete it to begin the run anew, or name another folder with --output",
        )
    return content


def _unpickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError):
        return None


def begin(run: Run, state: dict[str, Any] | None) -> Progress:
    """Make the run's folder, write the recipe there, and go on from a state if there is one.

    Raises:
        DeblurError: the folder cannot be made or written.
    """
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeblurError(
            f"cannot make the run's folder: {error.strerror}", path=run.folder
        ) from error
    with _replacing(run.folder / RECIPE_FILE) as temporary:
        temporary.write_text(run.settings.recipe, "utf-8")
    if state is None:
        return Progress()
    run.learner.resume(state["learner"])
    run.stream.resume(state["stream"])
    return Progress(state["step"], state["spent"], state["skipped"])


def export_weights(path: Path, model: RestorationModel) -> None:
    """Write the parameters in half precision as safetensors, with the configuration as metadata.

    Raises:
        DeblurError: the file cannot be written; one that was there before is left as it is.
    """
    state = {
        key: value.half().cpu().contiguous() for key, value in model.network.state_dict().items()
    }
    descriptor = model.descriptor
    metadata = {"architecture": descriptor.name, "config": json.dumps(dict(descriptor.config))}
    with _replacing(path) as temporary:
        save_file(state, temporary, metadata)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` once it is written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors: full disk
        raise DeblurError(
            f"cannot be written: {error}", path=path, remedy="see that the disk has room"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
