"""What a run needs to go on after an interruption, and the weights it leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from deblur_cli.data.patches import PatchStream
from deblur_cli.errors import DeblurError, UsageError
from deblur_cli.models import RestorationModel
from deblur_cli.training.recipe import Recipe

STATE_FILE = "state.pt"
RECIPE_FILE = "recipe.toml"


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    spent: float = 0.0
    """Seconds of training so far."""


@dataclass(frozen=True)
class Run:
    """The moving parts of a run."""

    folder: Path
    recipe: Recipe
    model: RestorationModel
    optimiser: torch.optim.Optimizer
    stream: PatchStream


def save_state(run: Run, progress: Progress) -> None:
    """Write the resumable state atomically to `state.pt` in the run's folder.

    Raises:
        DeblurError: it cannot be written; a state that was there before is left as it is.
    """
    content = {
        "model": run.model.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "stream": run.stream.state(),
        "step": progress.step,
        "spent": progress.spent,
        "recipe": run.recipe.text,
    }
    with _replacing(run.folder / STATE_FILE) as temporary:
        torch.save(content, temporary)


def open_folder(run: Run) -> Progress:
    """Continue from the run's folder if it holds a state; else begin there.

    Raises:
        UsageError: the state belongs to another recipe; the folder is left as it is.
        DeblurError: the folder cannot be made or written.
    """
    progress = _restore_state(run)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeblurError(
            f"cannot make the run's folder: {error.strerror}", path=run.folder
        ) from error
    with _replacing(run.folder / RECIPE_FILE) as temporary:
        temporary.write_text(run.recipe.text, "utf-8")
    return progress


def _restore_state(run: Run) -> Progress:
    path = run.folder / STATE_FILE
    if not path.is_file():
        return Progress()
    content: dict[str, Any] = torch.load(path, weights_only=True)
    if content["recipe"] != run.recipe.text:
        raise UsageError(
            "holds a run of another recipe", path=run.folder, remedy="name another output folder"
        )
    run.model.network.load_state_dict(content["model"])
    run.optimiser.load_state_dict(content["optimiser"])
    run.stream.resume(content["stream"])
    return Progress(content["step"], content["spent"])


def export_weights(path: Path, model: RestorationModel) -> None:
    """Write the parameters in half precision as safetensors, with the configuration as metadata.

    Raises:
        DeblurError: the file cannot be written; one that was there before is left as it is.
    """
    state = {key: value.half().contiguous() for key, value in model.network.state_dict().items()}
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
