"""A whole run that is kept at an address of a real S3 API server: killed, its disk wiped, and run again."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from actors.storage.lease import BEAT_S, Holder
from actors.storage.remote import RemoteFolder
from actors.storage.working_copy import LEASE
from reasoning.files.addresses import on_this_disk
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, phases_of
from tests.actors.storage.s3_server import KEYS, S3, s3_server
from tests.conftest import ROOT
from tests.pipelines.test_tailored import kill_tree
from tests.pipelines.whole_runs.micro_run import start_run, write_recipe

RUN_S = 800  # a bound against hanging, not a promise
BUCKET = "runs"
WHOLE = [(i, phase) for i in (0, 1) for phase in phases_of(i)]

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.timeout(1800)]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3]:
    for name, value in (KEYS | {"TAILOR_LOCAL": str(tmp_path / "local")}).items():
        monkeypatch.setenv(name, value)
    with s3_server() as server:
        server.make_bucket(BUCKET)
        yield server


def small(folder: Path, **sizes: float) -> Path:
    """The micro recipe, answered by transformers, which is up sooner than vLLM."""
    recipe = write_recipe(folder, **sizes)  # type: ignore[arg-type]
    recipe.write_text(recipe.read_text(encoding="utf-8") + "cluster: {sampler: transformers}\n", encoding="utf-8")
    return recipe


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + RUN_S
    while not true():
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def finish(recipe: Path, storage: Path | str, log: Path) -> str:
    before = len(log.read_bytes()) if log.exists() else 0
    code = start_run(recipe, storage, log).wait(RUN_S)
    text = log.read_bytes()[before:].decode("utf-8", "replace")
    assert code == 0, text[-4000:]
    return " ".join(text.split())


def answered(journal: Path) -> dict[str, int]:
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT key, sends FROM calls WHERE status = 'answered'").fetchall())


def hashes(folder: Path) -> Mapping[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.safetensors")}


def test_killed_and_wiped_a_stored_run_goes_on_where_it_was_and_teaches_the_same_student(
    s3: S3, tmp_path: Path
) -> None:
    """About four minutes: two whole small runs, one of them killed in its second round, its disk lost."""
    recipe, log = small(tmp_path, latency=2.0, in_flight=1, questions=40), tmp_path / "run.log"
    finish(recipe, tmp_path / "folder", tmp_path / "folder.log")
    address = s3.address(BUCKET)
    stored = RemoteFolder(s3.address(f"{BUCKET}/micro"))
    directory = RunDirectory(on_this_disk(stored.address))

    def in_feedback() -> bool:
        done = directory.finished() if directory.path.exists() else []
        return bool(done) and done[-1].phase is Phase.EXAM and len(answered(directory.journal)) > 26

    process = start_run(recipe, address, log)
    until(in_feedback, process, log)
    time.sleep(BEAT_S + 2.0)  # the last beat is after the last copy
    kill_tree(process.pid)
    process.wait(30)
    assert stored.download("journal.sqlite", tmp_path / "copy.sqlite")
    before, copied = answered(directory.journal), answered(tmp_path / "copy.sqlite")
    told = Holder.from_json(stored.read(LEASE))
    done = len(directory.finished())
    shutil.rmtree(tmp_path / "local")
    text = finish(recipe, address, log)

    assert f"goes on after {done} finished phases, in {address.partition('?')[0]}/micro" in text
    assert [(record.round, record.phase) for record in directory.finished()] == WHOLE
    assert told is not None
    lost = told.journal.answered - len(copied)
    assert 0 < lost <= len(before) - len(copied)
    assert f"{lost} replies were recorded after the last copy" in text
    after = answered(directory.journal)
    assert {key: after[key] for key in copied} == copied  # none of them asked again
    verified = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "journal", "verify", f"{stored.address}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
    names = {one.name for one in stored.files()}
    assert {"recipe.yaml", "rounds.jsonl", "journal.sqlite", "report.html", "round-001/exam.parquet"} <= names
    assert not [name for name in names if ".partial" in name or ".part" in name]
    for round in (0, 1):
        folder = tmp_path / f"student-{round}"
        assert stored.download(f"round-{round:03d}/student/model.safetensors", folder / "model.safetensors")
        assert hashes(folder) == hashes(tmp_path / "folder" / "micro" / f"round-{round:03d}" / "student")
    for file in [log, *(path for path in directory.path.rglob("*") if path.is_file())]:
        assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in file.read_bytes()


def test_storage_that_fails_later_ends_the_run_in_a_sentence_and_nothing_is_lost(s3: S3, tmp_path: Path) -> None:
    """About two minutes: a run whose storage takes nothing more from its first training on, and then does again."""
    recipe, log = small(tmp_path), tmp_path / "run.log"
    recipe.write_text(recipe.read_text(encoding="utf-8") + "storage: {patience: 0.05}\n", encoding="utf-8")
    s3.fault = lambda method, path: "XMinioStorageFull" if method == "PUT" and "examples" in path else None
    process = start_run(recipe, s3.address(BUCKET), log)
    assert process.wait(RUN_S) == 1
    text = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
    assert "writing round-000/examples.parquet failed" in text and "it is full" in text
    assert "the same command continues from there" in text and "Traceback" not in text
    directory = RunDirectory(on_this_disk(s3.address(f"{BUCKET}/micro")))
    before = answered(directory.journal)
    s3.fault = lambda method, path: None
    finish(recipe, s3.address(BUCKET), log)
    after = answered(directory.journal)
    assert {key: after[key] for key in before} == before
    assert [(record.round, record.phase) for record in directory.finished()] == WHOLE
