"""A run's keys reach its processes through the cluster's memory, and are gone when they are taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import ray

from actors.ray_api import job_keys
from actors.ray_api.job_keys import (
    KeysGone,
    adopt,
    hand_over,
    handed_over,
    new_id,
    packed,
    place_of,
    take_back,
    take_over,
)

KEYS = {"TAILOR_TEST_KEY": "tk-of-the-run", "OTHER": 'a=b\n"c" \N{SNOWMAN}'}


@pytest.fixture
def store(ray_cluster: None) -> str:
    return str(ray.get_runtime_context().gcs_address)


def test_what_is_handed_over_is_found_by_its_id_alone_until_it_is_taken_back(store: str) -> None:
    mine, other = new_id(), new_id()
    hand_over(store, mine, KEYS)
    assert handed_over(store, mine) == KEYS
    with pytest.raises(KeysGone, match="Submit the run again"):
        handed_over(store, other, wait_s=0.0)
    take_back(store, mine)
    with pytest.raises(KeysGone):
        handed_over(store, mine, wait_s=60.0)  # told at once


def test_a_process_takes_its_machines_secrets_and_the_runs_keys_before_its_own(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets.env"
    file.touch(mode=0o600)
    file.write_text("TAILOR_TEST_KEY=of the file\nTAILOR_TEST_FILE=of the file\nTAILOR_TEST_ENV=of the file\n")
    monkeypatch.setenv("TAILOR_SECRETS_FILE", str(file))
    monkeypatch.setenv("TAILOR_TEST_KEY", "of the node")
    monkeypatch.setenv("TAILOR_TEST_ENV", "of the node")
    for name in ("TAILOR_TEST_FILE", "OTHER", job_keys.VARIABLE):
        monkeypatch.setenv(name, "")  # so that they are restored
        monkeypatch.delenv(name)
    take_over(store)
    assert os.environ["TAILOR_TEST_KEY"] == "of the node"
    assert (os.environ["TAILOR_TEST_FILE"], os.environ["TAILOR_TEST_ENV"]) == ("of the file", "of the node")
    id = new_id()
    hand_over(store, id, KEYS)
    monkeypatch.setenv(job_keys.VARIABLE, id)
    take_over(store)
    assert {name: os.environ[name] for name in KEYS} == KEYS
    take_back(store, id)


def test_a_process_that_comes_after_the_run_starts_without_its_keys(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    id = new_id()
    hand_over(store, id, KEYS)
    take_back(store, id)
    monkeypatch.setenv(job_keys.VARIABLE, id)
    adopt()
    assert "TAILOR_TEST_KEY" not in os.environ and "starts without keys" in capsys.readouterr().err


def test_the_place_says_nothing_of_the_keys_and_what_ray_quotes_of_them_neither() -> None:
    assert packed({"K": "sk-0123456789"})[:15] == packed(KEYS)[:15]  # Ray quotes so much where it cannot store them
    assert place_of("0f") == "gcs://tailor_keys_0f.zip" and new_id() != new_id()


def test_the_hook_is_where_its_name_says() -> None:
    assert f"{adopt.__module__}.{adopt.__name__}" == job_keys.HOOK
