"""Small data sets on disk, one in the layout of each published set, to train and evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from deblur_cli.imaging.photo import Image

Pictures = tuple[Image, Image]
"""Blurred and sharp, ``(H, W, 3)`` RGB uint8 or uint16."""

REALBLUR_J = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
REALBLUR_R = "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"


def numbered(count: int, height: int = 24, width: int = 32) -> list[Pictures]:
    """Pictures of one grey that tells their number: 1 + k and 101 + k for pair k."""

    def plain(value: int) -> Image:
        return np.full((height, width, 3), value, np.uint8)

    return [(plain(number + 1), plain(number + 101)) for number in range(count)]


def textured(count: int, height: int = 64, width: int = 80) -> list[Pictures]:
    """Noise blurred by a box of 3x3: pairs that can be trained on."""
    rng = np.random.default_rng(0)
    sharp = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]
    return [(np.asarray(cv2.blur(picture, (3, 3))), picture) for picture in sharp]


def write_picture(path: Path, picture: Image) -> None:
    """Write an RGB picture as the path's name says, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def write_gopro(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
    """Scenes of two, linear and gamma; the gamma version is half as bright."""
    names = []
    for number, (blurred, sharp) in enumerate(pairs):
        scene, name = f"GOPR0{number // 2:03}_11_00", f"{number:06}"
        folder = root / "GOPRO_Large" / split / scene
        write_picture(folder / "blur" / f"{name}.png", blurred)
        write_picture(folder / "blur_gamma" / f"{name}.png", blurred // 2)
        write_picture(folder / "sharp" / f"{name}.png", sharp)
        names.append(f"{scene}/{name}")
    return names


def write_hide(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
    """Test photos in two folders, training photos in one, all truth in a third."""
    home = root / "HIDE_dataset"
    names = []
    for number, (blurred, sharp) in enumerate(pairs):
        name = f"{number}fromGOPR0{split}"
        kind = ("test/test-close-ups", "test/test-long-shot")[number % 2]
        write_picture(home / (kind if split == "test" else split) / f"{name}.png", blurred)
        write_picture(home / "GT" / f"{name}.png", sharp)
        names.append(name)
    return names


def write_realblur(
    letter: str, folder: str
) -> Callable[[Path, str, Sequence[Pictures]], list[str]]:
    """A writer of RealBlur-J or -R: scenes, and a list per split that truth comes first in."""

    def write(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
        home = root / "RealBlur"
        names, lines = [], []
        for number, (blurred, sharp) in enumerate(pairs):
            scene = f"scene{number:03}{split}"
            files = [f"{folder}/{scene}/{kind}/{kind}_{number}.png" for kind in ("gt", "blur")]
            write_picture(home / files[0], sharp)
            write_picture(home / files[1], blurred)
            names.append(f"{scene}/blur_{number}")
            lines.append(f"{files[0]} {files[1]} \n")
        (home / f"RealBlur_{letter}_{split}_list.txt").write_text("".join(lines))
        return names

    return write


def write_dpdd(view: str) -> Callable[[Path, str, Sequence[Pictures]], list[str]]:
    """A writer of DPDD's combined, left or right view, in 16 bits and with names that differ."""

    def write(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
        folder = root / "dd_dp_dataset_png" / f"{split}_{view}"
        names = []
        for number, (blurred, sharp) in enumerate(pairs):
            name = f"1P0A{1000 + 2 * number}"
            write_picture(folder / "source" / f"{name}.png", _deep(blurred))
            write_picture(folder / "target" / f"1P0A{1001 + 2 * number}.png", _deep(sharp))
            names.append(name)
        return names

    return write


def write_rwbi(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
    """Scenes of blurred photos; the truth is not written."""
    names = [f"scene{number // 2}/{number:04}" for number in range(len(pairs))]
    for name, (blurred, _) in zip(names, pairs, strict=True):
        write_picture(root / "RWBI" / f"{name}.jpg", blurred)
    return names


def write_flat(root: Path, split: str, pairs: Sequence[Pictures]) -> list[str]:
    """``{split}/{input,target}``, as many papers' repositories repack every set."""
    names = [f"{number:04}" for number in range(len(pairs))]
    for name, (blurred, sharp) in zip(names, pairs, strict=True):
        write_picture(root / split / "input" / f"{name}.png", blurred)
        write_picture(root / split / "target" / f"{name}.png", sharp)
    return names


WRITERS: dict[str, Callable[[Path, str, Sequence[Pictures]], list[str]]] = {
    "gopro": write_gopro,
    "hide": write_hide,
    "realblur-j": write_realblur("J", REALBLUR_J),
    "realblur-r": write_realblur("R", REALBLUR_R),
    "dpdd": write_dpdd("c"),
    "dpdd-left": write_dpdd("l"),
    "dpdd-right": write_dpdd("r"),
    "rwbi": write_rwbi,
}
"""By the name in `PUBLISHED`; each writes pairs below a root and returns their names in order."""


def _deep(picture: Image) -> Image:
    """The picture in 16 bits, whose upper 8 are those of a picture of 8."""
    return picture.astype(np.uint16) * 257 if picture.dtype == np.uint8 else picture
