"""How kernels and their parts are compiled, and kept on disk without ever being stale."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

Kernel = Callable[..., None]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def instruction(emitter: Callable[..., Any]) -> Callable[..., Any]:
    """What kernels call to have LLVM code emitted; the call leaves out the first argument."""
    return cast(Callable[..., Any], intrinsic(emitter))


def subroutine(function: _Function) -> _Function:
    """A part of kernels, compiled into each."""
    return cast(_Function, numba.njit(nogil=True)(function))


def kernel(*signature: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Compile a function for argument types `signature`, to run without the interpreter lock."""

    def compiled(function: Callable[..., Any]) -> Kernel:
        dispatcher = numba.njit(nogil=True)(function)
        with contextlib.suppress(RuntimeError):  # no folder is writable: compiled every time
            dispatcher._cache = _SourceAwareCache(dispatcher.py_func)
        dispatcher.compile(numba.void(*signature))
        dispatcher.disable_compile()
        return cast(Kernel, dispatcher)

    return compiled


def fingerprint(folder: Path) -> str:
    """Hash of every source file in a folder: kernels are made of all of this one's."""
    text = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        text.update(file.read_bytes())
    return text.hexdigest()


_SOURCES = fingerprint(Path(__file__).parent)


class _SourceAwareCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache on disk, which by itself only notices edits of the kernel's own file."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _SOURCES)
