"""How fast the whole network is: ALGNet of width 32 on one 512x512 image, per precision and layout.

Prints thread-CPU seconds on one thread, median over runs, beside the bars; exits with 1 if one is
missed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import statistics
import sys
import time

import torch

from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.models import RestorationModel, create_model

LAYOUTS = {
    "paper 1,1,1,28/1/1,1,1,1": {},
    "release 2,2,4,8/8/8,4,2,2": {
        "encoder_blocks": (2, 2, 4, 8),
        "middle_blocks": 8,
        "decoder_blocks": (8, 4, 2, 2),
    },
}
BARS = {torch.float32: 5.0, torch.bfloat16: 2.2}
"""Core-seconds on a CPU with AVX-512; twice as much is allowed without."""


def core_seconds(model: RestorationModel, side: int, runs: int) -> float:
    """Median thread-CPU time of one image, after one run that is not counted."""
    image = torch.rand(1, 3, side, side)
    times = []
    with torch.inference_mode():
        for _ in range(runs + 1):
            start = time.thread_time()
            model(image)
            times.append(time.thread_time() - start)
    return statistics.median(times[1:])


def main() -> int:
    """Time every layout in every precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=512, help="side of the image, in pixels")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    reuse_freed_memory()  # as `deblur run` does
    allowance = 1.0 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 2.0
    missed = False
    print(f"ALGNet width 32, {options.side}x{options.side}, one thread, core-seconds per image")
    for layout, config in LAYOUTS.items():
        for dtype, bar in BARS.items():
            model = create_model("algnet", **config).eval().set_precision(dtype)
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            seconds = core_seconds(model, options.side, options.runs)
            limit = bar * allowance * (options.side / 512) ** 2
            missed |= seconds > limit
            verdict = "MISSED" if seconds > limit else "ok"
            name = str(dtype).removeprefix("torch.")
            print(
                f"{layout:28} {name:9} {seconds:6.2f} s   bar {limit:5.2f}   {verdict}", flush=True
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
