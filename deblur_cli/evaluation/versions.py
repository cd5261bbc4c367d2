"""The versions that figures depend on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("deblur-cli", "torch", "numpy", "opencv-python-headless", "pillow", "lpips")


def versions() -> dict[str, str]:
    """The version of every package that restores or measures, and is installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
