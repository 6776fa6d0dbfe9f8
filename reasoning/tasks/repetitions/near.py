"""Training questions that are test questions in other words: found, told, and left out of train.

Owns: what counts as nearly the same question, and how such pairs are found without comparing all with all.

A training question is near a test question when both have a right answer in common, hold the same numbers in the same
order, and are word for word the same but for case and punctuation, or so nearly that of the longer one's words nine in
ten are the other's, in its order; or when the one holds the other, whole but for one word in twenty (`MOSTLY`, `HELD`).
Other numbers or another answer make another question, however alike the words.

Invariant: a task whose questions come from a template keeps its training questions. Where more than `TEMPLATE_SHARE` of
them are near the test, and most of those near several of its questions, nearness does not say that one was copied. That
is told, and those that are the same but for case and punctuation leave train all the same.

Source: the n-gram overlap of GPT-3's and lm-evaluation-harness's decontamination, made exact by comparing words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from reasoning.grading.options import LETTERS

MOSTLY = 0.9  # of the longer question's words
HELD = 0.95  # of the shorter one's, which has at least HELD_WORDS
HELD_WORDS = 12
TEMPLATE_SHARE = 0.1  # of the training questions
TEMPLATE_NEAR = 1.5  # test questions, on average, that such a one is near
_GRAM = 5  # words in a row that two near questions share somewhere
_COMMON = 20  # test questions that share a gram: it is a template's, and does not say which of them is meant
_COMPARED = 20  # test questions that a training question is compared with, those that share the most grams first

_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


@dataclass(frozen=True)
class Question:
    """A question without its options, its right answers as they are told (an option by its text), and its place."""

    text: str
    answers: frozenset[str]
    place: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        plain = unicodedata.normalize("NFKC", self.text).casefold()
        return tuple(_WORD.findall(_THOUSANDS.sub("", plain)))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        return tuple(word for word in self.words if word[0].isdigit())

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        last = max(1, len(self.words) - _GRAM + 1)
        return frozenset(self.words[at : at + _GRAM] for at in range(last))


def answers_told(golds: Iterable[str], choices: Sequence[str]) -> frozenset[str]:
    """Right answers as they are compared: an option, whose letter depends on the order, by its text."""
    texts = dict(zip(LETTERS, choices, strict=False))
    return frozenset(texts.get(gold, gold).casefold().strip() for gold in golds)


def alike(left: Question, right: Question) -> bool:
    """Whether these are the same question but for a few words."""
    if not left.answers & right.answers or left.numbers != right.numbers:
        return False
    if left.words == right.words:
        return True
    shorter, longer = sorted((len(left.words), len(right.words)))
    if not shorter or (shorter < MOSTLY * longer and shorter < HELD_WORDS):
        return False
    blocks = SequenceMatcher(None, left.words, right.words, autojunk=False).get_matching_blocks()
    shared = sum(block.size for block in blocks)
    return shared >= MOSTLY * longer or (shorter >= HELD_WORDS and shared >= HELD * shorter)


class NearQuestions:
    """An index of test questions, in which those that another question is near are found."""

    def __init__(self, tests: Iterable[Question]) -> None:
        self._tests = tuple(tests)
        self._same: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        sharing: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, one in enumerate(self._tests):
            self._same[one.words].append(number)
            for gram in one.grams:
                sharing[gram].append(number)
        self._sharing = {gram: numbers for gram, numbers in sharing.items() if len(numbers) <= _COMMON}

    def near(self, asked: Question) -> tuple[Question, ...]:
        """The test questions that `asked` is near, those with the same words first."""
        shared = Counter(number for gram in asked.grams for number in self._sharing.get(gram, ()))
        likely = dict.fromkeys([*self._same.get(asked.words, ()), *(number for number, _ in shared.most_common())])
        return tuple(one for number in [*likely][:_COMPARED] if alike(asked, one := self._tests[number]))


def near_the_test(train: Mapping[int, Question], tests: Iterable[Question]) -> tuple[set[int], tuple[str, ...]]:
    """The positions of training questions that leave train because a test question is nearly the same, and what a
    reader of the results should know about it."""
    index = NearQuestions(tests)
    found = {position: (one, near) for position, one in train.items() if (near := index.near(one))}
    from_template = len(found) > TEMPLATE_SHARE * len(train) and sum(
        len(near) for _, near in found.values()
    ) >= TEMPLATE_NEAR * len(found)
    left_out = {at for at, (one, near) in found.items() if not from_template or one.words == near[0].words}
    notes = []
    if from_template:
        notes.append(
            f"{len(found)} of {len(train)} training questions differ from test questions with the same answer in a few "
            "words only, as questions from a template do: they are learnt from."
        )
    if left_out:
        what = "1 training question is" if len(left_out) == 1 else f"{len(left_out)} training questions are"
        places = "; ".join(f"{found[at][0].place} like {found[at][1][0].place}" for at in sorted(left_out))
        notes.append(f"{what} left out, being nearly the same as a test question: {places}.")
    return left_out, tuple(notes)
