"""A server on this machine that speaks the Hub's endpoints for one repository.

The same files are there as a repository of data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from huggingface_hub import constants

from tests.checkpoints.hub_uploads import UploadHandler, Uploads

REPO = "someone/weights"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What it holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    status: int = 200
    """What it answers to whoever asks for a file."""
    error_code: str = ""
    """The Hub's own name for what is wrong."""
    cut_after: int | None = None
    """The first body ends after so many bytes, without a word."""
    missing_bytes: int = 0
    """Bodies are shorter than the Hub says by so much."""
    knows_ranges: bool = True
    """Whether it sends the part of a body that it was asked for, rather than all of it."""
    storage_status: int = 200
    """What the place where it keeps the files answers."""
    former_name: str = "someone/former"
    """Whoever asks for files of this repository is told its new name."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each request."""
    endpoint: str = ""
    storage: str = ""
    """Where it redirects to: another host, as far as its name tells."""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    """Path and authorization of each request."""
    uploads: Uploads = field(default_factory=Uploads)


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Within the block the server answers at `hub.endpoint`."""
    handler = type("Handler", (_Handler,), {"hub": hub, "uploads": hub.uploads})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    hub.storage = f"http://localhost:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def point_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HF_ENDPOINT does in a new process."""
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


class _Handler(UploadHandler, BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        self.hub.tokens.append((self.path, self.headers.get("Authorization", "")))
        if self.path.startswith("/blobs/"):
            self._send_blob(self.path.removeprefix("/blobs/"))
        elif self.path.startswith(f"/api/datasets/{REPO}/revision/"):
            self._list()
        elif self.path.startswith("/api/"):
            self.answer_api()
        else:
            self._resolve()

    def _resolve(self) -> None:
        """Say where a file's content is."""
        hub = self.hub
        match = re.fullmatch(rf"(?:/datasets)?/{REPO}/resolve/(main|{COMMIT})/(.+)", self.path)
        if hub.status != 200:
            self._refuse(hub.status, hub.error_code)
        elif self.path.startswith(f"/{hub.former_name}/"):
            self._send_head(307, {"Location": self.path.replace(hub.former_name, REPO)})
        elif match is None:
            self._refuse(404, "RepoNotFound")
        elif match[2] not in hub.files:
            self._refuse(404, "EntryNotFound")
        else:
            self._redirect(hub.files[match[2]])

    def _list(self) -> None:
        if self.hub.status != 200:
            self._refuse(self.hub.status, self.hub.error_code)
            return
        siblings = [_sibling(name, content) for name, content in self.hub.files.items()]
        self.say({"id": REPO, "sha": COMMIT, "siblings": siblings})

    def _refuse(self, status: int, code: str) -> None:
        named = {"X-Error-Code": code} if code else {}
        self._send_head(status, {**named, "X-Repo-Commit": COMMIT})

    def _redirect(self, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        head = {
            "Location": f"{self.hub.storage}/blobs/{digest}",
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(content)),
        }
        self._send_head(302, head)

    def _send_blob(self, digest: str) -> None:
        hub = self.hub
        if hub.storage_status != 200:
            self._refuse(hub.storage_status, "")
            return
        blobs = {hashlib.sha256(one).hexdigest(): one for one in hub.files.values()}
        content = blobs[digest][: len(blobs[digest]) - hub.missing_bytes]
        wanted = self.headers.get("Range") if hub.knows_ranges else None
        start = int((wanted or "bytes=0-")[6:].rstrip("-"))
        head = {"ETag": f'"{digest}"'}
        if start:
            head["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send_head(206 if start else 200, head, length=len(content) - start)
        if self.command == "GET":
            cut, hub.cut_after = hub.cut_after, None
            self.wfile.write(content[start:cut])
            self.close_connection = True

    def _send_head(self, status: int, head: dict[str, str], length: int = 0) -> None:
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _sibling(name: str, content: bytes) -> dict[str, object]:
    """A file as the list of a repository of data describes it."""
    lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
    return {"rfilename": name, "size": len(content), "blobId": "0", "lfs": lfs}
