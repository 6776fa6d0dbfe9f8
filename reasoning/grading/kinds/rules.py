"""What makes a kind of answer: everything the rest of the project asks of one, with the usual reply where there is one.

Owns: the contract of a kind. A kind is a subclass in a file of its own and a line of `reasoning.grading.kinds.KINDS`;
nothing outside that folder asks which kind it has before it.

Invariants
- Total: every method that reads a text or compares answers accepts every string, never raises, and takes time linear
  in its length. Only `gold_in_row`, which reads the values of a user's data, refuses.
- Answers that are compared, counted or kept are in their normal form; "" is no answer, and the same as nothing.
- A kind is a frozen value. What one task wants otherwise (a tolerance) is a field, never a global.

`choices` are always the texts of the options of a multiple-choice question in order, () for any other question.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from reasoning.grading.extraction.found_answer import FoundAnswer, How
from reasoning.grading.kinds.alternatives import alternatives
from reasoning.grading.options import NO_OPTIONS, RowOptions


@dataclass(frozen=True, slots=True)
class AnswerRules(ABC):
    """One kind of answer."""

    description: ClassVar[str]
    """What a gold answer is, for messages: "yes or no"."""

    has_options: ClassVar[bool] = False
    """Whether its questions state options, one of which is the answer."""

    lists_are_answers: ClassVar[bool] = False
    """Whether a list in data is one answer, and not several right ones."""

    settles: ClassVar[bool] = False
    """Whether words after "the answer is" that hold no answer say that there is none, whatever was said before ("The
    answer is not known.")."""

    # Read in a text --------------------------------------------------------------------------------------------------

    @abstractmethod
    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        """The first answer in what was `said` after an anchor (at most a few hundred characters), or the last one after
        second thoughts; `NO_ANSWER` where it says that there is none, None where it says nothing."""

    @abstractmethod
    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """The answer of a text without an anchor, read from its end."""

    def beside(self, question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """The answer of a text that answers only with its question beside it ("A llama would not fit."); None where it
        does not. Usually none does."""
        return None

    @abstractmethod
    def every(self, text: str, choices: tuple[str, ...]) -> Iterable[str]:
        """All candidates of a text, in any order and any number of times."""

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        """Whether `line` is an answer and nothing else, so that a text may begin with it. Usually no."""
        return False

    # Compare ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def normal(self, answer: str) -> str:
        """The normal form of an answer given alone, "" when it is none."""

    def readings(self, gold: str) -> tuple[str, ...]:
        """The normal forms in which a gold answer is right: usually one. A percentage is also its hundredth."""
        return (self.normal(gold),)

    def same(self, left: str, right: str) -> bool:
        """Whether two answers in their normal form are the same. "" is the same as nothing."""
        return left == right and bool(left)

    # Gold answers ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        """Whether `answer`, without white space around it, can be the gold answer of a problem."""

    @abstractmethod
    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        """The gold answer that `value`, a field of a row of data, states. Errors: `ValueError` says what is wrong."""

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        """All right answers that `value` states, the first of which is taught: see `kinds.alternatives`. Errors:
        `ValueError`."""
        found: dict[str, str] = {}
        for one in alternatives(value):
            gold = self.gold_in_row(one, options)
            found.setdefault(self.normal(gold) or gold, gold)
        return tuple(found.values())

    # Write -----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        """An answer of this kind, about as long as `answer`, that is not it."""

    def as_written(self, line: str, found: str) -> str:
        """The answer `found` in `line`, an answer line, as a student is to write it: usually its normal form."""
        return found

    def in_a_sentence(self, answer: str, choices: tuple[str, ...]) -> str:
        """`answer` as a sentence names it after "the answer is": usually as it is."""
        return answer
