"""One copy of the pictures for all processes."""

from __future__ import annotations

import ctypes
import pickle
from itertools import accumulate, pairwise
from multiprocessing.context import SpawnContext
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


class Shared(Generic[T]):
    """An object whose arrays lie in memory that child processes share with this one.

    To be passed to a child as an argument of its process. The memory has no name and ends with the
    last process that holds it, however that ends.
    """

    def __init__(self, content: T, context: SpawnContext) -> None:
        """Copy an object that can be pickled; its contiguous arrays go into shared memory."""
        buffers: list[pickle.PickleBuffer] = []
        self._skeleton = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
        arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self._bounds = list(accumulate((len(array) for array in arrays), initial=0))
        self._memory = context.RawArray(ctypes.c_uint8, max(1, self._bounds[-1]))
        target = np.ctypeslib.as_array(self._memory)
        for array, (start, end) in zip(arrays, pairwise(self._bounds), strict=True):
            target[start:end] = array

    def load(self) -> T:
        """The object again; its arrays are read-only views of the shared memory."""
        memory = np.ctypeslib.as_array(self._memory)
        memory.flags.writeable = False
        buffers = [memory[start:end] for start, end in pairwise(self._bounds)]
        content: T = pickle.loads(self._skeleton, buffers=buffers)
        return content
