"""Writes files as TensorFlow and TensorFlow.js do, following their formats and none of our code."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "bool": 10, "float16": 19}
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def masked(data: bytes) -> int:
    """CRC-32C bit by bit, masked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value % 0x80 + 0x80)
        value //= 0x80
    return bytes((*digits, value))


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def block(entries: Sequence[tuple[bytes, bytes]], every: int = 16) -> bytes:
    """Entries with shared beginnings left out, but for one in `every`, whose places are listed."""
    content, restarts, before = b"", [], b""
    for position, (key, value) in enumerate(entries):
        shared = 0
        if position % every == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(before), len(key)) and before[shared] == key[shared]:
                shared += 1
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        before = key
    return content + b"".join(struct.pack("<I", one) for one in (*restarts, len(restarts)))


def table(entries: Mapping[bytes, bytes], per_block: int = 20, compression: int = 0) -> bytes:
    """A sorted string table of several blocks."""
    rows = sorted(entries.items())
    written, index = b"", []

    def add(content: bytes) -> bytes:
        nonlocal written
        handle = varint(len(written)) + varint(len(content))
        content += bytes([compression])
        written += content + struct.pack("<I", masked(content))
        return handle

    for start in range(0, len(rows), per_block):
        part = rows[start : start + per_block]
        index.append((part[-1][0] + b"\0", add(block(part))))
    footer = add(block([])) + add(block(index, every=1))
    return written + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_variables(
    folder: Path, arrays: Arrays, shards: int = 1, names: Mapping[str, str] | None = None
) -> Path:
    """`variables.index` and its shards; `names` are the program's, if not those of the arrays."""
    keys = {name: f"layer-{i}/value" for i, name in enumerate(arrays)}
    contents = [b""] * shards
    entries = {b"": number(1, shards) + text(3, number(1, 1))}
    for turn, (name, array) in enumerate(arrays.items()):
        shard, data = turn % shards, array.tobytes()
        entries[keys[name].encode()] = entry(
            DTYPES[array.dtype.name], array.shape, shard, len(contents[shard]), data, masked(data)
        )
        contents[shard] += data
    graph = object_graph({key: (names or {}).get(name, name) for name, key in keys.items()})
    length = struct.pack("<I", masked(struct.pack("<I", len(graph))))
    data = varint(len(graph)) + length + graph
    checksum = masked(struct.pack("<I", len(graph)) + length + graph)
    entries[OBJECT_GRAPH.encode()] = entry(7, (), 0, len(contents[0]), data, checksum)
    contents[0] += data
    for shard, content in enumerate(contents):
        (folder / f"variables.data-{shard:05}-of-{shards:05}").write_bytes(content)
    (folder / "variables.index").write_bytes(table(entries))
    return folder / "variables.index"


def entry(
    dtype: int, shape: tuple[int, ...], shard: int, offset: int, data: bytes, checksum: int
) -> bytes:
    sizes = b"".join(text(2, number(1, size)) for size in shape)
    place = (number(3, shard) if shard else b"") + (number(4, offset) if offset else b"")
    crc = varint(6 << 3 | 5) + struct.pack("<I", checksum)
    return number(1, dtype) + text(2, sizes) + place + number(5, len(data)) + crc


def object_graph(names: Mapping[str, str]) -> bytes:
    """A root that has every variable as its child."""
    children = (text(1, number(1, i) + text(2, b"child")) for i, _ in enumerate(names, 1))
    nodes = [b"".join(children)]
    for key, name in names.items():
        value = text(1, b"VARIABLE_VALUE") + text(2, name.encode()) + text(3, key.encode())
        nodes.append(text(2, value))
    return b"".join(text(1, node) for node in nodes)


def write_tfjs(folder: Path, arrays: Arrays, shard_bytes: int = 1000) -> Path:
    """`model.json`, with its weights in shards of a size that cuts through them."""
    content = b"".join(array.tobytes() for array in arrays.values())
    starts = range(0, len(content), shard_bytes)
    paths = [f"group1-shard{i}of{len(starts)}.bin" for i, _ in enumerate(starts, 1)]
    for path, start in zip(paths, starts, strict=True):
        (folder / path).write_bytes(content[start : start + shard_bytes])
    weights = [
        {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}
        for name, array in arrays.items()
    ]
    model = {"format": "graph-model", "weightsManifest": [{"paths": paths, "weights": weights}]}
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


def some_arrays() -> dict[str, NDArray[Any]]:
    """Kernels, a scalar and an empty array of several dtypes, by the names of a program."""
    rng = np.random.default_rng(3)
    arrays: dict[str, NDArray[Any]] = {
        f"block_{i}/kernel": rng.normal(size=(3, i % 4, 5)).astype(np.float32) for i in range(50)
    }
    arrays["step"] = np.array(7, np.int32)
    arrays["on"] = np.array([True, False])
    return arrays
