"""How a network is best run, as its weights advise: by the manifest, or by the file itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Advice = Mapping[str, int | bool]
"""`tile` and `overlap` in pixels, `pooling` (side of the training patches; 0 pools globally),
`match_mean` (every tile keeps its input's mean colour); what is not advised is left out."""
DEFAULT_OVERLAP = 32
"""Pixels that tiles share where neither the weights nor their user say."""

_KINDS: Mapping[str, type[int]] = {"tile": int, "overlap": int, "pooling": int, "match_mean": bool}
_NAMES = {int: "whole number", bool: "true or false"}


def checked_advice(table: Mapping[str, Any]) -> Advice:
    """The table, if it is an advice.

    Raises:
        ValueError: a name that is unknown, or a value of another kind or below zero.
    """
    for name, value in table.items():
        if name not in _KINDS:
            raise ValueError(f"has an unknown field {name}")
        if type(value) is not _KINDS[name]:
            raise ValueError(f"{name} is no {_NAMES[_KINDS[name]]}")
        if value < 0:
            raise ValueError(f"{name} is negative")
    return dict(table)
