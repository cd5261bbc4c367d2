"""Layouts: read back from state dicts, and refused when they make no network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.models.algnet import ALGNet
from deblur_cli.models.algnet_config import ALGNetConfig, infer_config


@st.composite
def layouts(draw: st.DrawFn) -> ALGNetConfig:
    levels = draw(st.integers(1, 4))
    blocks = st.tuples(*[st.integers(1, 2)] * levels)
    has_global = draw(st.lists(st.booleans(), min_size=levels + 1, max_size=levels + 1))
    global_levels = tuple(level for level, has in enumerate(has_global) if has)
    return ALGNetConfig(
        width=draw(st.sampled_from([4, 8])),
        encoder_blocks=draw(blocks),
        middle_blocks=draw(st.integers(1, 2)),
        decoder_blocks=draw(blocks),
        state_size=draw(st.sampled_from([8, 32])) if global_levels else 32,
        stem=draw(st.sampled_from([1, 2, 4])),
        global_levels=None if all(has_global) else global_levels,
        local_branch=draw(st.booleans()),
        fusion=draw(st.sampled_from(["release", "paper", "sum", "concat"])),
    )


@given(layouts())
@settings(max_examples=30, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: ALGNetConfig) -> None:
    with torch.device("meta"):
        state = ALGNet(config).state_dict()
    assert infer_config(state) == config


def test_equal_layouts_are_equal_however_their_global_levels_are_listed() -> None:
    assert ALGNetConfig(global_levels=(4, 3, 3)) == ALGNetConfig(global_levels=(3, 4))
    assert ALGNetConfig(global_levels=(0, 1, 2, 3, 4)) == ALGNetConfig(global_levels=None)


def test_other_networks_are_not_taken_for_algnet() -> None:
    assert infer_config({"intro.weight": torch.zeros(8, 3, 3, 3)}) is None


@pytest.mark.parametrize(
    "settings_",
    [
        {"encoder_blocks": (1, 1)},
        {"encoder_blocks": (), "decoder_blocks": ()},
        {"encoder_blocks": (0, 1), "decoder_blocks": (1, 1)},
        {"encoder_blocks": (1, 1), "decoder_blocks": (1, -1)},
        {"middle_blocks": 0},
        {"global_levels": (3, 5)},
        {"global_levels": (-1,)},
        {"fusion": "product"},
        {"width": 3},
        {"stem": 0},
        {"state_size": 0},
    ],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ALGNetConfig(**settings_)
