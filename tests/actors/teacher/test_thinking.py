"""A teacher that thinks before it answers, over HTTP, in a small loop: the student is taught what it said."""

from pathlib import Path
from typing import Any

import pytest

from actors.journal.actor import Journal
from actors.limits.actor import RateLimiter
from actors.teacher.worker import TeacherWorker
from reasoning.files.tables import read_table
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Example, Rationale
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phases import exam, select_examples
from reasoning.rounds.progress import Progress
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import EndpointSettings, TeacherFailure, TeacherReply, TeacherRequest, TeacherSettings
from serve.provider.args import ProviderArgs
from serve.provider.reply_forms import DOUBT, THINKING_FORMS, ThinkingForm
from serve.provider.server import Provider
from tests.actors.in_process import in_process, run
from tests.reasoning.rounds.test_phases import RECIPE, LocalClassroom, Student


class OverHttp(LocalClassroom):
    """Asks a provider, through a worker and its journal."""

    worker: TeacherWorker

    async def ask(self, request: TeacherRequest, *, first: bool) -> TeacherReply | TeacherFailure:
        return await self.worker.ask(request)


def examples_of(folder: Path, provider: Provider, journal: Journal, thinking: str = "drop") -> list[Example]:
    """What is learnt after round 1: first rationales, an exam, feedback on its mistakes, the selection."""
    recipe = parse_recipe(f"{RECIPE}\nteacher: {{thinking: {thinking}}}", "test")
    classroom = OverHttp(
        recipe, RunDirectory(folder), load_problems(recipe.task, recipe.seed), run_prompts(recipe), Progress()
    )
    place = EndpointSettings("offline", provider.base_url, "faulty-teacher")

    async def loop() -> None:
        worker = TeacherWorker(
            TeacherSettings("offline", (place,)), in_process(journal), in_process(RateLimiter(place))
        )
        classroom.student, classroom.worker = Student(), worker
        for round in (0, 1):
            classroom.files(round).folder.mkdir(parents=True, exist_ok=True)
        await feedback(classroom, 0)
        await exam(classroom, 1)
        await feedback(classroom, 1)
        await select_examples(classroom, 1)

    run(loop())
    rationales = [one for round in (0, 1) for one in read_table(classroom.files(round).rationales, Rationale)]
    assert len(rationales) > 20 and all(one.kept for one in rationales)
    return read_table(classroom.files(1).examples, Example)


def a_provider(**more: Any) -> Provider:
    return Provider(ProviderArgs(**more))


@pytest.mark.parametrize("form", THINKING_FORMS)
def test_what_a_teacher_thinks_is_not_taught(form: ThinkingForm, journal: Journal, tmp_path: Path) -> None:
    with a_provider() as plain:
        told = examples_of(tmp_path / "plain", plain, Journal(tmp_path / "plain.sqlite"))
    with a_provider(thinking=form, thinking_tokens=300) as thinking:
        examples = examples_of(tmp_path / "thinking", thinking, journal)
    taught = [text for example in examples for text in example.positives]
    assert len(taught) > 10 and not any(DOUBT in text or "think" in text.lower() for text in taught)
    assert [example.positives for example in examples] == [example.positives for example in told]  # the same words


@pytest.mark.parametrize("form", THINKING_FORMS)
def test_what_a_teacher_thinks_is_taught_on_wish(form: ThinkingForm, journal: Journal, tmp_path: Path) -> None:
    with a_provider(thinking=form) as thinking:
        examples = examples_of(tmp_path, thinking, journal, "keep")
    taught = [text for example in examples for text in example.positives]
    assert len(taught) > 10
    for text in taught:
        thought, closed, said = text.partition("</think>")
        assert closed and thought.lstrip().startswith("<think>") and DOUBT in thought and DOUBT not in said


def test_replies_that_were_paid_for_before_are_read_anew(tmp_path: Path) -> None:
    """The journal has the teacher's words as they came: another setting teaches otherwise, and asks nothing again."""
    path = tmp_path / "journal.sqlite"
    with a_provider(thinking="tags") as thinking:
        examples_of(tmp_path / "drop", thinking, Journal(path))
        asked = thinking.stats().arrived
        kept = examples_of(tmp_path / "keep", thinking, Journal(path), "keep")
        assert thinking.stats().arrived == asked
    assert all(DOUBT in text for example in kept for text in example.positives)
