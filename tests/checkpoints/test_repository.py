from __future__ import annotations

import hashlib

import pytest

from deblur_cli.checkpoints.manifest import HubDatasetFile
from deblur_cli.checkpoints.repository import RemoteFile, list_repository
from deblur_cli.errors import WeightsError
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub, point_to, serving

FILES = {"a.zip": b"archive", "folder/b.png": b"picture"}


def test_files_are_listed_with_their_sizes_at_the_present_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(FakeHub(FILES)) as server:
        point_to(server.endpoint, monkeypatch)
        listed = list_repository(REPO)
    assert listed == [
        RemoteFile(
            HubDatasetFile(REPO, name, COMMIT), len(content), hashlib.sha256(content).hexdigest()
        )
        for name, content in FILES.items()
    ]
    assert str(listed[0].file) == f"hub:datasets/{REPO}/a.zip@{COMMIT}"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "RepoNotFound", "does not exist, or is private"),
        (403, "GatedRepo", "needs its owner's permission"),
        (503, "", "cannot be fetched: .*503"),
    ],
)
def test_what_is_wrong_is_told(
    status: int, code: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(FakeHub(FILES, status=status, error_code=code)) as server:
        point_to(server.endpoint, monkeypatch)
        with pytest.raises(WeightsError, match=f"hub:datasets/{REPO} {told}"):
            list_repository(REPO)
