"""The one family of errors: a stable code, an exit code, what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class DeblurError(Exception):
    """Base of every error a user can cause or must know of.

    Args:
        problem: what is wrong, in one sentence without the file's name.
        path: the file or folder concerned, if there is one.
        remedy: what the user can do about it.
    """

    code: str = "failed"
    exit_code: int = 1

    def __init__(self, problem: str, *, path: str | Path | None = None, remedy: str = "") -> None:
        self.problem = problem
        self.path = Path(path) if isinstance(path, str) else path
        self.remedy = remedy
        where = f"{self.path}: " if self.path is not None else ""
        hint = f" ({remedy})" if remedy else ""
        super().__init__(f"{where}{problem}{hint}")


class ImageReadError(DeblurError):
    """An input cannot be read as an image; the other inputs go on."""

    code = "unreadable"


class ImageWriteError(DeblurError):
    """A result cannot be written; the other inputs go on."""

    code = "unwritable"


class VideoReadError(DeblurError):
    """An input cannot be read as a video, or not as one that can be restored faithfully."""

    code = "unreadable"
    exit_code = 3


class VideoWriteError(DeblurError):
    """A video cannot be written."""

    code = "unwritable"


class RestoreError(DeblurError):
    """The network could not restore an image; the other inputs go on."""

    code = "not-restored"


class IncomparableError(DeblurError):
    """Two images cannot be compared: sizes or dtypes differ, or they are too small."""

    code = "incomparable"


class UsageError(DeblurError):
    """Options or configuration that make no sense."""

    code = "usage"
    exit_code = 2


class MissingExtraError(DeblurError):
    """An optional dependency is needed and not installed."""

    code = "missing-extra"
    exit_code = 2

    def __init__(self, purpose: str, extra: str) -> None:
        self._asked = purpose, extra
        super().__init__(
            f"{purpose} needs the optional extra '{extra}'",
            remedy=f"pip install 'deblur-cli[{extra}]'",
        )

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """How it is pickled, for errors that come from other processes."""
        return type(self), self._asked


class NothingToDoError(DeblurError):
    """There is no readable input at all."""

    code = "nothing-to-do"
    exit_code = 3


class WeightsError(DeblurError):
    """Weights are missing, damaged, or not of a known network."""

    code = "weights"
    exit_code = 3


class DataError(DeblurError):
    """A data set cannot be fetched, or what is there of it is not whole."""

    code = "data"
    exit_code = 3


class DeviceError(DeblurError):
    """The device or back end that was asked for does not exist here."""

    code = "device"
    exit_code = 3
