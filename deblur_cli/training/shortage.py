"""When memory does not suffice for a step: which batch it would suffice for."""

from __future__ import annotations

import traceback
from dataclasses import replace

import torch

from deblur_cli.errors import DeviceError
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.training.distributed import Ranks
from deblur_cli.training.learner import Learner


def explain_shortage(error: Exception, learner: Learner, share: int, patch: int) -> DeviceError:
    """Try smaller parts of a batch until one fits, and say what to change.

    Args:
        error: how the step ended; what its frames hold in memory is given up.
        learner: is of no use afterwards.
        share: patches in this process's share of the batch.
        patch: their side in pixels.
    """
    traceback.clear_frames(error.__traceback__)
    processes, part, size = learner.ranks.size, share // learner.parts, f"{patch}x{patch}"
    problem = f"the device '{learner.device}' has too little memory for {part} patches of {size}"
    smaller = [count for count in range(part // 2, 0, -1) if part % count == 0]
    fitting = next((count for count in smaller if _fits(learner, count, patch)), None)
    if fitting is None:
        return DeviceError(f"{problem} and for any fewer", remedy="use a smaller --patch")
    return DeviceError(
        f"{problem}; {fitting} fit",
        remedy=f"use --set optimiser.accumulation={learner.parts * part // fitting}, which gives "
        f"the same result, or --batch {fitting * processes * learner.parts}",
    )


def _fits(learner: Learner, count: int, patch: int) -> bool:
    learner.optimiser.zero_grad(set_to_none=True)
    torch.cuda.empty_cache()
    alone = replace(learner, parts=1, ranks=Ranks())
    try:
        pictures = torch.full((count, 3, patch, patch), 0.5, device=learner.device)
        alone.step(pictures, pictures, learning_rate=0.0)
    except (RuntimeError, MemoryError) as error:
        if ran_out_of_memory(error):
            return False
        raise
    return True
