"""The ladder in a run: what is asked for whom, in which order, and that a run started again asks the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.offline.word_tokens import count_tokens
from reasoning.records import Attempt, Example, Problem, Rationale, RationaleSource, Verdict
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.ladder.history import Help
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.phases import exam, select_examples
from reasoning.student.sampling import Completion, Sampling
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from tests.reasoning.rounds.test_phases import Student, Teacher, classroom_at, run

LADDER = """
task: {name: coin_flip, train: 40, validation: 5, test: 5}
learning:
  help: ladder
  first_questions: 20
  exam: {questions: 12, samples: 4}
  ladder: {solved_after: 1, examine_again: 1.0%s}
"""


class Uneven(Student):
    """Answers by the family, so many of its four samples rightly: a number that is the question's own."""

    def rights(self, prompt: str) -> int:
        return sum(map(ord, prompt)) % 5

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        right, wrong, *_ = await super().answer(version, prompt, sampling)
        return [right if number < self.rights(prompt) else wrong for number in range(sampling.samples)]


class Counting(Teacher):
    """Counts its tokens."""

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        reply = await super().ask(request)
        assert isinstance(reply, TeacherReply)
        tokens = count_tokens(request.messages[0][1]), count_tokens(reply.text)
        return replace(reply, prompt_tokens=tokens[0], completion_tokens=tokens[1])


class Thinking(Counting):
    """Thinks past its last token about every second mistake."""

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        reply = await super().ask(request)
        cut_off = len(self.asked) > 20 and len(self.asked) % 2
        return TeacherFailure(request.key, FailureKind.TRUNCATED, "no word", 1) if cut_off else reply


def classroom(folder: Path, teacher: Teacher, keys: str = "") -> Classroom:
    made = classroom_at(folder, Uneven(), teacher, LADDER % keys)
    for round in (2, 3):
        made.files(round).folder.mkdir(parents=True, exist_ok=True)
    return made


async def rounds(one: Classroom, last: int) -> None:
    await feedback(one, 0)
    await select_examples(one, 0)
    for round in range(1, last + 1):
        await exam(one, round)
        await feedback(one, round)
        await select_examples(one, round)


def helps(one: Classroom, round: int) -> dict[str, Help]:
    return {record.problem_id: record for record in read_table(one.files(round).help, Help)}


def _tokens(help: Help) -> int:
    return help.prompt_tokens + help.completion_tokens


def test_every_question_gets_the_cheapest_help_that_can_work(tmp_path: Path) -> None:
    teacher = Teacher()
    one = classroom(tmp_path, teacher, ", guessable_share: 0.5")
    run(rounds(one, 1))
    taught = {rationale.problem_id for rationale in read_table(one.files(0).rationales, Rationale)}
    rationales = read_table(one.files(1).rationales, Rationale)
    found = helps(one, 1)
    assert len(found) == 12 and {Rung.OWN, Rung.PLAIN, Rung.TAILORED} <= {help.rung for help in found.values()}
    for id, help in found.items():
        mine = [rationale for rationale in rationales if rationale.problem_id == id]
        expected = (
            (Rung.SOLVED if help.right == 4 else Rung.OWN)
            if help.right >= 3  # of four: a coin flip is easily guessed
            else (Rung.TAILORED if id in taught else Rung.PLAIN)
        )
        assert help.rung is expected
        source = {Rung.PLAIN: RationaleSource.PLAIN, Rung.TAILORED: RationaleSource.TAILORED}
        assert {rationale.source for rationale in mine} == {source.get(help.rung, RationaleSource.STUDENT)}
        assert (help.prompt_tokens > 0) is (help.rung in source) and help.kept == len(mine) == 1
    asked = teacher.asked[20:]
    assert len(asked) == sum(help.rung in (Rung.PLAIN, Rung.TAILORED) for help in found.values())
    examples = {example.problem_id for example in read_table(one.files(1).examples, Example)}
    assert {id for id, help in found.items() if help.rung is Rung.OWN} <= examples


def test_help_that_failed_is_followed_by_the_next_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    teacher = Teacher()
    one = classroom(tmp_path, teacher, ", guessable_share: 0.9")
    run(rounds(one, 3))
    first, second = helps(one, 1), helps(one, 2)
    plain = [id for id, help in first.items() if help.rung is Rung.PLAIN]
    assert plain and all(second[id].rung is Rung.TAILORED for id in plain if id in second)
    assert any(id in second for id in plain)
    keys = [request.key for request in teacher.asked]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("keys", ["", ", teacher_tokens: 1200"])
def test_a_run_that_is_started_again_asks_the_same(keys: str, tmp_path: Path) -> None:
    teacher, again = Counting(), Counting()
    one = classroom(tmp_path, teacher, keys)
    run(rounds(one, 2))
    before = read_table(one.files(2).rationales, Rationale), helps(one, 2)
    other = classroom(tmp_path, again, keys)

    async def once_more() -> None:
        await exam(other, 2)
        await feedback(other, 2)

    run(once_more())
    assert (read_table(other.files(2).rationales, Rationale), helps(other, 2)) == before
    assert {request.key for request in again.asked} <= {request.key for request in teacher.asked}


def test_a_budget_reaches_the_medium_questions_first(tmp_path: Path) -> None:
    teacher = Counting()
    one = classroom(tmp_path, teacher, ", teacher_tokens: 1200")
    run(rounds(one, 1))
    asked = [help for help in helps(one, 1).values() if help.rung in (Rung.PLAIN, Rung.TAILORED)]
    reached = [help for help in asked if help.reached]
    assert 0 < len(reached) < len(asked) and sum(_tokens(help) for help in reached) <= 1260
    closest = max(abs(help.right - 2) for help in reached)
    assert all(abs(help.right - 2) >= closest for help in asked if not help.reached)
    assert len(teacher.asked) == 20 + len(reached)


def test_what_is_cut_off_before_its_first_word_is_spent(tmp_path: Path) -> None:
    teacher = Thinking()
    run(rounds(classroom(tmp_path, teacher, ", teacher_tokens: 1200"), 1))
    assert 2 <= len(teacher.asked[20:]) <= 4  # of 512 tokens each that is cut off


def test_solved_questions_are_rehearsed_from_their_own_words(tmp_path: Path) -> None:
    one = classroom(tmp_path, Teacher())
    run(rounds(one, 1))
    solved = {id for id, help in helps(one, 1).items() if help.rung is Rung.SOLVED}
    own = {
        rationale.problem_id: rationale.text
        for rationale in read_table(one.files(1).rationales, Rationale)
        if rationale.source is RationaleSource.STUDENT
    }
    examples = {example.problem_id: example for example in read_table(one.files(1).examples, Example)}
    assert solved and solved <= set(own)
    assert all(own[id] in examples[id].positives[0] for id in solved if id in examples)


def test_attempts_that_are_right_are_shown_to_nobody(tmp_path: Path) -> None:
    teacher = Teacher()
    one = classroom(tmp_path, teacher)
    run(rounds(one, 1))
    right = [a for a in read_table(one.files(1).exam, Attempt) if a.verdict is Verdict.CORRECT]
    problems: dict[str, Problem] = one.train_by_id
    solved = [problems[id].question for id, help in helps(one, 1).items() if help.rung in (Rung.SOLVED, Rung.OWN)]
    assert right and not [r for r in teacher.asked[20:] if any(question in r.messages[0][1] for question in solved)]
