from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.datasets import PairedDataset, open_dataset
from deblur_cli.data.skipping import SkippingReader, check_headers, in_words
from tests.data.layouts import numbered, textured, write_flat, write_picture


@pytest.fixture
def damaged(tmp_path: Path) -> PairedDataset:
    """Six pairs of 64x80 pixels; 1 to 4 cannot be used, and only 4's header is intact."""
    write_flat(tmp_path, "train", textured(6))
    blurred, sharp = tmp_path / "train" / "input", tmp_path / "train" / "target"
    (blurred / "0001.png").write_bytes(b"")
    write_picture(sharp / "0002.png", numbered(1, 64, 81)[0][1])
    for folder in (blurred, sharp):
        write_picture(folder / "0003.png", numbered(1, 64, 40)[0][1])
    content = (sharp / "0004.png").read_bytes()
    (sharp / "0004.png").write_bytes(content[: len(content) // 2])
    return open_dataset(".", tmp_path, "train")


def test_what_cannot_be_used_is_named_skipped_and_counted(damaged: PairedDataset) -> None:
    reader = SkippingReader(smallest=48)
    usable = list(reader.read_all(damaged))
    assert [pair.name for pair, _ in usable] == ["0000", "0005"]
    assert np.array_equal(usable[1][1][1], textured(6)[5][1])
    faults = {pair.name: fault for pair, fault in reader.faults.items()}
    assert list(faults) == ["0001", "0002", "0003", "0004"]
    assert "input/0001.png: cannot be read as an image" in faults["0001"]
    assert "differs in size, 80x64 and 81x64" in faults["0002"]
    assert (
        "input/0003.png: its shorter side of 40 pixels is too small (at least 48" in faults["0003"]
    )
    assert "target/0004.png: cannot be read as an image" in faults["0004"]
    assert in_words(reader.faults, len(damaged)).startswith(
        "4 of 6 pairs cannot be used: 0001, 0002, 0003, 0004; "
    )


def test_a_fault_is_remembered_and_a_small_picture_may_be_wanted(damaged: PairedDataset) -> None:
    reader = SkippingReader()
    assert reader.read(damaged.pairs[3]) is not None
    assert reader.read(damaged.pairs[1]) is None
    write_picture(damaged.pairs[1].blurred, textured(1)[0][0])
    assert reader.read(damaged.pairs[1]) is None
    assert SkippingReader().read(damaged.pairs[1]) is not None


def test_headers_tell_all_but_damage_further_inside(damaged: PairedDataset) -> None:
    faults = {pair.name: fault for pair, fault in check_headers(damaged, smallest=48).items()}
    assert list(faults) == ["0001", "0002", "0003"]
    assert "input/0001.png: cannot be read as an image" in faults["0001"]
    assert "differs in size, 80x64 and 81x64" in faults["0002"]
    assert "input/0003.png: its shorter side of 40 pixels is too small" in faults["0003"]


def test_headers_are_checked_without_truth_too(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", numbered(1)[0][0])
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    dataset = open_dataset("rwbi", tmp_path, "test")
    assert [pair.name for pair in check_headers(dataset)] == ["b"]


def test_a_jpeg_that_was_cut_short_is_a_fault(tmp_path: Path) -> None:
    write_flat(tmp_path, "train", textured(2))
    for number, share in ((0, 1.0), (1, 0.9)):
        path = tmp_path / "train" / "target" / f"{number:04}"
        content = cv2.imencode(".jpg", textured(2)[number][1])[1].tobytes()
        path.with_suffix(".png").unlink()
        path.with_suffix(".jpg").write_bytes(content[: int(share * len(content))])
    reader = SkippingReader()
    assert [pair.name for pair, _ in reader.read_all(open_dataset(".", tmp_path, "train"))] == [
        "0000"
    ]
    assert "0001.jpg: incomplete JPEG" in next(iter(reader.faults.values()))
