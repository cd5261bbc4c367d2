"""Checkpoints as trainers write them; whatever else is read ends in one kind of error."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deblur_cli.errors import WeightsError
from deblur_cli.models.state_dict import read_state_dict, unwrap

STATE = {"intro.weight": torch.ones(2), "ending.weight": torch.zeros(3)}
OTHER = {key: value + 1 for key, value in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"module." + key: value for key, value in STATE.items()},
        {"params_ema": STATE, "params": OTHER},
        {"epoch": 3, "state_dict": {"module.network." + k: v for k, v in STATE.items()}},
        {"learner": {"model": STATE, "average": None, "optimiser": {}}, "step": 3},
        {"learner": {"model": OTHER, "average": {"model": STATE, "steps": 3}}, "step": 3},
    ],
    ids=["bare", "parallel", "means first", "wrapped twice", "our state", "our state's means"],
)
def test_wrappers_and_prefixes_are_stripped(content: object) -> None:
    assert unwrap(content, Path("a.pth")) == STATE


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".pth", ".safetensors"]))
@example(content=b"remember the milk", suffix=".pth")
@example(content=saved(STATE)[:-30], suffix=".pth")
@example(content=saved([1, 2]), suffix=".pth")
@example(content=saved({"state_dict": {"a": 3}}), suffix=".pth")
def test_what_is_no_checkpoint_is_named(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"net{suffix}"
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            read_state_dict(path)
        assert caught.value.path == path
