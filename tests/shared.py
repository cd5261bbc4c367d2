"""Where tests find numerical truth and real photos that are too large for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("DEBLUR_SHARED", Path(__file__).parents[2] / "shared"))

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"needs the shared fixtures and photos, absent here ({SHARED})"
)


def shared_file(*parts: str) -> Path:
    """Path of one shared file or folder; skips the test, saying so, where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {path}, absent here")
    return path
