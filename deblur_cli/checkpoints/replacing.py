"""A file appears under its name only when it is complete."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deblur_cli.errors import WeightsError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path in the same folder, with the same suffix, that takes the name `path` at the end.

    Whatever is raised within the block, what was at `path` before is left as it is.

    Raises:
        WeightsError: the file cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(
            f"cannot be written: {error.strerror}",
            path=path,
            remedy="see that its folder exists and the disk has room",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
