from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.errors import WeightsError


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == expected


@pytest.mark.parametrize("name", ["absent.safetensors", "."])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="cannot be read") as caught:
        file_sha256(tmp_path / name)
    assert caught.value.path == tmp_path / name
