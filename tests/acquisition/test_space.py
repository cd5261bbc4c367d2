from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deblur_cli.acquisition.space import in_gigabytes, require_space
from deblur_cli.errors import DataError


@pytest.fixture(autouse=True)
def ten_gigabytes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage(20 * 10**9, 10 * 10**9, 10 * 10**9)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)


def test_what_goes_onto_one_disk_is_added_up(tmp_path: Path) -> None:
    cache, data = tmp_path / "cache", tmp_path / "data" / "sets"
    require_space("gopro", [(cache, 4 * 10**9), (data, 6 * 10**9)])
    with pytest.raises(DataError, match=r"gopro needs 10.1 GB .* has 10.0 GB free") as caught:
        require_space("gopro", [(cache, 4_100_000_000), (data, 6 * 10**9)])
    assert caught.value.path == tmp_path


def test_sizes_in_words() -> None:
    assert [in_gigabytes(size) for size in (9_541_000_000, 300_000)] == ["9.5 GB", "0.3 MB"]
