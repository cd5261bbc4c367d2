"""Layouts of XYScanNet: read back from state dicts, and refused when they make no network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.models.xyscannet import XYScanNet
from deblur_cli.models.xyscannet_config import XYScanNetConfig, infer_config


def state_of(config: XYScanNetConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        return XYScanNet(config).state_dict()


@given(
    st.builds(
        XYScanNetConfig,
        width=st.sampled_from([4, 12]),
        blocks=st.tuples(*[st.integers(1, 2)] * 3),
        scan_expansion=st.sampled_from([0.5, 1.0, 1.5, 2.0]),
        ffn_expansion=st.sampled_from([0.25, 1.0, 2.75, 3.0]),
        bias=st.booleans(),
        norm_bias=st.booleans(),
    )
)
@settings(max_examples=15, deadline=None)
def test_a_layout_is_read_back_from_its_state_dict(config: XYScanNetConfig) -> None:
    assert infer_config(state_of(config)) == config


@given(st.integers(3, 99), st.floats(0.4, 4))
@settings(max_examples=15, deadline=None)
def test_any_expansion_is_read_back_as_one_of_the_same_shapes(width: int, expansion: float) -> None:
    config = XYScanNetConfig(
        width=width, blocks=(1, 1, 1), scan_expansion=2 / width, ffn_expansion=expansion
    )
    state = state_of(config)
    inferred = infer_config(state)
    assert inferred is not None
    again = state_of(inferred)
    assert {key: value.shape for key, value in again.items()} == {
        key: value.shape for key, value in state.items()
    }


def test_other_networks_are_not_taken_for_xyscannet() -> None:
    restormer = {"patch_embed.proj.weight": torch.zeros(48, 3, 3, 3)}
    assert infer_config(restormer) is None


@pytest.mark.parametrize(
    "settings_",
    [
        {"width": 0},
        {"blocks": (1, 1)},
        {"blocks": (1, 0, 1)},
        {"scan_expansion": 0.01},
        {"width": 9},
        {"ffn_expansion": 0},
        {"gate": "pixel"},
    ],
)
def test_impossible_layouts_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        XYScanNetConfig(**settings_)
