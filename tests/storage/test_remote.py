from __future__ import annotations

import builtins
import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import DeblurError, MissingExtraError, UsageError
from deblur_cli.storage import remote
from deblur_cli.storage.remote import RemotePath, located
from tests.storage.memory import new_folder, put


@pytest.fixture
def top() -> RemotePath:
    return new_folder()


def test_names_are_those_of_a_path_and_the_text_is_the_url() -> None:
    path = located("memory://bucket/photos/a b/ü.tar.jpg")
    assert str(path) == "memory://bucket/photos/a b/ü.tar.jpg"
    assert (path.name, path.stem, path.suffix) == ("ü.tar.jpg", "ü.tar", ".jpg")
    assert str(path.parent.with_name("b") / "c.jpg") == "memory://bucket/photos/b/c.jpg"
    assert path.relative_to(located("memory://bucket/photos")) == Path("a b/ü.tar.jpg")
    assert not isinstance(path.relative_to(located("memory://bucket")), RemotePath)
    assert str(pickle.loads(pickle.dumps(path))) == str(path)
    assert str(DeblurError("is wrong", path=path)) == f"{path}: is wrong"
    assert isinstance(path, RemotePath)
    assert str(path.bucket) == "memory://bucket"


def test_what_is_no_url_is_a_file() -> None:
    assert located("photos/a.jpg") == Path("photos/a.jpg")
    assert located("file:///photos/a.jpg") == Path("/photos/a.jpg")
    assert not isinstance(located("C:/photos"), RemotePath)


def test_an_object_is_put_and_read_as_a_whole(top: RemotePath, tmp_path: Path) -> None:
    path = put(top / "a.bin", b"content", tmp_path)
    with path.open() as file:
        assert file.read() == b"content"
    assert path.read_bytes() == b"content"
    assert path.read_from(3) == b"tent"
    assert (path.is_file(), path.is_dir(), top.is_dir()) == (True, False, True)
    assert path.stat().st_size == 7
    assert path.stat().st_mtime_ns > 0
    empty = put(top / "town/b.bin", b"", tmp_path)
    assert (path.is_object(), empty.is_object()) == (True, True)
    assert ((top / "town").is_object(), (top / "none").is_object()) == (False, False)
    assert sorted(top.entries()) == ["a.bin", "town"]
    put(top / top.name / "c.bin", b"", tmp_path)
    assert sorted(top.entries()) == sorted(["a.bin", "town", top.name])
    path.unlink()
    assert sorted(top.entries()) == sorted(["town", top.name])
    assert (top / "none").entries() == {}
    with pytest.raises(FileNotFoundError, match="no such object"):
        path.stat()


@pytest.mark.parametrize("use", [os.stat, os.path.realpath, os.listdir, builtins.open])
def test_no_file_of_this_machine_is_taken_for_it(top: RemotePath, use: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="no file of this machine"):
        use(top / "a.bin")
    with pytest.raises(TypeError, match="can only be read"):
        (top / "a.bin").write_bytes(b"")


@pytest.mark.parametrize("missing", ["fsspec", "s3fs"])
def test_missing_library_names_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    import fsspec

    def absent(protocol: str, **_: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    remote._file_system.cache_clear()
    if missing == "fsspec":
        monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    else:
        monkeypatch.setattr(fsspec, "filesystem", absent)
    with pytest.raises(MissingExtraError, match=r"deblur-cli\[cloud\]"):
        located("s3://bucket/a.jpg")
    remote._file_system.cache_clear()


@pytest.mark.parametrize("url", ["s3://", "memory:///", "nothing://bucket/a", "s3://me:word@b/a"])
def test_urls_that_mean_nothing(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        located(url)
    assert "word@" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError("Forbidden key=secret"), "access is denied"),
        (PermissionError("The secret token has expired"), "the credentials have expired"),
        (OSError(errno.EINVAL, "Bad Request"), "have the credentials expired"),
        (type("NoCredentialsError", (Exception,), {})("secret"), "there are no credentials"),
        (type("CredentialRetrievalError", (Exception,), {})("secret"), "fetched or renewed"),
        (OSError(errno.EBUSY, "secret"), "is too busy"),
        (ConnectionError("http://me:secret@host"), "no connection"),
        (RuntimeError("secret"), "does not answer as it should"),
    ],
)
def test_what_the_storage_says_is_not_passed_on(
    top: RemotePath, error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(remote._file_system("memory"), "info", fail)
    with pytest.raises(OSError, match=told) as caught:
        top.stat()
    assert "secret" not in str(caught.value)
