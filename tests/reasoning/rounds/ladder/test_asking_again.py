"""An exam in which what was not answered rightly is asked once more, its answer shown, by a student in this process."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.prompts.student_forms import default_form, student_completion
from reasoning.records import Attempt, Example, Rationale, RationaleSource, Verdict
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.ladder.rationalization import was_shown_answer
from reasoning.rounds.phases import exam, select_examples
from reasoning.student.sampling import Completion, PromptRefused, Sampling
from reasoning.tasks.families import FAMILIES
from tests.reasoning.rounds.test_phases import Student, Teacher, classroom_at, run

RECIPE = """
task: {name: last_letter_concatenation, source: generated, train: 40, validation: 5, test: 5}
learning:
  help: ladder
  first_questions: 12
  exam: {questions: 15, samples: 2}
  ladder: {rationalize: 2%s}
"""
HINT = " (Hint: the answer is "


class Reader(Student):
    """Answers a third of the questions; of the others it comes to the answer where that is shown, but for a third."""

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        if len(self.asked) >= self.patience:
            raise ConnectionError("the sampler is gone")
        self.asked.append(prompt)
        whole = default_form().frame.question(prompt)
        assert whole is not None
        question, shown, _ = whole.partition(HINT)
        can = sum(map(ord, question)) % 3
        family, rng = FAMILIES["last_letter_concatenation"], random.Random(prompt)
        right = can == 0 or (can == 1 and bool(shown))
        worked = [(family.rationale if right else family.corrupt)(question, rng) for _ in range(sampling.samples)]
        return [Completion(student_completion(one.text, one.answer), True, 7) for one in worked]


def classroom(folder: Path, student: Student, teacher: Teacher, keys: str = "") -> Classroom:
    made = classroom_at(folder, student, teacher, RECIPE % keys)
    made.files(2).folder.mkdir(parents=True, exist_ok=True)
    return made


async def first_round(one: Classroom) -> None:
    await feedback(one, 0)
    await select_examples(one, 0)


async def rounds(one: Classroom, last: int = 1) -> None:
    await first_round(one)
    for round in range(1, last + 1):
        await exam(one, round)
        await feedback(one, round)
        await select_examples(one, round)


def test_what_it_comes_to_is_learnt_as_if_nothing_had_been_shown_and_the_teacher_is_not_asked(tmp_path: Path) -> None:
    teacher, student = Teacher(), Reader()
    one = classroom(tmp_path, student, teacher)
    run(first_round(one))
    of_first = len(teacher.asked)
    metrics = run(exam(one, 1))
    run(feedback(one, 1))
    run(select_examples(one, 1))
    attempts = read_table(one.files(1).rationalized, Attempt)
    helps = {help.problem_id: help for help in read_table(one.files(1).help, Help)}
    by_words = [id for id, help in helps.items() if help.rung is Rung.RATIONALIZED]
    missed = [id for id, help in helps.items() if not help.right]
    assert {attempt.problem_id for attempt in attempts} == set(missed) and len(attempts) == 2 * len(missed)
    assert metrics["answers_shown"] == len(missed) and metrics["answers_reached"] == len(by_words) > 2
    assert metrics["student_tokens"] == 7 * (30 + len(attempts)) and metrics["attempts"] == 30
    assert metrics["help_rationalized"] == len(by_words)
    own = [r for r in read_table(one.files(1).rationales, Rationale) if r.source is RationaleSource.STUDENT]
    assert set(by_words) <= {rationale.problem_id for rationale in own}
    assert len(teacher.asked) - of_first == len(missed) - len(by_words)
    examples = read_table(one.files(1).examples, Example)
    assert {e.prompt for e in examples if e.problem_id in by_words} == {
        default_form().prompt(one.train_by_id[id].question) for id in by_words
    }


def test_to_read_an_answer_is_learnt_from_each_rationale_of_the_teacher(tmp_path: Path) -> None:
    one = classroom(tmp_path, Reader(), Teacher())
    run(feedback(one, 0))
    metrics = run(select_examples(one, 0))
    run(rounds(one))
    first = read_table(one.files(0).examples, Example)
    reading = [example for example in first if HINT in example.prompt]
    assert len(reading) == len(first) / 2 == metrics["reading"] == metrics["examples"]
    assert {example.problem_id for example in reading} == {e.problem_id for e in first if HINT not in e.prompt}
    explained = {
        rationale.problem_id
        for rationale in read_table(one.files(1).rationales, Rationale)
        if rationale.kept and rationale.source is not RationaleSource.STUDENT
    }
    later = [example for example in read_table(one.files(1).examples, Example) if HINT in example.prompt]
    assert {example.problem_id for example in later} == explained


def test_what_is_missed_after_it_learnt_its_own_words_gets_the_next_help(tmp_path: Path) -> None:
    one = classroom(tmp_path, Reader(), Teacher(), ", examine_again: 1.0")
    run(rounds(one, 2))
    before = {help.problem_id for help in read_table(one.files(1).help, Help) if help.rung is Rung.RATIONALIZED}
    after = {help.problem_id: help.rung for help in read_table(one.files(2).help, Help)}
    assert before & after.keys()
    assert {after[id] for id in before & after.keys()} <= {Rung.PLAIN, Rung.TAILORED}
    shown = {attempt.problem_id for attempt in read_table(one.files(2).rationalized, Attempt)}
    assert shown and not shown & before  # what is learnt once is not asked for again


def test_what_is_solved_then_is_rehearsed_from_words_without_the_answer_shown(tmp_path: Path) -> None:
    class Able(Reader):
        async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
            if version != "1":
                return await super().answer(version, prompt, sampling)
            question = default_form().frame.question(prompt)
            assert question is not None
            worked = FAMILIES["last_letter_concatenation"].rationale(question, random.Random(prompt))
            return [Completion(student_completion(worked.text, worked.answer), True, 7)] * sampling.samples

    one = classroom(tmp_path, Able(), Teacher(), ", examine_again: 1.0, solved_after: 1")
    run(rounds(one, 2))
    by_words = {help.problem_id for help in read_table(one.files(1).help, Help) if help.rung is Rung.RATIONALIZED}
    solved = {help.problem_id for help in read_table(one.files(2).help, Help) if help.rung is Rung.SOLVED}
    own = [r for r in read_table(one.files(2).rationales, Rationale) if r.source is RationaleSource.STUDENT]
    assert by_words & solved and by_words & solved <= {r.problem_id for r in own}
    assert not any(map(was_shown_answer, own))


def test_a_question_that_has_no_room_for_its_answer_beside_it_is_not_asked_so(tmp_path: Path) -> None:
    class Narrow(Reader):
        async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
            if HINT in prompt and len(prompt) % 2:
                raise PromptRefused("too long")
            return await super().answer(version, prompt, sampling)

    one = classroom(tmp_path, Narrow(), Teacher())
    run(first_round(one))
    metrics = run(exam(one, 1))
    one = classroom(tmp_path, Narrow(), Teacher())
    assert run(exam(one, 1)) == metrics
    run(feedback(one, 1))
    shown = {attempt.problem_id for attempt in read_table(one.files(1).rationalized, Attempt)}
    missed = {help.problem_id for help in read_table(one.files(1).help, Help) if not help.right}
    assert shown < missed and len(shown) == metrics["answers_shown"] > 0


@pytest.mark.parametrize("patience", [12, 20])
def test_an_exam_that_was_killed_asks_again_only_what_was_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], patience: int
) -> None:
    run(first_round(classroom(tmp_path / "whole", Reader(), Teacher())))
    undisturbed = classroom(tmp_path / "whole", (whole := Reader()), Teacher())
    run(exam(undisturbed, 1))
    killed = classroom(tmp_path / "killed", Reader(patience), Teacher())
    run(first_round(killed))
    with pytest.raises(ConnectionError):
        run(exam(killed, 1))
    said = RunDirectory(tmp_path / "killed").round(1)
    cut = said.rationalized_log.read_bytes().count(b"\n") // 2 + said.exam_log.read_bytes().count(b"\n") // 2
    again = classroom(tmp_path / "killed", (second := Reader()), (teacher := Teacher()))
    metrics = run(exam(again, 1))
    assert 0 < cut <= patience and len(second.asked) == len(whole.asked) - cut
    for table in ("exam", "rationalized"):
        tables = [read_table(getattr(one.files(1), table), Attempt) for one in (undisturbed, again)]
        assert tables[0] == tables[1] and tables[0]
    assert metrics["answers_shown"] == len({a.problem_id for a in read_table(said.rationalized, Attempt)})
    capsys.readouterr()
    recorded = classroom(tmp_path / "killed", (third := Reader()), Teacher())  # it was killed before it was recorded
    assert run(exam(recorded, 1)) == metrics and not third.asked and not capsys.readouterr().err
    run(feedback(again, 1))
    assert not said.rationalized_log.exists() and not said.exam_log.exists()
    assert len({request.key for request in teacher.asked}) == len(teacher.asked)


def test_without_it_nothing_is_asked_again_and_no_file_is_made(tmp_path: Path) -> None:
    one = classroom(tmp_path, (student := Reader()), Teacher(), "")
    off = classroom_at(tmp_path / "off", student, Teacher(), RECIPE.replace("rationalize: 2", "own: 4") % "")
    run(rounds(off))
    assert len(student.asked) == 15 and not any(HINT in prompt for prompt in student.asked)
    assert not off.files(1).rationalized.exists() and not off.files(1).rationalized_log.exists()
    assert all(attempt.verdict in Verdict for attempt in read_table(off.files(1).exam, Attempt))
    assert one.recipe.identity() != off.recipe.identity()
