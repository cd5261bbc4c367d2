"""What `--json` writes, held against the JSON Schema in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator

from deblur_cli.cli import report

SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text("utf-8"))
Draft202012Validator.check_schema(SCHEMA)


def events_of(command: str) -> dict[str, dict[str, Any]]:
    """The schemas of a command's events, by their names."""
    kinds = SCHEMA["$defs"][command]["anyOf"]
    return {kind["properties"]["event"]["const"]: kind for kind in kinds}


def checked_lines(output: str, command: str = "run") -> list[dict[str, Any]]:
    """The lines of a command, each of an event of the schema and with no other fields."""
    lines = [json.loads(line, parse_constant=_refuse) for line in output.splitlines()]
    for line in lines:
        kind = events_of(command)[line["event"]]
        Draft202012Validator(kind | {"additionalProperties": False}).validate(line)
    return lines


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
