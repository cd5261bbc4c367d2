from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.pipeline.discovery.filter import Filter, fits

PATHS = ("a.jpg", "b.png", "town/a.jpg", "town/old/c.jpg", "drafts/d.jpg", "x/drafts/e.png")


def _taken(**options: tuple[str, ...]) -> list[str]:
    return [path for path in PATHS if Filter(**options).takes(Path(path))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["b.png", "x/drafts/e.png"]),
        ("drafts", ["drafts/d.jpg", "x/drafts/e.png"]),
        ("drafts/", ["drafts/d.jpg", "x/drafts/e.png"]),
        ("town/*", ["town/a.jpg", "town/old/c.jpg"]),
        ("town/*.jpg", ["town/a.jpg"]),
        ("town/**/c.jpg", ["town/old/c.jpg"]),
        ("**/a.jpg", ["a.jpg", "town/a.jpg"]),
        ("old/*", []),
        ("*.JPG", []),
    ],
)
def test_pattern_includes_and_excludes_the_same(pattern: str, found: list[str]) -> None:
    assert _taken(include=(pattern,)) == found
    assert _taken(exclude=(pattern,)) == [path for path in PATHS if path not in found]


def test_one_of_several_includes_is_enough_and_exclusion_is_stronger() -> None:
    assert _taken(include=("*.png", "town"), exclude=("old",)) == [
        *("b.png", "town/a.jpg", "x/drafts/e.png")
    ]


def test_without_patterns_all_is_taken() -> None:
    assert _taken() == list(PATHS)


def test_pattern_is_compared_name_by_name() -> None:
    assert not fits(("a", "b.jpg"), ("*.jpg",))
    assert fits(("a", "b.jpg"), ("**", "*.jpg"))
    assert fits((), ("**",))
