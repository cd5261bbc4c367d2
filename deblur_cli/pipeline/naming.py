"""Names of results by a template."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from pathlib import Path, PurePath

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.paths import LEDGER_FOLDER

FIELDS: Mapping[str, str] = {
    "stem": "the input's name without its ending",
    "ext": "the ending of the result's format, with its dot",
    "model": "the id of the weights",
    "task": "what blurred the picture",
}
_UNSAFE = re.compile(r"[^\w.-]+")


class Template:
    """A result's name, with fields in braces; a `/` puts it into a folder of its own.

    Args:
        text: the template, such as `{stem}_{model}{ext}`.
        fields: what `model` and `task` stand for.

    Raises:
        UsageError: an unknown field, or names outside of the output folder.
    """

    def __init__(self, text: str, **fields: str) -> None:
        self.text = text
        self._fields = {name: _UNSAFE.sub("-", value) for name, value in fields.items()}
        _check_fields(text)
        _check_place(text)

    def name(self, source: Path, suffix: str) -> Path:
        """The result's path, relative to where its folder is mirrored; raises `UsageError`."""
        text = self.text.format_map({**self._fields, "stem": source.stem, "ext": suffix})
        _check_place(text)
        return Path(text)


def _check_fields(text: str) -> None:
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise _wrong(text, str(error)) from error
    for _, name, style, conversion in pieces:
        if name is not None and name not in FIELDS:
            raise _wrong(text, f"has no field {{{name}}}")
        if style or conversion:
            raise _wrong(text, f"wants {{{name}}} in a style of its own")


def _check_place(text: str) -> None:
    path = PurePath(text)
    if path.is_absolute() or path.drive or {"..", LEDGER_FOLDER} & set(path.parts):
        raise _wrong(text, "leads out of the output folder")
    if not path.name or text.endswith("/"):
        raise _wrong(text, "names no file")


def _wrong(text: str, problem: str) -> UsageError:
    known = ", ".join(f"{{{name}}}" for name in FIELDS)
    return UsageError(
        f"the template '{text}' of --name {problem}", remedy=f"the fields are {known}"
    )
