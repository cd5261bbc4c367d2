"""Deblurring of photos and videos: the public Python interface, loaded only when used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

__all__ = ["Deblurrer", "__version__", "list_models"]

__version__: str


def list_models(task: str | None = None) -> list[str]:
    """Ids of the weights in the manifest, for one task or for all."""
    from deblur_cli.checkpoints.manifest import load_manifest

    return [entry.id for entry in load_manifest().entries if task in (None, entry.task)]


def __getattr__(name: str) -> Any:
    if name == "Deblurrer":
        from deblur_cli.inference.engine import Deblurrer

        return Deblurrer
    if name == "__version__":
        from importlib.metadata import version

        return version("deblur-cli")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
