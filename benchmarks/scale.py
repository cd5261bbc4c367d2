"""What many files cost before the first is restored: a plan, a long ledger, and its status.

    python -m benchmarks.scale

Makes a tree of small files and a ledger of a million lines about results that are not there, in a
temporary folder, and measures each in a process of its own: the time by the clock, and the most
memory that the process had, without a network, which has its own. The bars are for processor time,
which other programs on the machine disturb less. Exits with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from deblur_cli.cli.app import app
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.processes import Process
from deblur_cli.pipeline.ledger.records import Claim, Fingerprint, Record, line_of
from deblur_cli.pipeline.ledger.standing import standing
from deblur_cli.pipeline.paths import LEDGER_FOLDER
from deblur_cli.pipeline.plan import Destination, plan

MODEL = "algnet-small-motion"
_IN_A_FOLDER = 1000
_MEBIBYTE = 1024 * 1024
_BEGUN = 1.7e9


@dataclass(frozen=True)
class Bar:
    """What a measurement may take at most."""

    seconds: float
    mebibytes: float


BARS = {
    "plan": Bar(60, 300),
    "preview": Bar(60, 300),
    "ledger": Bar(5, 300),
    "status": Bar(10, 300),
}


def make_tree(top: Path, pictures: int) -> None:
    """Files of their own, all with the same picture, a thousand in a folder."""
    top.mkdir()
    PIL.Image.new("RGB", (16, 12), (90, 100, 110)).save(top / "first.png")
    content = (top / "first.png").read_bytes()
    (top / "first.png").unlink()
    for number in range(pictures):
        folder = top / f"{number // _IN_A_FOLDER:04}"
        if number % _IN_A_FOLDER == 0:
            folder.mkdir()
        (folder / f"IMG_{number:07}.png").write_bytes(content)


def make_ledger(folder: Path, results: int) -> None:
    """Three lines for each result: claimed, begun, done."""
    (folder / LEDGER_FOLDER).mkdir(parents=True)
    version = Fingerprint(4_321_987, 1_700_000_000_123_456_789)
    with (folder / LEDGER_FOLDER / "one.jsonl").open("wb") as file:
        file.write(Process.this().to_line() + b"\n")
        for number in range(results):
            name, now = f"{number // _IN_A_FOLDER:04}/IMG_{number:07}.jpg", _BEGUN + number
            lines = [line_of(Claim(name, [], now))]
            for size in (None, 4_500_000):
                record = Record(name, f"../photos/{name}", version, "0" * 64, None, size, now + 0.5)
                lines.append(line_of(record))
            file.write(b"".join(line + b"\n" for line in lines))


def measure_plan(folder: Path) -> int:
    """Discover and plan; returns how many jobs there are."""
    out = folder / "restored"
    return len(plan(discover([folder / "photos"], out).sources, Destination(str(out))))


def measure_preview(folder: Path) -> int:
    """Show the plan, as `deblur run --dry-run` does; returns how many pictures it has."""
    shown = folder / "shown.txt"
    command = ["run", str(folder / "photos"), "--dry-run", "--quiet", "--model", MODEL]
    with shown.open("w", encoding="utf-8") as file, redirect_stdout(file):
        app(command, standalone_mode=False)
    with shown.open(encoding="utf-8") as file:
        return sum(1 for _ in file)


def measure_ledger(folder: Path) -> int:
    """Open the ledger; returns its bytes."""
    Ledger(folder / "known")
    return sum(path.stat().st_size for path in (folder / "known" / LEDGER_FOLDER).iterdir())


def measure_status(folder: Path) -> int:
    """Look at all results; returns how many are missing."""
    return len(standing(folder / "known").missing)


MEASURES: dict[str, Callable[[Path], int]] = {
    "plan": measure_plan,
    "preview": measure_preview,
    "ledger": measure_ledger,
    "status": measure_status,
}


def measured(name: str, folder: Path) -> dict[str, float]:
    """Seconds, processor seconds, MiB and result of one measure, in this process."""
    clock, processor = time.perf_counter(), time.process_time()
    result = MEASURES[name](folder)
    return {
        "seconds": time.perf_counter() - clock,
        "processor": time.process_time() - processor,
        "mebibytes": most_memory(),
        "result": result,
    }


def most_memory() -> float:
    """MiB of this process at its peak.

    The kernel's count for a process begins at its parent's size, so Linux is asked otherwise.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEBIBYTE


def main() -> int:
    """Make the files and measure each, or one measure for the process that asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=300_000)
    parser.add_argument("--results", type=int, default=333_334, help="three lines each")
    parser.add_argument("--folder", type=Path, help="where the files are made")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measured(options.measure, options.folder)))
        return 0
    missed = False
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        make_tree(Path(made, "photos"), options.pictures)
        make_ledger(Path(made, "known"), options.results)
        for name, bar in BARS.items():
            command = [sys.executable, "-m", "benchmarks.scale", "--measure", name]
            told = subprocess.check_output([*command, "--folder", made], env=os.environ)
            found = json.loads(told)
            fits = found["processor"] <= bar.seconds and found["mebibytes"] <= bar.mebibytes
            missed |= not fits
            print(
                f"{name:8}{found['result']:>10,} in {found['seconds']:5.1f} s by the clock"
                f" ({found['processor']:.1f} s of a processor), {found['mebibytes']:.0f} MiB"
                f"  {'ok' if fits else 'MISSED'}"
                f" (at most {bar.seconds:g} s, {bar.mebibytes:g} MiB)",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
