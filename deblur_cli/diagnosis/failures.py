"""How a failure is told in one line."""

from __future__ import annotations

from deblur_cli.errors import DeblurError


def described(error: BaseException) -> str:
    """The first line of the message, after the kind of error unless it is one of ours."""
    lines = str(error).strip().splitlines()[:1]
    kind = [] if isinstance(error, DeblurError) else [type(error).__name__]
    return ": ".join(kind + lines)
