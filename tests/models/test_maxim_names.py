"""MAXIM's published names against the specification's list, and what is made of the arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from deblur_cli.errors import WeightsError
from deblur_cli.models.maxim import MAXIM
from deblur_cli.models.maxim_config import MAXIMConfig
from deblur_cli.models.maxim_names import (
    Source,
    flax_path,
    published_names,
    state_dict_from_tensorflow,
)
from tests.shared import shared_file

TFJS = "StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone"


def test_all_names_are_those_of_the_specification() -> None:
    rows = json.loads(shared_file("facts", "maxim-names.json").read_text())["params"]
    assert {row["ours"]: row["flax"] for row in rows} == {
        row["ours"]: flax_path(row["ours"]) for row in rows
    }
    assert published_names("keras") == {row["ours"]: row["keras"] for row in rows}
    tfjs = published_names("tfjs")
    assert len(tfjs) == len(rows)
    assert {row["ours"]: row["tfjs"] for row in rows if row["tfjs"]} == {
        row["ours"]: tfjs[row["ours"]] for row in rows if row["tfjs"]
    }


@pytest.mark.parametrize(
    ("key", "tfjs", "keras"),
    [
        (
            "stages.1.mix_dec.1.2.bias",
            f"{TFJS}/UpSampleRatio_30/Conv_0/Reshape",
            "UpSampleRatio_31_Conv_0/bias",
        ),
        (
            "stages.1.bottleneck.1.rdcab.1.norm.weight",
            f"{TFJS}/stage_1_global_block_1/channel_attention_block_1_1/LayerNorm/Reshape_2",
            "stage_1_global_block_1_channel_attention_block_1_1_LayerNorm/gamma",
        ),
        (
            "stages.1.decoder.1.up.weight",
            f"{TFJS}/stage_1_decoder_block_1/ConvTranspose_0/transpose_4",
            "stage_1_decoder_block_1_ConvTranspose_0/kernel",
        ),
        (
            "stages.1.encoder.1.cross_gate.gate_x.block_gate.weight",
            "StatefulPartitionedCall/jax2tf_arg_1391/ReadVariableOp",
            "stage_1_encoder_block_1_cross_gating_block_SplitHeadMultiAxisGating_x_Dense_1/kernel",
        ),
    ],
)
def test_some_names(key: str, tfjs: str, keras: str) -> None:
    assert published_names("tfjs")[key] == tfjs
    assert published_names("keras")[key] == keras


@pytest.mark.parametrize("source", ["tfjs", "keras"])
def test_names_are_unique(source: Source) -> None:
    names = published_names(source)
    assert len(set(names.values())) == len(names) == 2754


@pytest.fixture(scope="module")
def network() -> MAXIM:
    return MAXIM(MAXIMConfig())


def arrays_of(network: MAXIM, source: Source) -> dict[str, NDArray[Any]]:
    """The parameters as a conversion has them: kernels `(h,w,in,out)`, matrices `(in,out)`."""
    arrays, state = {}, network.state_dict()
    for key, name in published_names(source).items():
        array = state[key].numpy()
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
            if source == "keras" and ".up." in key:
                array = np.rot90(array, 2)
        elif array.ndim == 2:
            array = array.T
        elif source == "tfjs":
            array = array[None, None, None]
        arrays[name] = array
    return arrays


@pytest.mark.parametrize("source", ["tfjs", "keras"])
def test_parameters_come_back(source: Source, network: MAXIM) -> None:
    arrays = arrays_of(network, source)
    state = state_dict_from_tensorflow({**arrays, "Const_7": np.zeros(3)}, source)
    expected = network.state_dict()
    heads = {key for key in expected if ".out_conv.1." in key or ".out_conv.2." in key}
    assert expected.keys() - state.keys() == (heads if source == "tfjs" else set())
    assert all(torch.equal(value, expected[key]) for key, value in state.items())
    assert all(value.is_contiguous() for value in state.values())


def test_a_turned_kernel_paints_as_the_original_layer(network: MAXIM) -> None:
    """Flax's transposed convolution of stride 2 correlates the spread-out input with its kernel."""
    name = "stage_0_decoder_block_0_ConvTranspose_0/kernel"
    arrays = arrays_of(network, "keras")
    flax = arrays[name].transpose(0, 1, 3, 2)  # the conversion copied it, (2,2,in,out)
    weight = state_dict_from_tensorflow(arrays, "keras")["stages.0.decoder.0.up.weight"]
    x = torch.rand(1, 64, 3, 5)
    spread = torch.zeros(1, 64, 7, 11)
    spread[..., 1:-1:2, 1:-1:2] = x
    kernel = torch.from_numpy(np.ascontiguousarray(flax.transpose(3, 2, 0, 1)))
    expected = F.conv2d(spread, kernel)
    torch.testing.assert_close(F.conv_transpose2d(x, weight, stride=2), expected)


@pytest.mark.parametrize("source", ["tfjs", "keras"])
def test_arrays_of_something_else_are_refused(source: Source, network: MAXIM) -> None:
    arrays = arrays_of(network, source)
    name = published_names(source)["stages.0.in_conv.1.weight"]
    for others in ({}, {key: value for key, value in arrays.items() if key != name}):
        with pytest.raises(WeightsError, match="missing"):
            state_dict_from_tensorflow(others, source)
    with pytest.raises(WeightsError, match="shape"):
        state_dict_from_tensorflow({**arrays, name: np.zeros((3, 3, 3, 65))}, source)
