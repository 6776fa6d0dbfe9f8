"""What a task family is: a source of problems that can also read them, solve them and find the first wrong step.

Owns: the records of a worked solution, the contract of a family, and the one walk through a student's rationale that
all families share. A family adds how it words, parses and solves its questions and how it reads one sentence.

Invariants
- A question is understood from its text alone: nothing but the text travels from `generate` to `solve`.
- `rationale` and `feedback` end in the right answer and contain no wrong step by `first_wrong_step`'s own judgement.
- `first_wrong_step` accepts any text: what it cannot read it passes over.
- `similar` never gives a validation or test question of its family.
- Without a random source there is one wording; with one, the wording varies, and the order where the steps allow it.
"""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reasoning.grading.answers import extract, same_answer
from reasoning.prompts.headings import ANSWER_HEADING
from reasoning.records import AnswerKind, Split
from reasoning.tasks.families.splits import split_of


class UnknownQuestionError(ValueError):
    """The question is not in a wording that the family reads."""

    def __init__(self, family: str, question: str) -> None:
        super().__init__(
            f"not a question of the family '{family}': {question[:120]!r}; ask one in its published wording"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution. `wordings`: one sentence each, the canonical one first. `smaller`: the same step worked
    out in smaller ones. `needs`: the steps that must come before it. `optional`: it may be left unsaid."""

    wordings: tuple[str, ...]
    smaller: tuple[str, ...]
    name: str
    needs: tuple[int, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Solution:
    """All steps in their canonical order; the last one states the conclusion."""

    steps: tuple[Step, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Worked:
    """A chain of thought as text and the answer it ends in; `wrong_step` is where a corrupted one goes wrong."""

    text: str
    answer: str
    wrong_step: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one sentence of a student says about one step: `fault` says what is wrong with it ("" when right);
    `finishes` is False for a remark on the way."""

    step: int
    fault: str = ""
    finishes: bool = True


@dataclass(frozen=True, slots=True)
class WrongStep:
    """The first thing wrong in a rationale: the step's index, the student's sentence ("" when the step is missing) and
    a sentence that names what is wrong."""

    index: int
    sentence: str
    reason: str


@dataclass(frozen=True, slots=True)
class SaidStep:
    """A sentence of a rationale about the step `step`, from the character `start` to before `end`. `right` is False for
    the first that is wrong, or that comes where another step is missing; `finishes` as in `Claim`."""

    step: int
    start: int
    end: int
    right: bool
    finishes: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """The mistake named in one sentence, and a right rationale that works the wrong step out in smaller ones."""

    mistake: str
    rationale: str
    answer: str


Parsed = TypeVar("Parsed")

_PATIENCE = 2_000  # questions drawn in search of one with a certain kind of step

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ANSWER_LINE = re.compile(rf"^\s*{ANSWER_HEADING}", re.MULTILINE)


def sentences(text: str) -> list[str]:
    """`text` cut after full stops, question and exclamation marks, and at line ends; blanks dropped."""
    return [part for part in (part.strip() for part in _SENTENCE_END.split(text)) if part]


def one_line(text: str) -> str:
    """`text` with every run of white space replaced by one space."""
    return " ".join(text.split())


def mentions(sentence: str, names: Sequence[str]) -> list[str]:
    """Those of `names` that occur in `sentence` as whole words, in order of occurrence (longest name first)."""
    pattern = "|".join(re.escape(name) for name in sorted(set(names), key=len, reverse=True) if name)
    return re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", sentence) if pattern else []


class Family(ABC, Generic[Parsed]):
    """A task family. `Parsed` is the problem's structure as read from its text."""

    name: str
    answer_kind: AnswerKind

    @abstractmethod
    def generate(self, rng: random.Random) -> tuple[str, str]:
        """A new question and its answer."""

    @abstractmethod
    def parse(self, question: str) -> Parsed | None:
        """The structure of a question, or None when its wording is not this family's."""

    @abstractmethod
    def work_out(self, problem: Parsed) -> Solution:
        """The solution of a parsed problem."""

    @abstractmethod
    def read(self, problem: Parsed, sentence: str, done: frozenset[int]) -> Claim | None:
        """What `sentence` claims, given the steps already done; None when it claims nothing. Never raises."""

    @abstractmethod
    def corrupted(self, problem: Parsed, rng: random.Random) -> Worked:
        """A solution with one wrong step that is followed through to a wrong answer."""

    @abstractmethod
    def concluded(self, problem: Parsed, text: str) -> str | None:
        """The answer that a rationale arrives at, right or wrong; None when it arrives at none."""

    @abstractmethod
    def kind_of_step(self, problem: Parsed, step: int) -> Hashable:
        """What makes step `step` of this problem and one of another problem the same kind: the same thing to be known
        or done, with other names and numbers."""

    def choices(self, question: str) -> tuple[str, ...]:
        """The texts of the options of a multiple-choice question, in order."""
        return ()

    def cut(self, text: str) -> list[str]:
        """`text` in the pieces that `read` looks at one by one: its sentences."""
        return sentences(text)

    def solve(self, question: str) -> Solution:
        """The solution. Errors: `UnknownQuestionError`."""
        return self.work_out(self._parsed(question))

    def rationale(self, question: str, rng: random.Random | None = None) -> Worked:
        """A chain of thought, one short sentence a step. Errors: `UnknownQuestionError`."""
        solution = self.solve(question)
        text = " ".join(_say(solution.steps[index], rng) for index in _ordered(solution, rng))
        return Worked(text, solution.answer)

    def corrupt(self, question: str, rng: random.Random) -> Worked:
        """A plausible wrong solution. Errors: `UnknownQuestionError`."""
        return self.corrupted(self._parsed(question), rng)

    def first_wrong_step(self, question: str, rationale: str) -> WrongStep | None:
        """The first wrong, missing or repeated step of a student's rationale, which may end in an answer line.

        None when nothing wrong was found. Errors: `UnknownQuestionError`; none for any rationale.
        """
        problem = self._parsed(question)
        solution = self.work_out(problem)
        body, said = _split_answer(rationale)
        done: set[int] = set()
        for _, claim, wrong in self._read_through(problem, solution, body):
            if wrong is not None:
                return wrong
            if claim.finishes:
                done.add(claim.step)
        for index, step in enumerate(solution.steps):
            if not step.optional and index not in done:
                return WrongStep(index, "", f"The step {step.name} is missing.")
        return self._judge_answer(question, solution, said)

    def said_steps(self, question: str, rationale: str) -> list[SaidStep]:
        """The sentences of a rationale that say something about a step, up to the first wrong one.

        Errors: `UnknownQuestionError`; none for any rationale."""
        problem = self._parsed(question)
        body, _ = _split_answer(rationale)
        found, end = [], 0
        for sentence, claim, wrong in self._read_through(problem, self.work_out(problem), body):
            start = body.index(sentence, end)
            end = start + len(sentence)
            step = claim.step if wrong is None else wrong.index
            found.append(SaidStep(step, start, end, wrong is None, claim.finishes))
        return found

    def wrong_words(self, question: str, rationale: str) -> str:
        """The student's own words in which it goes wrong first, its answer line included; "" where there are none.

        Errors: `UnknownQuestionError`; none for any rationale."""
        said = self.said_steps(question, rationale)
        if said and not said[-1].right:
            return rationale[said[-1].start : said[-1].end]
        wrong = self.first_wrong_step(question, rationale)
        return wrong.sentence if wrong is not None else ""

    def feedback(
        self, question: str, rationale: str, rng: random.Random | None = None, *, go_on: bool = False
    ) -> Feedback:
        """Names the first wrong step and works out that step, and no other, in smaller ones. With `go_on` without the
        steps that are done rightly before it.

        Errors: `UnknownQuestionError`; none for any rationale.
        """
        solution = self.solve(question)
        wrong = self.first_wrong_step(question, rationale)
        if wrong is None:
            wrong = WrongStep(len(solution.steps) - 1, "", "The steps are right, but the answer is not stated.")
        parts = self.said_steps(question, rationale) if go_on else ()
        done = {part.step for part in parts if part.right and part.finishes} - {wrong.index}
        said = []
        for index in _ordered(solution, rng):
            step = solution.steps[index]
            if index in done or (go_on and step.optional and index < wrong.index):
                continue
            said.append(" ".join(step.smaller) if index == wrong.index else _say(step, rng))
        return Feedback(wrong.reason, " ".join(said), solution.answer)

    def kinds_of_steps(self, question: str) -> list[Hashable]:
        """The kind of every step of the solution. Errors: `UnknownQuestionError`."""
        problem = self._parsed(question)
        return [self.kind_of_step(problem, step) for step in range(len(self.work_out(problem).steps))]

    def similar(self, question: str, step: int | None, rng: random.Random, taken: Collection[str] = ()) -> str | None:
        """A new training question that needs a step of the kind of step `step` of `question` (None: any), and is not
        one of `taken`. Where no such step turns up it is a question without one; None where the family has no other
        training question. Errors: `UnknownQuestionError`."""
        wanted = None if step is None else self.kinds_of_steps(question)[step]
        without: str | None = None
        for _ in range(_PATIENCE):
            new, _ = self.generate(rng)
            if new == question or new in taken or split_of(new) is not Split.TRAIN:
                continue
            if step is None or wanted in self.kinds_of_steps(new):
                return new
            without = without or new
        return without

    def conclusion(self, question: str, rationale: str) -> str | None:
        """The answer that a rationale arrives at, right or wrong. Errors: `UnknownQuestionError`."""
        return self.concluded(self._parsed(question), rationale)

    def _parsed(self, question: str) -> Parsed:
        problem = self.parse(question)
        if problem is None:
            raise UnknownQuestionError(self.name, question)
        return problem

    def _read_through(
        self, problem: Parsed, solution: Solution, body: str
    ) -> Iterator[tuple[str, Claim, WrongStep | None]]:
        """Every sentence that claims something, what it claims, and what is wrong with it: the last one that is."""
        done: set[int] = set()
        for sentence in self.cut(body):
            claim = self.read(problem, sentence, frozenset(done))
            if claim is None:
                continue
            wrong = _judge(solution, claim, sentence, done)
            yield sentence, claim, wrong
            if wrong is not None:
                return
            if claim.finishes:
                done.add(claim.step)

    def _judge_answer(self, question: str, solution: Solution, said: str | None) -> WrongStep | None:
        """Judges the answer line by the rule that grades the exam; None for a rationale without such a line."""
        if said is None:
            return None
        last = len(solution.steps) - 1
        found = extract(f"{ANSWER_HEADING} {said}", self.answer_kind, self.choices(question)) if said else ""
        if not found:
            return WrongStep(last, "", "The final answer is missing.")
        if same_answer(found, solution.answer, self.answer_kind):
            return None
        reason = f"The steps are right, but they lead to the answer {solution.answer}, not {found}."
        return WrongStep(last, f"{ANSWER_HEADING} {said}", reason)


def _say(step: Step, rng: random.Random | None) -> str:
    return step.wordings[0] if rng is None else rng.choice(step.wordings)


def _ordered(solution: Solution, rng: random.Random | None) -> list[int]:
    """The steps in canonical order, or in a random one of those that respect what each step needs."""
    if rng is None:
        return list(range(len(solution.steps)))
    order: list[int] = []
    while len(order) < len(solution.steps):
        ready = [i for i, step in enumerate(solution.steps) if i not in order and set(step.needs) <= set(order)]
        order.append(rng.choice(ready))
    return order


def _judge(solution: Solution, claim: Claim, sentence: str, done: set[int]) -> WrongStep | None:
    step = solution.steps[claim.step]
    for index in step.needs:
        needed = solution.steps[index]
        if index not in done and not needed.optional:
            return WrongStep(index, "", f"The step {needed.name} is missing.")
    if claim.fault:
        return WrongStep(claim.step, sentence, claim.fault)
    if claim.finishes and claim.step in done and not step.optional:
        return WrongStep(claim.step, sentence, f"The step {step.name} is done twice.")
    return None


def _split_answer(rationale: str) -> tuple[str, str | None]:
    found = _ANSWER_LINE.search(rationale)
    if found is None:
        return rationale, None
    return rationale[: found.start()], rationale[found.end() :].strip().partition("\n")[0]
