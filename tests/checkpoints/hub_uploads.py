"""How a Hub on this machine takes files: the part of it that only writers speak to."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

COMMITTED = "fedcba9876543210fedcba9876543210fedcba98"
TOKEN = "hf_writer"


@dataclass
class Uploads:
    """The repositories it has, and how it refuses."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by repository; what is too large for git is kept as sent to the storage."""
    private: dict[str, bool] = field(default_factory=dict)
    """Whether a repository was made for its owner's eyes only."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Status by the last part of the path: `create`, `preupload` or `commit`."""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""


class UploadHandler(BaseHTTPRequestHandler):
    """Answers what concerns uploads; large files are those that end in `.safetensors`."""

    uploads: Uploads

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step = next(
            name
            for name in ("create", "validate-yaml", "preupload", "commit", "batch")
            if f"/{name}" in self.path
        )
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.say({"error": "Invalid credentials"}, 401)
        elif step in self.uploads.refusals:
            self.say({"error": f"refused to {step}"}, self.uploads.refusals[step])
        elif step == "create":
            self._create(json.loads(body))
        elif step == "validate-yaml":
            self.say({"errors": [], "warnings": []})
        elif step == "preupload":
            self.say({"files": [_mode(file["path"]) for file in json.loads(body)["files"]]})
        elif step == "batch":
            self.say({"objects": [self._place(one) for one in json.loads(body)["objects"]]})
        else:
            self._commit([json.loads(line) for line in body.splitlines()])

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.uploads.stored[hashlib.sha256(content).hexdigest()] = content
        self.say({})

    def answer_api(self) -> None:
        """The list of a repository's files, if there is such a repository."""
        names = self.uploads.repositories.get("/".join(self.path.split("/")[3:5]))
        if names is None:
            self.say({"error": "not found"}, 404)
        else:
            self.say([{"type": "file", "path": name, "size": 1, "oid": "0"} for name in names])

    def _create(self, asked: dict[str, Any]) -> None:
        repository = f"{asked['organization']}/{asked['name']}"
        url = f"http://{self.headers['Host']}/{repository}"
        if repository in self.uploads.repositories:
            self.say({"error": "exists already", "url": url}, 409)
            return
        self.uploads.repositories[repository] = {".gitattributes": b""}
        self.uploads.private[repository] = asked.get("visibility", "public") == "private"
        self.say({"url": url})

    def _place(self, wanted: dict[str, Any]) -> dict[str, Any]:
        here = f"http://{self.headers['Host']}/storage"
        return {**wanted, "actions": {"upload": {"href": f"{here}/{wanted['oid']}"}}}

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        repository = "/".join(self.path.split("/")[3:5])
        files = self.uploads.repositories[repository]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.uploads.stored[value["oid"]]
        url = f"http://{self.headers['Host']}/{repository}/commit/{COMMITTED}"
        self.say({"commitUrl": url, "commitOid": COMMITTED})

    def say(self, content: object, status: int = 200) -> None:
        """Answer with JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _mode(path: str) -> dict[str, Any]:
    large = path.endswith(".safetensors")
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
