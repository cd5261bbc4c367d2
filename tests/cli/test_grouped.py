from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import typer
from typer.testing import CliRunner

from deblur_cli.cli.grouped import GroupedCommand, grouped


@dataclass(frozen=True)
class Fruit:
    """What is eaten."""

    heading: ClassVar[str] = "Fruit"

    kind: Annotated[str, typer.Option(help="Which.")] = "apple"
    part: Annotated[list[str], typer.Option(help="Of it.")] = field(default_factory=list)


@dataclass(frozen=True)
class Manner:
    """How it is eaten."""

    heading: ClassVar[str] = "Manner"

    slowly: Annotated[bool, typer.Option("--slowly", help="Take time.")] = False


@grouped
def _eat(fruit: Fruit, manner: Manner, times: Annotated[int, typer.Argument()] = 1) -> None:
    """Eat."""
    typer.echo(f"{fruit} {manner} {times}")


def _run(*arguments: str) -> str:
    app = typer.Typer(rich_markup_mode=None)
    app.command(cls=GroupedCommand)(_eat)
    return CliRunner().invoke(app, arguments).output


def test_groups_are_filled_from_options_and_defaults() -> None:
    assert _run() == f"{Fruit()} {Manner()} 1\n"
    eaten = f"{Fruit('pear', ['skin', 'core'])} {Manner(True)} 3\n"
    assert _run("3", "--kind", "pear", "--part", "skin", "--part", "core", "--slowly") == eaten


def test_lists_are_not_shared_between_calls() -> None:
    _run("--part", "skin")
    assert _run() == f"{Fruit()} {Manner()} 1\n"


def test_help_has_a_section_for_each_group() -> None:
    sections = _run("--help").split("\n\n")
    assert [section.split(":")[0] for section in sections if "  --" in section] == [
        *("Fruit", "Manner", "Options")
    ]
    (fruit,) = [section for section in sections if section.startswith("Fruit:")]
    assert "--kind" in fruit
    assert "[default: apple]" in fruit
    assert "--slowly" not in fruit
