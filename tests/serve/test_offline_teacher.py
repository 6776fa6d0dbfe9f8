"""The offline teacher's HTTP: the application alone, and (one slow start, about 15 s) under a real Ray Serve."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from pydantic import ValidationError

from reasoning.files.data_error import DataError
from reasoning.offline.teacher import OfflineTeacher, RecordedTeacher
from reasoning.offline.word_tokens import count_tokens
from reasoning.prompts.headings import read_reply
from reasoning.records import Split
from reasoning.tasks.families import FAMILIES, problems
from serve.offline_teacher import TeacherArgs, build_app, create_app
from tests.inputs.teacher_requests import plain_content

PROBLEM = problems(FAMILIES["coin_flip"], 1, Split.TEST, 1)[0]
MESSAGES = [{"role": "user", "content": plain_content(PROBLEM.question)}]
RECORD = {"question": "Is it so?", "rationale": " It is.", "answer_completion": " Yes."}


def post(app: object, path: str, body: object) -> httpx.Response:
    return asyncio.run(_request(app, "POST", path, body))


def get(app: object, path: str) -> httpx.Response:
    return asyncio.run(_request(app, "GET", path, None))


async def _request(app: object, method: str, path: str, body: object) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://teacher") as client:
        return await client.request(method, path, json=body)


@pytest.fixture(scope="module")
def app() -> object:
    return create_app(OfflineTeacher(), "offline-teacher")


def chat(app: object, **changes: object) -> httpx.Response:
    return post(app, "/v1/chat/completions", {"model": "offline-teacher", "messages": MESSAGES, **changes})


def error_of(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    return response.json()["error"]


def test_chat_answers_with_choices_and_usage(app: object) -> None:
    body = chat(app, n=3, temperature=0.7, seed=1).json()
    texts = [choice["message"]["content"] for choice in body["choices"]]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert {choice["finish_reason"] for choice in body["choices"]} == {"stop"}
    assert len(set(texts)) > 1
    assert {read_reply(text).answer_text for text in texts} == {PROBLEM.answer}
    made = sum(count_tokens(text) for text in texts)
    sent = count_tokens(MESSAGES[0]["content"])
    assert body["usage"] == {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}


def test_the_last_user_message_is_answered_in_text_or_in_parts(app: object) -> None:
    parts = [{"type": "text", "text": MESSAGES[0]["content"]}]
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "x"},
        {"role": "user", "content": parts},
    ]
    plain = chat(app, temperature=0).json()["choices"][0]["message"]["content"]
    assert chat(app, messages=messages, temperature=0).json()["choices"][0]["message"]["content"] == plain


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_reply_is_cut_at_the_limit_and_says_so(app: object, limit: str) -> None:
    whole = chat(app, temperature=0).json()["choices"][0]["message"]["content"]
    body = chat(app, temperature=0, **{limit: 5}).json()
    cut = body["choices"][0]
    assert cut["finish_reason"] == "length"
    assert whole.startswith(cut["message"]["content"]) and body["usage"]["completion_tokens"] == 5
    exact = chat(app, temperature=0, **{limit: count_tokens(whole)}).json()["choices"][0]
    assert (exact["message"]["content"], exact["finish_reason"]) == (whole, "stop")


def test_a_reply_ends_before_a_stop_sequence(app: object) -> None:
    for stop in ("\nAnswer:", ["zzz", "\nAnswer:", ""]):
        choice = chat(app, temperature=0, stop=stop).json()["choices"][0]
        assert choice["finish_reason"] == "stop"
        assert "Answer:" not in choice["message"]["content"] and "So the coin" in choice["message"]["content"]


def test_raw_completions_take_one_prompt_or_several(app: object) -> None:
    prompt = f"Q: {PROBLEM.question}\nA: Let's think step by step."
    body = post(app, "/v1/completions", {"model": "offline-teacher", "prompt": prompt, "temperature": 0}).json()
    rationale = body["choices"][0]["text"]
    second = f"{prompt}{rationale}\nTherefore, the answer is"
    request = {"model": "offline-teacher", "prompt": [prompt, second], "n": 2, "temperature": 0}
    body = post(app, "/v1/completions", request).json()
    assert [choice["text"] for choice in body["choices"]] == [rationale] * 2 + [f" {PROBLEM.answer}."] * 2
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    assert body["usage"]["prompt_tokens"] == count_tokens(prompt) + count_tokens(second)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"stream": True}, "stream"),
        ({"n": 0}, "n"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"model": None}, "model"),
    ],
)
def test_a_bad_request_is_refused_with_its_place(app: object, changes: dict, param: str) -> None:
    error = error_of(chat(app, **changes), 400)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


def test_unknown_models_and_paths_are_not_found(app: object) -> None:
    assert error_of(chat(app, model="other"), 404)["code"] == "model_not_found"
    assert error_of(get(app, "/v1/models/other"), 404)["code"] == "model_not_found"
    assert "Not Found" in error_of(get(app, "/v1/embeddings"), 404)["message"]
    assert get(app, "/v1/models/offline-teacher").json()["id"] == "offline-teacher"
    assert [model["id"] for model in get(app, "/v1/models").json()["data"]] == ["offline-teacher"]


def test_an_unrecorded_question_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "recorded.jsonl").write_text(json.dumps(RECORD))
    app = create_app(RecordedTeacher(tmp_path / "recorded.jsonl"), "offline-teacher")
    error = error_of(chat(app), 404)
    assert error["code"] == "question_not_recorded" and PROBLEM.question[:60] in error["message"]
    answered = chat(app, messages=[{"role": "user", "content": plain_content("Is it so?")}], n=4).json()["choices"]
    assert [choice["message"]["content"] for choice in answered] == ["Reasoning: It is.\nAnswer: Yes."]


def test_latency_is_added_without_blocking_others() -> None:
    app = create_app(OfflineTeacher(), "offline-teacher", latency_s=0.3)

    async def many() -> float:
        body = {"model": "offline-teacher", "messages": MESSAGES}
        begin = asyncio.get_running_loop().time()
        await asyncio.gather(*(_request(app, "POST", "/v1/chat/completions", body) for _ in range(8)))
        return asyncio.get_running_loop().time() - begin

    assert 0.3 <= asyncio.run(many()) < 1.5


@pytest.mark.parametrize(
    "args",
    [{"kind": "recorded"}, {"records": "a.jsonl"}, {"error_rate": 2}, {"latency_s": -1}, {"replicas": 0}, {"typo": 1}],
)
def test_impossible_arguments_are_refused(args: dict) -> None:
    with pytest.raises(ValidationError):
        TeacherArgs(**args)


def test_a_bad_recording_is_refused_before_anything_is_deployed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        build_app(TeacherArgs(kind="recorded", records=str(tmp_path / "nowhere.jsonl")))


@pytest.fixture(scope="module")
def served(serve_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Both teachers under one Ray Serve; yields the server's address."""
    from ray import serve

    records = tmp_path_factory.mktemp("recorded") / "recorded.jsonl"
    records.write_text(json.dumps(RECORD))
    offline = build_app(TeacherArgs(error_rate=0.0))
    recorded = build_app(TeacherArgs(kind="recorded", model="recorded-teacher", records=str(records)))
    serve.run_many(
        [
            serve.RunTarget(offline, name="offline", route_prefix="/offline"),
            serve.RunTarget(recorded, name="recorded", route_prefix="/recorded"),
        ]
    )
    yield f"http://127.0.0.1:{serve_port}"
    for name in ("offline", "recorded"):
        serve.delete(name)


def test_the_stock_client_talks_to_both_teachers_side_by_side(served: str) -> None:
    offline = openai.OpenAI(base_url=f"{served}/offline/v1", api_key="none", max_retries=0)
    recorded = openai.OpenAI(base_url=f"{served}/recorded/v1", api_key="none", max_retries=0)

    assert [model.id for model in offline.models.list()] == ["offline-teacher"]
    assert [model.id for model in recorded.models.list()] == ["recorded-teacher"]
    reply = offline.chat.completions.create(model="offline-teacher", messages=MESSAGES, n=2, temperature=0.7, seed=1)
    assert {read_reply(choice.message.content).answer_text for choice in reply.choices} == {PROBLEM.answer}
    assert reply.usage.total_tokens > reply.usage.prompt_tokens > 0
    prompt = "Q: Is it so?\nA: Let's think step by step."
    raw = recorded.completions.create(model="recorded-teacher", prompt=prompt, temperature=0, max_tokens=2)
    assert (raw.choices[0].text, raw.choices[0].finish_reason) == (" It is", "length")

    with pytest.raises(openai.NotFoundError, match="offline-teacher"):
        offline.chat.completions.create(model="recorded-teacher", messages=MESSAGES)
    with pytest.raises(openai.NotFoundError) as missing:
        recorded.chat.completions.create(model="recorded-teacher", messages=MESSAGES)
    assert missing.value.code == "question_not_recorded"
    with pytest.raises(openai.BadRequestError, match="Streaming"):
        offline.chat.completions.create(model="offline-teacher", messages=MESSAGES, stream=True)
