"""Texts side by side that a reader searches and filters: what a gallery is, and how much of it a page holds.

Owns: cards, their filters, and the bounds: so many cards, so many characters of a text.

Invariants
- A page says what it leaves out: of cards how many, of a text how many characters.
- Which cards are shown does not hang on chance, and each combination of marks has its share of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_CARDS = 240
MOST_CHARACTERS = 3000


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with its heading. `tone` is "right", "wrong" or "" (neither)."""

    heading: str
    text: str
    tone: str = ""

    @property
    def shown(self) -> str:
        return self.text.strip()[:MOST_CHARACTERS]

    @property
    def cut(self) -> int:
        """How many characters are not shown."""
        return max(0, len(self.text.strip()) - MOST_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Card:
    """A question with its gold answer, and what was said to it. `marks` has a value for each filter of the gallery."""

    question: str
    gold: str
    marks: Mapping[str, str]
    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cards under a title. `names` are the filters' names in words; `in_all` says how many cards there would be."""

    mark: str
    title: str
    lead: str
    names: Mapping[str, str]
    cards: Sequence[Card]
    in_all: int

    @property
    def filters(self) -> dict[str, dict[str, int]]:
        """For each filter its values among the cards, with how many have it."""
        return {key: dict(sorted(Counter(card.marks[key] for card in self.cards).items())) for key in self.names}


def gallery(
    mark: str, title: str, lead: str, names: Mapping[str, str], cards: Sequence[Card], most: int = MOST_CARDS
) -> Gallery:
    """A gallery of at most `most` of the cards, in their order."""
    return Gallery(mark, title, lead, names, spread(cards, most), len(cards))


def spread(cards: Sequence[Card], most: int) -> list[Card]:
    """At most `most` of the cards, in their order: of each combination of marks as many as of each other, as far as
    there are."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, card in enumerate(cards):
        groups[tuple(card.marks.values())].append(number)
    turns = sorted((turn, number) for group in groups.values() for turn, number in enumerate(group))
    return [cards[number] for number in sorted(number for _, number in turns[:most])]
