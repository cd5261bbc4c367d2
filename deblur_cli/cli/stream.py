"""`deblur run -`: one picture from stdin to stdout, as a batch of one in a folder of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deblur_cli.cli.report import standard_output
from deblur_cli.errors import UsageError
from deblur_cli.pipeline.events import DeviceLost, Failed, Told, Waiting

_INPUT, _OUTPUT = "standard input", "standard output"


@dataclass(frozen=True)
class Spool:
    """The folder where the picture from stdin lies for the time being, and its result."""

    folder: Path

    @property
    def source(self) -> Path:
        """The picture that was read."""
        return self.folder / "picture"

    @property
    def result(self) -> Path:
        """The picture to be written; there is none if it could not be restored."""
        return self.folder / "result"

    def send(self) -> None:
        """Write the result to stdout, if there is one; raises as `standard_output`."""
        if self.result.exists():
            with self.result.open("rb") as file, standard_output():
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()

    def renamed(self, event: Told) -> Told:
        """The event of streams, not of files that the user never sees."""
        if isinstance(event, Failed):
            text = str(event.error).replace(str(self.source), _INPUT)
            event.error.args = (text.replace(str(self.result), _OUTPUT),)
            return replace(event, source=Path(_INPUT))
        if isinstance(event, DeviceLost):
            return replace(event, source=Path(_INPUT))
        if isinstance(event, Waiting):
            return event
        return replace(event, source=Path(_INPUT), target=Path(_OUTPUT))


@contextmanager
def spooled() -> Iterator[Spool]:
    """Read stdin to its end into a file that lives as long as the block.

    Raises:
        UsageError: stdout is a terminal, which a picture would only upset.
    """
    if sys.stdout.isatty():
        raise UsageError(
            "the picture would be written to a terminal", remedy="redirect stdout to a file"
        )
    with TemporaryDirectory(prefix="deblur-") as folder:
        spool = Spool(Path(folder))
        with spool.source.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield spool


def refuse_with_stream(given: Mapping[str, object]) -> None:
    """Refuse options that make no sense for one picture from stdin to stdout.

    Args:
        given: the values of such options by their names; unset ones are false.

    Raises:
        UsageError: one of them is set.
    """
    for option, value in given.items():
        if value:
            raise UsageError(
                f"- means stdin to stdout, and does not go with {option}",
                remedy=f"leave out {option}, or name files",
            )
