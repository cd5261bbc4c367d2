"""Sequences whose elements are made when they are asked for, so that long ones need little room."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar, overload

Element = TypeVar("Element", covariant=True)
Other = TypeVar("Other")


class Lazy(Sequence[Element]):
    """What all of them have in common: they are as equal as their elements, and cut by slices."""

    @overload
    def __getitem__(self, place: int) -> Element: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Element]: ...

    def __getitem__(self, place: int | slice) -> Element | Sequence[Element]:
        """One element, or those of a slice."""
        if isinstance(place, slice):
            return Selected(self, range(len(self))[place])
        return self._at(range(len(self))[place])

    def __eq__(self, other: object) -> bool:
        """Whether the elements are equal."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def _at(self, place: int) -> Element:
        """The element at a place from 0 to below the length."""
        raise NotImplementedError


class Mapped(Lazy[Element], Generic[Other, Element]):
    """What a function makes of the elements of another sequence."""

    def __init__(self, origin: Sequence[Other], function: Callable[[Other], Element]) -> None:
        self._origin = origin
        self._function = function

    def __len__(self) -> int:
        """As the other one."""
        return len(self._origin)

    def __iter__(self) -> Iterator[Element]:
        """Each is made when its turn comes."""
        return map(self._function, self._origin)

    def _at(self, place: int) -> Element:
        return self._function(self._origin[place])


class Paired(Lazy[tuple[Element, Other]]):
    """The elements of two sequences of the same length, side by side."""

    def __init__(self, first: Sequence[Element], second: Sequence[Other]) -> None:
        self._both = first, second

    def __len__(self) -> int:
        """As each of them."""
        return len(self._both[0])

    def __iter__(self) -> Iterator[tuple[Element, Other]]:
        """Both are gone through once."""
        return zip(*self._both, strict=True)

    def _at(self, place: int) -> tuple[Element, Other]:
        first, second = self._both
        return first[place], second[place]


class Selected(Lazy[Element]):
    """The elements of another sequence at some places, which ascend."""

    def __init__(self, origin: Sequence[Element], places: Iterable[int]) -> None:
        self._origin = origin
        self._places = places if isinstance(places, range) else array("Q", places)

    def __len__(self) -> int:
        """How many places there are."""
        return len(self._places)

    def __iter__(self) -> Iterator[Element]:
        """The other sequence is gone through once."""
        upcoming = iter(self._places)
        wanted = next(upcoming, None)
        for place, element in enumerate(self._origin):
            if wanted is None:
                return
            if place == wanted:
                yield element
                wanted = next(upcoming, None)

    def _at(self, place: int) -> Element:
        return self._origin[self._places[place]]
