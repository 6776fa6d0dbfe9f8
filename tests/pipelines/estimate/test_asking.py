"""What an estimate takes for granted is what the run asks: the ladder's requests after an exam, and shared ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.estimate.asking import TeacherSampler
from reasoning.estimate.call_plan import missed, run_plan
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.phases import exam, select_examples
from reasoning.rounds.progress import Progress
from tests.reasoning.rounds.feedback.test_helping import Uneven
from tests.reasoning.rounds.test_phases import Teacher, classroom_at, run
from tests.reasoning.rounds.test_requests import requests_of

RECIPE = """
task: {name: coin_flip, train: 40, validation: 5, test: 5}
teacher: {feedback_prompt: tailored_shared, first_prompt: plain_shared}
learning: {rounds: 1, first_questions: 20, rationales_per_mistake: 2, exam: {questions: 12, samples: 4}, %s}
"""


@pytest.mark.parametrize("keys", ["help: ladder", "per_request: 3", "help: ladder, per_request: 3"])
def test_after_an_exam_the_calls_are_those_that_the_feedback_makes(keys: str, tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Uneven(), teacher, RECIPE % keys)

    async def until_the_exam() -> list[PhaseRecord]:
        records = [PhaseRecord(0, Phase.FEEDBACK, 1.0, await feedback(classroom, 0))]
        records.append(PhaseRecord(0, Phase.SELECT, 1.0, await select_examples(classroom, 0)))
        records += [PhaseRecord(0, phase, 1.0, {"validation_accuracy": 0.5}) for phase in (Phase.TRAIN, Phase.EVALUATE)]
        return [*records, PhaseRecord(1, Phase.EXAM, 1.0, await exam(classroom, 1))]

    async def the_rest() -> None:
        await feedback(classroom, 1)

    done = run(until_the_exam())
    run(the_rest())
    recipe = parse_recipe(RECIPE % keys, "test")
    sampler = TeacherSampler(recipe, classroom.directory, classroom.data, classroom.prompts, Progress())
    planned = run_plan(recipe.learning, classroom.prompts, 40, done, missed(recipe.learning, done))
    requests = [sampler.requests.of_group(group) for one in planned for group in sampler.groups(one)]
    asked = {request.key for request in teacher.asked} - {r.key for r in requests_of(sampler.requests, 0)}
    assert {request.key for request in requests} == asked and len(requests) == len(asked)
    sure = [one for one in planned if not one.again]
    assert all(one.calls.exact for one in sure) and sum(one.calls.most for one in sure) == len(asked)
