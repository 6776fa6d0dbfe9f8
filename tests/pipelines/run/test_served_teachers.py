"""Teachers that a run serves itself: told apart from those of other runs, and taken down whatever happens."""

import json
import urllib.request
from pathlib import Path

import pytest
import ray
from ray import serve
from rich.console import Console

from actors.coordinator import Coordinator
from actors.journal.actor import Journal, Sending
from pipelines.errors import RunFailed
from pipelines.run import coordination
from pipelines.run import served_teachers as endpoints
from pipelines.run.coordination import coordinate
from pipelines.run.preflight import Checked
from pipelines.run.served_teachers import NotDeployed, deployed
from reasoning.recipe.tailored import Recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.teacher.calls import TeacherRequest

pytestmark = pytest.mark.usefixtures("serve_afterwards_gone")


def recipe(name: str, **teacher: object) -> Recipe:
    return Recipe.model_validate({"name": name, "teacher": teacher})


def models(base_url: str) -> list[str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{base_url}/models", timeout=10) as response:
        return [model["id"] for model in json.load(response)["data"]]


def applications() -> set[str]:
    return set(serve.status().applications)


@pytest.mark.slow
def test_runs_on_one_cluster_each_have_their_own_teachers(ray_cluster: None) -> None:
    one, other = recipe("one", model="mine"), recipe("other", model="theirs", first={"model": "first"})
    with deployed(one) as mine:
        with deployed(other) as theirs:
            assert sorted(model for url in theirs.values() for model in models(url)) == ["first", "theirs"]
        (url,) = mine.values()
        assert models(url) == ["mine"]  # the other run has ended
        with pytest.raises(KeyboardInterrupt), deployed(other):
            raise KeyboardInterrupt
        assert len(applications()) == 1
    assert applications() == set()


@serve.deployment
class Broken:
    def __init__(self) -> None:
        raise OSError("the weights are damaged")


@pytest.mark.slow
def test_a_teacher_that_does_not_come_up_is_told_and_not_left_behind(
    ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_application", lambda *_: Broken.bind())
    with pytest.raises(NotDeployed, match="did not start"), deployed(recipe("broken")):
        pass
    assert applications() == set()


def test_a_run_that_is_under_way_is_not_started_twice(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordination, "ENDING_S", 0.1)

    class Busy:
        pass

    directory = RunDirectory(tmp_path / "run")
    holder = ray.remote(Busy).options(num_cpus=0, name=f"tailor-{directory.path}", namespace="tailor").remote()
    with pytest.raises(RunFailed, match="is being run on this cluster already"):
        start(recipe("run"), directory)
    ray.kill(holder)


def start(one: Recipe, directory: RunDirectory) -> None:
    checked = Checked(None, None, ())  # type: ignore[arg-type]  # it is refused before anything is looked at
    coordinate(Coordinator, one, one, directory, checked, lambda: {}, Console())


def test_a_run_does_not_ask_again_what_is_in_a_batch(ray_cluster: None, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    journal = Journal(directory.journal)
    request = TeacherRequest("t", "m", (("user", "2 + 2?"),), 0.7, 64)
    journal.start([Sending("s", request.key, request, "run")])
    journal.batch_made("b", "t", "run", {request.key: "s"})
    journal.close()
    at_once = recipe("run", kind="openai", model="m", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(RunFailed, match=r"1 requests are in a batch.*Go on with the recipe's `batch`"):
        start(at_once, directory)
