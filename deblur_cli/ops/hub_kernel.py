"""The kernels of mamba-ssm as the Hugging Face Hub has them, built for many versions of torch.

They are code that runs here, so nothing fetches them unasked: they are used once they are in the
Hub's cache, and no connection is opened. `FETCH` puts them there.
"""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

REPOSITORY = "kernels-community/mamba-ssm"
VERSION = 1
FETCH = f'python -c "import kernels; kernels.install_kernel({REPOSITORY!r}, version={VERSION})"'
"""Command that fetches the kernels into the cache; needs the package `kernels`."""

_CACHE_PREFIXES = ("kernels", "models")
"""What the Hub's cache puts before a kernel's repository, now and formerly."""


def is_cached() -> bool:
    """Whether the kernels can be loaded: fetched, and with the package that loads them."""
    if find_spec("kernels") is None:
        return False
    from huggingface_hub import constants

    cache = Path(os.environ.get("KERNELS_CACHE") or constants.HF_HUB_CACHE)
    name = REPOSITORY.replace("/", "--")
    references = (
        cache / f"{prefix}--{name}" / "refs" / f"v{VERSION}" for prefix in _CACHE_PREFIXES
    )
    return any(reference.is_file() for reference in references)


def load() -> ModuleType:
    """The kernels' module, from the cache; whatever `kernels` raises if there is none that fits."""
    kernels = importlib.import_module("kernels")
    variant = kernels.install_kernel(REPOSITORY, version=VERSION, local_files_only=True)
    module: ModuleType = kernels.get_local_kernel(variant)
    return module
