"""Sixteen float32 lanes as a number: the notation in which LLVM code is emitted.

LLVM turns sixteen lanes into one register of AVX-512, two of AVX2, four of SSE or NEON. Products
and sums may be fused, nothing else is relaxed: reassociation would delete the rounding in `exp2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llvmlite import ir
from numba.core import cgutils

WIDTH = 16
LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
EXPONENT_LIMIT = 126.0

FLOAT, SHORT, INT, LONG = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)
DOUBLE = ir.DoubleType()
FLOATS, SHORTS, INTS = (ir.VectorType(element, WIDTH) for element in (FLOAT, SHORT, INT))
DOUBLES = ir.VectorType(DOUBLE, WIDTH)
FUSE = ("contract",)

_ROUNDING = 1.5 * 2.0**23  # added to x, leaves round(x) in the low bits of the mantissa
_EXP2 = (
    1.3264727313071489e-3,
    9.6715129911899567e-3,
    5.5507335811853409e-2,
    2.4022242426872253e-1,
    6.9314700365066528e-1,
    1.0,
)
"""Minimax polynomial of 2**x on [-1/2, 1/2], highest power first, exact at 0."""


@dataclass(frozen=True)
class Lanes:
    """A <16 x float> value under construction; floats mix in as constants."""

    builder: ir.IRBuilder
    value: ir.Value

    def __add__(self, other: Lanes | float) -> Lanes:
        """Sum."""
        return self._new(self.builder.fadd(self.value, self._operand(other), flags=FUSE))

    def __sub__(self, other: Lanes | float) -> Lanes:
        """Difference."""
        return self._new(self.builder.fsub(self.value, self._operand(other), flags=FUSE))

    def __mul__(self, other: Lanes | float) -> Lanes:
        """Product."""
        return self._new(self.builder.fmul(self.value, self._operand(other), flags=FUSE))

    def __truediv__(self, other: Lanes | float) -> Lanes:
        """Quotient."""
        return self._new(self.builder.fdiv(self.value, self._operand(other)))

    def at_least(self, bound: float) -> Lanes:
        """Maximum with a constant; not-a-number stays."""
        return self._select(">", bound)

    def at_most(self, bound: float) -> Lanes:
        """Minimum with a constant; not-a-number stays."""
        return self._select("<", bound)

    def absolute(self) -> Lanes:
        """Magnitude of each lane."""
        kind = ir.FunctionType(FLOATS, [FLOATS])
        fabs = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.fabs.v16f32")
        return self._new(self.builder.call(fabs, [self.value]))

    def larger(self, other: Lanes) -> Lanes:
        """Maximum lane by lane."""
        greater = self.builder.fcmp_ordered(">", self.value, other.value)
        return self._new(self.builder.select(greater, self.value, other.value))

    def all_at_most(self, bound: float) -> ir.Value:
        """Whether no lane exceeds a constant or is not a number, as one bit."""
        within = self.builder.fcmp_ordered("<=", self.value, constant(bound))
        bits = self.builder.bitcast(within, ir.IntType(WIDTH))
        return self.builder.icmp_signed("==", bits, ir.Constant(ir.IntType(WIDTH), -1))

    def shuffled(self, other: Lanes, picks: list[int]) -> Lanes:
        """Sixteen of the 32 lanes of `self` and `other`."""
        mask = ir.Constant(INTS, picks)
        return self._new(self.builder.shuffle_vector(self.value, other.value, mask))

    def _select(self, relation: str, bound: float) -> Lanes:
        limit = self._operand(bound)
        better = self.builder.fcmp_ordered(relation, limit, self.value)
        return self._new(self.builder.select(better, limit, self.value))

    def _operand(self, other: Lanes | float) -> ir.Value:
        return other.value if isinstance(other, Lanes) else constant(other)

    def _new(self, value: ir.Value) -> Lanes:
        return Lanes(self.builder, value)


@dataclass(frozen=True)
class Floats:
    """Float32 memory at a run-time address; indices count floats."""

    builder: ir.IRBuilder
    address: ir.Value

    def load(self, index: ir.Value | int) -> Lanes:
        """Sixteen consecutive floats, aligned or not."""
        value = self.builder.load(self._pointer(index, FLOATS))
        value.align = 4
        return Lanes(self.builder, value)

    def store(self, index: ir.Value | int, lanes: Lanes) -> None:
        """Write sixteen consecutive floats, aligned or not."""
        self.builder.store(lanes.value, self._pointer(index, FLOATS)).align = 4

    def broadcast(self, index: ir.Value | int) -> Lanes:
        """One float in all lanes."""
        value = self.builder.load(self._pointer(index, FLOAT))
        return Lanes(self.builder, splat(self.builder, value))

    def _pointer(self, index: ir.Value | int, kind: ir.Type) -> ir.Value:
        return pointer(self.builder, self.address, index, FLOAT, kind)


def accumulate(builder: ir.IRBuilder, address: ir.Value, index: int, lanes: Lanes) -> None:
    """Add to sixteen doubles in memory, `index` doubles on: long sums keep their small terms."""
    target = pointer(builder, address, index, DOUBLE, DOUBLES)
    before = builder.load(target)
    before.align = 8
    total = builder.fadd(before, builder.fpext(lanes.value, DOUBLES))
    builder.store(total, target).align = 8


def constant(value: float) -> ir.Constant:
    """The same float in all lanes."""
    return ir.Constant(FLOATS, [float(value)] * WIDTH)


def exp2(x: Lanes) -> Lanes:
    """2**x for |x| <= `EXPONENT_LIMIT`, relative error 3e-7; nonsense beyond, see `limited`."""
    builder = x.builder
    shifted = x + _ROUNDING
    fraction = x - (shifted - _ROUNDING)
    power = Lanes(builder, constant(_EXP2[0]))
    for coefficient in _EXP2[1:]:
        power = power * fraction + coefficient
    exponent = builder.shl(builder.bitcast(shifted.value, INTS), ir.Constant(INTS, [23] * WIDTH))
    scaled = builder.add(builder.bitcast(power.value, INTS), exponent)
    return Lanes(builder, builder.bitcast(scaled, FLOATS))


def limited(x: Lanes) -> Lanes:
    """`x` for `exp2`: too small becomes 2**-126, too large infinity."""
    return x.at_least(-EXPONENT_LIMIT).at_most(EXPONENT_LIMIT + 2.0)


def sigmoid(x: Lanes) -> Lanes:
    """1 / (1 + exp(-x))."""
    return Lanes(x.builder, constant(1.0)) / (exp2(limited(x * -LOG2_E)) + 1.0)


def gelu(x: Lanes) -> Lanes:
    """x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x**3))), which is GELU's tanh approximation."""
    slope = -2.0 * math.sqrt(2.0 / math.pi) * LOG2_E
    exponent = x * (x * x * (0.044715 * slope) + slope)
    return x / (exp2(limited(exponent)) + 1.0)


def softplus(x: Lanes) -> Lanes:
    """log(1 + exp(x)), accurate to its own size however small."""
    small = (x.absolute() * -LOG2_E).at_least(-EXPONENT_LIMIT)
    return x.at_least(0.0) + _log1p(exp2(small))


def lane_sums(vectors: list[Lanes]) -> Lanes:
    """The sum over the lanes of vector i in lane i, for sixteen vectors, by a tree of shuffles."""
    for left, right in _SUM_STEPS:
        vectors = [
            first.shuffled(second, left) + first.shuffled(second, right)
            for first, second in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _sum_step(of_128_bits: list[list[int]]) -> list[int]:
    return [lane for lanes in of_128_bits for lane in lanes]


_SUM_STEPS = (
    (
        _sum_step([[i, i + 16, i + 1, i + 17] for i in (0, 4, 8, 12)]),
        _sum_step([[i + 2, i + 18, i + 3, i + 19] for i in (0, 4, 8, 12)]),
    ),
    (
        _sum_step([[i, i + 1, i + 16, i + 17] for i in (0, 4, 8, 12)]),
        _sum_step([[i + 2, i + 3, i + 18, i + 19] for i in (0, 4, 8, 12)]),
    ),
    (
        _sum_step([list(range(i, i + 4)) for i in (0, 4, 16, 20)]),
        _sum_step([list(range(i, i + 4)) for i in (8, 12, 24, 28)]),
    ),
    (
        _sum_step([list(range(i, i + 4)) for i in (0, 8, 16, 24)]),
        _sum_step([list(range(i, i + 4)) for i in (4, 12, 20, 28)]),
    ),
)
"""Lanes to add at each level: within 128 bits first, then across, as every machine can."""


def _log1p(x: Lanes) -> Lanes:
    """log(1 + x) on [0, 1] by the series of 2 artanh(x / (2 + x))."""
    ratio = x / (x + 2.0)
    square = ratio * ratio
    series = Lanes(x.builder, constant(2.0 / 13.0))
    for odd in (11, 9, 7, 5, 3, 1):
        series = series * square + 2.0 / odd
    return series * ratio


def splat(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    """The same run-time float in all lanes."""
    empty = ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(INTS, [0] * WIDTH))


def pointer(
    builder: ir.IRBuilder, address: ir.Value, index: ir.Value | int, unit: ir.Type, kind: ir.Type
) -> ir.Value:
    """Pointer to a `kind` at `address`, `index` units on."""
    if isinstance(index, int):
        index = ir.Constant(LONG, index)
    start = builder.inttoptr(address, ir.PointerType(unit))
    return builder.bitcast(builder.gep(start, [index]), ir.PointerType(kind))
