"""Reading: questions of the task families, asked about without being solved.

Owns: passages in which a whole question stands and something of it is said again: its numbers, the sentence with a
number, who does what. Invariants: only questions of the training split; nothing is computed, so no step of a solution
is ever shown on a whole question.
"""

from __future__ import annotations

import random
import re
from typing import Any

from reasoning.records import Split
from reasoning.student.embedded.passage import Passage, Writer, passage
from reasoning.tasks.families import FAMILIES, Family, split_of
from reasoning.tasks.families.family import sentences

_NUMBER = re.compile(r"\d+")
_ACT = re.compile(r"(\w+) (flips|does not flip) the coin\.")
_SWAP = re.compile(r"(?:First|Then|Next|After that|Finally), (\w+) and (\w+) ")


def training_question(family: Family[Any], rng: random.Random) -> str:
    """A question of the family that belongs to the training split."""
    while True:
        question, _ = family.generate(rng)
        if split_of(question) is Split.TRAIN:
            return question


def numbers(rng: random.Random) -> Passage:
    """The numbers of a story, in order."""
    question = training_question(FAMILIES["arithmetic"], rng)
    return passage(f"Text: {question}\nNumbers:", f" {', '.join(_NUMBER.findall(question))}.")


def sentence_of(rng: random.Random) -> Passage:
    """The sentence of a story that follows another one, or that names a number."""
    question = training_question(FAMILIES["arithmetic"], rng)
    parts = sentences(question)
    texts: list[str] = []
    for place in rng.sample(range(1, len(parts)), min(2, len(parts) - 1)):
        found = _NUMBER.findall(parts[place])
        if found and rng.random() < 0.5:
            texts += [f"\nThe sentence with {found[0]}:", f" {parts[place]}"]
        else:
            texts += [f"\nAfter '{parts[place - 1]}':", f" {parts[place]}"]
    texts[0] = f"Text: {question}{texts[0]}"
    return passage(*texts)


def acts(rng: random.Random) -> Passage:
    """Who flips the coin and who does not."""
    question = training_question(FAMILIES["coin_flip"], rng)
    told = " ".join(f"{name}: {'flips' if act == 'flips' else 'not'}." for name, act in _ACT.findall(question))
    return passage(f"Text: {question}\nWho flips:", f" {told}")


def words(rng: random.Random) -> Passage:
    """The words of a last-letter question, one by one."""
    question = training_question(FAMILIES["last_letter_concatenation"], rng)
    quoted = question.partition('"')[2].partition('"')[0].split()
    return passage(f"Text: {question}\nWords:", f" {', '.join(quoted)}.")


def pairs(rng: random.Random) -> Passage:
    """Who swaps with whom, in order."""
    question = training_question(FAMILIES["tracking_shuffled_objects"], rng)
    told = ", ".join(f"{first} and {second}" for first, second in _SWAP.findall(question))
    return passage(f"Text: {question}\nSwaps:", f" {told}.")


WRITERS: dict[str, Writer] = {
    "story_numbers": numbers,
    "story_sentence": sentence_of,
    "coin_acts": acts,
    "letter_words": words,
    "swap_pairs": pairs,
}
