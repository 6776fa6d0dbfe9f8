"""Several things that are the answer together, in any order: a set. Normal form: its elements in order, ", " between.

Owns: where one element ends and the next begins. Invariants
- The order does not count, nor does a repetition; all elements must be there, and no other.
- Elements are compared without case, quotes and white space around them; numbers as numbers.
- The set of nothing is "none".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, FoundAnswer, How, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.kinds.alternatives import written_list
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.numbers.gold_numbers import gold_number, number_text
from reasoning.grading.numbers.number_words import in_digits
from reasoning.grading.options import NO_OPTIONS, RowOptions

NOTHING = "none"

_BRACED = re.compile(r"\\?\{([^{}]*?)\\?\}|\[([^\[\]]*)\]")
_BULLET = re.compile(r"\A\s*(?:[-*•–]\s+|\(?[0-9]{1,2}[.)]\s+|\(?[a-z][.)]\s+)")
_SENTENCE_END = re.compile(r"[.!?](?=\s+[A-Z\"“(])|\s(?:because|since)\s|,\s(?:as|so|which)\s")
_WIDE = re.compile(r"\s*,\s+(?:and\s+|or\s+|&\s*|as\s+well\s+as\s+)?|\s+(?:and|or|&|\||as\s+well\s+as)\s+")
_NARROW = re.compile(r"\s*,\s*|\s+(?:and|or|&|\||as\s+well\s+as)\s+")
_NO_GROUP = re.compile(r",(?![0-9]{3}(?![0-9]))|(?<![0-9]),")  # a comma that is not the one of 1,000
_BOTH_SIGNS = re.compile(r"(?<![\w)])\s*±\s*([0-9]+(?:\.[0-9]+)?)")
_NUMBERS_WITHIN = re.compile(r"\s+\(?[0-9]{1,2}[.)]\s+")  # "1) ink 2) milk"
_NAMED = re.compile(r"\A[A-Za-z](?:_?\{?\w{1,2}\}?)?\s*=\s*|\A[A-Za-z]\w?\s*(?:∈|\\in)\s*")
_INTRODUCED = re.compile(
    r"\A(?:(?:the|all|these|there\s+are)\s+(?:[\w-]+\s+){0,4}(?:(?:are|is|were)\b:?|[\w-]+:(?=\s))\s*"
    r"|(?:the\s+)?(?:set|elements?|values?|items?|members?|solutions?|roots?)\b[^:{\[]{0,30}(?::|=|\bare\b|\bis\b)\s*)",
    re.I,
)
_BOTH = re.compile(r"\A(?:both|all\s+of|there\s+(?:is|are)|they\s+are|it\s+is):?\s+", re.IGNORECASE)
_SO = re.compile(
    r"(?:\A|.*[,;]\s+|.*[.!?]\s+)(?:so|thus|hence|therefore)\b,?\s+|.*[.!?]\s+(?=(?-i:[A-Z]))",
    re.IGNORECASE | re.DOTALL,
)
_OF_THESE = re.compile(r"(?:all\s+(?:of\s+)?)?(?:these|they|them)\b", re.IGNORECASE)
_OF_OTHERS = re.compile(r"\b(?:others?|rest|remaining|not|wrong|excluded)\b", re.IGNORECASE)
_SAID_OF = re.compile(  # "Only 7 and 11 are prime."
    r"(?:(?:only|just|both)\s+)?(?P<elements>.+?)\s+(?:are|is|have|has)\s+(?:(?:all|both|the|a|an)\s+)*"
    r"(?P<what>[\w -]{2,40})\Z",
    re.IGNORECASE | re.DOTALL,
)
_BUT_NOT = re.compile(
    r"[,;]?\s+(?:but\s+)?(?:not|excluding|without|except)\s.*\Z|[,;]\s+but\s.*\Z", re.IGNORECASE | re.DOTALL
)
_ASIDE = re.compile(r"(?<=\w)\s+\([^()]{1,80}\)[\s.*]*\Z")
_ASIDES = re.compile(r"(?<=\w)[*_]*\s+\([^()\n]{1,80}\)")
_ARTICLE = re.compile(r"\A(?:an?|the)\s+(?=\w)")
_NO_SUCH = re.compile(r"no\s+(?:such\s+|real\s+)?\w+(?:\s+exists?)?")
_EMPTY = frozenset(
    ("none", "nothing", "∅", "empty", "empty set", "the empty set", "\\emptyset", "\\varnothing", "no element")
)
_WORD = re.compile(r"\w+")
_DRESS = " \t\r\n*_`\"'“”‘’«»$"
_EDGES = _DRESS + "{}[],;"


@dataclass(frozen=True, slots=True)
class AnswerSet(AnswerRules):
    """A set of texts and numbers. `separators` stand between its elements; without them commas, semicolons, "and",
    lines and bullets do."""

    description = 'a set, such as "a, b and c"'
    lists_are_answers = True

    separators: tuple[str, ...] = ()

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        stated = self._stated(settled(said)) or self._stated(said)
        answer = self._normal(stated)
        bare = _ASIDES.sub("", stated)  # "2, 3, 5 (three of them)", "neon (Ne), argon (Ar)"
        return FoundAnswer(answer, how, self._normal(bare) if bare != stated else "") if answer else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """Without an anchor: the last set in braces, or else the last line where it is a list; a text of one line may
        also be a set as a whole."""
        tail = text[-LONGEST_ANSWER:].strip()
        braced = [found for found in _BRACED.finditer(tail) if (found[1] or found[2] or "").strip()]
        said = braced[-1][0] if braced else _last_bullets(tail)
        if not said:
            line = _BUT_NOT.sub("", _ASIDE.sub("", tail.rpartition("\n")[2]))
            explains = len(self._elements(line)) == 1 or _OF_THESE.match(line)
            paragraph = tail.rpartition("\n\n")[0] if explains else ""
            said = _last_bullets(paragraph) or line  # bullets, and a paragraph about them
        if (bare := _ASIDES.sub("", said)) != said and len(self._elements(bare)) > 1:
            return FoundAnswer(self._normal(bare), How.LAST_CANDIDATE, self._normal(said))
        answer = self._normal(said) if braced or len(self._elements(said)) > 1 else ""
        whole = self._normal(tail) if len(text) <= LONGEST_ANSWER else ""
        return FoundAnswer(answer, How.LAST_CANDIDATE if answer else How.NONE, whole) if answer or whole else None

    def beside(self, question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """The elements that the last sentence introduces, or of which it says what the question asks: "The primes are 7
        and 11.", "Only 7 and 11 are prime."."""
        tail = text[-LONGEST_ANSWER:].rstrip(" .!*\n")
        if _BRACED.search(tail) or any(map(_BULLET.match, tail.split("\n"))):
            return None
        sentence = _SO.sub("", tail.rpartition("\n")[2], count=1)
        introduced, said, listed = _INTRODUCED.match(sentence), _SAID_OF.match(sentence), ""
        if introduced:
            listed = "" if _OF_OTHERS.search(introduced[0]) else sentence
        elif said:
            asked, what = set(_WORD.findall(question.lower())), set(said["what"].lower().split())
            listed = said["elements"] if what <= asked and ("not" in asked) == ("not" in what) else ""
        elements = self._elements(listed)
        return FoundAnswer(self._written(elements), How.LAST_CANDIDATE) if len(elements) > 1 else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        yield from (self._normal(found[0]) for found in _BRACED.finditer(text))
        for line in text.splitlines():
            if len(line) <= LONGEST_ANSWER:
                yield self._normal(self._stated(line.rpartition(":")[2]))

    def normal(self, answer: str) -> str:
        return self._normal(answer)

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(self._normal(answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, str):
            listed = written_list(value)
            value = value if listed is None or self.separators else listed
        if isinstance(value, list | tuple):
            return self._written([_text(one) for one in value])
        return " ".join(_text(value).split()) if isinstance(value, int | float) else _text(value).strip()

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        if value is None:
            raise ValueError("its answer is missing")
        several = isinstance(value, list) and bool(value) and all(isinstance(one, list | tuple) for one in value)
        return tuple(dict.fromkeys(self.gold_in_row(one) for one in (value if several else [value])))

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        elements = self._elements(answer)
        return self._written([*elements, "another"]) if "another" not in elements else self._written(["another one"])

    def as_written(self, line: str, found: str) -> str:
        """A set keeps its order and its capitals."""
        bare = self._stated(line).strip(_DRESS).removesuffix(".")
        return bare if self._normal(bare) == self._normal(found) else found

    # Elements --------------------------------------------------------------------------------------------------------

    def _stated(self, said: str) -> str:
        """The part of a statement that lists: what is in braces, lines with bullets, or the first sentence."""
        said = _undressed(said).strip()
        braced = _BRACED.search(said.partition("\n")[0])
        if braced and not self.separators:
            return braced[0]
        lines = said.split("\n")
        bullets = [line for line in lines if _BULLET.match(line)]
        if bullets and (_BULLET.match(lines[0]) or not lines[0].strip(_DRESS + ":")):
            return "\n".join(bullets)
        line = lines[0].replace("\\[", "").replace("\\]", "")
        ended = _SENTENCE_END.search(line)
        return _BUT_NOT.sub("", line[: ended.start()] if ended else line)

    def _elements(self, said: str) -> list[str]:
        """The elements in the order of their normal forms, each once."""
        said = _undressed(said).strip(_DRESS)
        braced = _BRACED.fullmatch(said.strip(_DRESS + "."))
        said = (braced[1] or braced[2] or "") if braced else said.strip(_EDGES)
        if said.startswith("(") and said.find(")") == len(said) - 1:
            said = said[1:-1]
        said = _NAMED.sub("", _BOTH.sub("", _INTRODUCED.sub("", said))).strip(_EDGES)
        bare = said.strip(_DRESS + ".").lower()
        if bare in _EMPTY or _NO_SUCH.fullmatch(bare):
            return [NOTHING]
        found = {element for part in self._parts(said) if (element := _element(part))}
        if not found and braced:
            return [NOTHING]
        return sorted(found)

    def _parts(self, said: str) -> Iterable[str]:
        if self.separators:
            signs = "|".join(re.escape(sign) for sign in sorted(self.separators, key=len, reverse=True))
            return re.split(signs, said)
        lines = [line for line in said.split("\n") if line.strip()]
        if len(lines) > 1:
            return (_BULLET.sub("", line, count=1) for line in lines)
        if ";" in said:
            return said.split(";")
        said = _BOTH_SIGNS.sub(r" \1, -\1", said)
        if said.lstrip(" (").startswith("1") and _BULLET.match(said) and _NUMBERS_WITHIN.search(said):
            return _NUMBERS_WITHIN.split(_BULLET.sub("", said, count=1))
        wide = re.search(r",\s", said) or (" and " in said and not _NO_GROUP.search(said))
        return (_WIDE if wide else _NARROW).split(_BULLET.sub("", said, count=1))

    def _normal(self, said: str) -> str:
        elements = self._elements(said[:LONGEST_ANSWER])
        return self._written(elements) if elements else ""

    def _written(self, elements: list[str]) -> str:
        """Elements as a text from which the same are read again."""
        if not elements:
            return NOTHING
        if self.separators:
            sign = self.separators[0].strip() or self.separators[0]
            return f"{sign} ".join(elements)
        plainly = ", ".join(elements)
        wanted = sorted({_element(one) for one in elements})
        return plainly if sorted({_element(part) for part in self._parts(plainly)}) == wanted else "; ".join(elements)


def _undressed(said: str) -> str:
    return plain(said.replace("\\{", "{").replace("\\}", "}")) if "\\" in said and "emptyset" not in said else said


def _last_bullets(text: str) -> str:
    """The last lines of a text, where several of them have bullets."""
    lines = text.split("\n")
    bullets = list(takewhile(_BULLET.match, reversed(lines)))
    return "\n".join(reversed(bullets)) if len(bullets) > 1 else ""


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"an element of its answer is not a text but {type(value).__name__}")
    return value if isinstance(value, str) else number_text(value)


def _element(part: str) -> str:
    bare = " ".join(part.strip(_DRESS).removesuffix(".").strip(_DRESS).split()).casefold()
    bare = _ARTICLE.sub("", _NAMED.sub("", bare))
    number = gold_number(bare) or gold_number(in_digits(bare))
    return (Number().normal(number) or bare) if number else bare
