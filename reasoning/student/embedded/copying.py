"""Copying and looking up: the skill that everything else in the student's diet needs, and the last to form.

Owns: passages in which the answer stands in the question and has to be found there. Invariant: no answer needs more
than one look-up.
"""

from __future__ import annotations

import random

from reasoning.student.embedded.passage import Passage, Writer, passage
from reasoning.tasks.families.names import distinct_names

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_NOUNS = """
apples books coins pens cards shells stamps marbles eggs cookies stickers beads balls cakes roses plums boxes bags keys
cups toys nuts pears kites rings seeds stones leaves lamps maps hats chairs
"""
_THINGS = _NOUNS.split()


def number(rng: random.Random) -> int:
    """A number of one to three digits, two the most often."""
    digits = rng.choices((1, 2, 3), (2, 5, 3))[0]
    return rng.randint(2 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def token_like(rng: random.Random, count: int) -> list[str]:
    """`count` different things to copy, all of one kind: names, numbers, nouns or numbers of nouns."""
    kind = rng.randrange(4)
    if kind == 0:
        return distinct_names(rng, count)
    if kind == 1:
        return [str(n) for n in _distinct_numbers(rng, count)]
    if kind == 2:
        return rng.sample(_THINGS, count)
    things = rng.sample(_THINGS, count)
    return [f"{n} {thing}" for n, thing in zip(_distinct_numbers(rng, count), things, strict=True)]


def repeat(rng: random.Random) -> Passage:
    """Say a list again."""
    items = ", ".join(token_like(rng, rng.randint(2, 7)))
    return passage(f"Repeat: {items}.\nAgain:", f" {items}.")


def after(rng: random.Random) -> Passage:
    """The item that follows, or precedes, a given one; several questions about one list."""
    items = token_like(rng, rng.randint(3, 7))
    texts = []
    for place in rng.sample(range(len(items) - 1), 2):
        if rng.random() < 0.7:
            texts += [f"\nAfter {items[place]}:", f" {items[place + 1]}."]
        else:
            texts += [f"\nBefore {items[place + 1]}:", f" {items[place]}."]
    texts[0] = f"List: {', '.join(items)}.{texts[0]}"
    return passage(*texts)


def nth(rng: random.Random) -> Passage:
    """The n-th item of a list."""
    items = token_like(rng, rng.randint(3, 6))
    places = rng.sample(range(len(items)), 2)
    texts = []
    for place in places:
        texts += [f"\nThe {_ORDINALS[place]}:", f" {items[place]}."]
    texts[0] = f"List: {', '.join(items)}.{texts[0]}"
    return passage(*texts)


def look_up(rng: random.Random) -> Passage:
    """What belongs to a name."""
    names = distinct_names(rng, rng.randint(2, 6))
    values = token_like(rng, len(names))
    if rng.random() < 0.5:
        told = " ".join(f"{name} has {value}." for name, value in zip(names, values, strict=True))
        ask, say = "\nWhat does {name} have?", " {name} has {value}."
    else:
        told = " ".join(f"{name}: {value}." for name, value in zip(names, values, strict=True))
        ask, say = "\n{name}:", " {value}."
    texts = []
    for place in rng.sample(range(len(names)), 2):
        part = {"name": names[place], "value": values[place]}
        texts += [ask.format(**part), say.format(**part)]
    texts[0] = told + texts[0]
    return passage(*texts)


def numbers_of_text(rng: random.Random) -> Passage:
    """The numbers of a text, in order."""
    amounts = [number(rng) for _ in range(rng.randint(2, 5))]
    verbs = ("has", "finds", "sees", "buys", "sells", "gives", "counts", "loses", "takes", "paints")
    names = distinct_names(rng, len(amounts))
    told = " ".join(
        f"{name} {rng.choice(verbs)} {amount} {rng.choice(_THINGS)}."
        for name, amount in zip(names, amounts, strict=True)
    )
    return passage(f"{told}\nNumbers:", f" {', '.join(map(str, amounts))}.")


WRITERS: dict[str, Writer] = {
    "repeat": repeat,
    "after": after,
    "nth": nth,
    "look_up": look_up,
    "numbers_of_text": numbers_of_text,
}


def _distinct_numbers(rng: random.Random, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        candidate = number(rng)
        if candidate not in found:
            found.append(candidate)
    return found
