"""A run is not started twice, and does not pay twice. What a whole run shows is in `tests.pipelines.test_tailored`."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import ray
from ray.exceptions import OutOfMemoryError
from rich.console import Console

from actors.coordinator import Coordinator
from actors.journal.actor import Journal, Sending
from actors.storage.keeping import Home
from pipelines.errors import RunFailed
from pipelines.run import coordination
from pipelines.run.coordination import CoordinatorLost, announce, coordinate, watch
from pipelines.run.preflight import Checked
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.teacher.calls import TeacherRequest


def recipe(name: str, **teacher: object) -> Recipe:
    return Recipe.model_validate({"name": name, "teacher": teacher})


def test_a_run_that_is_under_way_is_not_started_twice(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordination, "ENDING_S", 0.1)

    class Busy:
        pass

    directory = RunDirectory(tmp_path / "run")
    holder: Any = ray.remote(Busy).options(num_cpus=0, name=f"tailor-{directory.path}#0", namespace="tailor").remote()
    with pytest.raises(RunFailed, match="is already running on this cluster"):
        start(recipe("run"), directory)
    ray.kill(holder)


def start(one: Recipe, directory: RunDirectory) -> None:
    checked = Checked(None, None, ())  # type: ignore[arg-type]  # it is refused before anything is looked at
    coordinate(Coordinator, one, one, directory, checked, Home(directory.path), lambda: {}, Console())


def test_notes_and_places_are_said_as_they_are() -> None:
    said = io.StringIO()
    announce("mine", "/runs/[old]/mine", None, ["student.stop: [/INST] ends an answer"], Console(file=said, width=200))
    assert said.getvalue() == "Run mine is new, in /runs/[old]/mine\n  student.stop: [/INST] ends an answer\n"


def test_a_run_does_not_ask_again_what_is_in_a_batch(ray_cluster: None, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    journal = Journal(directory.journal)
    request = TeacherRequest("t", "m", (("user", "2 + 2?"),), 0.7, 64)
    journal.start([Sending("s", request.key, request, "run")])
    journal.batch_made("b", "t", "run", {request.key: "s"})
    journal.close()
    at_once = recipe("run", kind="openai", model="m", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(RunFailed, match=r"1 requests are in a batch.*Keep the recipe's `batch`"):
        start(at_once, directory)


def test_a_coordinator_that_was_ended_for_want_of_memory_is_lost_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = OutOfMemoryError(
        "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: efe) "
        "was 22.34GB used / 23.54GB limit (0.95)\nRefer to the documentation"
    )

    def get(_: object) -> None:
        raise ended

    monkeypatch.setattr(ray, "wait", lambda refs, timeout: (refs, []))
    monkeypatch.setattr(ray, "get", get)
    method = SimpleNamespace(remote=lambda: "a reference")
    with pytest.raises(
        CoordinatorLost, match=r"^runs/mine: .*192\.0\.2\.2 ran low on memory \(22\.34GB of 23\.54GB used\)"
    ):
        watch(cast(Any, SimpleNamespace(run=method, progress=method)), "runs/mine", dict, Console(file=io.StringIO()))
