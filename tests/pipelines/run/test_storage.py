"""Where a run is kept, as a person meets it: addresses on the command line, storage that refuses, a claimed address."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.storage import remote
from pipelines.cli import app
from pipelines.run.storage import claim, home_of, storage_faults, store_again, store_report
from reasoning.recipe.tailored import Recipe, parse_recipe
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import Phase, PhaseRecord
from tests.actors.storage.folder_buckets import buckets_in

ADDRESS = "s3://bucket/runs"
RECORD = PhaseRecord(0, Phase.FEEDBACK, 1.0, {"asked": 3, "kept": 3, "failed": 0, "filtered_out": 0})


@pytest.fixture(autouse=True)
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for a bucket."""
    buckets_in(tmp_path / "there", monkeypatch)
    monkeypatch.setattr(remote, "PAUSES_S", (10.0,))
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "disk"))
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path / "there" / "bucket"


def recipe(more: str = "") -> Recipe:
    return parse_recipe(f"name: mine\nstorage: {{path: '{ADDRESS}'}}\n{more}", "r.yaml")


def claimed() -> RunDirectory:
    directory = RunDirectory(home_of(recipe()).folder)
    claim(directory, recipe(), home_of(recipe()))
    return directory


def test_the_copy_of_a_run_is_on_this_nodes_disk(tmp_path: Path) -> None:
    text = "name: mine\nstorage: {path: 's3://bucket/runs?region=x', patience: 2}"
    home = home_of(parse_recipe(text, "r.yaml"))
    assert home.shown == "s3://bucket/runs/mine?region=x" and home.patience_s == 120.0
    assert home.folder.is_relative_to(tmp_path / "disk")
    assert home_of(parse_recipe(f"storage: {{path: {tmp_path}}}", "r.yaml")).shown == str(tmp_path / "run")


def test_an_address_is_claimed_resumed_and_refused_to_another_recipe(bucket: Path, tmp_path: Path) -> None:
    home = home_of(recipe())
    directory = RunDirectory(home.folder)
    assert claim(directory, recipe(), home) is False
    assert (bucket / "runs" / "mine" / "recipe.yaml").is_file()
    shutil.rmtree(tmp_path / "disk")
    assert claim(directory, recipe(), home) is True
    with pytest.raises(RunDirectoryError, match=r"^s3://bucket/runs/mine: belongs to another recipe .*seed"):
        claim(directory, recipe("seed: 5"), home)


def test_storage_that_works_is_tried_and_left_as_it_was(bucket: Path) -> None:
    assert list(storage_faults(recipe())) == []
    assert [path for path in bucket.rglob("*") if path.is_file()] == []
    assert list(storage_faults(parse_recipe("storage: {path: runs}", "r.yaml"))) == []


def test_storage_that_refuses_is_found_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> None:
        raise OSError("AWS Error ACCESS_DENIED during PutObject operation")

    monkeypatch.setattr(remote, "open_file_system", refuse)
    (fault,) = storage_faults(recipe())
    assert fault.place == "storage.path" and "access is denied" in fault.what and ADDRESS in fault.what


@pytest.fixture
def tailor() -> Callable[..., tuple[int, str]]:
    def tailor(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, " ".join(done.output.split())

    return tailor


def test_a_report_is_made_of_what_is_stored_and_stored_with_it(
    bucket: Path, tmp_path: Path, tailor: Callable[..., tuple[int, str]]
) -> None:
    claimed()
    (bucket / "runs" / "mine" / "rounds.jsonl").write_text(RECORD.to_json() + "\n", encoding="utf-8")
    shutil.rmtree(tmp_path / "disk")
    code, said = tailor("report", f"{ADDRESS}/mine")
    assert code == 0, said
    assert (bucket / "runs" / "mine" / "report.html").is_file()


def test_a_journal_is_read_from_its_copy_and_not_changed_there(
    bucket: Path, tmp_path: Path, tailor: Callable[..., tuple[int, str]]
) -> None:
    from actors.journal.actor import Journal

    claimed()
    Journal(tmp_path / "journal.sqlite", ballast_bytes=0).close()
    shutil.copy(tmp_path / "journal.sqlite", bucket / "runs" / "mine" / "journal.sqlite")
    code, said = tailor("journal", "stats", f"{ADDRESS}/mine", "--json")
    assert code == 0 and json.loads(said)["requests"]["answered"] == 0
    assert tailor("journal", "verify", f"{ADDRESS}/mine")[0] == 0
    code, said = tailor("journal", "retry", f"{ADDRESS}/mine")
    assert code == 2
    with sqlite3.connect(bucket / "runs" / "mine" / "journal.sqlite") as copy:
        assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "address", ["s3://key:hidden@bucket/x", "ftp://bucket/x", "s3://bucket/nothing", "s3://bucket/a b"]
)
def test_an_address_without_a_run_is_told_in_a_line(
    address: str, tailor: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = tailor("report", address)
    said += capfd.readouterr().err
    assert code == 2 and "Traceback" not in said and "hidden" not in said


def test_a_report_of_a_folder_is_left_in_it(tmp_path: Path, bucket: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<html>", encoding="utf-8")
    store_again(report)
    assert store_report(report, home_of(parse_recipe("storage: {path: runs}", "r.yaml"))) == str(report)
    assert not bucket.exists()
