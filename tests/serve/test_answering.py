"""A question is asked in the student's form and answered by the task's rule, once or by majority."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from reasoning.grading import net
from reasoning.grading.answers import grade
from reasoning.grading.own_grader import GraderError
from reasoning.prompts.frame import Frame
from reasoning.records import AnswerKind, Problem, Verdict
from reasoning.student.sampling import Completion, PromptRefused, Sampling
from serve.answering import (
    Answered,
    AnswerSection,
    Feedback,
    Graded,
    Question,
    answer,
    answer_routes,
    grade_feedback,
)
from serve.door.refusals import Refusal
from tests.serve.door.asgi import ask, asked

FRAME = Frame.around("Question: ", "\nReasoning:")
HOW = AnswerSection(task="sums", kind=AnswerKind.NUMBER, completion=" {rationale}\nAnswer: {answer}", max_new_tokens=9)


class Student:
    """Answers with given texts, and notes how it was asked."""

    def __init__(self, *texts: str, complete: bool = True) -> None:
        self.texts, self.complete = texts, complete
        self.asked: list[tuple[str, Sampling]] = []

    async def __call__(self, prompt: str, sampling: Sampling) -> list[Completion]:
        self.asked.append((prompt, sampling))
        return [Completion(text, self.complete, 5) for text in self.texts]


def answered(student: Any, how: AnswerSection = HOW, **question: Any) -> Answered:
    body = Question.model_validate({"question": " 1 + 1? ", **question})
    return asyncio.run(answer(student, how, FRAME, "mine", "round-2", body))


def test_one_greedy_answer_with_its_rationale() -> None:
    student = Student(" One and one is two.\nAnswer: 2")
    found = answered(student)
    assert (found.answer, found.rationale, found.complete) == ("2", "One and one is two.", True)
    assert (found.agreed, found.samples, found.agreement, found.completion_tokens) == (1, 1, 1.0, 5)
    assert (found.model, found.version, found.verdict) == ("mine", "round-2", None)
    ((prompt, sampling),) = student.asked
    assert prompt == "Question: 1 + 1?\nReasoning:"
    assert (sampling.temperature, sampling.samples, sampling.max_new_tokens) == (0.0, 1, 9)


def test_most_of_several_decide() -> None:
    student = Student(" a\nAnswer: 3", " b\nAnswer: 2", " c\nAnswer: 2.0", " nothing")
    found = answered(student, samples=4)
    assert (found.answer, found.rationale, found.agreed, found.agreement) == ("2", "b", 2, 0.5)
    assert found.completion_tokens == 20 and student.asked[0][1].temperature == 0.7


def test_no_answer_is_said_so() -> None:
    found = answered(Student(" I do not know."))
    assert (found.answer, found.rationale, found.agreed, found.agreement) == ("", "I do not know.", 0, 0.0)


@pytest.mark.parametrize(
    ("text", "complete", "verdict"),
    [
        (" x\nAnswer: 2", True, Verdict.CORRECT),
        (" x\nAnswer: 3", True, Verdict.WRONG),
        (" x", True, Verdict.NO_ANSWER),
        (" x\nAnswer: 2", False, Verdict.TRUNCATED),
    ],
)
def test_with_gold_it_is_graded(text: str, complete: bool, verdict: Verdict) -> None:
    assert answered(Student(text, complete=complete), gold="2").verdict is verdict


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that raises on some texts, as it may in a server."""

    def failing(text: str, complete: bool, problem: Problem) -> tuple[str, Verdict]:
        if "odd" in text:
            raise ZeroDivisionError
        return grade(text, complete, problem)

    monkeypatch.setattr("serve.answering.grade", failing)
    monkeypatch.setattr(net, "grade", failing)
    monkeypatch.setattr(net, "HOLDS", True)


@pytest.mark.usefixtures("failing")
def test_what_the_rule_raises_on_is_no_answer() -> None:
    found = answered(Student("odd.\nAnswer: 3", "even.\nAnswer: 2"), samples=2, gold="2")
    assert (found.answer, found.agreed, found.samples, found.verdict) == ("2", 1, 2, Verdict.CORRECT)
    assert answered(Student("odd.\nAnswer: 3"), gold="2").verdict is Verdict.NO_ANSWER


@pytest.mark.usefixtures("failing")
def test_an_answer_that_the_rule_raises_on_is_not_told_right_or_wrong() -> None:
    with pytest.raises(Refusal, match="cannot be told right or wrong") as refused:
        grade_feedback(HOW, Feedback(answer="odd", gold="2", version="v"))
    assert (refused.value.status, refused.value.param) == (422, "answer")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/answer", {"question": "1 + 1?"}),
        ("/v1/feedback", {"answer": "2", "gold": "2", "version": "v"}),
    ],
)
def test_a_grader_of_the_users_own_that_fails_is_named(path: str, body: dict[str, str]) -> None:
    def fails(_: Any) -> Any:
        raise GraderError("mine:grade raised KeyError")

    async def answering(_: Any) -> Any:
        fails(_)

    app = FastAPI()
    app.include_router(answer_routes(answering, fails, ["mine"]))
    reply = asked(app, "POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
    assert reply.status == 500
    assert reply.error["message"] == "mine:grade raised KeyError"


def test_a_client_that_leaves_takes_its_question_along() -> None:
    ended = []

    async def answering(_: Question) -> Answered:
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            ended.append(True)

    app = FastAPI()
    app.include_router(answer_routes(answering, graded, ["mine"]))
    said = {"content-type": "application/json"}
    asyncio.run(asyncio.wait_for(ask(app, "POST", "/v1/answer", b'{"question": "x"}', said), 5))
    assert ended


def test_a_form_in_two_steps_asks_twice() -> None:
    how = HOW.model_copy(update={"answer_prompt": "\nTherefore, the answer is", "stop": ("\n",)})
    student = Student(" 2")
    found = answered(student, how)
    assert [sampling.stop for _, sampling in student.asked] == [("\n",), ()]
    assert student.asked[1][0].endswith("\nTherefore, the answer is") and found.answer == "2"


def test_options_that_the_request_gives_are_read() -> None:
    how = AnswerSection(task="which", kind=AnswerKind.CHOICE)
    assert answered(Student(" It is the house."), how, choices=["a hen", "a house"]).answer == "B"


def test_a_question_that_is_too_long_is_the_clients_fault() -> None:
    async def refuses(prompt: str, sampling: Sampling) -> list[Completion]:
        raise PromptRefused(f"longer than 512 tokens (prompt starts {prompt!r})")

    with pytest.raises(Refusal) as refusal:
        answered(refuses)
    assert (refusal.value.status, refusal.value.message) == (400, "longer than 512 tokens")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": " \n"},
        {"question": 1},
        {"question": "x", "samples": 65},
        {"question": "x", "samples": 0},
        {"question": "x", "choices": ["a"] * 27},
        {"question": "x", "temperature": 1},
    ],
)
def test_a_body_that_is_no_question_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Question.model_validate(body)


async def too_long(question: Question) -> Answered:
    raise Refusal(400, "it is longer than the student reads", code="too_long")


def graded(feedback: Feedback) -> Graded:
    return Graded(version=feedback.version, verdict=grade_feedback(HOW, feedback))


@pytest.mark.parametrize(
    ("kind", "said", "gold", "verdict"),
    [
        (AnswerKind.NUMBER, "18", "18.0", Verdict.CORRECT),
        (AnswerKind.NUMBER, " Six and twelve.\nAnswer: 18", "18", Verdict.CORRECT),
        (AnswerKind.NUMBER, "17", "18", Verdict.WRONG),
        (AnswerKind.NUMBER, "", "18", Verdict.NO_ANSWER),
        (AnswerKind.YES_NO, "yes", "Yes", Verdict.CORRECT),
        (AnswerKind.CHOICE, "B", "b", Verdict.CORRECT),
        (AnswerKind.CHOICE, "It is the house.", "B", Verdict.CORRECT),
        (AnswerKind.TEXT, "nda", "nda", Verdict.CORRECT),
        (AnswerKind.TEXT, "two old hens", "two old hens", Verdict.CORRECT),
    ],
)
def test_an_answer_that_was_given_before_is_told_right_or_wrong(
    kind: AnswerKind, said: str, gold: str, verdict: Verdict
) -> None:
    how = AnswerSection(task="later", kind=kind)
    choices = ["a hen", "a house"] if kind is AnswerKind.CHOICE else []
    body = Feedback.model_validate({"version": "v", "answer": said, "gold": gold, "choices": choices})
    assert grade_feedback(how, body) is verdict


@pytest.mark.parametrize(
    "body", [{}, {"version": "v", "answer": "1"}, {"version": "v", "answer": "1", "gold": " "}, {"gold": "1"}]
)
def test_feedback_says_what_was_said_and_what_is_right(body: dict[str, Any]) -> None:
    app = FastAPI()
    app.include_router(answer_routes(too_long, graded, ["mine"]))
    sent = json.dumps(body).encode()
    assert asked(app, "POST", "/v1/feedback", sent, {"content-type": "application/json"}).status == 422


def test_feedback_is_graded() -> None:
    app = FastAPI()
    app.include_router(answer_routes(too_long, graded, ["mine"]))
    sent = json.dumps({"version": "v", "answer": "Answer: 3", "gold": "2"}).encode()
    reply = asked(app, "POST", "/v1/feedback", sent, {"content-type": "application/json"})
    assert json.loads(reply.body) == {"object": "feedback", "version": "v", "verdict": "wrong"}


def test_the_routes_are_in_the_applications_schema() -> None:
    app = FastAPI()
    app.include_router(answer_routes(too_long, graded, ["mine"]))
    assert set(app.openapi()["paths"]) == {"/v1/answer", "/v1/feedback"}
    assert set(app.openapi()["components"]["schemas"]["Question"]["properties"]) == set(Question.model_fields)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": "x"}, 400, "too_long"),
        ({"question": "x", "model": "mine"}, 400, "too_long"),
        ({"question": "x", "model": "other"}, 404, "model_not_found"),
    ],
)
def test_a_refusal_is_the_routes_response(body: dict[str, Any], status: int, code: str) -> None:
    app = FastAPI()
    app.include_router(answer_routes(too_long, graded, ["mine"]))
    reply = asked(app, "POST", "/v1/answer", json.dumps(body).encode(), {"content-type": "application/json"})
    assert reply.status == status and reply.error["code"] == code
