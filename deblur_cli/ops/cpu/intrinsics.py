"""The sixteen lanes as values inside numba kernels: their type, operators, functions and memory."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import llvm_version_info
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, models, register_model, type_callable

from deblur_cli.ops.cpu.compile import instruction
from deblur_cli.ops.cpu.vectors import (
    EXPONENT_LIMIT,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    SHORT,
    SHORTS,
    WIDTH,
    Floats,
    Lanes,
    accumulate,
    constant,
    gelu,
    lane_sums,
    pointer,
    sigmoid,
    softplus,
)
from deblur_cli.ops.cpu.vectors import splat as emit_splat


class LanesType(types.Type):  # type: ignore[misc]
    """Numba's type of sixteen float32 lanes."""

    def __init__(self) -> None:
        super().__init__(name="lanes16")


lanes16 = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, FLOATS)


def _define_operator(operation: Callable[[Any, Any], Any]) -> None:
    @type_callable(operation)  # type: ignore[untyped-decorator]
    def result_type(_context: Any) -> Any:
        return lambda left, right: lanes16 if left == right == lanes16 else None

    @lower_builtin(operation, lanes16, lanes16)  # type: ignore[untyped-decorator]
    def emit(_context: Any, builder: ir.IRBuilder, _signature: Any, operands: Any) -> ir.Value:
        left, right = (Lanes(builder, operand) for operand in operands)
        return operation(left, right).value


def _define_function(emit: Callable[[Lanes], Lanes]) -> Any:
    @instruction
    def function(_typing: Any, x: Any) -> Any:
        def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
            return emit(Lanes(builder, args[0])).value

        return lanes16(lanes16), generate

    return function


for _operation in (operator.add, operator.sub, operator.mul, operator.truediv):
    _define_operator(_operation)

vector_gelu = _define_function(gelu)
vector_sigmoid = _define_function(sigmoid)
vector_softplus = _define_function(softplus)


@instruction
def larger_magnitude(_typing: Any, x: Any, y: Any) -> Any:
    """Maximum of |x| and y, lane by lane."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        x, y = (Lanes(builder, value) for value in args)
        return x.absolute().larger(y).value

    return lanes16(lanes16, lanes16), generate


@instruction
def safe_exponents(_typing: Any, x: Any) -> Any:
    """Whether `exp2` can take every lane, and its negative, unlimited."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return Lanes(builder, args[0]).all_at_most(EXPONENT_LIMIT)

    return types.boolean(lanes16), generate


@instruction
def splat(_typing: Any, value: Any) -> Any:
    """A float in all lanes."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return emit_splat(builder, builder.fptrunc(args[0], FLOAT))

    return lanes16(types.float64), generate


@instruction
def load(_typing: Any, address: Any, index: Any) -> Any:
    """Sixteen float32 from `address`, `index` floats on."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return Floats(builder, args[0]).load(args[1]).value

    return lanes16(types.int64, types.int64), generate


@instruction
def broadcast(_typing: Any, address: Any, index: Any) -> Any:
    """One float32, `index` floats from `address`, in all lanes."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return Floats(builder, args[0]).broadcast(args[1]).value

    return lanes16(types.int64, types.int64), generate


@instruction
def row_sums(_typing: Any, address: Any) -> Any:
    """The sum of the i-th sixteen float32 from `address` on in lane i."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        rows = Floats(builder, args[0])
        return lane_sums([rows.load(WIDTH * row) for row in range(WIDTH)]).value

    return lanes16(types.int64), generate


@instruction
def inverse_root(_typing: Any, x: Any) -> Any:
    """1 / sqrt(x), correctly rounded twice."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        kind = ir.FunctionType(FLOATS, [FLOATS])
        sqrt = cgutils.get_or_insert_function(builder.module, kind, "llvm.sqrt.v16f32")
        return builder.fdiv(constant(1.0), builder.call(sqrt, [args[0]]))

    return lanes16(lanes16), generate


@instruction
def store(_typing: Any, address: Any, index: Any, lanes: Any) -> Any:
    """Write sixteen float32."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        Floats(builder, args[0]).store(args[1], Lanes(builder, args[2]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, lanes16), generate


@instruction
def add_to_doubles(_typing: Any, address: Any, lanes: Any) -> Any:
    """Add to sixteen float64 in memory."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        accumulate(builder, args[0], 0, Lanes(builder, args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, lanes16), generate


@instruction
def load_bfloat16(_typing: Any, address: Any, index: Any) -> Any:
    """Sixteen bfloat16, widened."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        value = builder.load(pointer(builder, args[0], args[1], SHORT, SHORTS))
        value.align = 2
        wide = builder.shl(builder.zext(value, INTS), ir.Constant(INTS, [16] * WIDTH))
        return builder.bitcast(wide, FLOATS)

    return lanes16(types.int64, types.int64), generate


@instruction
def store_bfloat16(_typing: Any, address: Any, index: Any, lanes: Any) -> Any:
    """Write sixteen bfloat16, rounded to nearest even."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        target = pointer(builder, args[0], args[1], SHORT, SHORTS)
        builder.store(_bfloat16_bits(context, builder, args[2]), target).align = 2
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, lanes16), generate


@instruction
def copy_bytes(_typing: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy `count` bytes between two addresses that do not overlap."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        byte = ir.PointerType(ir.IntType(8))
        start, origin = (builder.inttoptr(address, byte) for address in args[:2])
        cgutils.raw_memcpy(builder, start, origin, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@instruction
def prefetch(_typing: Any, address: Any) -> Any:
    """Have the cache line at `address` brought near; the address may be invalid."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        byte = ir.PointerType(ir.IntType(8))
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        for_reading, near, of_data = (ir.Constant(INT, value) for value in (0, 2, 1))
        builder.call(function, [builder.inttoptr(args[0], byte), for_reading, near, of_data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


class _BFloat16(ir.Type):  # type: ignore[misc]
    """LLVM's type, which llvmlite has no class for."""

    def _to_string(self) -> str:
        return "bfloat"


def _rounds_by_itself(context: Any) -> bool:
    """Whether the processor has an instruction for it, and LLVM selects that."""
    _, _, features = context.codegen().magic_tuple()
    return "+avx512bf16" in features and llvm_version_info >= (17, 0, 0)


def _bfloat16_bits(context: Any, builder: ir.IRBuilder, floats: ir.Value) -> ir.Value:
    if _rounds_by_itself(context):
        rounded = builder.fptrunc(floats, ir.VectorType(_BFloat16(), WIDTH))
        return builder.bitcast(rounded, SHORTS)
    bits = builder.bitcast(floats, INTS)
    half, odd, quiet = (ir.Constant(INTS, [bit] * WIDTH) for bit in (0x7FFF, 1, 1 << 22))
    shift = ir.Constant(INTS, [16] * WIDTH)
    to_even = builder.and_(builder.lshr(bits, shift), odd)
    rounded = builder.add(bits, builder.add(half, to_even))
    is_nan = builder.fcmp_unordered("uno", floats, floats)
    kept = builder.select(is_nan, builder.or_(bits, quiet), rounded)
    return builder.trunc(builder.lshr(kept, shift), SHORTS)
