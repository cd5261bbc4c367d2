"""Colours under transparent pixels, where files hold anything, mostly black."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image


def fill_transparent(pixels: Image, alpha: Image) -> Image:
    """The picture with every fully transparent pixel in the colour of the nearest other one.

    A network that looks at a neighbourhood then sees no edge to black along the outline.

    Args:
        pixels: `(H, W, 3)`, not premultiplied.
        alpha: `(H, W)`; 0 is fully transparent.

    Returns:
        The picture itself where no pixel is transparent, or all are.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return pixels
    nearest = _nearest_visible(hidden)
    filled = pixels.copy()
    filled[hidden] = pixels.reshape(-1, 3)[nearest[hidden]]
    return filled


def keep_transparent(restored: Image, original: Image, alpha: Image) -> Image:
    """The restored picture with the original's colours under fully transparent pixels."""
    return np.where((alpha == 0)[..., None], original, restored)


def _nearest_visible(hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """For each pixel the flat index of the nearest that is not hidden."""
    import cv2

    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    visible = np.flatnonzero(~hidden)
    index_of = np.zeros(int(labels.max()) + 1, np.intp)
    index_of[labels.reshape(-1)[visible]] = visible
    nearest: npt.NDArray[np.intp] = index_of[labels]
    return nearest
