"""Tables of TOML become checked dataclasses, and every table comes back as it was written."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.training.tables import read_table, require, set_key, toml_lines


@dataclass(frozen=True)
class Wheel:
    size: int
    tyre: Literal["road", "mud"] = "road"

    def __post_init__(self) -> None:
        require(self.size > 0, "size", "above 0", self.size)


@dataclass(frozen=True)
class Car:
    front: Wheel
    name: str = ""
    seats: int | None = None
    electric: bool = False
    price: float = 1.0
    span: float | tuple[float, float] = 0.0
    spare: tuple[Wheel, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)


def test_values_become_those_of_the_dataclasses() -> None:
    table = {
        "front": {"size": 3, "tyre": "mud"},
        "seats": 4,
        "price": 2,
        "span": [1, 2.5],
        "spare": [{"size": 1}, {"size": 2}],
        "extras": {"radio": [1, "a"]},
    }
    assert read_table(Car, table) == Car(
        front=Wheel(3, "mud"),
        seats=4,
        price=2,
        span=(1, 2.5),
        spare=(Wheel(1), Wheel(2)),
        extras={"radio": [1, "a"]},
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "the key car.front is missing"),
        ({"front": 3}, "car.front must be a table, not 3"),
        ({"front": {"size": 1, "rim": 2}}, "unknown key car.front.rim"),
        ({"front": {"size": 0}}, "car.front.size must be above 0, not 0"),
        ({"front": {"size": 1.5}}, "car.front.size must be a whole number, not 1.5"),
        ({"front": {"size": True}}, "car.front.size must be a whole number, not true"),
        ({"front": {"size": 1, "tyre": "snow"}}, 'car.front.tyre must be one of road, mud, not "s'),
        ({"front": {"size": 1}, "price": "x"}, 'car.price must be a number, not "x"'),
        ({"front": {"size": 1}, "price": False}, "car.price must be a number, not false"),
        ({"front": {"size": 1}, "name": 1}, "car.name must be a text, not 1"),
        ({"front": {"size": 1}, "electric": 1}, "car.electric must be true or false, not 1"),
        ({"front": {"size": 1}, "seats": "x"}, "car.seats must be a whole number"),
        ({"front": {"size": 1}, "span": [1]}, r"car.span must be a list of 2, not \[1\]"),
        ({"front": {"size": 1}, "span": "x"}, "car.span must be a number"),
        ({"front": {"size": 1}, "spare": 1}, "car.spare must be a list, not 1"),
        ({"front": {"size": 1}, "spare": [{"size": -1}]}, r"car.spare\[0\].size must be above 0"),
        ({"front": {"size": 1}, "extras": []}, r"car.extras must be a table, not \[\]"),
    ],
)
def test_impossible_values_are_named_by_their_key(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_table(Car, table, "car.")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("a.b=3", 3),
        ("a.b = 1e-3", 1e-3),
        ("a.b=inf", math.inf),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b={c = 1}", {"c": 1}),
        ('a.b="x=y"', "x=y"),
        ("a.b=plain words", "plain words"),
        ("a.b=", ""),
    ],
)
def test_keys_are_set_to_toml_or_to_bare_text(assignment: str, value: object) -> None:
    table: dict[str, Any] = {"a": {"kept": 1}}
    set_key(table, assignment)
    assert table == {"a": {"kept": 1, "b": value}}


@pytest.mark.parametrize(
    ("assignment", "problem"), [("a", "KEY=VALUE"), ("=3", "KEY=VALUE"), ("a.kept.b=1", "kept")]
)
def test_assignments_that_lead_nowhere_are_refused(assignment: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        set_key({"a": {"kept": 1}}, assignment)


KEYS = st.text('ab_-1 .ä"', min_size=1, max_size=4)
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=5)
VALUES = st.booleans() | NUMBERS | TEXTS | st.lists(NUMBERS, max_size=3)
TABLES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3),
    lambda inner: st.dictionaries(
        KEYS, VALUES | inner | st.lists(inner, min_size=1, max_size=2), max_size=3
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(TABLES)
def test_what_is_written_is_read_back(table: dict[str, Any]) -> None:
    assert tomllib.loads("\n".join(toml_lines(table))) == table


def test_what_is_none_is_left_out() -> None:
    assert list(toml_lines({"a": None, "b": 1})) == ["b = 1"]
