"""Values of options from `deblur.toml` and the environment, for every option of every command.

A flag wins over the environment, that over the project's file, that over the user's file, and that
over the default. The project's file is the `deblur.toml` in the working directory or its nearest
parent that has one; the user's lies in the platform's folder for settings.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast

import typer
from typer.core import TyperGroup, TyperOption

from deblur_cli.errors import UsageError

FILE_NAME = "deblur.toml"

Given: TypeAlias = str | bool | list[str]
Value: TypeAlias = Given | float | None


class Source(StrEnum):
    """Who says what an option is, from the last that is asked to the first."""

    default = "default"
    user = "user"
    project = "project"
    environment = "environment"


@dataclass(frozen=True)
class Place:
    """One option of one command.

    Args:
        command: its words, such as `("weights", "list")`.
        option: as Typer parses it.
    """

    command: tuple[str, ...]
    option: TyperOption

    @property
    def flag(self) -> str:
        """As on the command line, such as `--max-memory`."""
        return max(self.option.opts, key=len)

    @property
    def key(self) -> str:
        """Where it stands in a file, such as `run.max-memory`."""
        return ".".join((*self.command, self.flag.removeprefix("--")))

    @property
    def variable(self) -> str:
        """Its name in the environment, such as `DEBLUR_RUN_MAX_MEMORY`."""
        return _variable(self.key)

    @property
    def default(self) -> Value:
        """What it is if nobody says anything."""
        return cast(Value, self.option.default)


@dataclass(frozen=True)
class Setting:
    """A value for an option, and where it comes from.

    Args:
        value: as the command line would give it: text, several texts of a repeatable option, or
            whether a switch is on. A default may be a number or None, too.
        source: who says so.
        origin: the file or the environment variable; empty for a default.
    """

    value: Value
    source: Source
    origin: str


@dataclass(frozen=True)
class Configuration:
    """What files and environment say.

    Args:
        files: where files are looked for, whether or not there is one; a later one wins.
        places: every option there is.
        settings: by their places' keys, those that are set.
    """

    files: tuple[tuple[Source, Path], ...]
    places: tuple[Place, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def default_map(self) -> dict[str, Any]:
        """The values as Typer takes them: by command, then by parameter."""
        tree: dict[str, Any] = {}
        for place in self.places:
            if place.key in self.settings:
                branch = tree
                for word in place.command:
                    branch = branch.setdefault(word, {})
                branch[place.option.name] = self.settings[place.key].value
        return tree

    def of(self, *command: str) -> Iterator[tuple[Place, Setting]]:
        """What is set for one command."""
        for place in self.places:
            if place.command == command and place.key in self.settings:
                yield place, self.settings[place.key]


def read_configuration(context: typer.Context) -> Configuration:
    """Everything that is set for the commands below that of the context.

    Raises:
        UsageError: a file cannot be read, or it or the environment has an unknown key or a value
            that its option cannot take.
    """
    assert isinstance(context.command, TyperGroup)
    places = tuple(_places(context.command))
    files = [(Source.user, Path(typer.get_app_dir("deblur")) / FILE_NAME)]
    if (project := _project_file()) is not None:
        files.append((Source.project, project))
    reader = _Reader(context, {place.key: place for place in places})
    settings: dict[str, Setting] = {}
    for source, path in files:
        settings |= reader.file(source, path)
    return Configuration(tuple(files), places, settings | reader.environment(os.environ))


def _places(group: TyperGroup, above: tuple[str, ...] = ()) -> Iterator[Place]:
    for name, command in group.commands.items():
        words = (*above, name)
        if isinstance(command, TyperGroup):
            yield from _places(command, words)
        yield from (Place(words, each) for each in command.params if isinstance(each, TyperOption))


def _project_file() -> Path | None:
    try:
        here = Path.cwd()
        found = (folder / FILE_NAME for folder in (here, *here.parents))
        return next((path for path in found if path.is_file()), None)
    except OSError:  # a working directory that is gone or closed to us has no project
        return None


def _variable(key: str) -> str:
    return "DEBLUR_" + key.upper().replace(".", "_").replace("-", "_")


@dataclass(frozen=True)
class _Reader:
    """Reads settings and checks each as its option would."""

    context: typer.Context
    places: Mapping[str, Place]

    def file(self, source: Source, path: Path) -> dict[str, Setting]:
        """The settings of a file; none if it does not exist."""
        settings = {}
        for key, value in _leaves(_document(path)):
            if key not in self.places:
                raise _unknown(f"unknown key '{key}'", key, self.places, path=path)
            try:
                given = _as_given(self.places[key].option, value)
                self._check(self.places[key], given)
            except ValueError as problem:
                raise UsageError(f"{key}: {problem}", path=path) from None
            settings[key] = Setting(given, source, str(path))
        return settings

    def environment(self, variables: Mapping[str, str]) -> dict[str, Setting]:
        """The settings of the environment; empty variables count as not set."""
        known = {place.variable: key for key, place in self.places.items()}
        commands = tuple({_variable(".".join((*p.command, ""))) for p in self.places.values()})
        settings = {}
        for name, text in variables.items():
            if not name.startswith(commands) or not text:
                continue
            if name not in known:
                raise _unknown(f"unknown environment variable {name}", name, known)
            place = self.places[known[name]]
            try:
                given: Given = shlex.split(text) if place.option.multiple else text
                taken = self._check(place, given)
            except ValueError as problem:
                raise UsageError(f"environment variable {name}: {problem}") from None
            value = taken if place.option.is_flag else given
            settings[place.key] = Setting(value, Source.environment, name)
        return settings

    def _check(self, place: Place, given: Given) -> Any:
        """What its command gets; raises `ValueError`."""
        try:
            return place.option.process_value(self.context, given)
        except typer.BadParameter as problem:
            raise ValueError(problem.message) from None


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=path) from error
    except ValueError as error:
        raise UsageError(f"is not valid TOML: {error}", path=path) from error


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _as_given(option: TyperOption, value: object) -> Given:
    """A value of a file as the command line would give it; raises `ValueError`."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise ValueError("is a switch: true or false")
        return value
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) != option.multiple:
        raise ValueError("takes a list" if option.multiple else "takes one value")
    if any(isinstance(each, bool) or not isinstance(each, str | int | float) for each in values):
        raise ValueError("takes text or numbers")
    texts = [str(each) for each in values]
    return texts if option.multiple else texts[0]


def _unknown(
    problem: str, given: str, known: Mapping[str, object], path: Path | None = None
) -> UsageError:
    near = get_close_matches(given, known, n=1)
    remedy = f"did you mean '{near[0]}'?" if near else "`deblur config` lists them all"
    return UsageError(problem, path=path, remedy=remedy)
