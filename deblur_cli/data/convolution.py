"""Fast convolution of a picture with the sparse kernels that blur is made of."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Light = npt.NDArray[np.float32]
"""``(H, W, C)`` or ``(H, W)`` light, 0 black and 1 the sensor's saturation."""

BLOCK = 11
"""Largest kernel side for which OpenCV filters directly, skipping zero weights."""


def convolve(light: Light, kernel: npt.NDArray[np.float32]) -> Light:
    """Convolve with an odd square kernel, borders mirrored without repeating the edge.

    OpenCV turns to a Fourier transform for kernels wider than 11 pixels, which costs the same
    however few weights there are. Here the kernel is cut into blocks that it filters directly,
    and empty blocks are skipped.
    """
    reach = kernel.shape[0] // 2
    mirrored = kernel[::-1, ::-1]
    height, width = light.shape[:2]
    padded = cv2.copyMakeBorder(light, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    total = np.zeros_like(light)
    for top in range(0, kernel.shape[0], BLOCK):
        for left in range(0, kernel.shape[1], BLOCK):
            block = mirrored[top : top + BLOCK, left : left + BLOCK]
            if block.any():
                rows, columns = block.shape
                window = padded[top : top + height + rows - 1, left : left + width + columns - 1]
                filtered = cv2.filter2D(window, -1, np.ascontiguousarray(block), anchor=(0, 0))
                cv2.accumulate(np.ascontiguousarray(filtered[:height, :width]), total)
    return total
