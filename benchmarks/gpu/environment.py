"""What machine this is: everything that decides how a figure should be read."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess

import torch

from benchmarks.gpu.backends import candidates, why_absent
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.events import Row, Value
from benchmarks.gpu.timing import cache_bytes

QUERIED = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit")


def describe_environment(bench: Bench) -> None:
    """One row per fact, then one per back end."""
    facts = _software() | (_gpu(bench.device) if bench.device.type == "cuda" else {})
    for name in candidates(bench.device):
        facts[f"back end {name}"] = why_absent(name, bench.device) or "present"
    for fact, value in facts.items():
        bench.record(Row("Environment", {"fact": fact, "value": value}))


def device_name(device: torch.device) -> str:
    """As the driver calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _software() -> dict[str, Value]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA": torch.version.cuda or "none",
        "triton": _triton_version(),
    }


def _triton_version() -> str:
    if importlib.util.find_spec("triton") is None:
        return "absent"
    import triton

    return str(triton.__version__)


def _gpu(device: torch.device) -> dict[str, Value]:
    properties = torch.cuda.get_device_properties(device)
    return {
        "GPU": properties.name,
        "compute capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory": f"{properties.total_memory / 2**30:.1f} GiB",
        "L2 cache": f"{cache_bytes(device) / 2**20:.0f} MiB",
        **_driver(device),
    }


def largest_clock(device: torch.device) -> float | None:
    """Hertz that the multiprocessors reach at most; None if nvidia-smi does not say."""
    value, _, unit = str(_driver(device).get("clocks.max.sm", "")).partition(" ")
    return 1e6 * float(value) if unit == "MHz" else None


def _driver(device: torch.device) -> dict[str, Value]:
    """What nvidia-smi reports."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {"nvidia-smi": "absent"}
    index = str(device.index or 0)
    query = [f"--query-gpu={','.join(QUERIED)}", "--format=csv,noheader", f"--id={index}"]
    try:
        answer = subprocess.run([program, *query], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"nvidia-smi": str(error)}
    if answer.returncode:
        return {"nvidia-smi": answer.stderr.strip() or f"exit code {answer.returncode}"}
    return dict(zip(QUERIED, (part.strip() for part in answer.stdout.split(",")), strict=False))
