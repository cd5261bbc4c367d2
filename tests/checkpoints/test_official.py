from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deblur_cli.checkpoints.official import official_suffix, write_official
from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel, create_model, load_model
from deblur_cli.models.registry import ARCHITECTURES
from tests.checkpoints.run_folder import tiny_model
from tests.shared import shared_file

SMALL: dict[str, dict[str, Any]] = {
    "algnet": {"width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)},
    "nafnet": {"width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)},
    "xyscannet": {"width": 8, "blocks": (1, 1, 1)},
    "mprnet": {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1},
    "fcn": {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1},
}
LAYOUTS = {"algnet": "state_dict", "mprnet": "state_dict", "fcn": "state_dict", "nafnet": "params"}
"""The name that the authors' code takes the parameters from."""


def small(name: str) -> RestorationModel:
    torch.manual_seed(7)
    return create_model(name, **SMALL[name]).eval()


@pytest.mark.parametrize("name", SMALL)
def test_our_own_loader_reads_it_back(name: str, tmp_path: Path) -> None:
    model = small(name)
    write_official(tmp_path / "net.pth", model)
    read = load_model(tmp_path / "net.pth")
    assert read.descriptor == model.descriptor
    for key, value in model.network.state_dict().items():
        assert torch.equal(read.network.state_dict()[key], value)


@pytest.mark.parametrize("name", LAYOUTS)
def test_parameters_stand_where_the_authors_code_looks(name: str, tmp_path: Path) -> None:
    model = small(name)
    write_official(tmp_path / "net.pth", model)
    content = torch.load(tmp_path / "net.pth", weights_only=True)
    model.network.load_state_dict(content[LAYOUTS[name]])


def test_xyscannet_is_written_as_several_gpus_leave_it(tmp_path: Path) -> None:
    model = small("xyscannet")
    write_official(tmp_path / "net.pth", model)
    content = torch.load(tmp_path / "net.pth", weights_only=True)
    torch.nn.DataParallel(model.network).load_state_dict(content)


def maxim(**config: Any) -> RestorationModel:
    torch.manual_seed(7)
    return create_model("maxim", features=4, stages=2, block_hr=2, block_lr=2, **config)


def test_maxim_is_laid_out_as_flax_does(tmp_path: Path) -> None:
    model = maxim()
    write_official(tmp_path / "net.npz", model)
    state = {key: value.numpy() for key, value in model.network.state_dict().items()}
    with np.load(tmp_path / "net.npz") as arrays:
        assert len(arrays.files) == len(state)
        assert all(array.dtype == np.float32 for array in arrays.values())

        def published(path: str) -> NDArray[Any]:
            return np.asarray(arrays[f"opt/target/{path}"])

        up = published("stage_1_decoder_block_1/ConvTranspose_0/kernel")
        ours = state["stages.1.decoder.1.up.weight"]
        for y in range(2):
            for x in range(2):
                np.testing.assert_array_equal(up[y, x], ours[:, :, 1 - y, 1 - x])
        conv = published("stage_0_input_conv_0/kernel")
        np.testing.assert_array_equal(conv[0, 2], state["stages.0.in_conv.0.weight"][:, :, 0, 2].T)
        layer = "stage_0_encoder_block_0/SplitHeadMultiAxisGmlpLayer_0"
        dense = published(f"{layer}/in_project/kernel")
        np.testing.assert_array_equal(dense, state["stages.0.encoder.0.mab.0.in_proj.weight"].T)
        norm = published(f"{layer}/LayerNorm_in/scale")
        np.testing.assert_array_equal(norm, state["stages.0.encoder.0.mab.0.norm.weight"])


def test_names_and_shapes_of_maxim_are_the_specification_s(tmp_path: Path) -> None:
    rows = json.loads(shared_file("facts", "maxim-names.json").read_text())["params"]
    write_official(tmp_path / "net.npz", create_model("maxim"))
    with np.load(tmp_path / "net.npz") as arrays:
        found = {name: list(array.shape) for name, array in arrays.items()}
    assert found == {f"opt/target/{row['flax']}": row["flax_shape"] for row in rows}


def test_a_maxim_that_lacks_official_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="half and quarter size"):
        write_official(tmp_path / "net.npz", maxim(coarse_results=False))
    assert not list(tmp_path.iterdir())


def test_half_precision_and_other_names_are_not_official(tmp_path: Path) -> None:
    model = tiny_model(1)
    assert official_suffix(model) == ".pth"
    write_official(tmp_path / "net.pth", model.half())
    state = torch.load(tmp_path / "net.pth", weights_only=True)["state_dict"]
    assert {value.dtype for value in state.values()} == {torch.float32}
    with pytest.raises(UsageError, match=r"no name for the official weights of algnet \(NAME.pth"):
        write_official(tmp_path / "net.safetensors", model)


def test_every_network_of_our_own_has_an_official_form() -> None:
    assert SMALL.keys() | {"maxim"} == ARCHITECTURES.keys()
