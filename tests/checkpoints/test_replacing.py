from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.errors import WeightsError


def test_the_file_takes_the_place_of_another_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 230 + ".safetensors")
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == path.suffix
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_nothing_changes_if_the_block_fails(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "a.safetensors"
    with (
        pytest.raises(WeightsError, match=r"cannot be written: No such file.*folder") as caught,
        replacing(path) as temporary,
    ):
        temporary.write_text("new")
    assert caught.value.path == path
