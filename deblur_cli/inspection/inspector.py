"""Looking into a network while it restores a part of a photo: computes, draws, writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from deblur_cli.checkpoints.folders import make_folder
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.errors import (
    ImageReadError,
    ImageWriteError,
    NothingToDoError,
    RestoreError,
    UsageError,
)
from deblur_cli.imaging import read_photo
from deblur_cli.imaging.write import new_file
from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.inference.samples import Image
from deblur_cli.inspection.blocks import block_features, branch_activations
from deblur_cli.inspection.crops import Point, crop_around, crops_across
from deblur_cli.inspection.drawings import (
    SHARES,
    draw_channels,
    draw_features,
    draw_field,
)
from deblur_cli.inspection.receptive_field import receptive_field, side_of_share
from deblur_cli.models import RestorationModel

Figures = dict[str, object]


@dataclass(frozen=True)
class Drawing:
    """One kind of picture: where it was written, or why there is none."""

    kind: str
    """`channels`, `features` or `receptive-field`."""
    path: Path | None = None
    problem: str = ""
    figures: Figures = field(default_factory=dict)
    """What can be said in numbers."""


@dataclass(frozen=True)
class Subject:
    """A network in float32 on a device, and the photo it is shown."""

    name: str
    model: RestorationModel
    device: torch.device
    picture: Image
    at: Point | None
    """The middle of the crop; None for that of the photo."""
    side: int
    """Of the crop."""
    warnings: tuple[str, ...] = ()

    def channels(self) -> tuple[bytes, Figures] | str:
        """The drawing and its figures, or why there is none."""
        found = branch_activations(self.model, self._crop())
        if not found:
            return f"{self.model.descriptor.name} has no global and local branches"
        figures = {
            branch.block: {
                "global": None if branch.global_branch is None else branch.global_branch.tolist(),
                "local": None if branch.local_branch is None else branch.local_branch.tolist(),
            }
            for branch in found
        }
        return draw_channels(self.name, found), {"activations": figures}

    def features(self) -> tuple[bytes, Figures] | str:
        """As `channels`."""
        crop = self._crop()
        found = block_features(self.model, crop)
        if not found:
            return f"{self.model.descriptor.name} has no blocks that are known here"
        with torch.inference_mode():
            restored = self.model(crop)
        return draw_features(self.name, crop, restored, found), {
            "blocks": [features.block for features in found]
        }

    def receptive_field(self) -> tuple[bytes, Figures] | str:
        """As `channels`."""
        crops = [crop.to(self.device) for crop in crops_across(self.picture, self.at, self.side)]
        found = receptive_field(self.model, crops)
        sides = {f"{share:g}": side_of_share(found, share) for share in SHARES}
        return draw_field(self.name, found, len(crops)), {"crops": len(crops), "sides": sides}

    def _crop(self) -> torch.Tensor:
        return crop_around(self.picture, self.at, self.side).to(self.device)


KINDS = {
    "channels": Subject.channels,
    "features": Subject.features,
    "receptive-field": Subject.receptive_field,
}


def load_subject(
    photo: Path,
    at: Point | None = None,
    side: int = 256,
    task: str = "motion",
    model: str | None = None,
    weights: str | None = None,
    device: str = "auto",
    offline: bool = False,
) -> Subject:
    """Read a photo and load the weights that shall restore it.

    Args:
        photo: the file.
        at, side: as in `Subject`.
        task, model, weights, device, offline: as `Deblurrer.from_pretrained`, which also says what
            is raised.

    Raises:
        NothingToDoError: the photo cannot be read.
        UsageError: the photo has no such pixel.
    """
    try:
        picture = read_photo(photo).pixels
    except ImageReadError as error:
        raise NothingToDoError(error.problem, path=error.path, remedy=error.remedy) from error
    crop_around(picture, at, side)
    place = resolve_device(device)
    resolved = resolve_weights(task, model=model, weights=weights, offline=offline)
    network = load_weights(resolved)
    if pooling := int(resolved.advice.get("pooling", 0)):
        network.set_local_pooling(pooling)
    warnings = (*resolved.warnings, *network.cautions(place))
    return Subject(resolved.id, network.to(place), place, picture, at, side, warnings)


def check_folder(folder: Path, photo: Path) -> None:
    """Refuse a folder in which a drawing would replace the photo.

    Raises:
        UsageError: names the drawing.
    """
    for kind in KINDS:
        if (folder / f"{kind}.png").resolve() == photo.resolve():
            raise UsageError(
                f"the drawing {kind}.png would replace the photo",
                path=photo,
                remedy="give another folder with --output",
            )


def inspect(subject: Subject, folder: Path) -> Iterator[Drawing]:
    """Draw all kinds of pictures into a folder; drawings of earlier times are replaced.

    Raises:
        RestoreError: memory does not suffice for the crop.
        ImageWriteError: a file cannot be written.
    """
    make_folder(folder, ImageWriteError, "give another one with --output")
    for kind, draw in KINDS.items():
        try:
            drawn = draw(subject)
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            raise RestoreError(
                f"not enough memory for a crop of {subject.side} pixels",
                remedy="use a smaller --crop",
            ) from error
        if isinstance(drawn, str):
            yield Drawing(kind, problem=drawn)
            continue
        content, figures = drawn
        path = folder / f"{kind}.png"
        with new_file(path) as temporary:
            temporary.write_bytes(content)
        yield Drawing(kind, path, figures=figures)
