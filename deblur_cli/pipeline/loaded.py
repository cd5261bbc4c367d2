"""What is told of a network that is loaded, in this process or in others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt

    from deblur_cli.inference.engine import Restoration


class Described(Protocol):
    """What is told of every network."""

    @property
    def settings(self) -> Mapping[str, str | int | float]:
        """Everything that decides the pixels."""

    @property
    def summary(self) -> str:
        """One line for the log."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""


class LoadedNetwork(Described, Protocol):
    """A `Deblurrer`, or a worker on a cluster that has one."""

    @property
    def source(self) -> str:
        """Where the weights come from."""


class FrameNetwork(Described, Protocol):
    """A `Deblurrer`, or several, here or on a cluster, that are used as one."""

    def stream(
        self, images: Iterable[npt.NDArray[Any]], strength: float = 1.0
    ) -> Iterator[Restoration]:
        """Restore one picture after the other, as `Deblurrer.stream`."""
