"""docs/containers: what the Containerfiles ask for is there, and they keep what they promise."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
FILES = sorted((REPOSITORY / "docs/containers").iterdir())
EXTRAS = {"video", "raw", "heif", "jxl"}

Instruction = tuple[str, str]


def instructions(path: Path) -> list[Instruction]:
    """Each instruction with its text, continued lines joined and comments left out."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, " ".join(text.split())) for name, text in pairs]


def stages(path: Path) -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for one in instructions(path):
        if one[0] == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def texts(stage: list[Instruction], name: str) -> list[str]:
    return [text for kind, text in stage if kind == name]


def copied(path: Path) -> Iterator[str]:
    """What is taken from the checkout."""
    for text in texts(stages(path)[0], "COPY"):
        *sources, _ = text.split()
        yield from sources


def environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(part.split("=", 1) for text in texts(stage, "ENV") for part in shlex.split(text))


def test_there_is_one_for_each_kind_of_machine() -> None:
    assert [path.name for path in FILES] == ["Containerfile.cpu", "Containerfile.cuda"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
class TestContainerfile:
    def test_its_python_is_one_that_the_project_takes(self, path: Path) -> None:
        bases = [texts(stage, "FROM")[0].split()[0] for stage in stages(path)]
        assert len(bases) == 2
        assert bases[0] == bases[1], "the virtual environment needs the same Python"
        version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", bases[0])
        assert version is not None
        assert version[1] in SpecifierSet(PROJECT["requires-python"])

    def test_everything_is_installed_as_pinned(self, path: Path) -> None:
        (install,) = (text for text in texts(stages(path)[0], "RUN") if "pip install" in text)
        assert "--constraint constraints.txt" in install
        extras = re.search(r'"\.\[(.+)\]"', install)
        assert extras is not None
        assert set(extras[1].split(",")) == EXTRAS <= set(PROJECT["optional-dependencies"])
        assert not [text for text in texts(stages(path)[1], "RUN") if "pip" in text]

    def test_it_runs_deblur_as_nobody_in_particular_and_offline(self, path: Path) -> None:
        last = stages(path)[1]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", texts(last, "USER")[-1])
        after_user = [kind for kind, _ in last[[kind for kind, _ in last].index("USER") :]]
        assert "COPY" not in after_user
        assert texts(last, "ENTRYPOINT") == ['["deblur"]']
        settings = environment(last)
        assert settings["HF_HUB_OFFLINE"] == "1"
        assert settings["PATH"].startswith("/opt/deblur/bin:")
        (made,) = (text for text in texts(last, "RUN") if "--mode=1777" in text)
        assert settings["NUMBA_CACHE_DIR"] == made.split()[-1]

    def test_the_program_that_tries_the_weights_works(self, path: Path) -> None:
        (run,) = (text for text in texts(stages(path)[1], "RUN") if "python3" in text)
        *others, program, option, code = shlex.split(run)
        assert others == ["umask", "000", "&&"], "others must be able to add to the cache"
        assert (program, option) == ("python3", "-c")
        exec(code, {})


def test_what_is_copied_suffices_for_the_wheel_and_its_weights(tmp_path: Path) -> None:
    names, *others = (list(copied(path)) for path in FILES)
    assert others == [names]
    for name in names:
        source, target = REPOSITORY / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    assert (tmp_path / "constraints.txt").is_file()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    weights = {path.name for path in (REPOSITORY / "weights").iterdir()}
    assert {f"deblur_cli/weights/{name}" for name in weights} <= inside
