"""Spelling: a word as its letters, letters as a word, the last letter of one word.

Owns: passages about the letters of a single word. Invariant: the last
letters of several words are never put together.
"""

from __future__ import annotations

import random
import string

from reasoning.student.embedded.passage import Passage, Writer, passage
from reasoning.tasks.families.names import distinct_names


def spell(rng: random.Random) -> Passage:
    """Names, spelled."""
    texts = []
    for name in distinct_names(rng, 3):
        texts += [f"\n{name} is spelled", f" {' '.join(name)}."]
    return passage(texts[0].lstrip("\n"), *texts[1:])


def last_letter(rng: random.Random) -> Passage:
    """The last letter of a name, spelled out first or not."""
    texts = []
    for name in distinct_names(rng, 4):
        ending = rng.choice((f"The last letter of {name} is", f"{name} ends in", f"{name} ends with the letter"))
        if rng.random() < 0.3:
            texts += [f"\n{name} is spelled", f" {' '.join(name)}. So the last letter of {name} is {name[-1]}."]
        else:
            texts += [f"\n{ending}", f" {name[-1]}."]
    return passage(texts[0].lstrip("\n"), *texts[1:])


def join(rng: random.Random) -> Passage:
    """Letters put together to one word."""
    texts = []
    for _ in range(3):
        letters = [rng.choice(string.ascii_lowercase) for _ in range(rng.randint(2, 5))]
        if rng.random() < 0.6:
            letters = [rng.choice("aaeeiinnoorrssttllydhkm") for _ in letters]
        word = "".join(letters)
        texts += [f"\nThe letters {' '.join(letters)} make", f" {word}."]
    return passage(texts[0].lstrip("\n"), *texts[1:])


WRITERS: dict[str, Writer] = {"spell": spell, "last_letter": last_letter, "join": join}
