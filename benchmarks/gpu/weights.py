"""The bundled weights, read without the library for their format."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import Entry, load_manifest
from deblur_cli.errors import WeightsError
from deblur_cli.models import RestorationModel, create_model

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def bundled_model(task: str) -> tuple[RestorationModel, Entry]:
    """The network that ships for a task, in evaluation mode, and its place in the manifest.

    Raises:
        WeightsError: the file is not the one in the manifest.
    """
    manifest = load_manifest()
    entry = manifest.defaults(task)[-1]
    path = manifest.folder / str(entry.file)
    if file_sha256(path) != entry.sha256:
        raise WeightsError("has another checksum than the manifest says", path=path)
    model = create_model(entry.architecture, **entry.config)
    model.network.load_state_dict(parse_safetensors(bytearray(path.read_bytes())))
    return model.eval(), entry


def parse_safetensors(content: bytearray) -> dict[str, Tensor]:
    """Tensors by name: the header's length in 8 bytes, the header as JSON, then raw values."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, field in header.items():
        first, last = field["data_offsets"]
        values = torch.frombuffer(
            content[start + first : start + last], dtype=_DTYPES[field["dtype"]]
        )
        tensors[name] = values.reshape(field["shape"])
    return tensors
