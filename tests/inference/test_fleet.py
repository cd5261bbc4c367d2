"""Several deblurrers from one file of weights; two names of the CPU stand for two devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deblur_cli.checkpoints.resolve import ResolvedWeights
from deblur_cli.errors import UsageError
from deblur_cli.inference import engine
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.samples import Image
from deblur_cli.models import RestorationModel

NAMES = ["cpu", "cpu:0"]


@pytest.fixture
def image() -> Image:
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def expected(image: Image) -> Image:
    """What a deblurrer of its own makes of it."""
    return Deblurrer.from_pretrained(device="cpu", dtype="float32")(image)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[RestorationModel]:
    """The networks that were read from files, while `all` devices are two."""
    networks: list[RestorationModel] = []
    load_weights = engine.load_weights

    def load(resolved: ResolvedWeights) -> RestorationModel:
        networks.append(load_weights(resolved))
        return networks[-1]

    monkeypatch.setattr(engine, "load_weights", load)
    monkeypatch.setattr(
        engine, "resolve_devices", lambda names: tuple(torch.device(name) for name in NAMES)
    )
    return networks


def test_every_device_restores_alike_from_one_reading(
    image: Image, expected: Image, loaded: list[RestorationModel]
) -> None:
    fleet = Deblurrer.fleet(dtype="float32")
    assert list(fleet) == NAMES
    assert len(loaded) == 1
    assert (expected != image).any()
    for name in NAMES:
        np.testing.assert_array_equal(fleet[name](image), expected)
        assert name in fleet[name].summary
    assert fleet["cpu"].settings == fleet["cpu:0"].settings


def test_devices_share_no_parameters(
    image: Image, expected: Image, loaded: list[RestorationModel]
) -> None:
    fleet = Deblurrer.fleet(dtype="float32")
    with torch.no_grad():
        for parameter in loaded[0].parameters():
            parameter.mul_(1.1)
    assert (fleet["cpu"](image) != expected).any()
    np.testing.assert_array_equal(fleet["cpu:0"](image), expected)


@pytest.mark.parametrize("names", ["cpu,cpu", "all"])
def test_one_deblurrer_takes_one_device(names: str) -> None:
    with pytest.raises(UsageError, match="several devices"):
        Deblurrer.from_pretrained(device=names)
