"""What the kernels share: which values a program holds, how it reads them, functions of one value.

A program goes through the tokens of one image with a block of channels and all of their states; the
channels lie side by side in the threads of a warp, the states of a channel in one thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, cast

import torch
import triton
import triton.language as tl
from torch import Tensor

LANES = 32
"""Threads of a warp."""

LOG2_E = 1.4426950408889634
LN_2 = tl.constexpr(0.6931471805599453)

inlined: Callable[[Callable[..., Any]], Any] = triton.jit
"""A function that kernels call."""


def kernel(*unspecialised: str) -> Callable[[Callable[..., Any]], Any]:
    """A kernel that is compiled once for all values of the arguments named."""
    return cast(Callable[[Callable[..., Any]], Any], triton.jit(do_not_specialize=unspecialised))


class Rows(NamedTuple):
    """A (B, L, columns) tensor: its memory, and the elements between images and between tokens."""

    memory: Any
    image: Any
    token: Any


class Block(NamedTuple):
    """The channels `d` and states `n` of a program, and which of them exist."""

    d: Any
    n: Any
    has_d: Any
    has_n: Any
    place: Any
    """Of each state in an (N, D) matrix."""
    has: Any


def rows(tensor: Tensor | None, placeholder: Tensor) -> Rows:
    """`tensor` for a kernel, which needs some address even for what it will not read."""
    if tensor is None:
        return Rows(placeholder, 0, 0)
    return Rows(tensor, tensor.stride(0), tensor.stride(1))


def launching_on(device: torch.device) -> AbstractContextManager[Any]:
    """Launch on `device`: Triton takes the current one, whatever the tensors say."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def power_of_two(size: int) -> int:
    """The smallest power of two that is not below `size`."""
    return 1 << (size - 1).bit_length()


@inlined
def block_of_program(  # type: ignore[no-untyped-def]
    channels, states, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr
):
    """The block that lies at the program's second index."""
    d = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    n = tl.arange(0, BLOCK_N)
    has_d, has_n = d < channels, n < states
    place = n[:, None] * channels + d[None, :]
    return Block(d, n, has_d, has_n, place, has_n[:, None] & has_d[None, :])


@inlined
def seek(rows, image, token):  # type: ignore[no-untyped-def]
    """`rows` from one token of one image on."""
    memory = rows.memory + image * rows.image + token * rows.token
    return Rows(memory, rows.image, rows.token)


@inlined
def read(pointers, mask):  # type: ignore[no-untyped-def]
    """Values as float32, zero where `mask` is false."""
    return tl.load(pointers, mask=mask, other=0.0).to(tl.float32)


@inlined
def read_row(rows, token, column, mask):  # type: ignore[no-untyped-def]
    """Values of one token as float32, zero where `mask` is false."""
    return read(rows.memory + token * rows.token + column, mask)


@inlined
def write(pointers, values, mask):  # type: ignore[no-untyped-def]
    """Store values in the dtype that the memory has."""
    tl.store(pointers, values.to(pointers.dtype.element_ty), mask=mask)


@inlined
def write_row(rows, token, column, values, mask):  # type: ignore[no-untyped-def]
    """Store values of one token in the dtype that the memory has."""
    write(rows.memory + token * rows.token + column, values, mask)


@inlined
def sigmoid(x):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-x)), without overflow on either side."""
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, small) / (1.0 + small)


@inlined
def softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + e) with e = exp(x), as 2 artanh(e / (2 + e)); relative error below 3e-7."""
    e = tl.exp(-tl.abs(x))
    s = e / (2.0 + e)
    s2 = s * s
    series = 1.0 / 13.0 + s2 / 15.0
    for odd in tl.static_range(11, 0, -2):
        series = series * s2 + 1.0 / odd
    return tl.maximum(x, 0.0) + 2.0 * s * series


@inlined
def step_size(delta, bias, exists, SOFTPLUS: tl.constexpr):  # type: ignore[no-untyped-def]
    """`delta` with its bias and softplus, zero where nothing exists; NaN comes through."""
    step = delta + bias
    if SOFTPLUS:
        step = tl.where(step == step, softplus(step), step)
    return tl.where(exists, step, 0.0)
