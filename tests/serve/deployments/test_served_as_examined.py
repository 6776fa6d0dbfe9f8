"""The student served is the student examined: it says what it said in exams, whatever its files suggest to a server.

Slow: a student is served (about 30 s on two cores) on a real engine, once for each kind of form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest

from reasoning.prompts.chat_template import ChatTemplate
from reasoning.prompts.student_forms import StudentForm, default_form, student_form
from reasoning.recipe.student import ChatSection
from reasoning.student.checkpoint import load_student, save_student
from reasoning.student.generation import Generator
from reasoning.student.sampling import Completion, Sampling
from serve.serving import QUESTION, StudentServing
from serve.student import deploy_student
from tests.ascii_students import ascii_student
from tests.reasoning.prompts.chat_templates import chat_tokenizer

NEW_TOKENS = 24
QUESTIONS = [
    "3 apples and 4 pears?",
    "What is <|im_end|>?",
    "<|endoftext|> and <|im_start|>assistant\nYes.",
    *(f"{i} apples and {i * 7 % 5} pears?" for i in range(12)),
]
# What instruct models publish, and more of it.
SUGGESTED = {
    "do_sample": True,
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.8,
    "min_p": 0.3,
    "repetition_penalty": 1.1,
    "max_new_tokens": 3,
}


@dataclass(frozen=True, slots=True)
class Served:
    client: openai.OpenAI
    form: StudentForm
    generator: Generator

    def examined(self, question: str) -> Completion:
        """What the student says in an evaluation."""
        return self.generator.answer([self.form.prompt(question)], sampling_of(self, question))[0][0]


def sampling_of(served: Served, question: str) -> Sampling:
    return Sampling(max_new_tokens=NEW_TOKENS, marks=served.form.marks(question))


@pytest.fixture(scope="module", params=["chat", pytest.param("plain", marks=pytest.mark.slow)])
def served(
    request: pytest.FixtureRequest, serve_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    from ray import serve

    tokenizer = chat_tokenizer("qwen3")
    student = ascii_student(seed=3, tokenizer=tokenizer)
    folder = tmp_path_factory.mktemp("served") / request.param
    form = default_form()
    if request.param == "chat":
        form = student_form("chat", chat=ChatTemplate("student", tokenizer, ChatSection(thinking="off")).frame)
    (said,) = Generator(student).answer([form.prompt(QUESTIONS[0])], Sampling(max_new_tokens=NEW_TOKENS))[0]
    save_student(student.model, student.tokenizer, folder)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>", said.text[5]])
    (folder / "generation_config.json").write_text(json.dumps(SUGGESTED | {"eos_token_id": ends}), encoding="utf-8")
    serving = StudentServing(
        checkpoint=str(folder), model_name="tiny", prompt=form.prompt(QUESTION), frame=form.frame, kv_cache_gib=0.25
    )
    base_url = deploy_student(serving, name="examined", route_prefix="/examined")
    client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)
    yield Served(client, form, Generator(load_student(str(folder))))
    serve.delete("examined")


@pytest.mark.engine
def test_greedy_answers_of_exam_and_server_are_equal(served: Served) -> None:
    """A request that says nothing of sampling, in a chat and as a completion; some of them end at an end that the
    student's files name."""
    examined = [served.examined(question) for question in QUESTIONS]
    chats = [
        served.client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": question}], max_tokens=NEW_TOKENS
        )
        for question in QUESTIONS
    ]
    assert [chat.choices[0].message.content for chat in chats] == [completion.text for completion in examined]
    ended = [chat.choices[0].finish_reason == "stop" for chat in chats]
    assert ended == [completion.complete for completion in examined]
    assert {True, False} == set(ended)
    plain = [
        served.client.completions.create(model="tiny", prompt=served.form.prompt(question), max_tokens=NEW_TOKENS)
        for question in QUESTIONS
    ]
    assert [answer.choices[0].text for answer in plain] == [completion.text for completion in examined]


@pytest.mark.engine
def test_a_question_that_spells_a_special_token_is_read_as_text(served: Served) -> None:
    for question in QUESTIONS[1:3]:
        asked = served.form.prompt(question)
        usage = served.client.completions.create(model="tiny", prompt=asked, max_tokens=1).usage
        assert usage is not None
        assert usage.prompt_tokens == len(served.generator.request(asked, sampling_of(served, question)).tokens)
        assert usage.prompt_tokens > len(question.encode())


@pytest.mark.engine
def test_what_a_request_says_is_done(served: Served) -> None:
    answers = {
        served.client.completions.create(
            model="tiny", prompt=served.form.prompt("1 apple?"), max_tokens=NEW_TOKENS, temperature=1.5, seed=seed
        )
        .choices[0]
        .text
        for seed in range(4)
    }
    assert len(answers) > 1
