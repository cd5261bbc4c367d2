from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from deblur_cli.data.shared import Shared

SPAWN = multiprocessing.get_context("spawn")


def test_the_content_comes_back_around_shared_read_only_arrays() -> None:
    photo = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    content = {"photos": [photo, photo], "table": np.linspace(0, 1, 7), "name": "x"}
    shared = Shared(content, SPAWN)
    one, other = shared.load(), shared.load()
    assert one["name"] == "x"
    assert np.array_equal(one["table"], content["table"])
    assert np.array_equal(one["photos"][0], photo)
    assert one["photos"][0] is one["photos"][1]
    assert np.shares_memory(one["photos"][0], other["photos"][0])
    assert not np.shares_memory(one["photos"][0], photo)
    with pytest.raises(ValueError, match="read-only"):
        one["photos"][0][0] = 0


def test_content_without_arrays_is_fine() -> None:
    assert Shared({"a": 1}, SPAWN).load() == {"a": 1}
