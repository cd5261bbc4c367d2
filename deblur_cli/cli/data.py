"""`deblur data`: the field's data sets, fetched and checked.

With `--json` every line is an object as in `report`, with these events:

    data-fetched  name, sets, path, origin (what it was fetched from; null if it was here), licence
    data-check    set, split, state, pairs, expected, path, problems
    summary       complete, incomplete, absent, exit_code
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import PlainConsole, QuietConsole, one_line
from deblur_cli.cli.signals import exit_on_sigterm

if TYPE_CHECKING:
    from deblur_cli.acquisition.check import SplitCheck

app = typer.Typer(help="Fetch and check the data sets of the field.", no_args_is_help=True)

_Name = Annotated[
    str, typer.Argument(metavar="SET", help="gopro, realblur, dpdd, hide, rwbi, or a part of one.")
]
_Data = Annotated[Path, typer.Option(metavar="DIR", help="The folder of all data sets.")]
_HERE = Path()


@app.command("fetch")
def fetch(
    name: _Name, data: _Data = _HERE, offline: options.Offline = False, json: options.Json = False
) -> None:
    """Bring a data set from the Hugging Face Hub into its folder in DIR, and check it.

    The same command goes on where a download broke off. A set that programs cannot fetch ends with
    exit code 3 and says where people find it and where it belongs.
    """
    from deblur_cli.acquisition.catalogue import HubFolders, find_collection
    from deblur_cli.acquisition.check import splits_of
    from deblur_cli.acquisition.fetch import fetch_collection
    from deblur_cli.cli.downloads import tell_downloads

    collection = find_collection(name)
    console = PlainConsole()
    many = isinstance(collection.origin, HubFolders)
    tell_downloads(QuietConsole() if many else console, quiet=many)
    with exit_on_sigterm():
        fetched = fetch_collection(collection, data, offline, console.note)
    if json:
        report.write_line(
            "data-fetched",
            {
                "name": collection.name,
                "sets": collection.sets,
                "path": fetched.folder,
                "origin": fetched.origin,
                "licence": collection.origin.licence,
            },
        )
    elif fetched.origin is None:
        console.note(f"{collection.name} is here already")
    _check(splits_of(collection.sets, None), data, decode=False, json=json)


@app.command("check")
def check(
    name: _Name,
    data: _Data = _HERE,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Only this one: train, val or test.")
    ] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Read every photo to its end, which takes minutes.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Count the pairs of a data set, and name photos that are missing, alone or damaged.

    Exit codes: 0 every split is complete, 1 something is missing or damaged, 3 nothing is there.
    """
    from deblur_cli.acquisition.catalogue import sets_named
    from deblur_cli.acquisition.check import splits_of

    _check(splits_of(sets_named(name), split), data, decode, json)


def _check(splits: Iterable[tuple[str, str]], data: Path, decode: bool, json: bool) -> None:
    """Check splits one by one, tell of each, and end with the exit code."""
    from deblur_cli.acquisition.check import State, check_split, exit_code

    checks = []
    for name, split in splits:
        found = check_split(name, split, data, decode)
        checks.append(found)
        _show(found, json)
    code = exit_code(checks)
    states = Counter(one.state for one in checks)
    if json:
        counts = {state.value: states[state] for state in State}
        report.write_line("summary", {**counts, "exit_code": code})
    raise typer.Exit(code)


def _show(found: SplitCheck, json: bool) -> None:
    if json:
        fields = {
            "set": found.set,
            "split": found.split,
            "state": found.state.value,
            "pairs": found.pairs,
            "expected": found.expected,
            "path": found.folder,
            "problems": found.problems,
        }
        report.write_line("data-check", fields)
        return
    where = f" in {found.folder}" if found.folder is not None else ""
    count = f", {found.pairs:,} {found.counted}" if found.pairs else ""
    typer.echo(one_line(f"{found.set} {found.split}: {found.state}{count}{where}"))
    for problem in found.problems:
        typer.echo(one_line(f"  {problem}"))
