"""A served student, asked by the stock client, says what `transformers` says, and speaks the protocol.

Slow: two students are served one after the other (about 30 s each on two cores), each on a real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from reasoning.grading.answers import grade
from reasoning.prompts.student_forms import student_prompt
from reasoning.records import AnswerKind, Problem, Split
from reasoning.student.checkpoint import save_student
from reasoning.student.probe import make_probe, save_probe
from serve.answering import AnswerSection
from serve.door.limits import DoorSection
from serve.serving import StudentServing
from serve.student import application, deploy_student
from serve.weights import Checkpoint, Weights
from tests.ascii_students import ascii_student, greedy_texts
from tests.tiny_students import byte_tokenizer

QUESTIONS = [f"{i} apples and {i * 7 % 5} pears?" for i in range(20)]
NEW_TOKENS = 24
KEY = "sesame"
ANSWERS = AnswerSection(task="fruit", kind=AnswerKind.TEXT, max_new_tokens=NEW_TOKENS)


@dataclass(frozen=True, slots=True)
class Served:
    client: openai.OpenAI
    checkpoint: str

    def expected(self, *prompts: str) -> list[str]:
        return greedy_texts(self.checkpoint, list(prompts), NEW_TOKENS)


def engines() -> list[int]:
    """The engine processes under this test's Ray."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "EngineCore" in process.name() or "EngineCore" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(scope="module", params=["untied", pytest.param("tied", marks=pytest.mark.slow)])
def served(
    request: pytest.FixtureRequest, serve_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    from ray import serve

    student = ascii_student(seed=3, tied=request.param == "tied")
    folder = tmp_path_factory.mktemp("served") / request.param
    save_student(student.model, student.tokenizer, folder)
    keys = folder.parent / "keys"
    keys.write_text(f"{KEY}\n", encoding="utf-8")
    serving = StudentServing(
        checkpoint=str(folder),
        version="first",
        model_name="tiny",
        kv_cache_gib=0.25,
        door=DoorSection(keys_file=str(keys), max_tokens=64),
        answers=ANSWERS,
    )
    before = set(engines())
    base_url = deploy_student(serving, route_prefix="/tiny")
    assert base_url == f"http://127.0.0.1:{serve_port}/tiny/v1"
    deadline = time.monotonic() + 20
    while not set(engines()) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert set(engines()) - before
    yield Served(openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0), str(folder))
    serve.delete("student")
    deadline = time.monotonic() + 20
    while set(engines()) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not set(engines()) - before, "an engine outlived its replica"


@pytest.mark.engine
def test_greedy_completions_equal_those_of_transformers(served: Served) -> None:
    prompts = [student_prompt(question) for question in QUESTIONS]
    answers = [
        served.client.completions.create(model="tiny", prompt=prompt, max_tokens=NEW_TOKENS, temperature=0.0)
        for prompt in prompts
    ]
    assert [answer.choices[0].text for answer in answers] == served.expected(*prompts)


@pytest.mark.engine
def test_chat_of_the_bare_question_is_the_prompt_the_student_learnt(served: Served) -> None:
    prompt = student_prompt(QUESTIONS[3])
    chat = served.client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": f" {QUESTIONS[3]}\n"}],
        max_tokens=NEW_TOKENS,
        temperature=0.0,
    )
    assert [chat.choices[0].message.content] == served.expected(prompt)
    assert chat.usage is not None and chat.usage.prompt_tokens == len(byte_tokenizer()(prompt).input_ids)
    with pytest.raises(openai.BadRequestError, match="role user"):
        served.client.chat.completions.create(model="tiny", messages=[{"role": "system", "content": "Be brief."}])


@pytest.mark.engine
def test_streaming_gives_the_same_text_in_pieces(served: Served) -> None:
    prompt = student_prompt(QUESTIONS[5])
    stream = served.client.completions.create(
        model="tiny", prompt=prompt, max_tokens=NEW_TOKENS, temperature=0.0, stream=True
    )
    pieces = [chunk.choices[0].text for chunk in stream]
    assert len(pieces) > 3
    assert ["".join(pieces)] == served.expected(prompt)


@pytest.mark.engine
def test_protocol_errors_are_the_callers_to_read(served: Served) -> None:
    (listed,) = served.client.models.list()
    described = served.client.models.retrieve("tiny").model_dump()
    assert listed.id == described["id"] == "tiny" and served.checkpoint not in str([described, listed])
    with pytest.raises(openai.NotFoundError):
        served.client.completions.create(model="another", prompt="x")
    with pytest.raises(openai.BadRequestError, match="512"):
        served.client.completions.create(model="tiny", prompt="x" * 600)
    assert httpx.get(str(served.client.base_url).replace("/v1/", "/health")).status_code == 200


@pytest.mark.engine
def test_long_seeded_requests_leave_the_server_alive(served: Served) -> None:
    """Several samples of a long prompt with a seed: prefilled in pieces they would kill a CPU engine."""
    ask: dict[str, Any] = {"model": "tiny", "max_tokens": 8, "temperature": 0.7, "seed": 7, "n": 12}
    first, again = (served.client.completions.create(prompt="x" * 480, **ask) for _ in range(2))
    assert [choice.text for choice in first.choices] == [choice.text for choice in again.choices]


@pytest.mark.engine
def test_a_question_gets_its_answer_and_how_many_agree(served: Served) -> None:
    (text,) = served.expected(student_prompt(QUESTIONS[2]))
    problem = Problem("fruit", QUESTIONS[2], "", AnswerKind.TEXT, Split.TEST)
    said = posted(served, {"question": QUESTIONS[2], "gold": "a pear"})
    assert said["answer"] == grade(text, False, problem)[0] and said["rationale"] == text.strip()
    assert (said["model"], said["version"], said["samples"]) == ("tiny", "first", 1)
    assert (said["complete"], said["verdict"], said["completion_tokens"]) == (False, "truncated", NEW_TOKENS)
    several = posted(served, {"question": QUESTIONS[2], "samples": 5, "model": "tiny"})
    assert several["samples"] == 5 and 0 <= several["agreed"] <= 5 and several["agreement"] == several["agreed"] / 5
    assert several["verdict"] is None


@pytest.mark.engine
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"question": " "}, 400),
        ({"question": "x", "samples": 0}, 400),
        ({"question": "x", "typo": 1}, 400),
        ({"question": "x" * 600}, 400),
        ({"question": "x", "model": "another"}, 404),
    ],
)
def test_what_is_no_question_is_refused_in_openais_words(served: Served, body: dict[str, Any], status: int) -> None:
    reply = httpx.post(f"{served.client.base_url}answer", json=body, headers=headers())
    assert reply.status_code == status and set(reply.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.engine
def test_a_door_with_a_key_is_closed_to_others_and_has_no_other_routes(served: Served) -> None:
    base = str(served.client.base_url)
    assert httpx.get(f"{base}models").status_code == 401
    for path in ("/metrics", "/docs", "/tokenize", "/scale_elastic_ep", "/inference/v1/generate", "/version"):
        for method in ("GET", "POST"):
            reply = httpx.request(method, base.replace("/v1/", path), json={}, headers=headers())
            assert reply.status_code == 404, path
    large = httpx.post(f"{base}completions", content=b"x" * 2_000_000, headers=headers())
    assert large.status_code == 413


@pytest.mark.engine
def test_other_weights_are_taken_on_in_place_when_they_are_proven(served: Served, tmp_path: Path) -> None:
    """Under requests, of which none fails and each is answered by the weights that it names."""
    from ray import serve

    other = ascii_student(seed=4, tied=Path(served.checkpoint).name == "tied")
    folder = tmp_path / "other"
    save_student(other.model, other.tokenizer, folder)
    prompts = [student_prompt(question) for question in QUESTIONS[:6]]
    save_probe(make_probe(str(folder), "second", prompts[:2]), tmp_path / "probe.json")
    save_probe(make_probe(served.checkpoint, "first", prompts[:2]), tmp_path / "wrong.json")
    handle = serve.get_app_handle("student")
    second = {"version": "second", "checkpoint": str(folder), "probe": str(tmp_path / "probe.json")}
    said = {"first": served.expected(*prompts), "second": greedy_texts(str(folder), prompts, NEW_TOKENS)}
    assert said["first"] != said["second"]

    stop = threading.Event()

    def ask(number: int) -> list[tuple[str, bool]]:
        seen = []
        while not stop.is_set():
            reply = served.client.completions.with_raw_response.create(
                model="tiny", prompt=prompts[number], max_tokens=NEW_TOKENS
            )
            version = reply.headers["x-student-version"]
            seen.append((version, reply.parse().choices[0].text == said[version][number]))
        return seen

    with ThreadPoolExecutor(len(prompts)) as pool:
        asking = [pool.submit(ask, number) for number in range(len(prompts))]
        time.sleep(0.5)
        assert handle.broadcast("take", second).results(timeout_s=60) == ["first"]
        with pytest.raises(Exception, match="stays at second: third is not proven"):
            third = {**second, "version": "third", "checkpoint": served.checkpoint}
            handle.broadcast("take", third).results(timeout_s=60)
        time.sleep(0.5)
        stop.set()
        seen = [one for each in asking for one in each.result()]
    assert {version for version, _ in seen} == {"first", "second"}
    assert all(right for _, right in seen)
    first = {"version": "first", "checkpoint": served.checkpoint, "probe": str(tmp_path / "wrong.json")}
    assert handle.broadcast("take", first).results(timeout_s=60) == ["second"]


@pytest.mark.engine
def test_deployed_again_with_other_weights_alone_it_keeps_its_engine(served: Served) -> None:
    from ray import serve

    handle = serve.get_app_handle("student")
    found = handle.described.remote().result(timeout_s=60)
    serving, weights = StudentServing.model_validate(found["serving"]), Weights.model_validate(found["weights"])
    before = set(engines())
    renamed = weights.followed_by(Checkpoint(version="renamed", checkpoint=served.checkpoint))
    serve.run(application(serving, renamed, found["environment"]), name="student", route_prefix="/tiny")
    reply = served.client.completions.with_raw_response.create(model="tiny", prompt="x", max_tokens=1)
    assert reply.headers["x-student-version"] == "renamed" and set(engines()) == before
    back = renamed.before()
    assert back is not None
    serve.run(application(serving, back, found["environment"]), name="student", route_prefix="/tiny")


def posted(served: Served, body: dict[str, Any]) -> dict[str, Any]:
    reply = httpx.post(f"{served.client.base_url}answer", json=body, headers=headers(), timeout=60)
    assert reply.status_code == 200, reply.text
    answered: dict[str, Any] = reply.json()
    return answered


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}
