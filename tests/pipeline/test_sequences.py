from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.pipeline.sequences import Mapped, Paired, Selected

elements = st.lists(st.integers(), max_size=12)
bounds = st.none() | st.integers(-15, 15)


@settings(deadline=None)
@given(given=elements, start=bounds, stop=bounds, data=st.data())
def test_they_are_what_lists_would_be(
    given: list[int], start: int | None, stop: int | None, data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.sampled_from(range(len(given))))) if given else set()
    doubled = [2 * each for each in given]
    for lazy, plain in (
        (Mapped(given, lambda each: 2 * each), doubled),
        (Paired(given, doubled), list(zip(given, doubled, strict=True))),
        (Selected(given, sorted(places)), [given[place] for place in sorted(places)]),
    ):
        assert lazy == plain
        assert len(lazy) == len(plain)
        assert [lazy[place] for place in range(len(plain))] == plain
        assert lazy[start:stop] == plain[start:stop]
        assert list(reversed(lazy)) == plain[::-1]


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []
    lazy = Selected(Mapped(range(10), lambda each: made.append(each) or each), range(3, 6))
    assert (len(lazy), made) == (3, [])
    assert lazy[1] == 4
    assert made == [4]
