from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from deblur_cli.inference import free_memory as module
from deblur_cli.inference.free_memory import free_memory, resident_memory


def control_group(folder: Path, limit: str, used: int, stat: str, names: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(stat)


V2 = ("memory.max", "memory.current")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_the_host_agrees_with_psutil() -> None:
    free = free_memory(torch.device("cpu"))
    assert 0 < free <= psutil.virtual_memory().total


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_resident_memory_agrees_with_psutil() -> None:
    assert resident_memory() == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)


def test_the_tightest_enclosing_group_counts_and_cache_is_free(tmp_path: Path) -> None:
    control_group(tmp_path / "jobs", "1000", 900, "anon 300\ninactive_file 600\n", V2)
    control_group(tmp_path / "jobs/mine", "max", 500, "inactive_file 0\n", V2)
    membership = tmp_path / "cgroup"
    membership.write_text("0::/jobs/mine\n")
    assert list(module._free_in_cgroups(tmp_path, membership)) == [700]


def test_version_one_groups_are_read(tmp_path: Path) -> None:
    stat = "total_inactive_file 50\n"
    control_group(tmp_path / "memory/box", "1000", 400, stat, V1)
    membership = tmp_path / "cgroup"
    membership.write_text("9:name=systemd:/\n5:memory:/box\n2:cpu:/box\n")
    assert list(module._free_in_cgroups(tmp_path, membership)) == [650]


def test_systems_without_control_groups_have_no_such_limit(tmp_path: Path) -> None:
    assert list(module._free_in_cgroups(tmp_path, tmp_path / "absent")) == []
