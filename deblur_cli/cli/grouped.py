"""Options in groups: dataclasses whose fields are options, each one a section of the help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import OptionInfo

Ended = TypeVar("Ended")


class GroupedCommand(TyperCommand):
    """A command whose help lists parameters under their `rich_help_panel`, in plain text."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write every section, in the order of the first parameter of each."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            rest = "Arguments" if parameter.param_type_name == "argument" else "Options"
            heading = getattr(parameter, "rich_help_panel", None) or rest
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def grouped(command: Callable[..., Ended]) -> Callable[..., Ended]:
    """Let a command take groups of options, which Typer then sees as options of its own.

    A group is a frozen dataclass: its fields are `Annotated` with their `typer.Option` and have
    defaults, and `heading` names its section. A field's name must be its own among all groups.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for given in inspect.signature(command).parameters.values():
        if given.name in groups:
            parameters += _options_of(groups[given.name])
        else:
            alone = given.replace(annotation=hints[given.name], kind=given.KEYWORD_ONLY)
            parameters.append(alone)

    @wraps(command)
    def flat(**values: Any) -> Ended:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **made)

    flat.__annotations__ = {each.name: each.annotation for each in parameters}
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _options_of(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        assert isinstance(option, OptionInfo)
        option = copy(option)
        option.rich_help_panel = group.heading
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, option],
        )
