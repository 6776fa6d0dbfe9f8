"""Scoring of a round's attempts: which are asked about, once each, and what is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from reasoning.files.tables import read_table, write_table
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Attempt, Example, Rationale, ScoredAttempt, Verdict
from reasoning.rounds.asking import TokenIds, read_as_tokens
from reasoning.rounds.classroom import TeacherRefused, TeacherSession
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.scoring import score_attempts
from reasoning.rounds.phases import select_examples
from reasoning.rounds.progress import Progress
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherReply, TeacherRequest

RECIPE = """
task: {name: coin_flip, train: 6, validation: 2, test: 2}
teacher: {kind: serve, model: some/teacher}
learning: {first_questions: 1, objective: {loss: on_policy, top_k: 2}, training: {max_tokens: 400}}
"""


class Session(TeacherSession):
    """A teacher that holds the next byte likely everywhere, and fails from request `fails_from` on."""

    asked: list[TeacherRequest]
    fails_from = 10**6

    async def token_ids(self, prompts: Sequence[str], texts: Sequence[str]) -> list[tuple[TokenIds, TokenIds]]:
        return [(tuple(p.encode()), (*t.encode(), 256)) for p, t in zip(prompts, texts, strict=True)]

    async def ask(self, request: TeacherRequest, *, first: bool) -> Outcome:
        assert not first and request.scoring is not None and request.messages == ()
        self.asked.append(request)
        if len(self.asked) > self.fails_from:
            return TeacherFailure(request.key, FailureKind.BAD_REQUEST, "too long", 1)
        own = request.scoring.tokens[request.scoring.start :]
        rows = [[[token, token + 1], [-0.5, -1.0]] for token in own]
        return TeacherReply(request.key, json.dumps(rows), "stop", len(request.scoring.tokens), 1, "some/teacher")


def session(folder: Path, text: str = RECIPE) -> Session:
    recipe = parse_recipe(text, "test")
    made = Session(
        recipe, RunDirectory(folder), load_problems(recipe.task, recipe.seed), run_prompts(recipe), Progress()
    )
    made.asked = []
    for round in (0, 1):
        made.files(round).folder.mkdir(parents=True, exist_ok=True)
    train = made.data.train

    def attempt(place: int, sample: int, text: str, *, complete: bool = True) -> Attempt:
        verdict = Verdict.WRONG if complete else Verdict.TRUNCATED
        return Attempt(train[place].id, 1, sample, text, complete, 3, "no", verdict)

    attempts = [
        attempt(0, 0, " Heads.\nAnswer: no"),
        attempt(0, 1, " Heads.\nAnswer: no"),  # the same again
        attempt(0, 2, " Heads, and on and", complete=False),
        attempt(1, 0, " Tails.\nAnswer: yes"),
        attempt(2, 0, " very long" * 60),
        attempt(3, 0, "  "),
    ]
    write_table(made.files(1).exam, attempts, Attempt)
    rationale = Rationale(train[0].id, 0, "plain", "p", "m", "It is heads up.", train[0].answer, True)  # type: ignore[arg-type]
    write_table(made.files(0).rationales, [rationale], Rationale)
    write_table(made.files(1).rationales, [], Rationale)
    return made


def test_every_whole_attempt_is_scored_once_and_learnt_from_with_or_without_a_rationale(tmp_path: Path) -> None:
    classroom = session(tmp_path)
    metrics = asyncio.run(score_attempts(classroom, 1))
    scored = read_table(classroom.files(1).scores, ScoredAttempt)
    train = classroom.data.train
    assert [one.problem_id for one in scored] == [train[0].id, train[1].id] and len(classroom.asked) == 2
    assert metrics == {"scored": 2, "not_scored": 0, "scored_tokens": sum(len(one.tokens) for one in scored)}
    for one, request in zip(scored, classroom.asked, strict=True):
        assert request.scoring is not None and request.scoring.tokens == (*one.prompt, *one.tokens)
        assert (request.scoring.start, request.scoring.top, request.max_tokens) == (len(one.prompt), 2, 1)
        assert bytes(one.tokens[:-1]).decode().startswith((" Heads.", " Tails.")) and one.tokens[-1] == 256
        assert (one.width, one.listed[:3], one.model) == (3, (one.tokens[0], one.tokens[0] + 1, -1), "some/teacher")
    asyncio.run(select_examples(classroom, 1))
    examples = {one.problem_id: one for one in read_table(classroom.files(1).examples, Example)}
    assert examples.keys() == {train[0].id, train[1].id}
    assert examples[train[0].id].positives and examples[train[1].id].positives == ()
    again = session(tmp_path)
    asyncio.run(score_attempts(again, 1))  # the journal knows them by their keys
    assert [one.key for one in again.asked] == [one.key for one in classroom.asked]


def test_an_attempt_that_is_not_scored_is_left_out_and_none_at_all_ends_the_run(tmp_path: Path) -> None:
    classroom = session(tmp_path)
    classroom.fails_from = 1
    assert asyncio.run(score_attempts(classroom, 1))["not_scored"] == 1
    assert len(read_table(classroom.files(1).scores, ScoredAttempt)) == 1
    classroom.fails_from = 0
    with pytest.raises(TeacherRefused, match="none of 2 attempts was scored; the last failure: too long"):
        asyncio.run(score_attempts(classroom, 1))


def test_nothing_is_asked_where_no_loss_learns_from_it(tmp_path: Path) -> None:
    classroom = session(tmp_path, RECIPE.replace("loss: on_policy, top_k: 2", "loss: completion"))
    assert asyncio.run(score_attempts(classroom, 1)) == {} and not classroom.asked
    assert asyncio.run(score_attempts(session(tmp_path), 0)) == {}


@pytest.mark.training
def test_prompts_and_attempts_are_read_as_the_student_learns_them(embedded_student: Path) -> None:
    from reasoning.prompts.student_forms import default_form
    from reasoning.student.loading import load_tokenizer
    from reasoning.training.samples import tokenize_examples

    form, text = default_form(), " It is heads up.\nAnswer: yes"
    prompt = form.prompt("A coin is heads up. Is it?")
    ((asked, said),) = read_as_tokens(str(embedded_student), [prompt], [text], form.frame)
    example = Example("p", prompt, (text,))
    (learnt,) = tokenize_examples([example], load_tokenizer(str(embedded_student)), 512, frame=form.frame).examples
    assert (asked, said) == (learnt.prompt, learnt.positives[0])
