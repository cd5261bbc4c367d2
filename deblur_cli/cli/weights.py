"""`deblur weights`: which weights there are, whether their files are intact, and making others."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import PlainConsole
from deblur_cli.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deblur_cli.checkpoints.convert import Checkpoint
    from deblur_cli.checkpoints.manifest import Entry
    from deblur_cli.checkpoints.metadata import Measurement

app = typer.Typer(help="List, verify and convert the networks' weights.", no_args_is_help=True)


@app.command("list")
def list_weights(json: options.Json = False) -> None:
    """Show id, task, architecture, size, licence and what each was trained on."""
    from deblur_cli.checkpoints.manifest import load_manifest

    manifest = load_manifest()
    for entry in manifest.entries:
        if json:
            report.write_line("weights", asdict(entry))
        else:
            typer.echo(_described(entry))


@app.command("verify")
def verify(json: options.Json = False) -> None:
    """Compare each file on this machine with the manifest's checksum; opens no connection."""
    from deblur_cli.checkpoints.manifest import load_manifest
    from deblur_cli.checkpoints.verify import verify_weights

    checks = verify_weights(load_manifest())
    for check in checks:
        if json:
            fields = {"id": check.entry.id, "state": check.state.value, "path": check.path}
            report.write_line("weights-check", fields)
        else:
            typer.echo(f"{check.entry.id}: {check.state.value}")
    faulty = [check.entry.id for check in checks if not check.state.acceptable]
    if faulty:
        raise WeightsError(f"not intact: {', '.join(faulty)}", remedy="reinstall deblur-cli")


@app.command("convert")
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A file of weights or state, a .split list, or a run's folder.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="[CHECKPOINT.safetensors]"),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half/--float32", help="Precision to store the parameters in.")
    ] = True,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="Measure on pairs or sharp photos, as `deblur eval`; may be repeated.",
        ),
    ] = None,
    trained_on: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What the weights learnt from; may be repeated."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file, and renew its model card.")
    ] = False,
) -> None:
    """Write any checkpoint as safetensors that say what they are, with a model card beside them.

    What is known goes into the file's metadata: architecture and configuration, and of weights
    trained here the recipe. The card is made from that. The file is read back and compared with
    the checkpoint on a sample before it appears.
    """
    from deblur_cli.checkpoints import convert as conversion
    from deblur_cli.evaluation.runner import find_dataset

    folders = [find_dataset(name) for name in measure or ()]
    target = output or conversion.default_target(checkpoint)
    read = conversion.read_checkpoint(checkpoint)
    conversion.check_target(target, read.path, overwrite)
    console = PlainConsole()
    console.note(f"read {read.path}: {read.metadata.architecture}")
    metadata = replace(read.metadata, dtype="float16" if half else "float32")
    if trained_on:
        metadata = replace(metadata, trained_on=tuple(trained_on))
    if folders:
        metadata = replace(metadata, measured=_measured(read, metadata.dtype, target.stem, folders))
    change = conversion.write_with_card(target, read.model, metadata)
    console.note(
        f"read back: the result for a sample changed by {change:.3f} grey levels (RMS); "
        f"its model card is {conversion.card_of(target)}"
    )
    typer.echo(target)


def _measured(
    read: Checkpoint, dtype: str, name: str, folders: Iterable[Path]
) -> tuple[Measurement, ...]:
    """What the network does with its parameters as they will be stored."""
    from deblur_cli import Deblurrer
    from deblur_cli.checkpoints.convert import rounded
    from deblur_cli.evaluation.measure import measure

    deblurrer = Deblurrer(rounded(read.model, dtype), name=name)
    for line in (f"measuring {deblurrer.summary}", *deblurrer.warnings):
        PlainConsole().note(line)
    return tuple(measure(folder, deblurrer) for folder in folders)


def _described(entry: Entry) -> str:
    place = f"bundled {entry.file}" if entry.file else str(entry.hub)
    trained_on = ", ".join(entry.trained_on)
    return (
        f"{entry.id}: {entry.task}, {entry.architecture}, {entry.bytes / 1e6:.1f} MB, "
        f"{entry.licence}, {place}\n    trained on {trained_on}"
    )
