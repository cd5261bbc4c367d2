"""`deblur config`: what every option is if the command line does not say it, and who says so."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.configuration import Configuration, Setting, Source
from deblur_cli.cli.table import Table

if TYPE_CHECKING:
    from deblur_cli.cli.configuration import Place, Value


def config(context: typer.Context, json: options.Json = False) -> None:
    """Show every option of every command: its value if no flag is given, and who says so.

    A flag wins over the environment, that over the project's deblur.toml, that over the user's.
    """
    configuration: Configuration = context.obj
    settings = tuple(_settings(configuration))
    if json:
        for place, setting in settings:
            report.write_line("setting", _fields(place, setting))
        return
    Table(
        "files, the first found wins",
        ("whose", "path", "state"),
        [
            (source, str(path), "is read" if path.is_file() else "does not exist")
            for source, path in reversed(configuration.files)
        ],
    ).show()
    Table(
        "options",
        ("key", "value", "from", ""),
        [
            (place.key, _text(setting.value), setting.source, setting.origin)
            for place, setting in settings
        ],
    ).show()


def tell_settings(context: typer.Context) -> Iterator[str]:
    """A line for each file and variable that decides on options of the command that runs."""
    configuration: Configuration = context.find_root().obj
    by_origin: dict[str, list[str]] = {}
    for place, setting in configuration.of(str(context.info_name)):
        by_origin.setdefault(setting.origin, []).append(place.flag)
    for origin, flags in by_origin.items():
        yield f"{origin} sets {', '.join(flags)}; flags win"


def _settings(configuration: Configuration) -> Iterator[tuple[Place, Setting]]:
    for place in configuration.places:
        default = Setting(place.default, Source.default, "")
        yield place, configuration.settings.get(place.key, default)


def _fields(place: Place, setting: Setting) -> dict[str, Any]:
    return {
        "key": place.key,
        "variable": place.variable,
        "value": setting.value,
        "source": setting.source,
        "origin": setting.origin or None,
    }


def _text(value: Value) -> str:
    """As a person would write it; empty for what is not set."""
    if isinstance(value, list):
        return shlex.join(value)
    return str(value).lower() if isinstance(value, bool) else str("" if value is None else value)
