"""The pretraining text: what the embedded student reads before it is taught anything.

Owns: the mixture of skills and its order. Invariants
- Step k of a seed is always the same text, whichever steps were drawn before: a run resumes anywhere.
- It contains questions of the families' training splits only, and no worked solution of a whole one.
"""

from __future__ import annotations

import random

from reasoning.student.embedded import computing, copying, exercises, reading, spelling
from reasoning.student.embedded.passage import Passage, Writer

SKILLS: dict[str, Writer] = {
    **copying.WRITERS,
    **spelling.WRITERS,
    **computing.WRITERS,
    **exercises.WRITERS,
    **reading.WRITERS,
}

# How often a passage is of a skill. Computing and stories weigh most: they are what is hardest to learn.
MIXTURE: dict[str, float] = {
    "repeat": 4,
    "after": 5,
    "nth": 2,
    "look_up": 5,
    "numbers_of_text": 3,
    "spell": 3,
    "last_letter": 3,
    "join": 3,
    "equations": 22,
    "smaller_steps": 9,
    "chain": 13,
    "one_calculation": 24,
    "one_flip": 4,
    "one_letter": 2,
    "one_swap": 3,
    "story_numbers": 6,
    "story_sentence": 6,
    "coin_acts": 2,
    "letter_words": 1,
    "swap_pairs": 2,
}


def draw(rng: random.Random) -> tuple[str, Passage]:
    """A skill and a new passage of it."""
    skill = rng.choices(list(MIXTURE), list(MIXTURE.values()))[0]
    return skill, SKILLS[skill](rng)


def random_source(seed: int, purpose: str, index: int) -> random.Random:
    """The random source of one piece of text; equal arguments, equal text, in every process."""
    return random.Random(f"{purpose}:{seed}:{index}")


def tokenizer_text(seed: int, passages: int = 20_000) -> list[str]:
    """The text that the tokenizer is trained on."""
    rng = random_source(seed, "tokenizer", 0)
    return [draw(rng)[1].text for _ in range(passages)]
