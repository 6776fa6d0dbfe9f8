"""A served student, asked by the stock client, says what `transformers` says, and speaks the protocol.

Slow: two students are served one after the other (about 30 s each on two cores), each on a real engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
from pydantic import ValidationError

from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import student_prompt
from reasoning.student.checkpoint import save_student
from serve.student import QUESTION, StudentServing, chat_template, deploy_student
from tests.ascii_students import ascii_student, greedy_texts
from tests.tiny_students import byte_tokenizer

QUESTIONS = [f"{i} apples and {i * 7 % 5} pears?" for i in range(20)]
NEW_TOKENS = 24


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
    serving = StudentServing(checkpoint=str(folder), model_name="tiny", kv_cache_gib=0.25)
    before = set(engines())
    base_url = deploy_student(serving, route_prefix="/tiny")
    assert base_url == f"http://127.0.0.1:{serve_port}/tiny/v1"
    deadline = time.monotonic() + 20
    while not set(engines()) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert set(engines()) - before
    yield Served(openai.OpenAI(base_url=base_url, api_key="none", max_retries=0), str(folder))
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
    with pytest.raises(openai.BadRequestError, match="one user message"):
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
    assert [model.id for model in served.client.models.list()] == ["tiny"]
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


def test_a_template_may_hold_any_character() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = chat_template(Frame.around("Frage \U0001f600 — ", " ⟹"))
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "wieviel?"}], tokenize=False)
    assert rendered == "Frage \U0001f600 — wieviel? ⟹"


def test_a_chat_is_rendered_in_the_form_that_is_named_or_the_tokenizers_or_the_default_one() -> None:
    tokenizer, serving = byte_tokenizer(), StudentServing(checkpoint="org/name")
    question = 'A "quoted" {{ question }}\nwith a second line?'
    frame = serving.frame_for(tokenizer)
    assert frame is not None
    tokenizer.chat_template = chat_template(frame)
    messages = [{"role": "user", "content": question}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == student_prompt(question)
    assert serving.frame_for(tokenizer) is None
    named = StudentServing(checkpoint="org/name", prompt=f"<s>{QUESTION}!").frame_for(tokenizer)
    assert named == Frame.around("<s>", "!")


def test_serving_arguments_are_checked_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no student there"):
        StudentServing(checkpoint=str(tmp_path))
    with pytest.raises(ValidationError, match="model_nam"):
        StudentServing.model_validate({"checkpoint": "org/name", "model_nam": "x"})
    (tmp_path / "config.json").write_text('{"model_type": "t5", "is_encoder_decoder": true}', encoding="utf-8")
    with pytest.raises(ValidationError, match="an encoder-decoder, which vLLM does not serve"):
        StudentServing(checkpoint=str(tmp_path))
    assert StudentServing(checkpoint="org/name").checkpoint == "org/name"
