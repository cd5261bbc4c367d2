"""`deblur inspect`: look into a network while it restores a part of a photo.

With `--json` every line is an object as in `report`, with these events:

    drawn      kind (channels, features, receptive-field), path, figures
    not-drawn  kind, problem

`figures` of channels are the activations of both branches by block, of features the blocks' names,
of receptive-field the sides of the squares that hold a share of it, and how many crops were seen.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import choose_console, one_line

if TYPE_CHECKING:
    from deblur_cli.inspection.inspector import Drawing


def parse_point(text: str) -> tuple[int, int]:
    """Column and row of `X,Y`."""
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9})", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not X,Y in pixels from the upper left corner")
    return int(match[1]), int(match[2])


def inspect(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The photo.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the drawings. [default: a.jpg → a_inspected]",
        ),
    ] = None,
    task: options.Task = "motion",
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    at: Annotated[
        Any,
        typer.Option(
            parser=parse_point,
            metavar="X,Y",
            help="Pixel in the middle of the crop.",
            show_default="the photo's middle",
        ),
    ] = None,
    crop: Annotated[
        int, typer.Option(min=32, metavar="PIXELS", help="Side of the part that is looked at.")
    ] = 256,
    json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Draw what a network computes: channel activations, feature maps, effective receptive field.

    The network runs in float32 on a crop of the photo. The paths of the drawings are printed; what
    a network does not have is not drawn, and said.
    """
    from deblur_cli.inspection import inspector

    console = choose_console(quiet)
    folder = output if output is not None else image.with_name(f"{image.stem}_inspected")
    inspector.check_folder(folder, image)
    subject = inspector.load_subject(image, at, crop, task, model, weights, device, offline)
    console.note(f"{subject.name} on {subject.device}, float32, crop of up to {crop} pixels")
    for warning in subject.warnings:
        console.note(warning)
    for drawing in inspector.inspect(subject, folder):
        if drawing.problem:
            console.note(f"{drawing.kind}.png is not drawn: {drawing.problem}")
        if json:
            _write_line(drawing)
        elif drawing.path is not None:
            typer.echo(one_line(str(drawing.path)))


def _write_line(drawing: Drawing) -> None:
    fields: dict[str, object] = {"kind": drawing.kind}
    if drawing.problem:
        report.write_line("not-drawn", fields | {"problem": drawing.problem})
    else:
        report.write_line("drawn", fields | {"path": drawing.path, "figures": drawing.figures})
