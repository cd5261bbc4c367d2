"""Arrays by name from a TensorFlow.js model: `model.json` and the shards beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deblur_cli.errors import WeightsError

DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1"}


def read_tfjs(model: Path) -> dict[str, NDArray[Any]]:
    """Read the constants of a model.

    Args:
        model: `model.json`. Its `weightsManifest` is a list of groups; a group's shards, put
            together, hold its weights one after the other, little-endian, in C order.

    Returns:
        Arrays of float32, int32 or bool, by the names in the file.

    Raises:
        WeightsError: a file is missing or damaged, or the weights are quantised or of other types.
    """
    try:
        groups = json.loads(model.read_bytes())["weightsManifest"]
        return {name: array for group in groups for name, array in _group(group, model.parent)}
    except OSError as error:
        raise WeightsError(
            f"cannot be read: {error.strerror}", path=error.filename or model, remedy=_AGAIN
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"is no TensorFlow.js model that is understood here: {error}",
            path=model,
            remedy=_AGAIN,
        ) from error


def _group(group: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    if any(Path(name).name != name for name in group["paths"]):
        raise ValueError("its shards lie elsewhere than beside it")
    content = b"".join((folder / name).read_bytes() for name in group["paths"])
    start = 0
    for weight in group["weights"]:
        name, shape = weight["name"], weight["shape"]
        if "quantization" in weight or weight["dtype"] not in DTYPES:
            raise ValueError(f"'{name}' is quantised, or neither of {', '.join(DTYPES)}")
        dtype, count = np.dtype(DTYPES[weight["dtype"]]), math.prod(shape)
        yield name, np.frombuffer(content, dtype, count, start).reshape(shape)
        start += count * dtype.itemsize
    if start != len(content):
        raise ValueError(f"the shards hold {len(content)} bytes, the weights {start}")


_AGAIN = "fetch it again"
