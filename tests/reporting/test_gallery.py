from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.reporting.gallery import Exhibit, Gallery
from deblur_cli.reporting.views import Pair, Scores, View

VIEW = View(Pair(b"", b"", 1, 1, (0, 0, 1, 1)), ())


def _exhibit(number: int, change: float) -> Exhibit:
    return Exhibit(Path(f"{number}.png"), Path("out"), Scores(0, 0, change), VIEW)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75])), st.integers(1, 5))
def test_keeps_those_that_changed_most_and_the_earlier_of_equals(
    changes: list[float], places: int
) -> None:
    gallery = Gallery(places)
    for number, change in enumerate(changes):
        exhibit = _exhibit(number, change)
        would_take = gallery.would_take(exhibit.scores)
        gallery.offer(exhibit)
        assert would_take == (exhibit in list(gallery))
        assert len(gallery) <= places
    best = sorted(range(len(changes)), key=lambda number: (-changes[number], number))
    assert [int(each.source.stem) for each in gallery] == best[:places]
