"""The innermost loops of the gradient: the recurrence again, keeping its states, then backwards."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from deblur_cli.ops.cpu.compile import instruction
from deblur_cli.ops.cpu.recurrence import STATES, Register, Token, decay_factor, in_either_case
from deblur_cli.ops.cpu.vectors import (
    LONG,
    WIDTH,
    Floats,
    Lanes,
    accumulate,
    constant,
    lane_sums,
)


@instruction
def advance_and_keep(
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
    decays: Any,
    decayed: Any,
    safe: Any,
) -> Any:
    """As `advance_with_output`, keeping each token's decay and its product with the state.

    `h` is only read. `decays` and `decayed` are (tokens, 8 states, 16 channels).
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        step, drive, y, h, decay, b, c = (Floats(builder, address) for address in args[:7])
        row, tokens, safe = args[7], args[8], args[11]
        decays, decayed = (Floats(builder, address) for address in args[9:11])
        rates = [decay.load(n * WIDTH) for n in range(STATES)]
        states = [Register.holding(h.load(n * WIDTH)) for n in range(STATES)]

        def over_tokens(safe: bool) -> None:
            with cgutils.for_range(builder, tokens, intp=LONG) as loop:
                token = Token(builder, loop.index, row)
                delta, source = step.load(token.column()), drive.load(token.column())
                sums = [y.load(token.column()), Lanes(builder, constant(0.0))]
                for n in range(STATES):
                    kept = token.column(n, STATES)
                    factor = decay_factor(delta * rates[n], safe)
                    carried = factor * states[n].lanes
                    decays.store(kept, factor)
                    decayed.store(kept, carried)
                    state = source * b.broadcast(token.weight(n)) + carried
                    states[n].set(state)
                    sums[n % 2] = c.broadcast(token.weight(n)) * state + sums[n % 2]
                y.store(token.column(), sums[0] + sums[1])

        in_either_case(builder, safe, over_tokens)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 11, types.boolean), generate


@instruction
def retreat(
    _typing: Any,
    step: Any,
    drive: Any,
    grad_y: Any,
    grad_step: Any,
    grad_drive: Any,
    grad_h: Any,
    grad_decay: Any,
    decay: Any,
    b: Any,
    c: Any,
    row: Any,
    tokens: Any,
    decays: Any,
    decayed: Any,
    grad_weights: Any,
    weights_row: Any,
) -> Any:
    """From the last token to the first: the gradients by what `advance_and_keep` kept.

    `grad_h` comes in as the gradient by the state after the last token, as far as later tokens
    depend on it, and leaves as the same for the token before the first. `grad_step` gathers the
    derivative by step * log2(e). The derivative by A is added to the doubles of `grad_decay`. To
    `grad_weights` are added, for every token, eight floats of B and eight of C; `weights_row`
    floats lie between tokens.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        step, drive, grad_y, grad_step, grad_drive = (Floats(builder, a) for a in args[:5])
        grad_h, decay, b, c = (Floats(builder, args[i]) for i in (5, 7, 8, 9))
        row, tokens = args[10:12]
        decays, decayed, grad_weights = (Floats(builder, a) for a in args[12:15])
        by_state = [Register.holding(grad_h.load(n * WIDTH)) for n in range(STATES)]
        zero = Lanes(builder, constant(0.0))
        by_rate = [Register.holding(zero) for _ in range(STATES)]
        with cgutils.for_range(builder, tokens, intp=LONG) as loop:
            last = builder.sub(tokens, ir.Constant(LONG, 1))
            token = Token(builder, builder.sub(last, loop.index), row)
            column = token.column()
            delta, source, by_output = (x.load(column) for x in (step, drive, grad_y))
            by_step, by_drive = grad_step.load(column), grad_drive.load(column)
            by_b, by_c = [], []
            for n in range(STATES):
                kept = token.column(n, STATES)
                carried, weight = decayed.load(kept), b.broadcast(token.weight(n))
                gradient = c.broadcast(token.weight(n)) * by_output + by_state[n].lanes
                by_c.append((source * weight + carried) * by_output)
                by_b.append(gradient * source)
                by_drive = gradient * weight + by_drive
                by_exponent = gradient * carried
                by_step = by_exponent * decay.load(n * WIDTH) + by_step
                by_rate[n].set(by_exponent * delta + by_rate[n].lanes)
                by_state[n].set(gradient * decays.load(kept))
            grad_step.store(column, by_step)
            grad_drive.store(column, by_drive)
            place = builder.mul(token.index, args[15])
            grad_weights.store(place, grad_weights.load(place) + lane_sums(by_b + by_c))
        for n in range(STATES):
            grad_h.store(n * WIDTH, by_state[n].lanes)
            accumulate(builder, args[6], n * WIDTH, by_rate[n].lanes)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 16), generate
