"""Where one scene of a video ends and the next begins."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image

MEMORY = 8
"""Changes from frame to frame that a cut is compared with."""

_SIDE = 32
_LEAST = 0.1
_RATIO = 2.0


class SceneCuts:
    """Looks at frames one after the other.

    From one to the next, small copies of them change at a cut by a tenth of the full scale or more
    on average, and twice as much as they usually do: by the median of the changes before.
    """

    def __init__(self) -> None:
        self._latest: npt.NDArray[Any] | None = None
        self._changes: deque[float] = deque(maxlen=MEMORY)

    def begins_with(self, image: Image) -> bool:
        """Whether a scene begins with the next frame, `(H,W,3)` uint8, uint16 or float32."""
        import cv2

        dtype: np.dtype[Any] = image.dtype
        full_scale = 1 if dtype == np.float32 else np.iinfo(dtype).max
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        seen = np.asarray(small, np.float32) / np.float32(full_scale)
        if self._latest is None:
            self._latest = seen
            return True
        change = float(np.abs(seen - self._latest).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._latest = seen
        self._changes.append(change)
        return change >= max(_LEAST, _RATIO * usual)
