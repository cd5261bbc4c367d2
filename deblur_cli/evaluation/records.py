"""What was measured so far, as JSON lines: an evaluation that was interrupted goes on from them.

A file belongs to one candidate on one set with one protocol and one set of library versions, which
its first line tells and its name has the hash of. Every process appends whole lines to a file of
its own; a line that a kill cut short is left out when they are read.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deblur_cli.data.pairs import Pair
from deblur_cli.errors import UsageError
from deblur_cli.evaluation.candidates import Candidate
from deblur_cli.evaluation.saving import make_folder
from deblur_cli.evaluation.scores import Score

FOLDER = "records"
_HASH_DIGITS = 16


class Records:
    """The records of one candidate in an output folder.

    Args:
        output: the folder.
        candidate: whose pictures are measured.
        settings: everything that decides the figures, as JSON can hold it.
        rank: number of this process among those that share the folder.

    Raises:
        UsageError: the folder cannot be made.
    """

    def __init__(
        self, output: Path, candidate: Candidate, settings: Mapping[str, Any], rank: int = 0
    ) -> None:
        self._candidate = candidate
        self._settings = settings
        text = json.dumps(settings, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
        self._stem = f"{re.sub(r'[^A-Za-z0-9._-]', '_', candidate.name)}-{digest}"
        self._folder = output / FOLDER
        self._own = self._folder / f"{self._stem}.{rank}.jsonl"
        make_folder(self._folder)

    def done(self, pairs: Sequence[Pair]) -> dict[str, Score]:
        """What is known of pictures whose files have not changed since, by their names."""
        known = {
            line["name"]: line
            for path in sorted(self._folder.glob(f"{self._stem}.*.jsonl"))
            for line in _lines(path)
        }
        return {
            pair.name: _score(known[pair.name])
            for pair in pairs
            if pair.name in known and known[pair.name]["files"] == self._fingerprint(pair)
        }

    def add(self, pair: Pair, score: Score) -> None:
        """Append what was measured of a picture; a kill after this cannot take it away.

        Raises:
            UsageError: the file cannot be written.
        """
        line: dict[str, Any] = {
            "name": pair.name,
            "files": self._fingerprint(pair),
            "figures": {k: v if math.isfinite(v) else str(v) for k, v in score.figures.items()},
        }
        if score.features is not None:
            line["features"] = base64.b64encode(score.features.tobytes()).decode()
        try:
            with self._own.open("a+b") as file:
                file.write(self._head(file.tell()) + _encoded(line))
        except OSError as error:
            raise UsageError(
                f"the records cannot be written: {error.strerror}",
                path=self._own,
                remedy="check the folder's permissions and space, or choose another --output",
            ) from error

    def _fingerprint(self, pair: Pair) -> list[list[int]]:
        """Size and time of the files that decide a picture's figures; none that are gone."""
        files = (pair.blurred, pair.sharp, self._candidate.source(pair))
        states = (path.stat() for path in files if path is not None and path.is_file())
        return [[state.st_size, state.st_mtime_ns] for state in states]

    def _head(self, length: int) -> bytes:
        """What comes before a line: the settings in a new file, an end for one that was cut."""
        if length == 0:
            return _encoded({"settings": self._settings})
        with self._own.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return b"" if file.read(1) == b"\n" else b"\n"


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, default=str).encode() + b"\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.keys() >= {"name", "files", "figures"}:
            yield line


def _score(line: Mapping[str, Any]) -> Score:
    figures = {name: float(value) for name, value in line["figures"].items()}
    features = None
    if "features" in line:
        features = np.frombuffer(base64.b64decode(line["features"]), np.float32).reshape(2, -1)
    return Score(line["name"], figures, features)
