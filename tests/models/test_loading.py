"""Networks of any width and depth go through a file and come back as they were."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from deblur_cli.errors import WeightsError
from deblur_cli.models import ARCHITECTURES, create_model, load_model
from deblur_cli.models.state_dict import PREFIXES, WRAPPERS
from tests.models.layouts import SMALL

Layout = dict[str, Any]

counts = st.integers(1, 2)


@st.composite
def u_shapes(draw: st.DrawFn) -> Layout:
    levels = draw(st.integers(1, 3))
    blocks = st.tuples(*[counts] * levels)
    return {
        "encoder_blocks": draw(blocks),
        "middle_blocks": draw(counts),
        "decoder_blocks": draw(blocks),
    }


def with_u_shape(**others: st.SearchStrategy[Any]) -> st.SearchStrategy[Layout]:
    return st.builds(lambda shape, rest: shape | rest, u_shapes(), st.fixed_dictionaries(others))


STAGES = {
    "width": st.sampled_from([4, 8, 12]),
    "unet_step": st.sampled_from([0, 4, 8]),
    "full_resolution_step": st.sampled_from([0, 4]),
    "attention_blocks": counts,
    "reduction": st.sampled_from([1, 2, 4]),
}

LAYOUTS: dict[str, st.SearchStrategy[Layout]] = {
    "algnet": with_u_shape(
        width=st.sampled_from([4, 8, 10]),
        state_size=st.sampled_from([8, 16]),
        stem=st.sampled_from([1, 2]),
        local_branch=st.booleans(),
        fusion=st.sampled_from(["release", "paper", "sum", "concat"]),
    ),
    "xyscannet": st.fixed_dictionaries(
        {
            "width": st.sampled_from([4, 12]),
            "blocks": st.tuples(counts, counts, counts),
            "scan_expansion": st.sampled_from([0.5, 1.0]),
            "ffn_expansion": st.sampled_from([1.0, 2.75]),
            "bias": st.booleans(),
            "norm_bias": st.booleans(),
        }
    ),
    "nafnet": with_u_shape(width=st.sampled_from([2, 6, 8])),
    "mprnet": st.fixed_dictionaries(STAGES),
    "fcn": st.fixed_dictionaries(STAGES | {"variant": st.sampled_from(["release", "paper"])}),
    "maxim": st.fixed_dictionaries(
        {
            "features": st.sampled_from([4, 8]),
            "stages": counts,
            "groups": counts,
            "bottleneck_blocks": counts,
            "block_hr": st.sampled_from([1, 2, 4]),
            "block_lr": st.sampled_from([1, 2]),
            "coarse_results": st.booleans(),
        }
    ),
}

every_network = pytest.mark.parametrize("name", ARCHITECTURES)


@st.composite
def disguises(draw: st.DrawFn, state: dict[str, Tensor]) -> dict[str, Any]:
    """A state dict as some trainer may have left it."""
    prefix = "".join(draw(st.lists(st.sampled_from(PREFIXES), max_size=2)))
    content: dict[str, Any] = {prefix + key: value for key, value in state.items()}
    for wrapper in draw(st.lists(st.sampled_from(WRAPPERS), max_size=2)):
        content = {wrapper: content, "epoch": 7, "average": None, "lr": 1e-4} | (
            {"average": content} if wrapper == "average" else {}
        )
    return content


@every_network
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_a_layout_comes_back_through_a_file(name: str, data: st.DataObject) -> None:
    config = data.draw(LAYOUTS[name])
    model = create_model(name, **config).eval()
    if name != "xyscannet":
        model.set_local_pooling(data.draw(st.sampled_from([None, 64])))
    state = model.network.state_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net"
        if data.draw(st.booleans()):
            save_file({key: value.clone() for key, value in state.items()}, path)
        else:
            torch.save(data.draw(disguises(state)), path)
        loaded = load_model(path)
    assert loaded.descriptor == model.descriptor
    assert {key: loaded.descriptor.config[key] for key in config} == config
    for key, value in loaded.network.state_dict().items():
        assert torch.equal(value, state[key]), key


@every_network
def test_a_cut_state_dict_names_what_is_missing(name: str, tmp_path: Path) -> None:
    state = create_model(name, **SMALL[name]).network.state_dict()
    gone = sorted(state)[len(state) // 2]
    del state[gone]
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=f"missing {re.escape(gone)}"):
        load_model(tmp_path / "net.pth")


TINY = {"width": 8, "encoder_blocks": (1,), "decoder_blocks": (1,)}


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn]
)
def test_real_numbers_of_any_dtype_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    state = create_model("nafnet", **TINY).network.state_dict()
    save_file({key: value.to(dtype) for key, value in state.items()}, tmp_path / "net.safetensors")
    loaded = load_model(tmp_path / "net.safetensors").network.state_dict()
    for key, value in loaded.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint16, torch.int64, torch.bool])
def test_other_numbers_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    state = create_model("nafnet", **TINY).network.state_dict()
    state["ending.weight"] = torch.ones(state["ending.weight"].shape).to(dtype)
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=r"not of real numbers ending\.weight"):
        load_model(tmp_path / "net.safetensors")


def test_a_giant_without_content_costs_no_memory(tmp_path: Path) -> None:
    state = create_model("nafnet", **TINY).network.state_dict()
    state["intro.weight"] = torch.zeros(10**8, 3, 3, 0)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match="does not fit nafnet"):
        load_model(tmp_path / "net.pth")
