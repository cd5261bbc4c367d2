from __future__ import annotations

import subprocess
import sys

import pytest

RESTORE_24_MEGAPIXELS = """
from pathlib import Path
import numpy as np
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.free_memory import resident_memory
from tests.inference.fakes import FakeModel

deblurrer = Deblurrer(FakeModel(lambda x: x), device="cpu", dtype="float32")
image = np.full((24000, 1000, 3), 77, np.uint8)
before = resident_memory()
assert (deblurrer(image) == 77).all()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print((int(status["VmHWM"].split()[0]) * 1024 - before) >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_picture_takes_its_result_but_no_float_copy_of_itself() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", RESTORE_24_MEGAPIXELS], capture_output=True, text=True, check=True
    )
    result, whole_in_float32 = 69, 275
    assert int(finished.stdout) < result + whole_in_float32
