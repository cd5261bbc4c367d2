"""What has to stand in the environment before anything is imported.

Kernels for GPUs run in Triton's interpreter. No test opens a connection to the outside, and none
takes weights that happen to be in the cache of whoever runs it: those that speak to a Hub of their
own, on this machine, say so.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TRITON_INTERPRET", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_CACHE"] = str(Path(__file__).parent / "no-cache-of-the-hub")
