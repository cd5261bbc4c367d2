from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.errors import WeightsError
from deblur_cli.metrics.fetching import NetworkFile, network_file


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkFile:
    """A file on this machine that stands for one on a server, and an empty cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    source = tmp_path / "net.pth"
    source.write_bytes(b"weights" * 300_000)
    checksum = file_sha256(source)[:8]
    return NetworkFile("net.pth", source.as_uri(), "a network (for a metric)", checksum)


def fetch(file: NetworkFile, told: list[str], *, offline: bool = False) -> Path:
    return network_file(file, offline=offline, tell=told.append)


def test_what_is_fetched_is_told_before_and_kept(published, tmp_path):
    told: list[str] = []
    path = fetch(published, told)
    assert path == tmp_path / "home" / "hub" / "checkpoints" / "net.pth"
    assert path.read_bytes() == b"weights" * 300_000
    assert told == [f"fetching a network (for a metric): 2.1 MB from {published.url} to {path}"]
    Path(tmp_path, "net.pth").unlink()
    assert fetch(published, told, offline=True) == path
    assert len(told) == 1


def test_offline_nothing_is_fetched(published, tmp_path):
    told: list[str] = []
    with pytest.raises(WeightsError, match=f"offline.*bring {published.url} there"):
        fetch(published, told, offline=True)
    assert not told
    assert not (tmp_path / "home").exists()


def test_changed_files_are_not_kept(published, tmp_path):
    with pytest.raises(WeightsError, match="cannot be fetched: invalid hash"):
        fetch(published._replace(sha256="00000000"), [])
    assert not list((tmp_path / "home").rglob("*.pth*"))


def test_absent_files_are_reported(published, tmp_path):
    absent = published._replace(url=(tmp_path / "absent").as_uri())
    with pytest.raises(WeightsError, match=r"a network \(for a metric\) cannot be fetched"):
        fetch(absent, [])


def test_full_or_closed_caches_are_reported(published, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch(published, [])
