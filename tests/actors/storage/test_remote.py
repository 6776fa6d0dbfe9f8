"""Files at an address: on a real S3 API server with its faults, and on a file system that renames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.storage import remote
from actors.storage.remote import RemoteFolder, StorageError, reason_of
from tests.actors.storage.s3_server import KEYS, S3, s3_server

thorough = pytest.mark.thorough  # a server of its own, for seconds


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        with s3_server() as running:
            running.make_bucket("bucket")
            yield running


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    monkeypatch.setattr(remote, "PAUSES_S", (0.02,))
    server.requests.clear()
    yield server
    server.fault = lambda method, path: None


@pytest.fixture(params=["file", pytest.param("s3", marks=thorough)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> RemoteFolder:
    if request.param == "file":
        return RemoteFolder((tmp_path / "there").as_uri(), patience_s=0.0)
    s3: S3 = request.getfixturevalue("s3")
    return RemoteFolder(s3.address(f"bucket/{tmp_path.name}"), patience_s=0.0)


def test_what_is_put_is_read_listed_replaced_and_deleted(folder: RemoteFolder, tmp_path: Path) -> None:
    assert folder.read("a/b.txt") is None and folder.files() == []
    first = folder.write("a/b.txt", b"one")
    assert (first.name, first.size) == ("a/b.txt", 3)
    folder.write("a/b.txt", b"another")
    assert folder.read("a/b.txt") == b"another"
    file = tmp_path / "big"
    file.write_bytes(os.urandom(9_000_000))  # more than one part
    folder.upload(file, "c d/ü.bin")
    assert {(one.name, one.size) for one in folder.files()} == {("a/b.txt", 7), ("c d/ü.bin", 9_000_000)}
    assert [one.name for one in folder.files("a")] == ["a/b.txt"]
    assert folder.download("c d/ü.bin", tmp_path / "x" / "back")
    assert (tmp_path / "x" / "back").read_bytes() == file.read_bytes()
    folder.copy("c d/ü.bin", "e/f", 9_000_000)
    assert folder.folder("e").download("f", tmp_path / "back") and not folder.download("none", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    for name in ("a/b.txt", "a/b.txt", "none"):
        folder.delete(name)
    folder.delete_folder("e")
    folder.delete_folder("none")
    assert [one.name for one in folder.files()] == ["c d/ü.bin"]


def test_a_rename_that_was_cut_off_between_its_steps_loses_nothing(tmp_path: Path) -> None:
    folder = RemoteFolder(tmp_path.as_uri(), patience_s=0.0)
    folder.write("rounds.jsonl", b"one\n")
    (tmp_path / "rounds.jsonl").rename(tmp_path / ".rounds.jsonl.part")
    assert folder.read("rounds.jsonl") == b"one\n"


@thorough
@pytest.mark.parametrize("fault", ["SlowDown", "cut", "cut after", "slow"])
def test_a_fault_that_passes_is_not_noticed(s3: S3, fault: str, tmp_path: Path) -> None:
    folder = RemoteFolder(s3.address("bucket/passing"), patience_s=60.0)
    faults = iter([fault, fault])
    s3.fault = lambda method, path: next(faults, None)
    assert folder.write("a", b"1").size == 1
    faults = iter([fault])
    assert folder.read("a") == b"1"
    faults = iter([fault])
    assert [one.name for one in folder.files()] == ["a"]
    faults = iter([fault])
    folder.delete("a")
    assert folder.read("a") is None


@thorough
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("AccessDenied", "access is denied: check the credentials"),
        ("NoSuchBucket", "there is no such bucket: make it"),
        ("XMinioStorageFull", "it is full: free some space"),
    ],
)
def test_a_fault_that_stays_is_told_with_what_to_do_and_without_a_key(s3: S3, fault: str, words: str) -> None:
    folder = RemoteFolder(s3.address("bucket/x"), patience_s=0.1)
    s3.fault = lambda method, path: fault
    with pytest.raises(StorageError, match=rf"writing a failed \d+ times: {words}") as caught:
        folder.write("a", b"1")
    assert not [key for name, key in KEYS.items() if "KEY" in name and key in str(caught.value)]


@thorough
def test_nobody_listens(s3: S3) -> None:
    with pytest.raises(StorageError, match="no connection: check the address"):
        RemoteFolder("s3://bucket/x?scheme=http&endpoint_override=127.0.0.1:9", patience_s=0.1).write("a", b"1")


@thorough
def test_a_small_file_is_one_upload(s3: S3) -> None:
    RemoteFolder(s3.address("bucket/one")).write("a", b"1")
    assert [method for method, _ in s3.requests].count("PUT") == 1


@thorough
def test_the_endpoint_may_come_from_the_environment(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    RemoteFolder("s3://bucket/by-variable", patience_s=0.1).write("a", b"1")
    assert RemoteFolder(s3.address("bucket/by-variable")).read("a") == b"1"


def test_a_copy_that_arrives_short_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RemoteFolder(tmp_path.as_uri(), patience_s=0.0)
    with pytest.raises(StorageError, match="3 bytes arrived of 9"):
        folder._put("a", 9, lambda: iter([b"one"]))
    assert folder.read("b") is None and not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("AWS Error INVALID_ACCESS_KEY_ID during GetObject: no such key (Request ID: abc)", "access is denied"),
        ("Got: The provided token has expired (ExpiredToken)", "access is denied"),
        ("google::cloud::Status(PERMISSION_DENIED: no storage.objects.get access)", "access is denied"),
        ("[Errno 28] No space left on device", "it is full"),
        ("[Errno 111] Connection refused", "no connection"),
        ("curlCode: 6, Could not resolve hostname", "no connection"),
        ("something else\n  entirely", "something else entirely"),
    ],
)
def test_what_libraries_say_is_put_into_words(said: str, told: str) -> None:
    assert reason_of(OSError(said)).startswith(told) and "Request ID" not in reason_of(OSError(said))
