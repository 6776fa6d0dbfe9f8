"""The settings in which objects are shuffled: who the people are, what they hold and how a swap is called.

Owns: our own contexts and items, in the sentence form of the published task. Invariants: no item is part of another
item of its context; no item contains a comma or a full stop; every question is one line.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasoning.grading.options import LETTERS

_ORDER = ("First", "Then", "Next", "After that")


@dataclass(frozen=True, slots=True)
class Context:
    """`people` and `start` open the story, `gets` says who holds what at the start ("has" is followed by a or an),
    `during` announces the swaps, `swap` is the verb with its object, `end` closes, `verb` asks. No `items`: people."""

    people: str
    start: str
    gets: str
    during: str
    swap: str
    end: str
    verb: str
    items: tuple[str, ...]

    def question(
        self,
        players: tuple[str, ...],
        held: tuple[str, ...],
        swaps: tuple[tuple[int, int], ...],
        asked: int,
        choices: tuple[str, ...],
    ) -> str:
        """The question with its answer choices, on one line."""
        holds = _listed([f"{player} {self._gets(item)}" for player, item in zip(players, held, strict=True)])
        told = []
        for index, (first, second) in enumerate(swaps):
            when = "Finally" if index == len(swaps) - 1 and index else _ORDER[index % len(_ORDER)]
            told.append(f"{when}, {players[first]} and {players[second]} {self.swap}.")
        options = " ".join(f"({letter}) {choice}." for letter, choice in zip(LETTERS, choices, strict=False))
        return (
            f"{_listed(list(players))} are {self.people}. {self.start}: {holds}. {self.during}. {' '.join(told)} "
            f"{self.end}, {players[asked]} {self.verb} Which choice is true ? Answer Choices: {options}"
        )

    def _gets(self, item: str) -> str:
        if self.gets != "has":
            return f"{self.gets} {item}"
        return f"has {'an' if item[0] in 'aeiou' else 'a'} {item}"


def _listed(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"


def _each(words: str, noun: str) -> tuple[str, ...]:
    return tuple(f"{word} {noun}" for word in words.split())


CONTEXTS: tuple[Context, ...] = (
    Context(
        "playing a game in the yard",
        "At the start of the game, they are each holding a ball",
        "has",
        "As the game goes on, pairs of players trade balls",
        "swap balls",
        "At the end of the game",
        "has the",
        _each("red gray gold silver striped spotted violet beige olive amber", "ball"),
    ),
    Context(
        "guests at a winter party",
        "At the start of the party, they are each holding a present",
        "has",
        "As the party goes on, pairs of guests swap presents",
        "swap their presents",
        "At the end of the party",
        "has the",
        _each("tiny huge round square heavy light shiny plain soft flat", "present"),
    ),
    Context(
        "sitting at a camp fire",
        "At the start of the evening, they are each given a mug",
        "has",
        "As the evening goes on, pairs of friends trade mugs",
        "trade mugs",
        "At the end of the evening",
        "has the",
        _each("tin clay glass wooden copper paper stone ivory steel bone", "mug"),
    ),
    Context(
        "members of a reading club",
        "At the start of the month, they each borrow one book",
        "gets",
        "During the month, they pass their books around",
        "exchange books",
        "At the end of the month",
        "has",
        (
            "The Silver Key",
            "Winter Harbor",
            "Nine Small Rivers",
            "The Clockmaker",
            "Salt and Thunder",
            "Letters from Orla",
            "The Last Orchard",
            "Paper Lanterns",
        ),
    ),
    Context(
        "dancers at a village fair",
        "At the start of a dance, they each have a partner",
        "is dancing with",
        "During the dance, the dancers often change partners",
        "switch partners",
        "At the end of the dance",
        "is dancing with",
        (),
    ),
    Context(
        "on the same handball team",
        "At the start of the match, they are each assigned to a position",
        "is playing",
        "During the match, pairs of players change positions",
        "trade positions",
        "At the end of the match",
        "is playing",
        ("goalkeeper", "left wing", "right wing", "pivot", "left back", "right back", "playmaker"),
    ),
)
