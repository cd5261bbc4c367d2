from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deblur_cli.checkpoints import load
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.errors import WeightsError


def test_intact_weights_become_a_model_that_restores(folder: Path) -> None:
    model = load_weights(resolve_weights("motion", model="tiny-motion"))
    assert not model.training
    with torch.inference_mode():
        assert model(torch.rand((1, 3, 9, 14))).shape == (1, 3, 9, 14)


def test_a_changed_file_is_refused_before_it_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "tiny-motion.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(load, "load_model", lambda path: pytest.fail("the file was opened"))
    with pytest.raises(WeightsError, match="checksum") as caught:
        load_weights(resolve_weights("motion", model="tiny-motion"))
    assert caught.value.path == path
    assert caught.value.remedy


def test_a_truncated_file_from_elsewhere_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(WeightsError) as caught:
        load_weights(resolve_weights("motion", weights=str(path)))
    assert caught.value.path == path


def test_a_file_that_vanished_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    resolved = resolve_weights("motion", weights=str(checkpoint))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(replace(resolved, path=tmp_path / "gone.safetensors"))


def test_another_network_than_the_manifest_says_is_refused(folder: Path) -> None:
    resolved = resolve_weights("motion", model="tiny-motion")
    assert resolved.entry is not None
    mistaken = replace(resolved, entry=replace(resolved.entry, architecture="nafnet"))
    with pytest.raises(WeightsError, match="holds algnet, but the manifest says nafnet"):
        load_weights(mistaken)
