"""The rooms know each other only in the directions that the architecture allows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "deblur_cli"
PICTURE = Path(__file__).parents[1] / "CONTRIBUTING.md"
ARROWS = re.findall(r"^ +(\w+)(?:\[.*?\])? --> (\w+)", PICTURE.read_text("utf-8"), re.MULTILINE)
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
WITHOUT_TORCH = ("", "cli", "pipeline", "reporting", "imaging", "video", "metrics", "data")


def _imports(path: Path) -> Iterator[str]:
    """Full names of the modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in _imports(path) if name.startswith("deblur_cli."))
    return {name[1] for name in names} & set(ROOMS)


def test_every_room_is_in_the_picture() -> None:
    assert set(ROOMS) == {room for arrow in ARROWS for room in arrow}


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_what_it_may(room: str) -> None:
    allowed = {room} | {target for source, target in ARROWS if source == room}
    for path in (PACKAGE / room).rglob("*.py"):
        assert _rooms_imported(path) <= allowed, path.relative_to(PACKAGE)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "cli"])
def test_only_the_command_line_uses_the_public_interface(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        public = {"deblur_cli", "deblur_cli.Deblurrer", "deblur_cli.list_models"}
        assert not public & set(_imports(path)), path.relative_to(PACKAGE)


def test_errors_know_nobody() -> None:
    assert not any(name.startswith("deblur_cli") for name in _imports(PACKAGE / "errors.py"))


@pytest.mark.parametrize("room", WITHOUT_TORCH)
def test_room_can_be_imported_without_torch(room: str) -> None:
    folder = PACKAGE / room
    files = folder.rglob("*.py") if room else [PACKAGE / "__init__.py", PACKAGE / "errors.py"]
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in files]
    modules = sorted({".".join(part).removesuffix(".__init__") for part in parts})
    program = (
        "import importlib, sys\n"
        "sys.modules['torch'] = None\n"
        f"for name in {modules!r}:\n    importlib.import_module(name)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
