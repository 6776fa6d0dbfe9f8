"""Teachers that a run serves itself: told apart from those of other runs, and taken down whatever happens."""

import json
import urllib.request

import pytest
from ray import serve

from pipelines.run import served_teachers as endpoints
from pipelines.run.served_teachers import NotDeployed, deployed
from reasoning.recipe.tailored import Recipe

pytestmark = pytest.mark.usefixtures("serve_port")


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
