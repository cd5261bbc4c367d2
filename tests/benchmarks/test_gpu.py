"""The GPU benchmark tells right from wrong, counts right, and survives what kernels do."""

from __future__ import annotations

import json
import math
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import network_checks, scan_speed, worker
from benchmarks.gpu.bench import Bench, DeviceLostError
from benchmarks.gpu.events import Check, Event, Goal, Row, Skipped
from benchmarks.gpu.operators import (
    ALLOWANCE,
    check_operators,
    in_wider_rows,
    moved,
    share_of_tolerance,
)
from benchmarks.gpu.pictures import drawn_clip, drawn_pair
from benchmarks.gpu.report import Report
from benchmarks.gpu.roofline import Ceilings, Work, count_work
from benchmarks.gpu.scan_speed import levels
from benchmarks.gpu.sections import Section
from benchmarks.gpu.sizes import TOY
from benchmarks.gpu.weights import parse_safetensors
from benchmarks.scan import LEVELS
from deblur_cli.checkpoints.manifest import load_manifest
from deblur_cli.inference.lanes import Arriving, DirectLane
from deblur_cli.ops import reference
from deblur_cli.ops.backends import BACKENDS, Backend
from tests import gpu_sections
from tests.ops.problems import random_scan

CPU = torch.device("cpu")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def bench(events: list[Event]) -> Bench:
    return Bench(CPU, TOY, Path("absent"), events.append, time.monotonic() + 60)


def register(monkeypatch: pytest.MonkeyPatch, output_error: float, gradient_error: float) -> str:
    """A back end that is the reference but for a relative error."""

    def selective_scan(u: Tensor, *arguments: Tensor) -> Tensor:
        y = reference.selective_scan(u, *arguments)
        wrong = y * (1 + gradient_error)
        return wrong + (y * (1 + output_error) - wrong).detach()

    module = types.ModuleType("slightly_wrong")
    module.selective_scan = selective_scan  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(BACKENDS, "wrong", Backend(module.__name__))
    return "wrong"


@pytest.mark.parametrize(
    ("output_error", "gradient_error", "passes"),
    [(0, 0, True), (1e-3, 0, False), (0, 1e-3, False), (math.nan, 0, False)],
    ids=["right", "wrong values", "wrong gradients", "not a number"],
)
def test_a_wrong_back_end_fails(
    bench: Bench,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
    output_error: float,
    gradient_error: float,
    passes: bool,
) -> None:
    backend = register(monkeypatch, output_error, gradient_error)
    scan = random_scan(length=20)
    bench.check(
        "scan", "of wrong", lambda: share_of_tolerance(scan, backend, CPU, "reference"), ALLOWANCE
    )
    (check,) = events
    assert isinstance(check, Check)
    assert check.passed is passes


def test_an_element_that_is_not_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(arguments: dict[str, Tensor], backend: str) -> Tensor:
        y = reference.selective_scan(*arguments.values(), delta_softplus=True)
        if backend == "torch":
            return y
        written = torch.empty_like(y)
        written[..., :-1] = y[..., :-1]
        return written

    level = levels((16, 16), 4, 4)[0]
    arguments = level.inputs(torch.float32, CPU)
    assert scan_speed._disagreement(arguments, "torch") < 1e-6
    monkeypatch.setattr(scan_speed, "ours", forgetful)
    assert scan_speed._disagreement(arguments, "torch") == 0
    assert math.isnan(scan_speed._disagreement(arguments, "forgetful"))
    assert not torch.are_deterministic_algorithms_enabled()


def test_inputs_are_rotated_where_a_cache_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_speed, "cache_bytes", lambda _device: 1 << 20)
    level = levels((16, 16), 4, 4)[0]
    counts = [
        len(scan_speed._input_sets(level, torch.float32, CPU, name)) for name in ("triton", "torch")
    ]
    assert counts == [scan_speed._MOST_SETS, 1]


def test_what_there_is_no_time_for_is_named_group_by_group(
    bench: Bench, events: list[Event]
) -> None:
    bench.deadline = 0
    check_operators(bench, "torch")
    skipped = [event.what for event in events if isinstance(event, Skipped)]
    wanted = ["as in the network, float32", f"{TOY.long_scan} tokens", "channel-major"]
    assert [what.split(", ", 2)[2] for what in skipped] == [
        f"{what}, and what follows" for what in wanted
    ]
    assert all(event.passed for event in events if isinstance(event, Check))


def test_transfers_that_mix_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for samples in (np.uint8, np.uint16, np.float32):
        assert network_checks._transfer_error(CPU, samples) == 0

    class Mixing(DirectLane):
        first: Arriving | None = None

        def fetch_samples(self, values: Tensor, dtype: torch.dtype) -> Arriving:
            self.first = self.first or super().fetch_samples(values, dtype)
            return self.first

    monkeypatch.setattr(network_checks, "lane_to", Mixing)
    assert network_checks._transfer_error(CPU, np.uint8) > 0


def test_awkward_memory_arrives_as_it_is() -> None:
    plain = random_scan(batch=2, channels=6, length=9)
    wide = in_wider_rows(plain)
    for name, x in wide.tensors.items():
        assert torch.equal(x, plain.tensors[name])
        assert moved(x, torch.device("meta")).stride() == x.stride()
        assert torch.equal(moved(x, CPU), x)
    u = wide.tensors["u"]
    assert u.stride() == (9 * 11, 1, 11)
    assert u.as_strided((11,), (1,), 0).isnan().sum() == 5
    shared = plain.tensors["u"][:1].expand(3, -1, -1)
    assert moved(shared, torch.device("meta")).stride() == shared.stride()


def test_exceptions_and_nan_are_failed_checks(bench: Bench, events: list[Event]) -> None:
    bench.check("group", "nan", lambda: math.nan, 1.0)
    bench.check("group", "raises", lambda: 1 / 0)
    bench.check("group", "passes", lambda: 0.5, 1.0)
    assert [event.passed for event in events if isinstance(event, Check)] == [False, False, True]
    assert "ZeroDivisionError" in str(events[1])


def test_a_lost_device_ends_the_section(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers_nothing(_: Bench) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(Bench, "synchronize", answers_nothing)
    with pytest.raises(DeviceLostError, match="illegal memory access"):
        bench.check("group", "raises", lambda: 1 / 0)


def test_sections_that_die_or_hang_take_nothing_along(
    events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.1)
    wanted = [
        Section("dies", gpu_sections.dies, 60),
        Section("hangs", gpu_sections.hangs, 0.1),
        Section("passes", gpu_sections.passes, 600),
        Section("raises", gpu_sections.raises, 600),
    ]
    worker.run_sections(wanted, worker.Settings("cpu", True, Path("absent")), events.append, 600)
    assert [(event.name, event.passed) for event in events if isinstance(event, Check)] == [
        ("dies", False),
        ("hangs", False),
        ("passes", True),
        ("raises", False),
    ]
    assert f"exit code {gpu_sections.EXIT_CODE}" in str(events[0])
    assert "no good" in str(events[3])


def test_without_time_everything_is_skipped_loudly(events: list[Event]) -> None:
    wanted = [Section("passes", gpu_sections.passes, 60)]
    worker.run_sections(wanted, worker.Settings("cpu", True, Path("absent")), events.append, 0)
    assert events == [Skipped("passes", "out of time")]


@pytest.mark.parametrize("level", [0, 1])
def test_work_of_a_block_follows_its_formula(level: int) -> None:
    base = {"width": 8, "state_size": 8, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)}
    counts = [1, 1]
    counts[level] += 1
    less = count_work({**base, "middle_blocks": 1}, (16, 24))
    more = count_work({**base, "middle_blocks": 1, "encoder_blocks": counts}, (16, 24))
    c, pixels, rank = 8 * 2**level, 16 * 24 // 4**level, 1
    convolutions = (6 * c**2 + 18 * c) * pixels + c**2
    projections = (6 * c**2 + 2 * c * (rank + 2 * 8) + 2 * c * rank) * pixels
    assert (more.operations - less.operations) // 2 == convolutions + projections
    assert more.updates - less.updates == 2 * c * 8 * pixels


def test_floor_is_what_takes_longest() -> None:
    ceilings = Ceilings(bytes=1e3, operations={torch.float32: 1e6}, exponentials=1e9)
    work = Work(values=500, operations=1_000_000, updates=10)
    assert work.floor(ceilings, torch.float32) == (2000.0, "bytes")
    work = Work(values=10, operations=3_000_000, updates=10)
    assert work.floor(ceilings, torch.float32) == (3000.0, "matmul")


def test_levels_are_those_of_the_network() -> None:
    found = levels((720, 1280), 32, 32)
    assert [(x.channels, x.tokens) for x in found] == [(x.channels, x.tokens) for x in LEVELS]


def test_bundled_weights_are_read_as_by_the_library() -> None:
    manifest = load_manifest()
    path = manifest.folder / str(manifest.defaults("motion")[-1].file)
    found, truth = parse_safetensors(bytearray(path.read_bytes())), load_file(path)
    assert found.keys() == truth.keys()
    assert all(torch.equal(found[name], truth[name]) for name in truth)


def test_drawn_pictures_are_blurred_and_move() -> None:
    pair = drawn_pair(40, 60, seed=0)
    assert pair.blurred.shape == pair.sharp.shape == (40, 60, 3)
    detail = [abs(x[:, 1:].astype(float) - x[:, :-1]).mean() for x in (pair.sharp, pair.blurred)]
    assert detail[0] > 1.2 * detail[1]
    first, second = drawn_clip(40, 60, 2)
    assert (first != second).any()


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("frame", 20.0, 20.0, "ms"), True),
        (Goal("frame", 20.1, 20.0, "ms"), False),
        (Goal("ratio", 3.0, 3.0, "x", at_most=False), True),
        (Goal("ratio", 2.9, 3.0, "x", at_most=False), False),
        (Goal("loss", math.nan, 0.02, "dB"), False),
    ],
)
def test_goals(goal: Goal, met: bool) -> None:
    assert goal.met is met
    assert goal.verdict().endswith("met" if met else "MISSED")


def test_report_names_failures_goals_and_omissions() -> None:
    report = Report("a GPU", dry_run=False)
    for event in (
        Check("scan", "of right", True, "fine"),
        Check("scan", "of wrong", False, "off by 3"),
        Goal("frame", 30.0, 20.0, "ms"),
        Row("Speed", {"level": 1, "ms": 0.25}),
        Row("Speed", {"level": 2, "note": "slow"}),
        Skipped("training", "out of time"),
    ):
        report.add(event)
    text = report.as_markdown()
    assert "1 of 2 checks passed" in text
    assert "FAILED scan, of wrong: off by 3" in text
    assert "| frame | 30 ms | <= 20 ms: MISSED |" in text
    assert "training: out of time" in text
    assert "| level | ms | note |" in text
    assert "| 2 |  | slow |" in text
    stored = json.loads(report.as_json())
    assert stored["goals"][0]["met"] is False
    assert stored["tables"]["Speed"][0] == {"level": 1, "ms": 0.25}


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gpu", *arguments])
    return command.main()


def test_without_a_gpu_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run_command(monkeypatch) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "no GPU" in printed.err


def test_importing_torch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []
    clock = iter([100.0, 130.0])
    monkeypatch.setattr(command, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(worker, "run_sections", lambda *arguments: left.append(arguments[-1]))
    assert run_command(monkeypatch, "--dry-run") == 0
    assert left == [command.SECONDS - 30]


def test_a_dry_run_is_never_written_among_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_command(monkeypatch, "--dry-run", "--output", str(command.RESULTS / "cpu.md"))
    assert exit_.value.code == 2
    assert not (command.RESULTS / "cpu.md").exists()
