"""Fast convolution of a picture with the sparse kernels that blur is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

Light = npt.NDArray[np.float32]
"""``(H, W, C)`` or ``(H, W)`` light, 0 black and 1 the sensor's saturation."""

BLOCK = 11
"""Largest kernel side for which OpenCV filters directly, skipping zero weights."""


def convolve(light: Light, kernel: npt.NDArray[np.float32]) -> Light:
    """Convolve with an odd square kernel, borders mirrored without repeating the edge."""
    return _filtered(_mirrored(light, kernel.shape[0] // 2), kernel)


def convolve_varying(
    light: Light, kernel_at: Callable[[float, float], npt.NDArray[np.float32]], nodes: int
) -> Light:
    """Convolve with a kernel that changes over the picture; costs about four convolutions.

    Args:
        light: ``(H, W, 3)``; borders are mirrored without repeating the edge.
        kernel_at: the kernel at a place (x, y) in pixels; all odd, square and of one size.
        nodes: places along each side, at least 2, at which it is asked for. Each pixel gets the
            mean of the results of the four nodes around it, weighted bilinearly.
    """
    height, width = light.shape[:2]
    rows, columns = np.linspace(0, height - 1, nodes), np.linspace(0, width - 1, nodes)
    kernels = [[kernel_at(x, y) for x in columns] for y in rows]
    reach = kernels[0][0].shape[0] // 2
    padded = _mirrored(light, reach)
    total = np.zeros_like(light)
    for row, down, by_row in _hats(rows, height):
        for column, across, by_column in _hats(columns, width):
            window = padded[
                down.start : down.stop + 2 * reach, across.start : across.stop + 2 * reach
            ]
            share = by_row[:, None, None] * by_column[None, :, None]
            total[down, across] += share * _filtered(window, kernels[row][column])
    return total


def _hats(nodes: npt.NDArray[np.float64], length: int) -> Iterator[tuple[int, slice, Light]]:
    """Each node's number, the pixels it has a share in, and its share, 0 at its neighbours."""
    for number, unit in enumerate(np.eye(len(nodes))):
        share = np.interp(np.arange(length), nodes, unit)
        inside = np.flatnonzero(share)
        if len(inside):
            part = slice(int(inside[0]), int(inside[-1]) + 1)
            yield number, part, share[part].astype(np.float32)


def _mirrored(light: Light, reach: int) -> Light:
    return np.asarray(cv2.copyMakeBorder(light, reach, reach, reach, reach, cv2.BORDER_REFLECT_101))


def _filtered(padded: Light, kernel: npt.NDArray[np.float32]) -> Light:
    """The part of a convolution that needs nothing from beyond the picture.

    OpenCV turns to a Fourier transform for kernels wider than 11 pixels, which costs the same
    however few weights there are. Here the kernel is cut into blocks that it filters directly,
    and empty blocks are skipped.
    """
    mirrored = kernel[::-1, ::-1]
    height, width = (length - kernel.shape[0] + 1 for length in padded.shape[:2])
    total = np.zeros((height, width, *padded.shape[2:]), padded.dtype)
    for top in range(0, kernel.shape[0], BLOCK):
        for left in range(0, kernel.shape[1], BLOCK):
            block = mirrored[top : top + BLOCK, left : left + BLOCK]
            if block.any():
                rows, columns = block.shape
                window = padded[top : top + height + rows - 1, left : left + width + columns - 1]
                filtered = cv2.filter2D(window, -1, np.ascontiguousarray(block), anchor=(0, 0))
                cv2.accumulate(np.ascontiguousarray(filtered[:height, :width]), total)
    return total
