"""In which formats results are written, and which endings their names have."""

from __future__ import annotations

from pathlib import Path

from deblur_cli.errors import UsageError
from deblur_cli.imaging.convert import check_depth, check_library, format_of
from deblur_cli.imaging.formats.table import FORMATS, target_suffix


def written_format(suffix: str, depth: str | None) -> str:
    """Name of the format that an ending asks for.

    Raises:
        UsageError: it cannot be written, or not with this depth.
        MissingExtraError: the library that writes it is not installed.
    """
    try:
        name = format_of(suffix)
        if depth is not None:
            check_depth(name, depth)
    except ValueError as error:
        raise UsageError(f"--format {suffix}: {error}") from error
    check_library(name)
    return name


def ending(source: Path, wanted: str | None) -> str:
    """Ending of the name of a picture's result, in the format that is wanted or the input's."""
    if wanted is None:
        return target_suffix(source)
    suffixes = FORMATS[wanted].suffixes
    return source.suffix if source.suffix.lower() in suffixes else suffixes[0]


def same_format(one: str, other: str) -> bool:
    """Whether two endings stand for the same format."""
    both = {one.lower(), other.lower()}
    return len(both) == 1 or any(both <= set(known.suffixes) for known in FORMATS.values())
