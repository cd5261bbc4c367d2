"""Kernels for GPUs run in Triton's interpreter; it must be asked for before they are imported."""

from __future__ import annotations

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
