"""A run's transcripts: each mistake that the teacher was shown, the teacher's words, and the student afterwards; and
what the student says to held-out questions, round by round.

Owns: which texts of a run belong together. A question is known by the task's data where that can be read, otherwise by
what the student was taught of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipelines.report.gallery import Card, Gallery, Passage, gallery
from reasoning.files.tables import read_table
from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Example, Problem, Rationale, RationaleSource, Split, Verdict
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.phase_order import Phase, PhaseRecord, evaluations
from reasoning.tasks.loading import TaskData

RecordT = TypeVar("RecordT")
_UNKNOWN = "(the question is not in the data that could be read)"
_NOT_ASKED = "not asked again"


def problems_by_id(data: TaskData | None) -> dict[str, Problem]:
    """Every problem of the task, none where it could not be read."""
    every = (*data.train, *data.validation, *data.test) if data is not None else ()
    return {problem.id: problem for problem in every}


def mistakes_gallery(
    directory: RunDirectory, records: Sequence[PhaseRecord], problems: Mapping[str, Problem]
) -> Gallery | None:
    """The mistakes that the teacher answered, newest round first; None where there are none."""
    exams = {
        record.round: _read(directory.round(record.round).exam, Attempt)
        for record in records
        if record.phase is Phase.EXAM
    }
    by_question = {round: _grouped(attempts, "problem_id") for round, attempts in exams.items()}
    cards: list[Card] = []
    for record in reversed([record for record in records if record.phase is Phase.FEEDBACK and record.round]):
        files = directory.round(record.round)
        prompts: dict[str, str] = {}
        for example in _read(files.examples, Example):
            prompts.setdefault(example.problem_id, example.prompt)  # the first: a later one may show the answer, too
        told = [one for one in _read(files.rationales, Rationale) if one.source is not RationaleSource.STUDENT]
        new = {one.id: one.question for one in _read(files.new_problems, NewProblem)}
        for id, text, said, verdict, words in _helped(exams.get(record.round, ()), told):
            later = _later(id, record.round, by_question)
            came_to = "cut off" if verdict is Verdict.TRUNCATED else _named(said)
            passages = [Passage(f"The student, round {record.round - 1}: {came_to}", text, "wrong")]
            passages += [*(_words(one, new) for one in words), *([later[0]] if later else [])]
            marks = {
                "round": f"round {record.round}",
                "verdict": verdict.replace("_", " "),
                "teacher": "accepted" if any(one.kept for one in words) else "filtered out",
                "afterwards": later[1] if later else _NOT_ASKED,
            }
            question, gold = question_of(id, problems, prompts.get(id, _UNKNOWN))
            cards.append(Card(question, gold, marks, passages))
    if not cards:
        return None
    lead = "Each mistake of an exam beside what the teacher answered to it, and what the student said later."
    names = {"round": "Exam of", "verdict": "The mistake", "teacher": "The teacher's words", "afterwards": "Afterwards"}
    if all(card.marks["afterwards"] == _NOT_ASKED for card in cards):
        names.pop("afterwards")
        last = {f"round {max(exams)}"} == {card.marks["round"] for card in cards}
        lead = (
            "Each mistake of an exam beside what the teacher answered to it. No exam has followed that could have "
            "asked the same questions again; the held-out questions below show the student from round to round."
            if last
            else "Each mistake of an exam beside what the teacher answered to it. Each exam asked other questions than "
            "those before (learning.exam.questions is less than the training questions), so none of these was asked "
            "again; the held-out questions below show the student from round to round."
        )
    return gallery("mistakes", "Mistakes, and the teacher's words", lead, names, cards)


def held_out_gallery(students: Mapping[str, Sequence[Attempt]], problems: Mapping[str, Problem]) -> Gallery | None:
    """Held-out questions that at least one of the students (by name, in order) got wrong, with what each said; None
    where there is none."""
    answers = {name: {one.problem_id: one for one in attempts} for name, attempts in students.items()}
    every = list(dict.fromkeys(one.problem_id for attempts in students.values() for one in attempts))
    cards = []
    for id in every:
        said = {name: own[id] for name, own in answers.items() if id in own}
        right = [one.verdict is Verdict.CORRECT for one in said.values()]
        if all(right):
            continue
        marks = {
            "fate": _fate(right),
            "last": next(reversed(said.values())).verdict.replace("_", " "),
            "split": str(problems[id].split) if id in problems else "held out",
        }
        question, gold = question_of(id, problems)
        cards.append(Card(question, gold, marks, [attempt_passage(name, one) for name, one in said.items()]))
    if not cards:
        return None
    last = list(students)[-1]
    lead = f"What each student said to questions that none of them has learnt from. The last one here is {last}."
    names = {"fate": "From first to last", "last": "The last answer", "split": "Questions"}
    return gallery("held-out", "Held-out questions, student by student", lead, names, cards)


def evaluated(directory: RunDirectory, records: Sequence[PhaseRecord]) -> dict[str, list[Attempt]]:
    """The held-out attempts of every evaluated round, by its name."""
    return {
        f"round {record.round}": _read(directory.round(record.round).evaluation, Attempt)
        for record in evaluations(records)
    }


def of_split(attempts: Iterable[Attempt], problems: Mapping[str, Problem], split: Split) -> list[Attempt]:
    """The attempts at questions of one split; all of them where the questions are not known."""
    return [one for one in attempts if one.problem_id not in problems or problems[one.problem_id].split is split]


def question_of(id: str, problems: Mapping[str, Problem], otherwise: str = _UNKNOWN) -> tuple[str, str]:
    """A question and its gold answer; `otherwise` and no answer where the question is not known."""
    problem = problems.get(id)
    return (problem.question.strip(), problem.answer) if problem is not None else (otherwise.strip(), "")


def _helped(
    exam: Sequence[Attempt], told: Sequence[Rationale]
) -> Iterator[tuple[str, str, str, Verdict, Sequence[Rationale]]]:
    """The questions of an exam that the teacher said something about: the id, the student's text and its answer, what
    that is, and the teacher's words. Where no mistake could be shown, an attempt that was cut off."""
    about = _grouped(told, "mistake_id")
    for one in mistakes_of(exam):
        if words := about.get(one.id):
            yield (
                one.problem_id,
                one.text,
                one.prediction,
                Verdict.WRONG if one.prediction else Verdict.NO_ANSWER,
                words,
            )
    attempts = _grouped(exam, "problem_id")
    for id, words in _grouped(about.get("", ()), "problem_id").items():
        missed = [one for one in attempts.get(id, ()) if one.verdict is not Verdict.CORRECT]
        if missed:
            yield id, missed[0].text, missed[0].prediction, missed[0].verdict, words


def _later(id: str, round: int, exams: Mapping[int, Mapping[str, Sequence[Attempt]]]) -> tuple[Passage, str] | None:
    """The student at the same question in the next exam that asked it, and in a word what came of it."""
    for later in sorted(number for number in exams if number > round):
        if again := exams[later].get(id):
            right = [one for one in again if one.verdict is Verdict.CORRECT]
            heading = f"The student, round {later - 1}: {len(right)} of {len(again)} attempts right"
            one = (right or again)[0]
            state = "right" if len(right) == len(again) else "partly right" if right else "still wrong"
            return Passage(heading, one.text, "right" if right else "wrong"), state
    return None


def _words(reply: Rationale, new: Mapping[str, str]) -> Passage:
    """What the teacher said; before an answer to one of the `new` questions (by id) that question."""
    kept = "accepted" if reply.kept else "filtered out"
    about = ", of a new question for this mistake" if reply.source is RationaleSource.NEW else ""
    named = f"First wrong step: {reply.wrong_step}\n\n" if reply.wrong_step else ""
    asked = f"{new[reply.problem_id]}\n\n" if reply.problem_id in new else ""
    said = f"{asked}{named}{reply.text}\nAnswer: {reply.answer}"
    return Passage(f"The teacher{about} ({kept})", said, "right" if reply.kept else "")


def attempt_passage(name: str, attempt: Attempt) -> Passage:
    """What a student said, under its name and its verdict."""
    tone = "right" if attempt.verdict is Verdict.CORRECT else "wrong"
    return Passage(f"{name}: {attempt.verdict.replace('_', ' ')}, {_named(attempt.prediction)}", attempt.text, tone)


def _named(prediction: str) -> str:
    return f"“{prediction[:60]}”" if prediction else "no answer"


def _fate(right: Sequence[bool]) -> str:
    if not any(right):
        return "never right"
    if right[-1]:
        return "became right"
    return "was right, and is wrong"


def _grouped(records: Iterable[RecordT], by: str) -> dict[str, list[RecordT]]:
    groups: dict[str, list[RecordT]] = defaultdict(list)
    for one in records:
        groups[getattr(one, by)].append(one)
    return groups


def _read(file: Path, kind: type[RecordT]) -> list[RecordT]:
    return read_table(file, kind) if file.exists() else []
