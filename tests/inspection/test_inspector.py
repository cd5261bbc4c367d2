from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from deblur_cli.errors import ImageWriteError, NothingToDoError, RestoreError, UsageError
from deblur_cli.inspection import inspector
from deblur_cli.inspection.inspector import Subject, check_folder, inspect, load_subject
from deblur_cli.models import create_model


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,), state_size=4)
    path = tmp_path / "net.pth"
    torch.save(model.network.state_dict(), path)
    return path


@pytest.fixture
def subject(photo: Path, weights: Path) -> Subject:
    return load_subject(photo, side=32, weights=str(weights), device="cpu")


def test_everything_of_an_algnet_is_drawn(subject: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "drawings"
    drawings = {drawing.kind: drawing for drawing in inspect(subject, folder)}
    assert sorted(path.name for path in folder.iterdir()) == [
        "channels.png",
        "features.png",
        "receptive-field.png",
    ]
    for kind, drawing in drawings.items():
        assert drawing.path == folder / f"{kind}.png"
        assert Image.open(drawing.path).width > 256
    activations = drawings["channels"].figures["activations"]
    assert activations.keys() == {"encoders.0.0", "middle_blks.0", "decoders.0.0"}
    assert len(activations["middle_blks.0"]["global"]) == 8
    field = drawings["receptive-field"].figures
    assert field["crops"] == 5
    assert list(field["sides"].values()) == sorted(field["sides"].values())


def test_what_a_network_does_not_have_is_said(photo: Path, weights: Path, tmp_path: Path) -> None:
    model = create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,))
    torch.save(model.network.state_dict(), weights)
    subject = load_subject(photo, side=32, weights=str(weights), device="cpu")
    channels, *others = inspect(subject, tmp_path / "drawings")
    assert channels.path is None
    assert channels.problem == "nafnet has no global and local branches"
    assert all(drawing.path is not None for drawing in others)


def test_pooling_is_that_of_the_manifest(photo: Path) -> None:
    subject = load_subject(photo, model="algnet-small-motion", device="cpu", offline=True)
    windows = {module.window for module in subject.model.modules() if hasattr(module, "window")}
    assert windows
    assert None not in windows


def test_pooling_is_that_of_a_file_that_advises_it(photo: Path, tmp_path: Path) -> None:
    model = create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,))
    path = tmp_path / "net.safetensors"
    save_file(model.network.state_dict(), path, {"inference": '{"pooling": 64}'})
    subject = load_subject(photo, weights=str(path), device="cpu")
    windows = {module.window for module in subject.model.modules() if hasattr(module, "window")}
    assert windows
    assert None not in windows


def test_photo_that_cannot_be_read_leaves_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match=r"absent\.jpg"):
        load_subject(tmp_path / "absent.jpg")


def test_pixel_outside_is_refused_before_weights_are_sought(photo: Path) -> None:
    with pytest.raises(UsageError, match="no pixel at 56,0"):
        load_subject(photo, at=(56, 0), weights="absent.pth")


def test_photo_is_never_replaced(tmp_path: Path) -> None:
    check_folder(tmp_path, tmp_path / "photo.png")
    with pytest.raises(UsageError, match=r"features\.png would replace the photo"):
        check_folder(tmp_path / "..", tmp_path.parent / "features.png")


def test_folder_that_cannot_be_made_is_named(subject: Subject, photo: Path) -> None:
    with pytest.raises(ImageWriteError, match=r"photo\.png/drawings: the folder cannot be made"):
        next(inspect(subject, photo / "drawings"))


def test_lack_of_memory_says_what_to_do(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(_: Subject) -> str:
        raise MemoryError

    monkeypatch.setitem(inspector.KINDS, "channels", run_out)
    with pytest.raises(RestoreError, match="smaller --crop"):
        next(inspect(subject, tmp_path))
