from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants
from safetensors.torch import save_file

from deblur_cli.checkpoints import hub as module
from deblur_cli.checkpoints.card import compose_card
from deblur_cli.checkpoints.convert import blank_metadata, card_of, write_with_card
from deblur_cli.checkpoints.hub import fetch
from deblur_cli.checkpoints.manifest import Entry, HubFile, Manifest
from deblur_cli.checkpoints.metadata import Training
from deblur_cli.checkpoints.push import CARD, CONFIG, Release, prepare_release, push_release
from deblur_cli.errors import UsageError, WeightsError
from tests.checkpoints.hub_server import FakeHub, point_to, serving
from tests.checkpoints.hub_uploads import COMMITTED, TOKEN, Uploads
from tests.checkpoints.run_folder import INIT, tiny_model

REPO = "me/deblurring"
NOTHING = Manifest(Path(), (), {})
BASE = Entry(
    "base", "motion", "nafnet", "MIT", INIT, 7, [], hub=HubFile("someone/nafnet", "a.pth", "main")
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `deblur weights convert` makes of weights that were trained on from those of `BASE`."""
    path = tmp_path_factory.mktemp("converted") / "sharper.safetensors"
    model = tiny_model(1)
    metadata = replace(
        blank_metadata(model),
        task="motion",
        training=Training(9, 60.0, INIT),
        inference={"overlap": 48},
    )
    write_with_card(path, model, metadata)
    return path


@pytest.fixture
def weights(converted: Path, tmp_path: Path) -> Path:
    for path in (converted, card_of(converted)):
        shutil.copy(path, tmp_path)
    return tmp_path / converted.name


@pytest.fixture
def release(weights: Path) -> Release:
    return prepare_release(weights, "Apache-2.0", NOTHING)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving(FakeHub({})) as hub:
        point_to(hub.endpoint, monkeypatch)
        yield hub.uploads


def front_matter(card: bytes) -> dict[str, object]:
    begin, matter, _ = card.decode().split("---\n", 2)
    assert not begin
    read: dict[str, object] = yaml.safe_load(matter)
    return read


def test_weights_configuration_and_card_are_put_there(
    weights: Path, release: Release, uploads: Uploads
) -> None:
    pushed = push_release(release, REPO, public=False, overwrite=False)
    assert pushed == HubFile(REPO, "sharper.safetensors", COMMITTED)
    files = uploads.repositories[REPO]
    assert files.keys() == {".gitattributes", "sharper.safetensors", CONFIG, CARD}
    assert files["sharper.safetensors"] == weights.read_bytes()
    assert files[CARD].decode().endswith(card_of(weights).read_text("utf-8"))
    config = json.loads(files[CONFIG])
    assert (config["architecture"], config["config"]["width"]) == ("algnet", 4)
    assert (config["weights"], config["inference"]) == ("sharper.safetensors", {"overlap": 48})
    assert uploads.private[REPO]


def test_there_is_no_progress_bar_without_a_terminal(
    release: Release, uploads: Uploads, capfd: pytest.CaptureFixture[str]
) -> None:
    push_release(release, REPO, public=False, overwrite=False)
    assert "%" not in capfd.readouterr().err


def test_everybody_sees_it_only_if_that_is_asked_for(release: Release, uploads: Uploads) -> None:
    push_release(release, REPO, public=True, overwrite=False)
    assert not uploads.private[REPO]


def test_the_card_begins_with_what_the_hub_reads(weights: Path) -> None:
    release = prepare_release(weights, "CC-BY-4.0", Manifest(Path(), (BASE,), {}))
    assert front_matter(release.card) == {
        "license": "cc-by-4.0",
        "library_name": "deblur-cli",
        "pipeline_tag": "image-to-image",
        "tags": ["deblurring", "motion-deblurring", "algnet"],
        "base_model": "someone/nafnet",
    }


def test_what_was_not_begun_from_public_weights_names_no_base(release: Release) -> None:
    assert "base_model" not in front_matter(release.card)


def test_the_licence_of_listed_weights_is_known(weights: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing is known of its licence .*--licence"):
        prepare_release(weights, None, NOTHING)
    listed = replace(BASE, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())
    release = prepare_release(weights, None, Manifest(Path(), (listed,), {}))
    assert front_matter(release.card)["license"] == "mit"


def test_what_does_not_say_what_it_is_is_not_pushed(weights: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    save_file(tiny_model(1).network.state_dict(), plain)
    with pytest.raises(UsageError, match=r"does not say what it is .*weights convert"):
        prepare_release(plain, "mit", NOTHING)
    with pytest.raises(WeightsError, match="gone"):
        prepare_release(tmp_path / "gone.safetensors", "mit", NOTHING)
    card_of(weights).unlink()
    with pytest.raises(UsageError, match=r"has no model card .*sharper\.md") as caught:
        prepare_release(weights, "mit", NOTHING)
    assert caught.value.path == weights


def test_a_repository_with_files_is_only_written_if_told_so(
    weights: Path, release: Release, uploads: Uploads
) -> None:
    uploads.repositories[REPO] = {CARD: b"my own words", "data.bin": b"1"}
    with pytest.raises(UsageError, match=r"holds README.md, data.bin already .*--overwrite"):
        push_release(release, REPO, public=False, overwrite=False)
    assert uploads.repositories[REPO][CARD] == b"my own words"
    push_release(release, REPO, public=False, overwrite=True)
    assert uploads.repositories[REPO][CARD] == release.card
    assert uploads.repositories[REPO]["data.bin"] == b"1"


def test_a_push_that_failed_can_be_repeated(release: Release, uploads: Uploads) -> None:
    uploads.refusals["commit"] = 503
    with pytest.raises(WeightsError, match=r"me/deblurring cannot be pushed to: .*try again"):
        push_release(release, REPO, public=False, overwrite=False)
    del uploads.refusals["commit"]
    push_release(release, REPO, public=False, overwrite=False)
    assert CARD in uploads.repositories[REPO]


@pytest.mark.parametrize(
    ("step", "status", "remedy"),
    [
        ("create", 401, "HF_TOKEN"),
        ("create", 403, "a repository of your own"),
        ("preupload", 403, "a repository of your own"),
        ("commit", 403, "a repository of your own"),
        ("commit", 409, "somebody else changed"),
        ("commit", 412, "somebody else changed"),
        ("create", 429, "wait some minutes"),
        ("create", 500, "try again later"),
    ],
)
def test_every_refusal_is_one_clear_error(
    release: Release, uploads: Uploads, step: str, status: int, remedy: str
) -> None:
    uploads.refusals[step] = status
    with pytest.raises(WeightsError, match=rf"cannot be pushed to: .*{status}") as caught:
        push_release(release, REPO, public=False, overwrite=False)
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_wrong_token_is_told(
    release: Release, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(WeightsError, match="401") as caught:
        push_release(release, REPO, public=False, overwrite=False)
    assert "HF_TOKEN" in caught.value.remedy


def test_without_a_token_nobody_is_asked(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="HF_TOKEN"):
        push_release(release, REPO, public=False, overwrite=False)


@pytest.mark.parametrize("repo", ["deblurring", "me/", "me/de blurring", "a/b/c"])
def test_what_names_no_repository_is_refused(release: Release, repo: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        push_release(release, repo, public=False, overwrite=False)


def test_a_name_that_the_hub_does_not_allow_is_told(release: Release, uploads: Uploads) -> None:
    with pytest.raises(WeightsError, match=r"cannot be pushed to"):
        push_release(release, "me/..deblurring--", public=False, overwrite=False)


def test_a_hub_that_is_not_there_is_told(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving(FakeHub({})) as hub:
        point_to(hub.endpoint, monkeypatch)
    with pytest.raises(WeightsError, match=r"cannot be pushed to: .*refused") as caught:
        push_release(release, REPO, public=False, overwrite=False)
    assert "check the connection" in caught.value.remedy


def test_nobody_waits_long_for_a_silent_hub(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        with pytest.raises(WeightsError, match="no answer within"):
            push_release(release, REPO, public=False, overwrite=False)


def test_the_card_stays_one_that_can_be_renewed(weights: Path, release: Release) -> None:
    card_of(weights).write_bytes(release.card)
    renewed = compose_card(card_of(weights), blank_metadata(tiny_model(1)))
    assert front_matter(renewed.encode()) == front_matter(release.card)


def test_what_was_pushed_can_be_fetched(
    weights: Path,
    release: Release,
    uploads: Uploads,
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushed = push_release(release, REPO, public=False, overwrite=False)
    content = uploads.repositories[REPO][pushed.file]
    with serving(FakeHub({pushed.file: content}, former_name=REPO)) as hub:
        point_to(hub.endpoint, monkeypatch)
        there = replace(pushed, revision="main")
        assert fetch(there, offline=False).read_bytes() == weights.read_bytes()
