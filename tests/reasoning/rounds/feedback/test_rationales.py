"""Several questions in a request: who shares one, what becomes of its parts, and that nothing is asked twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.prompts.files import PromptError
from reasoning.prompts.parts import heading, parts_of
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import RecipeError, parse_recipe
from reasoning.records import Attempt, Example, Rationale
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phases import exam, select_examples
from reasoning.rounds.requests import shown_mistakes
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from tests.reasoning.rounds.test_phases import RECIPE, Student, Teacher, classroom_at, rounds, run
from tests.reasoning.rounds.test_requests import requests_of

TEACHER = "\nteacher: {feedback_prompt: tailored_shared, first_prompt: plain_shared}\n"
SHARED = RECIPE.replace("{first_q", "{per_request: 4, first_q") + TEACHER


def several(request: TeacherRequest) -> int:
    """How many questions a request asks."""
    return max(1, len(parts_of(request.messages[0][1])))


def kept(classroom: Classroom) -> set[tuple[str, str]]:
    return {
        (one.problem_id, one.mistake_id) for one in read_table(classroom.files(1).rationales, Rationale) if one.kept
    }


def test_questions_share_requests_and_each_gets_its_own_rationale(tmp_path: Path) -> None:
    teacher, alone = Teacher(), Teacher()
    shared = classroom_at(tmp_path / "shared", Student(), teacher, SHARED)
    rounds(shared)
    rounds(single := classroom_at(tmp_path / "single", Student(), alone))
    assert [several(request) for request in teacher.asked] == [4, 4, 4, 4, 4, 2]  # 12 questions, then 10 mistakes
    assert all(request.max_tokens == 512 * several(request) for request in teacher.asked)
    assert kept(shared) == kept(single) and len(kept(shared)) == 10
    mistakes = shown_mistakes(read_table(shared.files(1).exam, Attempt), 2)
    said = [*requests_of(shared.requests, 0), *requests_of(shared.requests, 1, mistakes)]
    assert [request.key for request in said] == [request.key for request in teacher.asked]


@pytest.mark.parametrize("per_request", [1, 4])
def test_the_step_that_a_teacher_names_is_kept_beside_its_words(per_request: int, tmp_path: Path) -> None:
    keys = f"objective: {{loss: step_dpo}}, per_request: {per_request}, first_q"
    recipe = RECIPE.replace("first_q", keys) + "\nteacher: {feedback_prompt: continuing}\n"
    classroom = classroom_at(tmp_path, Student(), Teacher(), recipe)
    rounds(classroom)
    run(select_examples(classroom, 1))
    told = read_table(classroom.files(1).rationales, Rationale)
    mistakes = {one.id: one for one in shown_mistakes(read_table(classroom.files(1).exam, Attempt), 2)}
    assert len(told) == 10 and all(one.kept for one in told)
    for one in told:
        before, step, _ = mistakes[one.mistake_id].text.partition(one.wrong_step)
        assert step and one.text.startswith(before.strip())
    examples = [one for one in read_table(classroom.files(1).examples, Example) if one.negatives]
    assert {step for one in examples for step in one.wrong_steps} == {one.wrong_step for one in told}


class Careless(Teacher):
    """Forgets the second part of every shared request, and doubles the third."""

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        reply = await super().ask(request)
        if several(request) == 1 or not isinstance(reply, TeacherReply):
            return reply
        parts = [(number, part) for number, part in parts_of(reply.text) if number != 2]
        parts += [part for part in parts if part[0] == 3]
        return replace(reply, text="\n".join(f"{heading(number)}\n{part}" for number, part in parts))


def test_a_part_that_cannot_be_read_is_asked_again_alone(tmp_path: Path) -> None:
    teacher = Careless()
    shared = classroom_at(tmp_path, Student(), teacher, SHARED)
    rounds(shared)
    assert len(kept(shared)) == 10
    sizes = [several(request) for request in teacher.asked]
    assert (sizes.count(4), sizes.count(2), sizes.count(1)) == (5, 1, 2 * 5 + 1)
    keys = [request.key for request in teacher.asked]
    assert len(set(keys)) == len(keys)
    single = classroom_at(tmp_path / "single", Student(), Teacher(), RECIPE + TEACHER)
    rounds(single)
    assert {request.key for request in teacher.asked if several(request) == 1} <= {
        request.key
        for request in single.teacher.asked  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize(("kind", "again"), [(FailureKind.CONTEXT_TOO_LONG, True), (FailureKind.SERVER, False)])
def test_a_request_that_was_refused_as_a_whole_is_asked_part_by_part(
    kind: FailureKind, again: bool, tmp_path: Path
) -> None:
    class Refusing(Teacher):
        async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
            reply = await super().ask(request)
            first = several(request) > 1 and sum(several(one) > 1 for one in self.asked) == 1
            return TeacherFailure(request.key, kind, "no", 1) if first else reply

    teacher = Refusing()
    metrics = run(feedback(classroom_at(tmp_path, Student(), teacher, SHARED), 0))
    assert (metrics["asked"], metrics["failed"], metrics["kept"]) == ((12, 0, 12) if again else (12, 4, 8))
    assert len(teacher.asked) == (7 if again else 3)


def test_requests_go_out_during_the_exam_and_a_run_that_is_started_again_makes_the_same_groups(tmp_path: Path) -> None:
    first, second = Teacher(), Teacher()
    with pytest.raises(ConnectionError):
        run(exam(classroom_at(tmp_path, Student(patience=7), first, SHARED), 1))
    assert first.asked and all(several(request) == 4 for request in first.asked)
    run(exam(classroom_at(tmp_path, Student(), second, SHARED), 1))
    assert {request.key for request in first.asked} <= {request.key for request in second.asked}


def test_recipes_that_cannot_share_say_so() -> None:
    with pytest.raises(PromptError, match="tailored_shared"):
        run_prompts(parse_recipe("learning: {per_request: 4}", "r"))
    with pytest.raises(RecipeError, match="thinking: drop"):
        parse_recipe("{learning: {per_request: 4}, teacher: {thinking: keep}}", "r")
