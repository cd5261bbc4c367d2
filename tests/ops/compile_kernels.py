"""Compile every Triton kernel for a compute capability, without a GPU.

    python -m tests.ops.compile_kernels 90

Prints the size of each kernel's machine code in bytes, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from deblur_cli.ops.triton import adjoint, conv, forward, norm, pieces
from deblur_cli.ops.triton.blocks import LANES, Rows

KERNELS = (
    forward._find_ends,
    forward._find_outputs,
    adjoint.find_adjoint_ends,
    adjoint.find_gradients,
    pieces._find_group_ends,
    pieces._find_starts,
    conv._convolve,
    conv._differentiate_silu,
    conv._spread,
    norm._normalise,
    norm._differentiate,
)
HALF = {"u", "delta", "B", "C", "z", "y", "grad_y", "by_u", "by_delta", "by_z", "x", "grad_x"}
NUMBERS = {"piece", "length", "group", "pieces", "channels", "states", "rows"}
FLOAT_ROWS = {"by_B", "by_C"}
NO_ROWS = {("_convolve", "y"), ("_spread", "grad_x")} | {
    (kernel, name)
    for kernel in ("_normalise", "_differentiate")
    for name in ("x", "y", "grad_x", "grad_y")
}
CONSTANTS: dict[str, int] = {
    **dict.fromkeys(("BIAS", "SOFTPLUS", "SKIP", "GATE", "STARTS", "BACKWARD"), True),
    "BLOCK_N": 32,
    "BLOCK_D": 32,
    "TAPS": 4,
    "TILES": conv.TILES,
    "BLOCK_T": conv.TOKENS,
    "BLOCK_R": 64,
    "BLOCK_C": 64,
}


def argument(kernel: str, name: str) -> Any:
    """The type of one argument, as the compiler names it."""
    if name in CONSTANTS:
        return "constexpr"
    if name in NUMBERS:
        return "i32"
    if name == "eps":
        return "fp32"
    pointer = "*bf16" if name in HALF else "*fp32"
    is_rows = name in HALF | FLOAT_ROWS and (kernel, name) not in NO_ROWS
    return Rows(pointer, "i32", "i32") if is_rows else pointer


def code_size(kernel: Any, capability: int) -> int:
    """Bytes of machine code."""
    name = kernel.fn.__name__
    signature = {arg: argument(name, arg) for arg in kernel.arg_names}
    constants = {arg: CONSTANTS[arg] for arg in kernel.arg_names if arg in CONSTANTS}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = GPUTarget("cuda", capability, LANES)
    return len(triton.compile(source, target=target, options={"num_warps": 1}).asm["cubin"])


if __name__ == "__main__":
    found = {kernel.fn.__name__: code_size(kernel, int(sys.argv[1])) for kernel in KERNELS}
    print(json.dumps(found))
