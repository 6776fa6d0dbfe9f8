"""Addresses of storage: which are taken, what is refused without repeating it, and their places on a node's disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.addresses import below, check_address, is_address, local_folder, on_this_disk


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket",
        "s3://bucket/a/b?region=eu-west-1&endpoint_override=minio.lan:9000&scheme=http",
        "gs://bucket/prefix",
        "gs://anonymous@bucket/prefix",
        "abfss://container@account.dfs.core.windows.net/runs?credential_kind=environment",
        "hdfs://name:8020/runs",
        "hdfs:///runs",
    ],
)
def test_addresses_that_pyarrow_reaches_are_taken(address: str) -> None:
    assert is_address(address)
    check_address(address)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("s3://AKIA:verysecret@bucket/x", "credential"),
        ("s3://AKIAverysecret@bucket/x", "credential"),
        ("s3://bucket/x?secret_key=verysecret", "credential"),
        ("s3://bucket/x?AccessKey=verysecret", "credential"),
        ("s3://bucket/x?session_token=verysecret", "credential"),
        ("abfs://container:verysecret@account.dfs.core.windows.net/x", "credential"),
        ("abfs://container@account.dfs.core.windows.net/x?sig=verysecret", "credential"),
        ("abfs://container@account/x?client_secret=verysecret", "credential"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("hdfs://", "names no folder"),
        ("s3://bucket/a/../b", "plain address"),
        ("s3://bucket/a#b", "plain address"),
        ("s3://bucket/a b", "plain address"),
        ("file:///runs", "without file://"),
        ("https://bucket.s3.amazonaws.com/x", "one of these kinds: s3, gs"),
        ("azure://x", "one of these kinds"),
    ],
)
def test_what_cannot_be_storage_is_refused_and_no_secret_is_repeated(address: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        check_address(address)
    assert "verysecret" not in str(caught.value)


def test_the_settings_stay_with_what_is_below() -> None:
    assert below("s3://b/p?region=x", "run", "round-000") == "s3://b/p/run/round-000?region=x"
    assert below("s3://b/p/", "run") == "s3://b/p/run"
    assert below("/a/what?", "b") == "/a/what?/b"


def test_each_address_has_a_place_of_its_own_below_the_node_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path))
    assert local_folder() == tmp_path
    addresses = [
        "s3://b/p/x",
        "s3://b/p/x?region=a",
        "s3://b/p/x?region=b",
        "gs://b/p/x",
        "s3://b2/p/x",
        "abfs://c@b/x",
    ]
    places = [on_this_disk(address) for address in addresses]
    assert len(set(places)) == len(places) and all(place.is_relative_to(tmp_path) for place in places)
    assert places[0] == tmp_path / "s3" / "b" / "p" / "x"
    assert on_this_disk("s3://b/p/x/y?region=a") == places[1] / "y"
    monkeypatch.delenv("TAILOR_LOCAL")
    assert local_folder() == Path.home() / ".tailor"
