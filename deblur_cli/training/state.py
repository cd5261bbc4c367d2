"""What a run needs to go on after an interruption, and the weights it leaves."""

from __future__ import annotations

import errno
import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from deblur_cli.checkpoints.folders import make_folder
from deblur_cli.checkpoints.origin import RECIPE_FILE, STATE_FILE
from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.checkpoints.split import join_if_split
from deblur_cli.data.patches import PatchStream
from deblur_cli.data.workers import WorkerStream
from deblur_cli.errors import DeblurError
from deblur_cli.models import RestorationModel
from deblur_cli.training.distributed import Images
from deblur_cli.training.learner import Learner
from deblur_cli.training.recipe import Recipe
from deblur_cli.training.settings import Settings
from deblur_cli.training.tally import Progress

Stream = PatchStream | WorkerStream
_CONTENT = {"learner", "stream", "settings", "step", "spent", "skipped", "means"}


@dataclass(frozen=True)
class Run:
    """The moving parts of a run, as far as its state holds them."""

    folder: Path
    recipe: Recipe
    settings: Settings
    learner: Learner
    stream: Stream | None
    """None in all processes but the first."""

    def draw(self, progress: float) -> Images:
        """The next batch, for all processes together; only the first may call it."""
        blurred, sharp = self.patches.batch(progress)
        return torch.from_numpy(blurred), torch.from_numpy(sharp)

    @property
    def patches(self) -> Stream:
        """The stream, in the first process."""
        assert self.stream is not None
        return self.stream


def save_state(run: Run, progress: Progress) -> None:
    """Write the resumable state atomically to `state.pt` in the run's folder.

    Raises:
        DeblurError: it cannot be written; a state that was there before is left as it is.
    """
    content = {
        "learner": run.learner.state(),
        "stream": run.patches.state(),
        "settings": asdict(run.settings),
        **asdict(progress),
    }
    with _replacing_by_torch(run.folder / STATE_FILE) as temporary:
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


def progress_in(state: Mapping[str, Any] | None) -> Progress:
    """Where the run with this state stands; one without has not begun."""
    if state is None:
        return Progress()
    return Progress(state["step"], state["spent"], state["skipped"], tuple(state["means"]))


def begin(run: Run, state: Mapping[str, Any] | None) -> None:
    """Make the run's folder, write the recipe there, and go on from a state if there is one.

    Raises:
        DeblurError: the folder cannot be made or written.
    """
    make_folder(run.folder, DeblurError, "name another one with --output")
    with replacing(run.folder / RECIPE_FILE) as temporary:
        temporary.write_text(run.settings.recipe, "utf-8")
    if state is not None:
        run.patches.resume(state["stream"])


def export_weights(
    path: Path, model: RestorationModel, origin: Mapping[str, object] | None = None
) -> None:
    """Write the parameters in half precision as safetensors, with the configuration as metadata.

    Args:
        path: of the file.
        model: on any device.
        origin: further metadata, where these weights come from.

    Raises:
        DeblurError: the file cannot be written; one that was there before is left as it is.
    """
    state = {
        key: value.half().cpu().contiguous() for key, value in model.network.state_dict().items()
    }
    metadata = {
        "architecture": model.descriptor.name,
        "config": json.dumps(dict(model.descriptor.config)),
        **{name: str(value) for name, value in (origin or {}).items()},
    }
    content = safetensors.torch.save(state, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _replacing_by_torch(path: Path) -> Iterator[Path]:
    """As `replacing`; torch's writer has an error of its own for a full disk."""
    with replacing(path) as temporary:
        try:
            yield temporary
        except RuntimeError as error:
            raise OSError(errno.EIO, "writing broke off") from error
