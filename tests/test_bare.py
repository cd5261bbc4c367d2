"""A bare checkout: python with torch, its numpy and triton is enough for the GPU benchmark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LARGEST_TREE = 60 << 20

SITE = """
import sys
from importlib.machinery import PathFinder

THERE = {
    "torch", "torchgen", "functorch", "numpy", "triton", "benchmarks", "deblur_cli", "tests",
    # what torch itself depends on
    "filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx", "sympy",
    "typing_extensions",
} | sys.stdlib_module_names


class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in THERE or top.startswith("_sysconfigdata"):
            return super().find_spec(name, path, target)


sys.meta_path = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
"""
"""Hides every other package, as if it were not installed, from this process and its children."""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of such a python."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return {**kept, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}


def test_other_packages_are_hidden(bare: dict[str, str]) -> None:
    program = (
        "from importlib.util import find_spec; import sys;"
        "sys.exit(any(map(find_spec, ['numba', 'cv2', 'safetensors', 'typer', 'PIL', 'pytest'])))"
    )
    assert subprocess.run([sys.executable, "-c", program], env=bare).returncode == 0


def test_gpu_benchmark_runs_dry(bare: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "result.md"
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.gpu", "--dry-run"),
            *("--output", str(output), "--samples", str(tmp_path / "absent.npz")),
        ],
        cwd=REPOSITORY,
        env=bare,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "DRY RUN" in output.read_text()
    stored = json.loads(output.with_suffix(".json").read_text())
    assert stored["dry_run"] is True
    assert {check["group"] for check in stored["checks"]} == {
        "scan of torch",
        "causal convolution of torch",
        "network",
        "engine",
        "precision",
        "speed of torch",
        "networks",
        "stream",
    }
    assert stored["tables"].keys() == {
        "Environment",
        "Precision",
        "Selective scan, one frame, forward",
        "Selective scan, a training batch, forward and backward",
        "Ceilings",
        "Networks, one frame",
        "A clip end to end",
        "Training step, ALGNet, paper layout",
    }
    assert {skipped["what"] for skipped in stored["skipped"]} == {
        "operators of cpu",
        "precision on real pairs",
        "a real clip end to end",
        "scan beside mamba-ssm",
    }


@pytest.mark.skipif(
    shutil.which("git") is None or not (REPOSITORY / ".git").exists(), reason="needs a git clone"
)
def test_tree_stays_small_enough_to_travel() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    files = (REPOSITORY / name for name in listed.split("\0") if name)
    assert sum(path.stat().st_size for path in files if path.is_file()) < LARGEST_TREE
