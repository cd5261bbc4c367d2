"""Tables of TOML as validated dataclasses, and back."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from deblur_cli.errors import UsageError

T = TypeVar("T")

_KINDS: Mapping[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}


def require(holds: bool, key: str, wish: str, value: object) -> None:
    """Raise `UsageError` unless a value is possible; says what it must be and what it is."""
    if not holds:
        raise UsageError(f"{key} must be {wish}, not {_shown(value)}")


def read_table(kind: type[T], table: Mapping[str, Any], path: str = "") -> T:
    """Make a dataclass of a table; tables within it become the dataclasses of its fields.

    Args:
        kind: the dataclass; its annotations say of which kind each value must be.
        table: values by field.
        path: of the table, with a dot at its end; it names the key in errors.

    Raises:
        UsageError: a key is unknown or missing, or a value impossible.
    """
    known = fields(kind)  # type: ignore[arg-type]
    if unknown := sorted(table.keys() - {field.name for field in known}):
        raise UsageError(
            f"unknown key {path}{unknown[0]}",
            remedy=f"known: {', '.join(path + field.name for field in known)}",
        )
    for field in known:
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if field.name not in table and not optional:
            raise UsageError(f"the key {path}{field.name} is missing")
    hints = get_type_hints(kind)
    values = {key: _read(hints[key], value, path + key) for key, value in table.items()}
    try:
        return kind(**values)
    except UsageError as error:
        of_field = error.problem.startswith(tuple(field.name for field in known))
        where = path if of_field or not path else f"{path.rstrip('.')}: "
        raise UsageError(where + error.problem, remedy=error.remedy) from error


def _read(hint: Any, value: Any, key: str) -> Any:
    """A value as its annotation wants it; a number may stand in for a real number."""
    origin, choices = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if is_dataclass(hint):
        require(isinstance(value, Mapping), key, "a table", value)
        return read_table(hint, value, f"{key}.")  # type: ignore[arg-type]
    if origin is Literal:
        require(value in choices, key, f"one of {', '.join(choices)}", value)
        return value
    if origin in (Union, UnionType):
        return _read_either(choices, value, key)
    if origin is tuple:
        return _read_list(choices, value, key)
    if origin is Mapping:
        require(isinstance(value, Mapping), key, "a table", value)
        return {name: _read(choices[1], entry, f"{key}.{name}") for name, entry in value.items()}
    types, wish = _KINDS[hint]
    is_kind = isinstance(value, types) and (hint is bool or not isinstance(value, bool))
    require(is_kind, key, wish, value)
    return value


def _read_either(hints: Sequence[Any], value: Any, key: str) -> Any:
    """A value of the first of several kinds that it can be of."""
    problem: UsageError | None = None
    for hint in (hint for hint in hints if hint is not NoneType):
        if get_origin(hint) is tuple and not isinstance(value, list):
            continue
        try:
            return _read(hint, value, key)
        except UsageError as error:
            problem = error
    raise problem or UsageError(f"{key} cannot be {_shown(value)}")


def _read_list(hints: Sequence[Any], value: Any, key: str) -> tuple[Any, ...]:
    require(isinstance(value, list | tuple), key, "a list", value)
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    require(len(value) == len(hints), key, f"a list of {len(hints)}", value)
    return tuple(
        _read(hint, entry, f"{key}[{number}]")
        for number, (hint, entry) in enumerate(zip(hints, value, strict=True))
    )


def set_key(table: dict[str, Any], assignment: str) -> None:
    """Follow `key.of.a.table=value` in a table of tables; the value is TOML or a bare text.

    Raises:
        UsageError: there is no `=` in it, or the key leads through something that is no table.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise UsageError(
            f"'{assignment}' sets nothing", remedy="give KEY=VALUE, such as optimiser.batch=8"
        )
    *parents, key = path.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path.strip()} leads through {parent}, which is no table")
    try:
        table[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = text.strip()


def toml_lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A table in lines of TOML: its values, its tables, its lists of tables; None is left out."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lists = {key: value for key, value in table.items() if _is_list_of_tables(value)}
    for key, value in table.items():
        if key not in tables and key not in lists and value is not None:
            yield f"{_key(key)} = {_shown(value)}"
    for key, value in tables.items():
        yield f"\n[{path}{_key(key)}]"
        yield from toml_lines(value, f"{path}{_key(key)}.")
    for key, entries in lists.items():
        for entry in entries:
            yield f"\n[[{path}{_key(key)}]]"
            yield from toml_lines(entry, f"{path}{_key(key)}.")


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else json.dumps(key)


def _shown(value: object) -> str:
    """A value in TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(entry) for entry in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)
