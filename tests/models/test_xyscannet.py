"""XYScanNet against the official network's outputs, and its parts against their definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel, create_model, load_model, xyscannet
from deblur_cli.models.xyscannet import InterScan, IntraScan, LevelFusion, XYScanNet
from deblur_cli.models.xyscannet_config import Gate, XYScanNetConfig
from tests.models.official import assert_official_gradients
from tests.recipe_weights import fill_by_recipe
from tests.shared import shared_file
from tests.waiting import NoWaiting

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "xyscannet-small": ({"width": 16, "blocks": (1, 1, 2)}, 31),
    "xyscannet-opts": (
        {
            "width": 8,
            "blocks": (1, 1, 1),
            "scan_expansion": 2,
            "ffn_expansion": 3,
            "bias": True,
            "norm_bias": False,
        },
        32,
    ),
    "full-xyscannet72.recipe": ({}, 73),
}
TINY: dict[str, Any] = {"width": 8, "blocks": (1, 1, 1)}


@pytest.fixture
def _scan_that_knows_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBLUR_SCAN_BACKEND", "torch")


in_float64 = pytest.mark.usefixtures("_scan_that_knows_float64")


def network_of(case: str, gate: Gate = "image") -> XYScanNet:
    config, seed = CASES[case]
    with torch.device("meta"):
        network = XYScanNet(XYScanNetConfig(**config, gate=gate)).eval()
    network.to_empty(device="cpu")
    fill_by_recipe(network, seed)
    return network


def tiny_model(**config: Any) -> RestorationModel:
    model = create_model("xyscannet", **TINY, **config).eval()
    fill_by_recipe(model.network, seed=3, gain=0.5)
    return model


@pytest.fixture(scope="module")
def model() -> RestorationModel:
    return tiny_model()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    ("case", "gate", "j"),
    [
        ("xyscannet-small", "image", 0),
        ("xyscannet-small", "image", 1),
        ("xyscannet-small", "batch", 2),
        ("xyscannet-opts", "image", 0),
        ("full-xyscannet72.recipe", "image", 0),
    ],
)
def test_outputs_equal_the_official_network(
    case: str, gate: Gate, j: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype == torch.float64:
        monkeypatch.setenv("DEBLUR_SCAN_BACKEND", "torch")
    path = shared_file("fixtures", f"{case}.safetensors")
    err32 = float(json.loads(shared_file("fixtures", "index.json").read_text())[path.name]["err32"])
    tensors = load_file(path)
    image = tensors[f"in{j}"].to(dtype)
    with torch.no_grad():
        (restored,) = network_of(case, gate).to(dtype)(image + 0.5)
    for output, name in ((restored - 0.5, "restored"), (restored - 0.5 - image, "residual")):
        truth = tensors[f"out{j}.{name}"].double()
        relative = 1e-6 * truth.abs().max().item()
        tolerance = relative if dtype == torch.float64 else 5 * err32
        assert (output.double() - truth).abs().max().item() <= tolerance, name


@in_float64
def test_parts_equal_the_official_parts() -> None:
    taps = load_file(shared_file("fixtures", "xyscannet-small.taps.safetensors"))
    image = load_file(shared_file("fixtures", "xyscannet-small.safetensors"))["in0"]
    network, seen = network_of("xyscannet-small").double(), dict[str, Tensor]()

    def keep(name: str) -> Any:
        def hook(_: nn.Module, inputs: Any, output: Tensor) -> None:
            seen[name] = output

        return hook

    for name in taps:
        network.get_submodule(name.removeprefix("tap/")).register_forward_hook(keep(name))
    with torch.no_grad():
        network.residual(image.double())
    for name, truth in taps.items():
        assert (seen[name] - truth).abs().max() <= 1e-6 * truth.abs().max(), name


@in_float64
def test_gradients_equal_the_official_network() -> None:
    network = network_of("xyscannet-small").double()

    def loss_of(image: Tensor) -> Tensor:
        residual = network.residual(image)
        return residual.square().mean() + (image + residual).square().mean()

    assert_official_gradients("xyscannet-small", network, loss_of)


@pytest.mark.parametrize("case", ["xyscannet-small", "xyscannet-opts"])
def test_the_recipe_fills_as_the_stored_state_dict(case: str) -> None:
    stored = load_file(shared_file("fixtures", f"{case}.state.safetensors"))
    ours = network_of(case).state_dict()
    assert ours.keys() == stored.keys()
    assert all(torch.equal(ours[key], value) for key, value in stored.items())


def test_names_and_shapes_are_the_official_ones() -> None:
    expected = json.loads(shared_file("fixtures", "keys-xyscannet-d72.json").read_text())
    with torch.device("meta"):
        state = XYScanNet(XYScanNetConfig()).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


@pytest.mark.parametrize(
    ("width", "parameters"), [(48, 7_301_952), (72, 16_155_072), (144, 63_514_368)]
)
def test_the_published_sizes(width: int, parameters: int) -> None:
    with torch.device("meta"):
        network = XYScanNet(XYScanNetConfig(width=width))
    assert sum(p.numel() for p in network.parameters()) == parameters


def rows_then_columns(scan: IntraScan | InterScan, x: Tensor) -> Tensor:
    """Upper half of the channels through the rows, lower half through the columns."""
    half = x.shape[1] // 2
    if isinstance(scan, InterScan):
        over_rows, over_columns = x[:, :half].mean(3), x[:, half:].mean(2)
        weigh_rows, weigh_columns = (
            torch.sigmoid(scan.mamba(means.mT)).mT for means in (over_rows, over_columns)
        )
        rows, columns = weigh_rows[..., None], weigh_columns[:, :, None]
        return torch.cat((x[:, :half] * rows, x[:, half:] * columns), dim=1)
    scanned = torch.empty_like(x)
    for row in range(x.shape[2]):
        scanned[:, :half, row] = scan.mamba(x[:, :half, row].mT).mT
    for column in range(x.shape[3]):
        scanned[:, half:, :, column] = scan.mamba(x[:, half:, :, column].mT).mT
    return scanned


@pytest.mark.parametrize("kind", [IntraScan, InterScan])
@pytest.mark.parametrize("cached_pixels", [1, 20, 1 << 13])
def test_half_the_channels_run_along_rows_and_half_along_columns(
    kind: type[IntraScan | InterScan], cached_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xyscannet, "CACHED_PIXELS", cached_pixels)
    torch.manual_seed(0)
    scan = kind(6, 8, bias=False)
    x = torch.rand(2, 6, 5, 7)
    with torch.no_grad():
        u, gate = scan.dwconv(scan.proj_in(x)).chunk(2, dim=1)
        fused = scan.fuse_out(rows_then_columns(scan, scan.conv_input(u)))
        torch.testing.assert_close(scan(x), scan.proj_out(F.silu(gate) * fused))


@pytest.mark.parametrize("gate", ["image", "batch"])
def test_fusion_weighs_each_neighbour_by_its_divergence(gate: Gate) -> None:
    torch.manual_seed(0)
    fusion = LevelFusion(4, 2, 8, XYScanNetConfig(width=4, bias=True, gate=gate)).double()
    x, finer, coarser = (
        torch.randn(2, channels, *size, dtype=torch.float64)
        for channels, size in ((4, (4, 6)), (2, (8, 12)), (8, (2, 3)))
    )
    own, first = fusion.conv(x), fusion.conv_n1(finer[:, :, ::2, ::2])
    second = fusion.conv_n2(coarser.repeat_interleave(2, 2).repeat_interleave(2, 3))

    def weight(neighbour: Tensor) -> Tensor:
        theirs, ours = F.logsigmoid(neighbour), F.logsigmoid(own)
        alike = [slice(None)] * 2 if gate == "batch" else [slice(0, 1), slice(1, 2)]
        divergences = [
            F.kl_div(theirs[images], ours[images], reduction="none", log_target=True).mean()
            for images in alike
        ]
        return torch.sigmoid(torch.stack(divergences)).view(-1, 1, 1, 1)

    joined = torch.cat((own, weight(first) * first + weight(second) * second), dim=1)
    torch.testing.assert_close(fusion(x, finer, coarser), fusion.fuse_out1(joined))


def test_the_claimed_multiple_is_the_smallest_that_works(model: RestorationModel) -> None:
    def works(side: int) -> bool:
        try:
            with torch.no_grad():
                return model.network(torch.rand(1, 3, side, 16))[-1].shape[-2] == side
        except RuntimeError:
            return False

    multiple = model.descriptor.size_multiple
    assert [side for side in range(1, 17) if works(side)] == list(range(multiple, 17, multiple))


def test_images_of_a_batch_touch_each_other_with_the_releases_gate() -> None:
    model, images = tiny_model(gate="batch"), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        alone, among = model(images[:1]), model(images * torch.tensor([1, 0]).view(2, 1, 1, 1))
    assert (among[:1] - alone).abs().max() > 1e-5


def test_the_host_waits_for_nothing_inside(
    model: RestorationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBLUR_SCAN_BACKEND", "torch")
    with torch.no_grad(), NoWaiting():
        model(torch.rand(2, 3, 21, 16))


@pytest.mark.parametrize("norm_bias", [True, False])
def test_half_precision_stays_close_and_keeps_norms_and_scans(norm_bias: bool) -> None:
    exact, rounded = tiny_model(norm_bias=norm_bias), tiny_model(norm_bias=norm_bias)
    rounded.set_precision(torch.bfloat16)
    for name, value in rounded.named_parameters():
        matrix = name.endswith("weight") and ".body.weight" not in name and "conv1d" not in name
        assert value.dtype == (torch.bfloat16 if matrix else torch.float32), name
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        restored, expected = rounded(image), exact(image)
    assert restored.dtype == torch.float32
    error = (restored - expected).square().mean().sqrt() / (expected - image).square().mean().sqrt()
    assert 0 < error < 0.05


def test_checkpoints_are_recognised(model: RestorationModel, tmp_path: Path) -> None:
    state, image = model.network.state_dict(), torch.rand(1, 3, 16, 16)
    parallel = {f"module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 3, "model_state": parallel}, tmp_path / "last_net.pth")
    torch.save(parallel, tmp_path / "final_net.pth")
    save_file(state, tmp_path / "net.safetensors")
    for name in ("last_net.pth", "final_net.pth", "net.safetensors"):
        loaded = load_model(tmp_path / name)
        assert loaded.descriptor == model.descriptor
        with torch.no_grad():
            assert torch.equal(loaded(image), model(image))


def test_a_local_pooling_is_refused(model: RestorationModel) -> None:
    assert model.set_local_pooling(None) is model
    with pytest.raises(UsageError, match="pooling"):
        model.set_local_pooling(256)
