"""Check and time everything on this machine's GPU, and write down what was found.

    python3 -m benchmarks.gpu

Needs this checkout and a python3 with torch and triton, nothing else; takes up to 8 minutes. The
result goes to benchmarks/results/<GPU>.md and .json. Exit code 0: every check passed; 1: one failed
(it is named, and the rest was run all the same); 3: there is no GPU. A missed goal is shown, and is
no failure: goals are set for one kind of GPU.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gpu.events import Event
from benchmarks.gpu.report import DRY_RUN, Report, progress_line

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
SAMPLES = Path("build") / "gpu-samples.npz"
SECONDS = 465.0


def main() -> int:
    """Run the benchmark; returns the exit code."""
    start = time.monotonic()
    options = _options()
    try:
        import torch
    except ModuleNotFoundError:
        print("this python has no torch; use one that has", file=sys.stderr)
        return 3
    if not options.dry_run and not torch.cuda.is_available():
        print("torch sees no GPU here; --dry-run goes through it all on the CPU", file=sys.stderr)
        return 3
    return _run("cpu" if options.dry_run else "cuda", options, start)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, help="Markdown file; the JSON goes beside it")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="real pictures")
    parser.add_argument(
        "--dry-run", action="store_true", help="toy sizes on the CPU, no GPU needed"
    )
    options = parser.parse_args()
    if options.dry_run and options.output and options.output.resolve().is_relative_to(RESULTS):
        parser.error("the result of a dry run is no result: give another --output")
    return options


def _run(device_type: str, options: argparse.Namespace, start: float) -> int:
    import torch

    from benchmarks.gpu.environment import device_name
    from benchmarks.gpu.sections import sections
    from benchmarks.gpu.worker import Settings, run_sections

    device = torch.device(device_type)
    name = device_name(device)
    output = options.output
    if output is None and not options.dry_run:
        output = RESULTS / f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.md"
    report = Report(f"{name}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC", options.dry_run)

    def record(event: Event) -> None:
        report.add(event)
        print(f"[{time.monotonic() - start:6.1f} s] {progress_line(event)}", flush=True)

    if options.dry_run:
        print(DRY_RUN)
    try:
        settings = Settings(device_type, options.dry_run, options.samples)
        left = SECONDS - (time.monotonic() - start)
        run_sections(sections(device), settings, record, left)
    except KeyboardInterrupt:
        print("interrupted; what was found so far follows", file=sys.stderr)
        return 130
    finally:
        print(f"\n{report.as_markdown()}", flush=True)
        if output is not None:
            _write(report, output)
    return 1 if report.failed else 0


def _write(report: Report, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(report.as_markdown(), encoding="utf-8")
    output.with_suffix(".json").write_text(report.as_json(), encoding="utf-8")
    print(f"written to {output}")


if __name__ == "__main__":
    sys.exit(main())
