"""`POST /v1/answer`: a question in; its answer, the rationale and how many samples agree out. `POST /v1/feedback`: what
was right, of an answer that was given before.

Owns: the routes, their bodies and responses, and how a student is asked there: as in an evaluation (greedy), or several
times as in an exam, of which most decide.

Invariants
- The answer is found by the task's own rule, the one that graded the student; "" is no answer.
- The question is asked in the form that the student learnt, and nothing else of the request reaches its prompt.
- A client that leaves takes its question along.
- What the rule raises on is no answer, or a refusal where it is to be told right or wrong, and is logged
  (`reasoning.grading.net`). A grader of the user's own that fails is a refusal that names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from reasoning.grading.answers import grade
from reasoning.grading.kinds import rules_for
from reasoning.grading.majority import same_answers
from reasoning.grading.net import graded, in_net
from reasoning.grading.own_grader import GraderError
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.base import NotNegative, PositiveInt, Section
from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.rounds.asking import ask_student
from reasoning.student.sampling import Completion, PromptRefused, Sampling
from serve.door.refusals import Refusal
from serve.door.routes import check_model

MOST_SAMPLES = 64
Asked = Callable[[str, Sampling], Awaitable[list[Completion]]]


class AnswerSection(Section):
    """How a task's questions are asked and their answers read: the task's rule, and what the run's recipe says of exams
    and evaluations. `completion`, `answer_prompt`, `stop` and `answer_stop` are the student's form's."""

    task: str
    kind: AnswerKind
    settings: str = ""
    max_new_tokens: PositiveInt = 256
    temperature: NotNegative = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    completion: str = ""
    answer_prompt: str | None = None
    stop: tuple[str, ...] = ()
    answer_stop: tuple[str, ...] = ()

    def form(self, frame: Frame) -> StudentForm:
        return StudentForm("served", frame, self.completion, self.answer_prompt, self.stop, self.answer_stop)

    def sampling(self, samples: int) -> Sampling:
        if samples == 1:
            return Sampling(max_new_tokens=self.max_new_tokens)
        temperature = self.temperature or 0.7  # several greedy answers would be one
        return Sampling(samples, temperature, self.top_p, self.max_new_tokens)


class Question(BaseModel):
    """The body. `samples` above 1 asks several times; `choices` are the texts of the options where the task has such
    and the question does not letter them; with `gold` the answer is graded; `user` (OpenAI's) is whoever asks, who has
    the same student each time while a candidate has a share."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, pattern=r"\S")]
    model: str | None = None
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = 1
    choices: Annotated[list[str], Field(max_length=26)] = Field(default_factory=list)
    gold: str | None = None
    user: str | None = None


class Feedback(BaseModel):
    """The body. `answer` is what a student of the weights `version` said, an answer or the whole text, and `gold` what
    is right; `question` and `choices` are what it was asked, where the task's options have texts."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[str, Field(min_length=1)]
    answer: str
    gold: Annotated[str, Field(min_length=1, pattern=r"\S")]
    question: str = ""
    choices: Annotated[list[str], Field(max_length=26)] = Field(default_factory=list)
    model: str | None = None


class Graded(BaseModel):
    """The response."""

    object: Literal["feedback"] = "feedback"
    version: str
    verdict: Verdict


class Answered(BaseModel):
    """The response. `answer` is in its normal form ("" when none was found), `rationale` that of the first sample that
    gives it. `agreed` of `samples` answers are the same; `agreement` is their share. `complete`: the sample ended by
    itself. `verdict` and `version` (the weights) are there where they are known."""

    object: Literal["answer"] = "answer"
    model: str
    version: str
    answer: str
    rationale: str
    complete: bool
    agreed: int
    samples: int
    agreement: float
    completion_tokens: int
    verdict: Verdict | None = None


async def answer(
    asked: Asked, how: AnswerSection, frame: Frame, model: str, version: str, question: Question
) -> Answered:
    """Asks the student. Raises `Refusal` for what it cannot read."""
    problem = _problem(how, question.question, question.gold or "", question.choices)
    try:
        completions = await ask_student(asked, how.form(frame), problem.question, how.sampling(question.samples))
    except PromptRefused as refused:
        raise Refusal(
            400, str(refused).partition(" (prompt starts")[0], code="invalid_value", param="question"
        ) from None
    verdicts = [graded(problem, one.text, one.complete) for one in completions]
    answers = [found for found, _ in verdicts]
    none: list[list[str]] = []
    groups = in_net(problem.id, lambda: same_answers(answers, rules_for(problem)), none)
    chosen = groups[0][0] if groups else ""
    first = answers.index(chosen) if groups else 0
    return Answered(
        model=model,
        version=version,
        answer=chosen,
        rationale=_rationale(completions[first].text, how.completion),
        complete=completions[first].complete,
        agreed=len(groups[0]) if groups else 0,
        samples=len(completions),
        agreement=len(groups[0]) / len(completions) if groups else 0.0,
        completion_tokens=sum(one.tokens for one in completions),
        verdict=verdicts[first][1] if question.gold is not None else None,
    )


def grade_feedback(how: AnswerSection, feedback: Feedback) -> Verdict:
    """Whether the answer was right, by the task's rule. An answer in its normal form is one, too. Raises `Refusal` for
    one that the rule cannot read."""
    problem = _problem(how, feedback.question, feedback.gold, feedback.choices)

    def verdict() -> Verdict | None:
        found, verdict = grade(feedback.answer, True, problem)
        rules = rules_for(problem)
        bare = not found and rules.same(rules.normal(feedback.answer), rules.normal(feedback.gold))
        return Verdict.CORRECT if bare else verdict

    if (found := in_net(problem.id, verdict, None)) is None:
        message = "this answer cannot be told right or wrong: the task's rule failed on it; the server's log says where"
        raise Refusal(422, message, code="invalid_value", param="answer")
    return found


def _problem(how: AnswerSection, question: str, gold: str, choices: list[str]) -> Problem:
    return Problem(
        task=how.task,
        question=question.strip(),
        answer=gold,
        answer_kind=how.kind,
        split=Split.TEST,
        choices=tuple(choices),
        settings=how.settings,
    )


def _rationale(text: str, completion: str) -> str:
    """What a completion says before its answer, by the form's words between the two."""
    between = completion.partition("{rationale}")[2].partition("{answer}")[0]
    said, found, _ = text.rpartition(between) if between.strip() else (text, "", "")
    return (said if found else text).strip()


def _failed(error: GraderError) -> Refusal:
    return Refusal(500, str(error), kind="server_error", code="grader_failed")


async def _while_heard(request: Request, answering: Coroutine[Any, Any, Answered]) -> Answered | Response:
    """What `answering` gives, as long as somebody waits for it."""
    asked = asyncio.create_task(answering)
    gone = asyncio.ensure_future(request.receive())  # the body was read: what comes is the client's leaving
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        return asked.result() if asked.done() else Response(status_code=499)
    finally:
        gone.cancel()
        asked.cancel()
        await asyncio.wait({asked})


def answer_routes(
    answering: Callable[[Question], Coroutine[Any, Any, Answered]],
    grading: Callable[[Feedback], Graded],
    models: Collection[str],
) -> APIRouter:
    """The routes. What `answering` and `grading` refuse by a `Refusal` is their response."""
    router = APIRouter()

    @router.post("/v1/answer", response_model=Answered)
    async def take_question(question: Question, request: Request) -> Answered | Response:
        try:
            check_model(question.model or "", models)
            return await _while_heard(request, answering(question))
        except Refusal as refusal:
            return refusal.response()
        except GraderError as failed:
            return _failed(failed).response()

    @router.post("/v1/feedback", response_model=Graded)
    async def take_feedback(feedback: Feedback) -> Graded | Response:
        try:
            check_model(feedback.model or "", models)
            return grading(feedback)
        except Refusal as refusal:
            return refusal.response()
        except GraderError as failed:
            return _failed(failed).response()

    return router
