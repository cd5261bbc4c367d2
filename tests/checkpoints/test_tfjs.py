from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deblur_cli.checkpoints.tfjs import read_tfjs
from deblur_cli.errors import WeightsError
from tests.checkpoints.tensorflow_files import some_arrays, write_tfjs


@pytest.mark.parametrize("shard_bytes", [10, 1000, 10**6])
def test_constants_come_back(tmp_path: Path, shard_bytes: int) -> None:
    arrays = some_arrays()
    read = read_tfjs(write_tfjs(tmp_path, arrays, shard_bytes))
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


Group = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda group: group["weights"][0].update(dtype="string"), "'block_0/kernel' is quantised"),
        (lambda group: group["weights"][1].update(quantization={"dtype": "uint8"}), "is quantised"),
        (lambda group: group["weights"].pop(), "the shards hold"),
        (lambda group: group["weights"][-1].update(shape=[3]), "the shards hold|buffer"),
        (lambda group: group["paths"].append("../../secret"), "elsewhere"),
        (lambda group: group["paths"].append("absent.bin"), "absent.bin: cannot be read"),
        (lambda group: group.pop("paths"), "no TensorFlow.js model"),
        (lambda group: group["weights"].append(3), "no TensorFlow.js model"),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, change: Callable[[Group], object], message: str
) -> None:
    model = write_tfjs(tmp_path, some_arrays())
    content = json.loads(model.read_text())
    change(content["weightsManifest"][0])
    model.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=message) as caught:
        read_tfjs(model)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weightsManifest": 3}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WeightsError, match=r"model\.json: is no TensorFlow\.js model"):
        read_tfjs(tmp_path / "model.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.json: cannot be read: No such file"):
        read_tfjs(tmp_path / "model.json")
