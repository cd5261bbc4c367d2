"""How much a video changes over time where its scene does not: the warping error.

Lai et al., "Learning blind video temporal consistency" (ECCV 2018), eq. 9 and 10: each frame is
brought to where the next one shows the same, and compared with it there, but for what is hidden in
one of them. The optical flow is that of another video of the same scene, such as the one before
restoration, so that several restorations of it are compared along the same movements.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.metrics.error import Array, check_comparable, peak

_LEAST_SIDE = 16


@dataclass(frozen=True)
class Movement:
    """Where pixels of a frame were in the one before.

    Args:
        columns: `(H,W)` float32, in pixels from the left.
        rows: likewise, from the top.
        seen: `(H,W)`, whether they were visible there.
    """

    columns: npt.NDArray[np.float32]
    rows: npt.NDArray[np.float32]
    seen: npt.NDArray[np.bool_]


def movement(previous: Array, current: Array) -> Movement:
    """Movement between two frames `(H,W,3)`, by optical flow (DIS) there and back.

    Pixels count as visible where both agree as in Sundaram et al., "Dense point trajectories by
    GPU-accelerated large displacement optical flow" (ECCV 2010), eq. 5, and lie within the frame.

    Raises:
        IncomparableError: shapes or dtypes differ, or a side is below 16.
    """
    check_comparable(previous, current, _LEAST_SIDE)
    before, after = _grey(previous), _grey(current)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back, forth = flow.calc(after, before, None), flow.calc(before, after, None)
    height, width = before.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    columns, rows = columns + back[..., 0], rows + back[..., 1]
    returned = cv2.remap(forth, columns, rows, cv2.INTER_LINEAR)
    lengths = (back**2).sum(axis=-1) + (returned**2).sum(axis=-1)
    agree = ((back + returned) ** 2).sum(axis=-1) < 0.01 * lengths + 0.5
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    return Movement(columns, rows, agree & inside)


def warped_difference(previous: Array, current: Array, moved: Movement) -> float:
    """Root of the mean squared difference of a frame and the one before, warped to it.

    Args:
        previous, current: `(H,W,3)`: uint8, uint16, or a float type in [0,1].
        moved: between them, or between those of another video of the same scene.

    Returns:
        In [0,1]; NaN where nothing is visible in both.

    Raises:
        IncomparableError: shapes or dtypes differ.
    """
    check_comparable(previous, current)
    warped = cv2.remap(_unit(previous), moved.columns, moved.rows, cv2.INTER_CUBIC)
    squares = (warped - _unit(current))[moved.seen] ** 2
    return float(np.sqrt(squares.mean(dtype=np.float64))) if squares.size else float("nan")


def _unit(frame: Array) -> npt.NDArray[np.float32]:
    return np.asarray(frame, np.float32) / np.float32(peak(frame))


def _grey(frame: Array) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(_unit(frame), cv2.COLOR_RGB2GRAY)
    eight_bit: npt.NDArray[np.uint8] = np.rint(255 * grey).astype(np.uint8)
    return eight_bit
