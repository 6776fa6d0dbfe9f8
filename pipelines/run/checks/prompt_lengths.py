"""Whether every question leaves room, in the student's form: for an answer in its context, and for what is learnt.

Owns: which questions a run asks and learns, the lengths that they may have, and the words for those that are too long.
They are measured by `prompt_room`.

Invariants
- Every question counts: one that is too long ends a run.
- A run whose questions are all far from its limits loads no tokenizer for this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.run.checks.prompt_room import Measured, Measurement, Room, measure
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.doctor.memory import config_at
from reasoning.prompts.lengths import Bound
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.tailored import Recipe
from reasoning.records import Problem
from reasoning.rounds.exam import examined, first_questions
from reasoning.rounds.ladder.rationalization import is_asked_again, question_with_answer
from reasoning.student.config import folder_of, read_config
from reasoning.student.vllm_internals import CONTEXT_KEYS
from reasoning.tasks.loading import TaskData
from reasoning.tasks.table import spec_of

_LATER = "learning.training.max_tokens"
SHOWN = 60  # characters of a question
_FEWEST_POSITIONS = 512  # of a student whose files say nothing: its family's own number is not below that
_ORIGINAL = "original_max_position_embeddings"


@dataclass(frozen=True)
class _Lesson:
    """What a training learns, by its key: of `problems` those whose prompts fit `limit` with a completion."""

    key: str
    limit: int
    problems: Sequence[Problem]


def length_faults(
    recipe: Recipe, data: TaskData, form: StudentForm, notes: list[str], asked: Sequence[Problem] | None = None
) -> Iterator[PreflightFault]:
    """Questions that would end a run when it comes to them. `notes` get those that are only not learnt, or whose
    answers may be cut off. `asked`: the questions of a program that only asks these; None: those of a run."""
    lessons = _lessons(recipe, data, form) if asked is None else []
    questions = _asked(recipe, data, form) if asked is None else _texts(asked)
    groups = [list(dict.fromkeys(group)) for group in (questions, *(_texts(lesson.problems) for lesson in lessons))]
    everybody = list(dict.fromkeys(question for group in groups for question in group))
    if not everybody or _surely_fit(recipe, form, lessons, everybody):
        return
    places = {question: index for index, question in enumerate(everybody)}
    wanted = Measurement(
        student=recipe.student,
        vllm=recipe.cluster.sampler != "transformers",
        wanted=_wanted(recipe),
        completion=_shortest(form, lessons),
        limits=[lesson.limit for lesson in lessons],
        questions=everybody,
        groups=[[places[question] for question in group] for group in groups],
    )
    try:
        measured = measure(wanted, form)
    except (OSError, ValueError, ImportError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        yield PreflightFault("student.model", f"its tokenizer cannot be read: {said}", "Fetch or save it again")
        return
    check = _Check(recipe, measured, dict(zip(everybody, measured.counts, strict=True)), _splits(data))
    yield from check.asked(groups[0], notes)
    told: set[int] = set()
    for lesson, questions in zip(lessons, groups[1:], strict=True):
        yield from check.learnt(lesson, questions, notes if lesson.limit not in told else [])
        told.add(lesson.limit)


# What is asked and learnt -------------------------------------------------------------------------------------------


def _lessons(recipe: Recipe, data: TaskData, form: StudentForm) -> list[_Lesson]:
    learning, first = recipe.learning, data.train
    if learning.imported.rationales is None or not form.reasons:
        first = tuple(first_questions(data.train, learning, recipe.seed))
    lessons = [_Lesson("learning.first_training.max_tokens", learning.first_training.max_tokens, first)]
    if learning.rounds and form.reasons:
        lessons.append(_Lesson(_LATER, learning.training.max_tokens, data.train))
    return [lesson for lesson in lessons if lesson.problems]


def _texts(problems: Sequence[Problem]) -> list[str]:
    return [problem.question for problem in problems]


def _asked(recipe: Recipe, data: TaskData, form: StudentForm) -> list[str]:
    """What a run asks its student: the questions of evaluations, and those of exams, their answers shown where they may
    be."""
    ladder = recipe.learning.ladder
    exams = examined(data.train, recipe.learning, recipe.seed) if form.reasons else []
    shown = [question_with_answer(one) if is_asked_again(one, (), ladder) else one.question for one in exams]
    return [*_texts(data.validation), *_texts(data.test), *shown]


def _splits(data: TaskData) -> dict[str, str]:
    """Of which split a question is, other than of training's."""
    return dict.fromkeys(_texts(data.validation), "validation") | dict.fromkeys(_texts(data.test), "test")


def _shortest(form: StudentForm, lessons: Sequence[_Lesson]) -> str:
    """As short a completion as any that is learnt, but for its rationale."""
    answers = [problem.answer for lesson in lessons for problem in lesson.problems]
    return form.completion("", min(answers, key=len, default=""))


def _wanted(recipe: Recipe) -> int:
    return recipe.student.max_new_tokens or spec_of(recipe.task).max_new_tokens


def _surely_fit(recipe: Recipe, form: StudentForm, lessons: Sequence[_Lesson], questions: Sequence[str]) -> bool:
    """Whether all questions are within all limits by their characters alone, whatever the tokenizer, or by its file."""
    source, wanted = recipe.student.source, _wanted(recipe)
    positions = min(_numbers(config_at(source)), default=_FEWEST_POSITIONS)
    context = min(positions, recipe.student.max_model_len or positions)
    answered = context - (wanted if wanted < context else 1)
    learnt = min((lesson.limit for lesson in lessons), default=positions)
    words, shortest = form.frame.before + form.frame.after, _shortest(form, lessons)

    def fits(bound: Bound) -> bool:
        around, least = bound.tokens(words), bound.tokens(shortest)
        if around is None or least is None:
            return False
        room = min(answered, min(learnt, positions) - least) - around
        return all((most := bound.tokens(question)) is not None and most <= room for question in questions)

    return fits(Bound()) or fits(Bound.of(_described(source)))


def _described(source: str) -> dict[str, Any] | None:
    """The student's tokenizer.json, where it is on this machine."""
    folder = folder_of(source)
    return read_config(folder / "tokenizer.json") if folder is not None else None


def _numbers(config: Mapping[str, Any]) -> Iterator[int]:
    """All numbers in a configuration that may bound a context."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
        elif (key in CONTEXT_KEYS or key == _ORIGINAL) and isinstance(value, int) and value > 0:
            yield value


# What is told -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Check:
    """Questions with the lengths of their prompts, and the room that there is."""

    recipe: Recipe
    measured: Measured
    counted: Mapping[str, int]
    splits: Mapping[str, str]

    @property
    def room(self) -> Room:
        return self.measured.room

    def asked(self, questions: Sequence[str], notes: list[str]) -> Iterator[PreflightFault]:
        room = self.room
        too_long = [question for question in questions if self.counted[question] > room.answered]
        if too_long:
            yield self._no_room(questions, too_long)
            return
        cut = [question for question in questions if self.counted[question] > room.answered_whole]
        if cut:
            left = int(room.answered) + 1 - self._longest(cut)[1]
            notes.append(
                f"student.max_new_tokens: {_of(len(cut), len(questions))} leave fewer than {room.wanted} tokens for "
                f"the answer in a context of {room.context} (the longest leaves {left}): longer "
                "answers are cut off."
            )

    def _no_room(self, questions: Sequence[str], too_long: Sequence[str]) -> PreflightFault:
        room = self.room
        longest, tokens = self._longest(too_long)
        what = (
            f"{_of(len(too_long), len(questions))} leave no room for an answer in the student's context of "
            f"{room.context} tokens: {self._shown(longest, tokens)}"
        )
        ways = self._shorter(tokens)
        needed, most = tokens if room.apart else tokens + 1, room.positions or math.inf
        if (room.context or math.inf) >= most:
            return PreflightFault("task", what, _ways(ways))
        whole = needed if room.apart else min(most, tokens + room.wanted)
        enough = f"set at least {needed}" + (f" ({whole} for a whole answer)" if whole > needed else "")
        raised = enough if needed <= most else f"raise it, up to the student's {most} positions, too few for all"
        return PreflightFault("student.max_model_len", what, _ways([raised, *ways]))

    def learnt(self, lesson: _Lesson, questions: Sequence[str], notes: list[str]) -> Iterator[PreflightFault]:
        """What of a training's questions has no room for a completion."""
        limit = self.room.learnt(lesson.limit)
        left_out = [question for question in questions if self.counted[question] > limit]
        if not left_out:
            return
        longest, tokens = self._longest(left_out)
        told, learning = self._shown(longest, tokens), self.recipe.learning
        if len(left_out) < len(questions) or (learning.new_questions is not None and lesson.key == _LATER):
            examined = "examined, and " if learning.rounds and learning.exam.questions is None else ""
            notes.append(
                f"{lesson.key}: {_of(len(left_out), len(questions), 'training questions')} leave no room for a "
                f"completion within {lesson.limit} tokens; they are {examined}not learnt from. T{told[1:]}."
            )
            return
        what = (
            f"none of {len(questions)} training questions leaves room for a completion within {lesson.limit} tokens, "
            f"so there is nothing to learn: the shortest has {min(map(self.counted.__getitem__, left_out))}, {told}"
        )
        most, whole = self.room.positions, tokens + (0 if self.room.apart else self.room.wanted)
        raised = "raise it" + (f", up to the student's {most} positions" if most is not None else "")
        raised += f" ({whole} hold the longest with a whole answer)" if most is None or whole <= most else ""
        ways = [raised] if most is None or lesson.limit < most else []
        yield PreflightFault(lesson.key, what, _ways([*ways, *self._shorter(tokens)]))

    def _longest(self, questions: Sequence[str]) -> tuple[str, int]:
        longest = max(questions, key=self.counted.__getitem__)
        return longest, self.counted[longest]

    def _shown(self, question: str, tokens: int) -> str:
        own = f", {self.measured.own} of them the form's own" if self._mostly_form(tokens) else ""
        begins = " ".join(question.split())[:SHOWN]
        return f"the longest has {tokens}{own} ({self.splits.get(question, 'training')}: {begins!r})"

    def _shorter(self, tokens: int) -> list[str]:
        """What can be done about prompts, the longest of which has so many tokens."""
        form = "take a shorter form (its prompt file, student.system, student.demonstrations)"
        questions = "shorten or leave out those questions"
        return ([form] if self._mostly_form(tokens) else []) + (
            [questions] if self._has_room(self.measured.own) else []
        )

    def _has_room(self, tokens: int) -> bool:
        return tokens < self.room.answered

    def _mostly_form(self, tokens: int) -> bool:
        return 2 * self.measured.own > tokens


def _of(count: int, whole: int, named: str = "questions") -> str:
    return f"{count} of {whole} {named}"


def _ways(ways: Sequence[str]) -> str:
    said = ", or ".join(ways)
    return said[:1].upper() + said[1:]
