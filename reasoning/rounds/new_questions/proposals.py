"""New questions for old mistakes: the teacher writes questions that need the step the student missed.

Owns: reading them out of the teacher's reply, and which of them are admitted. What becomes of an admitted question is
decided by `reasoning.rounds.new_questions.agreement`.

Invariants
- A reply is data: any text is a valid one, and what cannot be read as a question is passed over.
- No question of validation or test is ever admitted, however it is spaced, punctuated or capitalised and in whatever
  order its choices stand; no question is admitted twice.
- An admitted question has an answer of its task's kind and, for multiple choice, at least two different choices.

Source: LLM2LLM (arXiv 2403.15042), which writes new examples from the wrongly answered ones of the original data only:
mistakes on new questions are not asked about again, so that errors of the teacher do not breed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from reasoning.grading.answers import answer_of_reply, is_answer
from reasoning.grading.kinds import KINDS, rules_for
from reasoning.grading.options import LETTERS
from reasoning.prompts.headings import ATTEMPT_HEADING, MISTAKE_HEADING, one_block
from reasoning.records import AnswerKind, Problem, Split
from reasoning.tasks.repetitions.near import NearQuestions, Question, answers_told
from reasoning.teacher.thinking import split_thinking
from reasoning.teacher.turns import own_turn

# The reply -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new question as the teacher wrote it. What is missing is empty; `answer` is in the task's own form ("18",
    "yes", "B"), and `choices` are those found in the text of a multiple-choice question."""

    question: str
    rationale: str
    answer: str
    answer_kind: AnswerKind
    choices: tuple[str, ...] = ()

    def problem(self, task: str) -> Problem:
        """The training problem that it would be, if its own answer is right: what independent answers are asked for."""
        return Problem(task, self.question, self.answer, self.answer_kind, Split.TRAIN, self.choices)


# "Question:", "**Question 1:**", "2. Reasoning:", "### Question 3" alone on a line, "Final answer:"
_HEADING = re.compile(
    r"^[ \t>*_#(\[\-]*(?:\d{1,3}[.):\]]+[ \t*_]*)?(?:new[ \t]|final[ \t])?"
    r"(?P<part>question|reasoning|rationale|solution|answer)"
    r"(?:(?:[ \t]*[#(]?\d{1,3}\)?)?[ \t*_]*:[*_]{0,3}|[ \t]*#?\d{1,3}[ \t*_]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNREADABLE = "\ufffd"
_OPTION = re.compile(r"(?<!\w)\(([A-Z])\)")


def read_new_questions(
    text: str, kind: AnswerKind, *, complete: bool = True, at_most: int | None = None
) -> list[Proposal]:
    """The new questions in a reply, in order: at most `at_most`. Of a reply that was cut off (not `complete`) the last
    one is left out, unless its answer line had ended. What the teacher thinks before it speaks proposes nothing."""
    blocks: list[dict[str, str]] = []
    thinking = split_thinking(text)
    if not thinking.closed:
        return []
    readable = _SURROGATE.sub(_UNREADABLE, own_turn(thinking.said)).replace("\r\n", "\n")
    for heading, said in _pieces(readable, list(_HEADING.finditer(readable))):
        part = heading["part"].lower()
        if part == "question":
            blocks.append({"question": said, "reasoning": "", "answer": ""})
        elif not blocks:
            continue
        elif part == "answer":
            blocks[-1]["answer"] = said
        else:
            blocks[-1]["reasoning"] += said
    if not complete and blocks and "\n" not in blocks[-1]["answer"].lstrip():
        blocks.pop()
    return [_proposal(block, kind) for block in blocks[:at_most]]


def choices_in(question: str) -> tuple[str, ...]:
    """The texts of the options "(A) ... (B) ..." at the end of a question, in order; empty where there are none."""
    return tuple(option.strip(" \t\n.;,") for _, option in _pieces(question, _option_marks(question)))


def _pieces(text: str, marks: list[re.Match[str]]) -> list[tuple[re.Match[str], str]]:
    """Each mark with the text from it to the next one."""
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [(mark, text[mark.end() : end]) for mark, end in zip(marks, ends, strict=False)]


def _option_marks(question: str) -> list[re.Match[str]]:
    """The marks (A), (B), ... from the last (A) on; what is in brackets but not the next letter is text."""
    marks: list[re.Match[str]] = []
    for mark in _OPTION.finditer(question):
        if mark[1] == "A":
            marks = [mark]
        elif marks and mark[1] == LETTERS[len(marks) % len(LETTERS)]:
            marks.append(mark)
    return marks


def _proposal(block: dict[str, str], kind: AnswerKind) -> Proposal:
    question = one_block(block["question"]).strip("*_ \n")
    choices = choices_in(question) if KINDS[kind].has_options else ()
    answer = _in_task_form(block["answer"], Problem("", question, "", kind, Split.TRAIN, choices))
    return Proposal(question, one_block(block["reasoning"]).strip("*_ \n"), answer, kind, choices)


def _in_task_form(said: str, problem: Problem) -> str:
    """The answer of an answer line, as a student is to write it."""
    line = said.strip().partition("\n")[0]
    return rules_for(problem).as_written(line, answer_of_reply(line, problem))


# Filtering --------------------------------------------------------------------------------------------------------


class ProposalOutcome(StrEnum):
    """What became of a proposal: kept, or why not."""

    KEPT = "kept"
    NOT_AGREED = "not_agreed"  # too few independent answers were the same
    HELD_OUT = "held_out"  # it is a question of validation or test
    REPEATED = "repeated"  # it is a training question, or was proposed before
    MALFORMED = "malformed"  # no question, or one that holds what no question can
    TOO_LONG = "too_long"
    NO_CHOICES = "no_choices"  # a multiple-choice question without at least two different choices
    NO_ANSWER = "no_answer"  # none, or not one of the task's kind


_MOST_TIMES_LONGER = 2
_ALWAYS_SHORT_ENOUGH = 200
_PUNCTUATION = re.compile(r"[^\w\s+\-*/×÷=%<>^$€£.]|\.(?!\d)|_")
_BEFORE_CHOICES = re.compile(r"\s*(?:answer )?(?:choices|options)$")
_IN_NO_QUESTION = (_UNREADABLE, "\0", f"\n{MISTAKE_HEADING}", f"\n{ATTEMPT_HEADING}")


class ProposalFilter:
    """Judges proposals one after another, and remembers those that it admitted."""

    def __init__(self, known: Iterable[Problem], own_split: Callable[[str], Split] | None = None) -> None:
        """`known`: every question of train, validation and test, and the new ones of earlier rounds. `own_split`, for a
        generated task, says which split a question that was never drawn belongs to
        (`reasoning.tasks.families.split_of`). Without it, what is a held-out question in other words is held out."""
        known = list(known)
        self._own_split = own_split
        self._splits: dict[str, Split] = {}
        held_out = [problem for problem in known if problem.split is not Split.TRAIN and own_split is None]
        self._held_out = NearQuestions(_comparable(one, one.golds) for one in held_out)
        longest = 0
        for problem in known:
            key = question_key(problem.question, problem.answer_kind)
            longest = max(longest, len(problem.question))
            if problem.split is not Split.TRAIN or key not in self._splits:
                self._splits[key] = problem.split
        self._longest = max(_ALWAYS_SHORT_ENOUGH, _MOST_TIMES_LONGER * longest)

    def fault(self, proposal: Proposal) -> ProposalOutcome | None:
        """Why `proposal` is not admitted; None, and its question is known from now on, when it is."""
        key = question_key(proposal.question, proposal.answer_kind)
        fault = self._fault(proposal, key)
        if fault is None:
            self._splits[key] = Split.TRAIN
        return fault

    def _fault(self, proposal: Proposal, key: str) -> ProposalOutcome | None:
        if not key or any(text in f"\n{proposal.question}" for text in _IN_NO_QUESTION):
            return ProposalOutcome.MALFORMED
        if len(proposal.question) > self._longest or len(proposal.answer) > self._longest:
            return ProposalOutcome.TOO_LONG
        split = self._splits.get(key)
        if split is Split.TRAIN:
            return ProposalOutcome.REPEATED
        if split is not None or self.is_held_out(proposal, proposal.answer):
            return ProposalOutcome.HELD_OUT
        if KINDS[proposal.answer_kind].has_options and not _differ(proposal.choices):
            return ProposalOutcome.NO_CHOICES
        if not is_answer(proposal.answer, proposal.answer_kind, proposal.choices):
            return ProposalOutcome.NO_ANSWER
        return ProposalOutcome.MALFORMED if _UNREADABLE in proposal.answer + proposal.rationale else None

    def is_held_out(self, proposal: Proposal, answer: str) -> bool:
        """Whether `proposal`, if `answer` is right, is a held-out question in other words. Asked again with the answer
        that its independent answers agree on: a copied question whose answer its teacher got wrong is near none."""
        if self._own_split is not None:
            return self._own_split(" ".join(proposal.question.split())) is not Split.TRAIN
        return bool(self._held_out.near(_comparable(proposal, (answer,))))


def _comparable(asked: Problem | Proposal, golds: tuple[str, ...]) -> Question:
    return Question(_story(asked.question, asked.answer_kind), answers_told(golds, asked.choices), "")


def question_key(question: str, kind: AnswerKind) -> str:
    """What two questions have in common that are the same one: their words, numbers and signs of calculation. Case,
    spaces and punctuation do not count, and of a multiple-choice question only what stands before its choices."""
    story = _story(question, kind)
    plain = unicodedata.normalize("NFKC", story).casefold()
    words = " ".join(_PUNCTUATION.sub("", plain).split())
    return words if story is question else _BEFORE_CHOICES.sub("", words)


def _story(question: str, kind: AnswerKind) -> str:
    """What stands before the choices of a multiple-choice question; any other question whole."""
    marks = _option_marks(question) if KINDS[kind].has_options else []
    return question[: marks[0].start()] if marks else question


def _differ(choices: tuple[str, ...]) -> bool:
    named = {" ".join(choice.casefold().split()) for choice in choices}
    return len(choices) >= 2 and len(named) == len(choices) and "" not in named
