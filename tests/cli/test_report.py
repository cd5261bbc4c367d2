"""The schema of `--json`, and its documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.cli import report
from deblur_cli.errors import ImageReadError
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Failed,
    LeftSharp,
    Planned,
    Restored,
    Told,
    Waiting,
)
from tests.cli.conftest import Command
from tests.cli.json_lines import SCHEMA, checked_lines, events_of
from tests.pipeline.fakes import save_picture

DOCUMENT = (Path(__file__).parents[2] / "docs/json.md").read_text("utf-8")
COMMANDS = sorted(SCHEMA["$defs"])
A, B = Path("a.jpg"), Path("b.jpg")
EVENTS: list[Told] = [
    Restored(A, B, 4, 5, "cpu", 0.1, 64, 1, 0, 1, ("one tile was left as it was",)),
    LeftSharp(A, B, 0.7),
    AlreadyDone(A, B),
    Failed(A, ImageReadError("is damaged", path=A, remedy="replace it")),
    DeviceLost("cuda:0", A, "gone"),
    Waiting(3),
    Planned(A, B, "replace", 1000),
]


def _type_of(field: dict[str, Any]) -> str:
    """A field's type in the words of the document."""
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    kinds = field.get("type", "anything")
    first, *null = [kinds] if isinstance(kinds, str) else kinds
    words = {"string": "text", "boolean": "true or false", "array": "text"}
    word = words.get(first, first)
    if first == "array":
        word = {"string": "texts", "number": "numbers"}[field["items"]["type"]]
    return " or ".join([word, *null])


def _documented(command: str) -> dict[str, dict[str, str]]:
    """Events, their fields and the fields' types in the document's part on a command."""
    heading = "The status file" if command == "status-file" else f"`deblur {command}`"
    part = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    events = re.split(r"^### `(.+)`$", part, flags=re.MULTILINE)[1:]
    rows = (re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE) for table in events[1::2])
    return dict(zip(events[::2], map(dict, rows), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_document_has_every_field_of_every_event(command: str) -> None:
    expected = {}
    for name, kind in events_of(command).items():
        types = {field: _type_of(value) for field, value in kind["properties"].items()}
        for field in types.keys() - set(kind["required"]):
            types[field] += ", not always"
        expected[name] = {
            field: text for field, text in types.items() if field not in ("schema", "event")
        }
    assert _documented(command) == expected


def test_document_has_no_other_commands() -> None:
    assert len(re.findall(r"^## ", DOCUMENT, re.MULTILINE)) == len(COMMANDS)


def test_version_is_that_of_the_schema() -> None:
    for command in COMMANDS:
        for kind in events_of(command).values():
            assert kind["properties"]["schema"] == {"const": report.SCHEMA}
            assert {"schema", "event"} <= set(kind["required"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_fits_the_schema(event: Told, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_event(event)
    (line,) = checked_lines(capsys.readouterr().out)
    assert line.get("source", "a.jpg") == "a.jpg"


def test_real_runs_write_what_the_schema_says(fake_deblur: Command, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_picture(tmp_path / "photos" / name)
    (tmp_path / "photos/bad.png").write_text("no picture")
    runs = (
        ["--dry-run"],
        ["--limit", "1"],
        ["--skip-sharp", "0", "--overwrite"],
        ["--skip-sharp", "0", "--device", "broken:0,cuda:1", "-o", "elsewhere"],
    )
    seen: set[str] = set()
    for options in runs:
        lines = checked_lines(fake_deblur("run", "photos", "--json", *options).stdout)
        assert lines[0]["event"] == "start"
        seen |= {line["event"] for line in lines}
    assert seen >= {"start", "planned", "restored", "left-sharp", "failed", "summary"}


def test_lines_are_whole_and_ascii(fake_deblur: Command, tmp_path: Path) -> None:
    save_picture(tmp_path / "größe\n写真.png")
    output = fake_deblur("run", "größe\n写真.png", "--json").stdout
    assert output.isascii()
    (restored,) = [line for line in checked_lines(output) if line["event"] == "restored"]
    assert restored["source"] == "größe\n写真.png"


def test_schema_refuses_what_is_wrong() -> None:
    line = json.dumps({"schema": 1, "event": "waiting", "pictures": "many"})
    with pytest.raises(Exception, match="is not of type 'integer'"):
        checked_lines(line)
