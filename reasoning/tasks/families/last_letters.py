"""Last-letter concatenation, in the published wording.

Owns: the wording, the parser, the steps and the reader of one sentence. Source: the task of Wei et al. (2022) in the
form of Kojima et al. (2022). Invariants: step i is the i-th word between the quotes, the last step puts the letters
together; a word is what stands between blanks.

15 of the 500 published questions hold a double name ("Jose Antonio"); their published answers count it as one word,
which the text does not say. Here it is two, so those 15 are solved otherwise than published.
"""

from __future__ import annotations

import random
import re
from collections.abc import Hashable
from dataclasses import dataclass

from reasoning.records import AnswerKind
from reasoning.tasks.families.family import Claim, Family, Solution, Step, Worked, mentions, one_line
from reasoning.tasks.families.names import distinct_names

_QUESTION = re.compile(
    r"Take the last letters of (?:each|the) words? in [\"“](?P<words>[^\"“”]*[^\"“”\s])[\"”] and concatenate them\.?"
)
_LETTER = re.compile(r"(?<![\w'])[^\W\d_](?![\w'])")
_TOGETHER = re.compile(r"\btogether\b|\bmake\b|\bconcatenat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LettersProblem:
    words: tuple[str, ...]

    def letters(self) -> tuple[str, ...]:
        return tuple(word[-1] for word in self.words)


class LastLetters(Family[LettersProblem]):
    name = "last_letter_concatenation"
    answer_kind = AnswerKind.TEXT

    def __init__(self, words: tuple[int, int] = (4, 4)) -> None:
        """`words`: fewest and most words in a question."""
        self.words = words

    def generate(self, rng: random.Random) -> tuple[str, str]:
        words = distinct_names(rng, rng.randint(*self.words))
        question = f'Take the last letters of each words in "{" ".join(words)}" and concatenate them.'
        return question, "".join(word[-1] for word in words)

    def parse(self, question: str) -> LettersProblem | None:
        found = _QUESTION.fullmatch(one_line(question))
        return LettersProblem(tuple(found["words"].split())) if found else None

    def work_out(self, problem: LettersProblem) -> Solution:
        return _told(problem, problem.letters())

    def read(self, problem: LettersProblem, sentence: str, done: frozenset[int]) -> Claim | None:
        last = len(problem.words)
        if _TOGETHER.search(sentence):
            return self._read_together(problem, sentence)
        named = mentions(sentence, problem.words)
        if named:
            step = _step_of(problem, named[0], done)
        else:
            step = next((index for index in range(last) if index not in done), last)
        if step == last:
            return None
        word = problem.words[step]
        said = _LETTER.findall(sentence.partition(word)[2] if named else sentence)
        if "spelled" in sentence:
            return Claim(step, "" if said == list(word) else f"{word} is spelled {' '.join(word)}.", finishes=False)
        if not said:
            return None
        if said[-1] != word[-1]:
            return Claim(step, f"The last letter of {word} is {word[-1]}, not {said[-1]}.")
        return Claim(step)

    def corrupted(self, problem: LettersProblem, rng: random.Random) -> Worked:
        wrong = rng.randrange(len(problem.words))
        word = problem.words[wrong]
        slips = [letter.lower() for letter in word[-3:-1] + word[0] if letter.lower() != word[-1].lower()]
        slip = rng.choice(slips or [letter for letter in "aeinorst" if letter != word[-1].lower()])
        letters = tuple(slip if step == wrong else letter for step, letter in enumerate(problem.letters()))
        solution = _told(problem, letters)
        return Worked(" ".join(rng.choice(step.wordings) for step in solution.steps), solution.answer, wrong)

    def concluded(self, problem: LettersProblem, text: str) -> str | None:
        found = re.findall(r"\bmake ([^\W\d_]+)", text)
        return found[-1] if found else None

    def kind_of_step(self, problem: LettersProblem, step: int) -> Hashable:
        """A word that ends in this letter."""
        return problem.letters()[step].lower() if step < len(problem.words) else "conclusion"

    def _read_together(self, problem: LettersProblem, sentence: str) -> Claim | None:
        letters = "".join(problem.letters())
        said = re.findall(r"[^\W\d_]+", sentence)[-1]
        if said == letters:
            return Claim(len(problem.words))
        if said == letters[: len(said)]:
            return Claim(len(problem.words), finishes=False)
        return Claim(len(problem.words), f"The letters {' '.join(letters)} together make {letters}, not {said}.")


def _step_of(problem: LettersProblem, word: str, done: frozenset[int]) -> int:
    steps = [step for step, other in enumerate(problem.words) if other == word]
    return next((step for step in steps if step not in done), steps[-1])


def _told(problem: LettersProblem, letters: tuple[str, ...]) -> Solution:
    """The solution with the given letters (the true ones, or those of a wrong solution followed through)."""
    steps = []
    for index, (word, letter) in enumerate(zip(problem.words, letters, strict=True)):
        wordings = (
            f"The last letter of {word} is {letter}.",
            f"{word} ends in {letter}.",
            f"{word} ends with the letter {letter}.",
        )
        smaller = (f"{word} is spelled {' '.join(word)}.", f"So the last letter of {word} is {letter}.")
        steps.append(Step(wordings, smaller, f"for {word}", tuple(range(index))))
    joined = "".join(letters)
    row = " ".join(letters)
    end = (f"The letters {row} make {joined}.", f"Together {row} make {joined}.", f"So {row} make {joined}.")
    small = [f"The letters {' '.join(letters[:size])} make {joined[:size]}." for size in range(2, len(letters) + 1)]
    steps.append(
        Step(
            end,
            (f"We start with {letters[0]}.", *(small or end[:1])),
            "of the conclusion",
            tuple(range(len(steps))),
            optional=True,
        )
    )
    return Solution(tuple(steps), joined)
