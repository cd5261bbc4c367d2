from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from deblur_cli.checkpoints.savedmodel import read_variables, shard_names
from deblur_cli.errors import WeightsError
from tests.checkpoints.tensorflow_files import some_arrays, write_variables


@pytest.mark.parametrize("shards", [1, 3])
def test_variables_come_back_by_their_names_in_the_program(tmp_path: Path, shards: int) -> None:
    arrays = some_arrays() | {"half": np.arange(5, dtype=np.float16), "long": np.array(-(2**40))}
    index = write_variables(tmp_path, arrays, shards)
    assert set(shard_names(index)) == {path.name for path in tmp_path.iterdir()} - {index.name}
    read = read_variables(index)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_variables_of_the_same_name_are_known_by_their_keys(tmp_path: Path) -> None:
    arrays = {name: np.full(2, i, np.float32) for i, name in enumerate("abc")}
    index = write_variables(tmp_path, arrays, names={"a": "total", "b": "total"})
    read = read_variables(index)
    assert {name: array[0] for name, array in read.items()} == {
        "layer-0/value": 0,
        "layer-1/value": 1,
        "c": 2,
    }


def damage(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("position", [0, 700, -1])
def test_a_damaged_shard_is_refused(tmp_path: Path, position: int) -> None:
    index = write_variables(tmp_path, some_arrays())
    damage(index.with_name("variables.data-00000-of-00001"), position)
    with pytest.raises(WeightsError, match=r"checksum of '.*' is wrong") as caught:
        read_variables(index)
    assert caught.value.path == index
    assert caught.value.remedy


def test_a_shard_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    index = write_variables(tmp_path, some_arrays())
    shard = index.with_name("variables.data-00000-of-00001")
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="cut off"):
        read_variables(index)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    index = write_variables(tmp_path, some_arrays(), 2)
    index.with_name("variables.data-00001-of-00002").unlink()
    with pytest.raises(WeightsError, match=re.escape("data-00001-of-00002")):
        read_variables(index)
    with pytest.raises(WeightsError, match=re.escape("no.index: cannot be read: No such file")):
        shard_names(tmp_path / "no.index")


@pytest.mark.parametrize("content", [b"", b"not a table at all" * 9])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "variables.index").write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged, or lists no variables"):
        read_variables(tmp_path / "variables.index")
