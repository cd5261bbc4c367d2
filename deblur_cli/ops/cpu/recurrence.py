"""The innermost loops: a few states of sixteen channels, in registers, over a chunk of tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from deblur_cli.ops.cpu.compile import instruction
from deblur_cli.ops.cpu.vectors import LONG, WIDTH, Floats, Lanes, constant, exp2, limited

STATES = 8
"""States that are treated at once: as many as stay in registers beside the constants."""


@dataclass(frozen=True)
class Register:
    """Sixteen lanes that live through a loop."""

    builder: ir.IRBuilder
    slot: ir.Value

    @classmethod
    def holding(cls, lanes: Lanes) -> Register:
        """Begin with `lanes`; to be called before the loop."""
        return cls(lanes.builder, cgutils.alloca_once_value(lanes.builder, lanes.value))

    @property
    def lanes(self) -> Lanes:
        """What it holds now."""
        return Lanes(self.builder, self.builder.load(self.slot))

    def set(self, lanes: Lanes) -> None:
        """Hold `lanes` from here on."""
        self.builder.store(lanes.value, self.slot)


@dataclass(frozen=True)
class Token:
    """Where the values of one token lie in the scratch memory of a chunk."""

    builder: ir.IRBuilder
    index: ir.Value
    row: ir.Value

    def column(self, state: int = 0, states: int = 1) -> ir.Value:
        """Of the channels: sixteen floats a token, or a token and state."""
        return self._offset(ir.Constant(LONG, states * WIDTH), state * WIDTH)

    def weight(self, state: int) -> ir.Value:
        """Of B and C: `row` floats a token."""
        return self._offset(self.row, state)

    def _offset(self, stride: ir.Value, start: int) -> ir.Value:
        return self.builder.add(self.builder.mul(self.index, stride), ir.Constant(LONG, start))


def decay_factor(exponent: Lanes, safe: bool) -> Lanes:
    """2**exponent, faster for an exponent that `safe_exponents` has found within the limits."""
    return exp2(exponent if safe else limited(exponent))


def in_either_case(builder: ir.IRBuilder, flag: ir.Value, emit: Callable[[bool], None]) -> None:
    """Emit a loop twice, to run as the flag says."""
    with builder.if_else(flag) as (then, otherwise):
        with then:
            emit(True)
        with otherwise:
            emit(False)


@instruction
def advance(
    _typing: Any, step: Any, drive: Any, h: Any, decay: Any, b: Any, row: Any, tokens: Any
) -> Any:
    """Move eight states `h` from before the first token to after the last.

    `step` and `drive` are (tokens, 16 channels), `decay` and `h` (8 states, 16 channels), `b`
    (tokens, states) with `row` floats between tokens.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        step, drive, h, decay, b = (Floats(builder, address) for address in args[:5])
        rates = [decay.load(n * WIDTH) for n in range(STATES)]
        states = [Register.holding(h.load(n * WIDTH)) for n in range(STATES)]
        with cgutils.for_range(builder, args[6], intp=LONG) as loop:
            token = Token(builder, loop.index, args[5])
            delta, source = step.load(token.column()), drive.load(token.column())
            for n in range(STATES):
                inflow = source * b.broadcast(token.weight(n))
                states[n].set(decay_factor(delta * rates[n], safe=False) * states[n].lanes + inflow)
        for n in range(STATES):
            h.store(n * WIDTH, states[n].lanes)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), generate


@instruction
def advance_with_output(
    _typing: Any,
    step: Any,
    drive: Any,
    y: Any,
    h: Any,
    decay: Any,
    b: Any,
    c: Any,
    row: Any,
    tokens: Any,
    safe: Any,
) -> Any:
    """As `advance`, adding `sum_n c[n] * h[n]` of each token to `y` (tokens, 16 channels).

    `safe` says whether all exponents are, see `safe_exponents`.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        step, drive, y, h, decay, b, c = (Floats(builder, address) for address in args[:7])
        row, tokens, safe = args[7:]
        rates = [decay.load(n * WIDTH) for n in range(STATES)]
        states = [Register.holding(h.load(n * WIDTH)) for n in range(STATES)]

        def over_tokens(safe: bool) -> None:
            with cgutils.for_range(builder, tokens, intp=LONG) as loop:
                token = Token(builder, loop.index, row)
                delta, source = step.load(token.column()), drive.load(token.column())
                sums = [y.load(token.column()), Lanes(builder, constant(0.0))]
                for n in range(STATES):
                    inflow = source * b.broadcast(token.weight(n))
                    state = decay_factor(delta * rates[n], safe) * states[n].lanes + inflow
                    states[n].set(state)
                    sums[n % 2] = c.broadcast(token.weight(n)) * state + sums[n % 2]
                y.store(token.column(), sums[0] + sums[1])

        in_either_case(builder, safe, over_tokens)
        for n in range(STATES):
            h.store(n * WIDTH, states[n].lanes)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 9, types.boolean), generate
