"""What is known of the field's data sets: task, depth, number of pairs, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.data.layouts import (
    BlurredOnly,
    CommonTruth,
    Flat,
    Layout,
    ListFile,
    SceneFolders,
    SortedOrder,
)


@dataclass(frozen=True)
class Published:
    """What is known of a published set."""

    task: str
    bits: int
    counts: Mapping[str, int | None]
    """Number of pairs of each split; None if not published."""
    folders: tuple[str, ...]
    """Where below the root it is looked for: what its archives make, and the root itself."""
    layouts: tuple[Layout, ...]
    flat_name: str | None = None
    """Folder in which it is also found as pairs of `Flat` layout; None if that would be a guess."""
    has_truth: bool = True

    def locate(self, root: Path, split: str) -> tuple[Path, Layout] | None:
        """The folder and layout of a split; None if it is not below the root."""
        places = [(folder, layout) for folder in self.folders for layout in self.layouts]
        if self.flat_name is not None:
            flat_folders = (self.flat_name, f"{split}/{self.flat_name}", ".")
            places += [(folder, Flat()) for folder in flat_folders]
        for folder, layout in places:
            if layout.present(root / folder, split):
                return root / folder, layout
        return None


def _gopro(blurred: str, flat_name: str | None) -> Published:
    return Published(
        task="motion",
        bits=8,
        counts={"train": 2103, "test": 1111},
        folders=("GOPRO_Large", "GoPro", "."),
        layouts=(SceneFolders(blurred),),
        flat_name=flat_name,
    )


def _realblur(letter: str, folder: str) -> Published:
    return Published(
        task="motion",
        bits=8,
        counts={"train": 3758, "test": 980},
        folders=("RealBlur", "."),
        layouts=(ListFile(folder, f"RealBlur_{letter}_{{split}}_list.txt"),),
        flat_name=f"RealBlur_{letter}",
    )


def _dpdd(view: str, flat_name: str | None) -> Published:
    return Published(
        task="defocus",
        bits=16,
        counts={"train": 350, "val": 74, "test": 76},
        folders=("dd_dp_dataset_png", "DPDD", "."),
        layouts=(
            SortedOrder(f"{{split}}_{view}/source", f"{{split}}_{view}/target"),
            SortedOrder(f"{{split}}/input{view.upper()}", "{split}/target"),
        ),
        flat_name=flat_name,
    )


PUBLISHED: Mapping[str, Published] = {
    "gopro": _gopro("blur", "GoPro"),
    "gopro-gamma": _gopro("blur_gamma", None),
    "hide": Published(
        task="motion",
        bits=8,
        counts={"train": 6397, "test": 2025},
        folders=("HIDE_dataset", "HIDE", "."),
        layouts=(CommonTruth(),),
        flat_name="HIDE",
    ),
    "realblur-j": _realblur("J", "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"),
    "realblur-r": _realblur("R", "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"),
    "dpdd": _dpdd("c", "DPDD"),
    "dpdd-left": _dpdd("l", None),
    "dpdd-right": _dpdd("r", None),
    "rwbi": Published(
        task="motion",
        bits=8,
        counts={"test": None},
        folders=("RWBI", "."),
        layouts=(BlurredOnly(),),
        has_truth=False,
    ),
}
"""``gopro`` is linear, ``gopro-gamma`` its other version; ``dpdd`` is the combined view, the others
are those of the dual pixels."""

RECOGNISED = ("gopro", "hide", "realblur-j", "realblur-r", "dpdd")
"""Sets that a folder is known to hold by its layout alone."""
