"""What is shipped: the wheel, its metadata, the licence and the pinned versions agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import deblur_cli

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
ROOMS = sorted(path.parent.name for path in (REPOSITORY / "deblur_cli").glob("*/__init__.py"))
EXTRAS = {
    "mamba",
    "train",
    "eval",
    "video",
    "raw",
    "heif",
    "jxl",
    "foreign",
    "ray",
    "cloud",
    "all",
    "dev",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel as the build back end makes it from a copy of the sources, without a network."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("deblur_cli", "weights"):
        shutil.copytree(REPOSITORY / name, folder / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(_member(wheel, "METADATA"))


def _member(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f"deblur_cli-{PROJECT['version']}.dist-info/{name}").decode()


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def _pins() -> dict[str, Version]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_wheel_carries_every_source_file(wheel: zipfile.ZipFile) -> None:
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "deblur_cli").rglob("*")
        if path.suffix in {".py", ".toml", ".html", ".css", ".js"} or path.name == "py.typed"
    }
    assert "deblur_cli/py.typed" in sources
    assert sources <= set(wheel.namelist())


@pytest.mark.parametrize("room", ROOMS)
def test_wheel_carries_every_room(wheel: zipfile.ZipFile, room: str) -> None:
    assert f"deblur_cli/{room}/__init__.py" in wheel.namelist()


def test_wheel_carries_the_weights_inside_the_package(wheel: zipfile.ZipFile) -> None:
    shipped = {
        f"deblur_cli/weights/{path.relative_to(REPOSITORY / 'weights').as_posix()}"
        for path in (REPOSITORY / "weights").rglob("*")
        if path.is_file()
    }
    assert "deblur_cli/weights/manifest.toml" in shipped
    assert shipped <= set(wheel.namelist())


def test_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"deblur_cli", f"deblur_cli-{PROJECT['version']}.dist-info"}


def test_wheel_carries_the_whole_licence(wheel: zipfile.ZipFile, metadata: Message) -> None:
    licence = _member(wheel, "licenses/LICENSE")
    assert licence == (REPOSITORY / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert metadata["License-Expression"] == "Apache-2.0"


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    assert "deblur = deblur_cli.cli.app:main" in _member(wheel, "entry_points.txt")


def test_versions_agree(metadata: Message) -> None:
    assert metadata["Version"] == deblur_cli.__version__ == PROJECT["version"]


def test_extras_are_listed(metadata: Message) -> None:
    assert set(metadata.get_all("Provides-Extra") or []) == EXTRAS


@pytest.mark.parametrize("extra", ["train", "eval", "video", "raw", "heif", "jxl", "ray", "cloud"])
def test_all_means_every_extra_for_users(extra: str) -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert extra in Requirement(everything).extras


def test_core_needs_no_display_libraries() -> None:
    core = _names(PROJECT["dependencies"])
    assert "opencv-python-headless" in core
    assert "opencv-python" not in core


@pytest.mark.parametrize(
    "requirement", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
)
def test_pinned_versions_satisfy_the_ranges(requirement: str) -> None:
    wanted = Requirement(requirement)
    assert _pins()[canonicalize_name(wanted.name)] in wanted.specifier


def test_pins_name_no_build_or_place() -> None:
    text = (REPOSITORY / "constraints.txt").read_text()
    assert not re.search(r"\+cpu|\+cu\d|@ |://", text)


def test_picture_in_the_readme_stays_small() -> None:
    assert (REPOSITORY / "docs" / "before-after.jpg").stat().st_size < 300_000
