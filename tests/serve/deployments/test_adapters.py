"""Students that share an engine as adapters answer each as it does alone, merged; one is promoted without the others.

Slow: two runs' students are made and one engine is started, about a minute on two cores."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from rich.console import Console

from pipelines.errors import Refused, RunFailed
from pipelines.serving.adapters import shared_serving
from pipelines.serving.deployed import put, served_as
from pipelines.serving.graduate import graduate_of
from pipelines.serving.names import application_of_adapters
from pipelines.serving.promotion import promote, roll_back
from pipelines.serving.standing import standing
from reasoning.rounds.directory import RunDirectory
from serve.student import NotStarted, deploy_student
from serve.weights import Checkpoint
from tests.ascii_students import greedy_texts
from tests.pipelines.serving.lora_runs import taught_run

NEW_TOKENS = 24
QUESTIONS = [f"A coin is heads up. {name} flips it. Is it heads up?" for name in ("Ann", "Ben", "Cem", "Dan", "Eve")]
TOLD = Console(file=io.StringIO())

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(500)]


@dataclass(frozen=True, slots=True)
class Shared:
    """An engine with the students of two runs, round 0 of each."""

    address: str
    runs: dict[str, RunDirectory]

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.address, api_key="none", max_retries=0)

    def merged(self, name: str, round: int = 0) -> list[str]:
        """What the run's own student says, by `transformers`."""
        directory = self.runs[name]
        prompts = [directory.form().prompt(question) for question in QUESTIONS]
        return greedy_texts(str(directory.round(round).student), prompts, NEW_TOKENS)

    def said(self, name: str) -> list[str]:
        """What is answered by this name, all questions at once."""

        def ask(question: str) -> str:
            prompt = self.runs[name].form().prompt(question)
            asked = self.client.completions.create(model=name, prompt=prompt, max_tokens=NEW_TOKENS)
            return asked.choices[0].text

        with ThreadPoolExecutor(len(QUESTIONS)) as pool:
            return list(pool.map(ask, QUESTIONS))

    def posted(self, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
        reply = httpx.post(f"{self.address}/{path}", json=body, timeout=60)
        assert reply.status_code == status, reply.text
        found: dict[str, Any] = reply.json()
        return found


@pytest.fixture(scope="module")
def shared(serve_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    from ray import serve

    folder = tmp_path_factory.mktemp("adapters")
    runs = {
        "coins": taught_run(folder, "coins", 4, 1),
        "letters": taught_run(folder, "letters", 16, 5, "last_letter_concatenation"),
    }
    students = [(directory, graduate_of(directory, 0)) for directory in runs.values()]
    serving = shared_serving(students, list(runs), TOLD)
    name = application_of_adapters(runs)
    address = deploy_student(serving, name=name, route_prefix="/shared")
    yield Shared(address, runs)
    serve.delete(name)


def test_each_answers_as_its_merged_student_does(shared: Shared) -> None:
    with ThreadPoolExecutor(2) as pool:
        coins, letters = pool.map(shared.said, shared.runs)
    assert coins == shared.merged("coins") and letters == shared.merged("letters")
    assert not set(coins) & set(letters)


def test_a_request_says_whom_it_asks(shared: Shared) -> None:
    (chat,) = shared.merged("letters")[:1]
    asked = shared.client.chat.completions.create(
        model="letters", messages=[{"role": "user", "content": QUESTIONS[0]}], max_tokens=NEW_TOKENS
    )
    assert (asked.choices[0].message.content, asked.model) == (chat, "letters")
    for path, body in (
        ("answer", {"question": "?"}),
        ("completions", {"prompt": "?"}),
        ("completions", {"prompt": "?", "model": ""}),
        ("chat/completions", {"messages": [{"role": "user", "content": "?"}]}),
    ):
        said = shared.posted(path, body, 400)["error"]
        assert said["message"] == "say which student is asked, as `model`: coins, letters" and said["param"] == "model"
    for name in ("another", "base/embedded"):
        said = shared.posted("completions", {"model": name, "prompt": "?"}, 404)["error"]
        assert said["message"] == f"The model `{name}` does not exist here; `coins`, `letters` do."


def test_only_the_students_are_listed(shared: Shared) -> None:
    listed = shared.client.models.list().data
    assert [model.id for model in listed] == ["coins", "letters"]
    for model in listed:
        described = shared.client.models.retrieve(model.id).model_dump()
        assert (described["id"], described["root"], described["parent"]) == (model.id, model.id, "base/embedded")
        assert described["max_model_len"] == 1024
    assert not any(str(directory.path.parent) in str(listed) for directory in shared.runs.values())


def test_a_question_is_answered_and_graded_by_its_own_task(shared: Shared) -> None:
    for name, gold in (("coins", "yes"), ("letters", "ab")):
        answered = shared.posted("answer", {"question": QUESTIONS[1], "model": name, "gold": gold})
        assert answered["model"] == name and answered["version"].startswith(f"{name}/round-000/")
        told = {"version": answered["version"], "answer": f"Answer: {gold}", "gold": gold}
        assert shared.posted("feedback", told)["verdict"] == "correct"
        assert shared.posted("feedback", told | {"model": name})["verdict"] == "correct"
    shared.posted("feedback", told | {"model": "coins"}, 404)
    found = {one.model: one for one in standing(None, None)}
    assert set(found) == set(shared.runs) and {one.route for one in found.values()} == {"/shared"}
    for name, one in found.items():
        (counted,) = one.live.accuracy
        assert counted.version == one.version and one.version.startswith(name)


def test_one_is_promoted_and_taken_back_while_the_other_answers_on(shared: Shared) -> None:
    letters = shared.merged("letters")
    changed = promote(shared.runs["coins"].path, 1, None, None, TOLD)
    assert changed.version.startswith("coins/round-001/")
    assert (shared.said("coins"), shared.said("letters")) == (shared.merged("coins", 1), letters)
    reply = httpx.post(f"{shared.address}/completions", json={"model": "coins", "prompt": "?", "max_tokens": 1})
    assert reply.headers["x-student-version"] == changed.version
    with pytest.raises(Refused, match="answers with round 1 already"):
        promote(shared.runs["coins"].path, 1, None, None, TOLD)
    assert roll_back("coins", None).version == changed.before
    assert (shared.said("coins"), shared.said("letters")) == (shared.merged("coins"), letters)


def test_an_adapter_that_is_not_proven_or_not_there_answers_nobody(shared: Shared, tmp_path: Path) -> None:
    there = served_as("coins")
    other = served_as("letters").weights
    for checkpoint, said in ((other.checkpoint, "is not proven: prompt 0"), (str(tmp_path), "cannot be loaded")):
        wrong = Checkpoint(version="wrong", checkpoint=checkpoint, probe=there.weights.probe)
        with pytest.raises(RunFailed, match=f"nothing was changed: .*coins stays at {there.weights.version}.*{said}"):
            put(there, there.weights.followed_by(wrong))
    assert (shared.said("coins"), shared.said("letters")) == (shared.merged("coins"), shared.merged("letters"))


def test_an_engine_with_an_adapter_that_is_not_proven_does_not_come_up(shared: Shared) -> None:
    """Ray Serve tries three times."""
    from ray import serve

    directory = shared.runs["letters"]
    serving = shared_serving([(directory, graduate_of(directory, 0))], ["other"], TOLD)
    wrong = serving.adapters["other"].model_copy(update={"probe": str(shared.runs["coins"].round(0).probe)})
    try:
        with pytest.raises(NotStarted, match=r"other did not come up: .*letters/round-000/\w+ is not proven"):
            deploy_student(
                serving.model_copy(update={"adapters": {"other": wrong}}), name="adapters-other", route_prefix="/other"
            )
    finally:
        serve.delete("adapters-other")
