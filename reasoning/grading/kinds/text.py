"""Free text: a word or a phrase, such as the letters of last-letter concatenation.

Owns: where an answer of free text begins and ends. Normal form: without quotes, dots, hyphens and white space, in lower
case; the form in which two are compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.denials import is_denied, is_denied_after
from reasoning.grading.extraction.found_answer import FoundAnswer, How, first_line, last_match, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.kinds.alternatives import alternatives
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.numbers.gold_numbers import number_text
from reasoning.grading.options import NO_OPTIONS, RowOptions

_ALONE = re.compile(r"[\s\"'“‘„«*`$]*(\w+)[\s.!\"'”’“»*`$✅✓✔☑]*(?:\([^()\n]{2,100}\)[\s.!*]*)?\Z")
_LAST_OF_ALL = re.compile(r"[:=]\s*[\"'“*]*(\w{1,40})[\"'”*]*[.!]?\Z")
# A dot or hyphen between digits, and the sign of a number, tell answers apart: 3.5 is not 35.
_DROPPED = re.compile(r"[\s\"'“”„«»‘’‚‹›`*]+|\.(?![0-9])|(?<![0-9])\.(?!\Z)|(?<=[^\W\d_])-|-(?![0-9])")
_ARTICLE = re.compile(
    r"\A[\s\"'“*]*(?:the|an|a(?=\s+[^\W\d_]{3}))\s+(?=\w)", re.IGNORECASE
)  # the "a" of "a b" is a letter
_DASHES = dict.fromkeys(map(ord, "−–‒‐‑—"), "-")
_QUOTES = r"\"“”„«»`"
_QUOTED = re.compile(rf"[\"“„«`]([^{_QUOTES}\n]{{1,90}})[{_QUOTES}]|\*\*([^*\n]{{1,90}})\*\*")
_RESTATED = re.compile(  # "e" and "k", that is, "ek"
    rf"[\s,]+(?:that\s+is|i\.?e\.?|in\s+other\s+words|so|giving|which\s+(?:is|gives?|makes?|spells?)"
    rf"|together)[\s,:]+(?=[\"“„«`][^{_QUOTES}\n]{{1,90}}[{_QUOTES}])",
    re.IGNORECASE,
)
_NO = re.compile(r"\A[\s,:;.]*no\s*[:,.—-]+\s+(?=\w)", re.IGNORECASE)  # "wait, no: Ada"
_OR_QUOTED = re.compile(
    rf"[\s,]*(?:or|/|vs\.?)\s*(?:maybe\s+|perhaps\s+)?[\"“„«`*][^{_QUOTES}\n]{{1,90}}[{_QUOTES}*]", re.IGNORECASE
)
_CLAUSE_END = re.compile(r"[,;]\s|\.\s|\s(?:because|since)\s|\s\(|<[/|]")
_SPELLED = re.compile(r"[\s\"'“‘”’`*(]*\w(?!\w)(?:[\s\"'“‘”’`*,+\-]+(?:and\s+)?\w(?!\w))+(?=\W*\Z|\s*=)")
_COMES_TO = re.compile(r"\s(?:=|[-=]>|→|⇒)\s(?=.)")  # "y + a + j + o = yajo"
_INTRODUCED = re.compile(
    r"(?:(?:simply|just|therefore|thus|clearly)\s+)*(?:the\s+)?(?:(?:final\s+)?(?:string|word|letters|result"
    r"|concatenation)\b)\s*"
    r"(?:is\b|are\b)?[:\s]*",
    re.I,
)
_CONCLUSION = re.compile(
    r"(?:\b(?:(?:so|thus|therefore|hence|finally)\b(?:,?\s+(?:(?:we|you|i)\s+(?:get|have|obtain)|it\s+is|th(?:is"
    r"|ey)\s+(?:gives?|is|makes?|spells?)))?"
    r"|(?:we|you|i)\s+(?:get|obtain|have)|(?:result|concatenation|word|string|output|solution|conclusion)\s*(?:is\b|:"
    r"|=|(?:would|will|must)\s+be\b)"
    r"|concatenated\b|(?:i|we)\s+(?:choose|pick|select|say|go\s+with)"
    r"|\b(?:(?:label|classify|categori[sz]e|tag|mark)(?:ed)?\s+(?:(?:this|it|the|that)\s+)?(?:\w+\s+)?|reads\s+|counts\s+)as\b|(?:gives?|makes?|spells?|forms?|yields?"
    r"|becomes?|produces?)(?:\s+us)?\b"
    r"|(?:it\s+)?(?:is|was|were)\s+(?:(?:\w+ly|first)\s+)?(?:\w+ed|written|made|sung|drawn|built|found|led|won|begun)\s+(?P<by>by)\b"
    r"|ans\b\s*(?:is\b|[:=])|it(?:['’]s|\s+is|\s+was)\b)|\b(?:together|combined|joined|altogether)\b(?:\s+(?:they"
    r"|these|it))?"
    r"(?:\s+(?:are|is|makes?|gives?|forms?|spells?))?|[=-]>|(?<!\S)=(?=\s)|[→⇒∴])[\s:,]*",
    re.IGNORECASE,
)
_NAMED = re.compile(  # "The capital of France is Paris."
    r"\s*(?:(?:so|thus|hence|therefore|then)\b,?\s+)?(?:the|its|his|her|their|this|that)\s+(?:[\w'’-]+\s+){1,8}?(?:is"
    r"|are|was|were)\s+(?:called\s+|named\s+)?"
    r"(?!not\b|n['’]t|no\b|never\b)(?=\W*[\w])",
    re.IGNORECASE,
)
_ASIDE = re.compile(  # "Ada Lovelace (1815-1852)", "Ada Lovelace, not Lord Byron"
    r"(?<=\w)[\"'”’*_`]*(?:\s+\([^()\n]{2,100}\)|(?:,\s+(?:and\s+)?not|,?\s+(?:rather\s+than|instead\s+of))\s[^,;:.\n]{1,60})"
    r"[\s.!*]*\Z"
)
_SURELY = re.compile(
    r"\A(?:(?:most\s+)?(?:clearly|definitely|probably|likely|certainly|surely|obviously|simply|just)\s+)+"
)
_OPENING = re.compile(  # "positive, because it is praise", "positive. It is praise."
    r"[\s*_\"'“`]*((?:[\w'’-]+[ ]){0,3}[\w'’-]+)[*_\"'”`]*"
    r"(?:[ \t]*\n|[ ]+[-–—][ ]|,[ ]+(?:because|since|as)\b|[.!][ ]+(?=\S))"
)
_WHO = re.compile(r"\s(?:who|that|which)\s")  # "It was Ada Lovelace who wrote it."
_WHEN = re.compile(r",?\s(?:in|on|around|during|between|for|at)\s|,\s")  # "by Ada Lovelace in 1843"
_LABELLED = re.compile(  # "Author: Ada Lovelace"
    r"\s*[*_]*(?!not|note|hint|explanation|reason|step|question|thought|solution|caution"
    r"|[^\n:]*\b(?:mistakes?|errors?|wrong|incorrect|false|myth|trap|common)\b)[a-z]{3,20}(?:\s\w{1,20}){0,2}[*_]*:[*_]*"
    r"\s+([^\n:]{2,60})\Z",
    re.IGNORECASE,
)
_SUBJECT = re.compile(  # of a text of one sentence
    r"(?:(?:so|thus|hence|therefore)\b,?\s+)?([A-ZÀ-Þ0-9][\w.'’-]*(?:\s(?:of|the|de|la|von|van|[A-ZÀ-Þ0-9][\w.'’-]*)){0,4})"
    r"(?:,\s+(?:who|which|whose)|\s+(?:is|was)\s+(?:the|a|an|one)\s)[^.!?\n]+[.!]?\s*\Z"
)
_LETTER = re.compile(r"\w")
_DECORATION = " \t\r\n*_`\"'“”‘’„«»"
_ENCLOSING = "$[]{}<> .!"
_PICTURES = re.compile(r"[\s\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]+\Z")  # emoji at the end
_MOST_PICTURES = 40
_TICKS = " ✅✓✔☑\ufe0f"
_MOST_WORDS = 4  # of what a conclusion without an anchor names
_TAIL = 300
_LONGEST = 2000  # characters of a text that is an answer as a whole


@dataclass(frozen=True, slots=True)
class Text(AnswerRules):
    """A word or a phrase."""

    description = "a text"

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        """The first clause, or all that was said: "Paris, France" is both "Paris" and itself."""
        alone = _ALONE.match(said)
        if alone:
            return FoundAnswer(_normal(alone[1]), how)
        corrected = settled(said)
        if corrected is not said:
            corrected = _NO.sub("", corrected)
        answer = _of_line(first_line(corrected)) or _of_line(first_line(said))
        whole = _normal(said)
        return FoundAnswer(answer, how if answer else How.NONE, whole) if answer or whole else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """What the last sentence concludes, or the last text in quotes; and the whole, which may be an answer alone."""
        if "\\" in text[:_TAIL]:
            text = plain(text[-_LONGEST:])
        whole = _normal(text) if len(text) <= _LONGEST else ""
        bare = _without_pictures(text)
        if len(bare) < len(text.rstrip()) and len(bare.split()) <= _MOST_WORDS and not _CONCLUSION.search(bare):
            return FoundAnswer(_of_line(bare), How.LAST_CANDIDATE, whole)
        text = bare
        alone = _ALONE.match(text) if len(text) < _TAIL else None
        if alone:
            return FoundAnswer(_normal(alone[1]), How.LAST_CANDIDATE)
        if aside := _ASIDE.search(text, max(0, len(text) - _TAIL)):
            text = text[: aside.start()]
            if len(text.split()) <= _MOST_WORDS and not _CONCLUSION.search(text):
                return FoundAnswer(_normal(text), How.LAST_CANDIDATE, whole)
        if _SPELLED.match(text):
            return FoundAnswer(_of_line(text), How.LAST_CANDIDATE, whole)
        answer = _concluded(text) or _last_quoted(text) or _last_line(text) or _corrected(text) or _opening(text)
        return FoundAnswer(answer, How.LAST_CANDIDATE if answer else How.NONE, whole)

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        yield from (_normal(found[1] or found[2]) for found in _QUOTED.finditer(text))
        yield from (_normal(word.strip(",;:()!?")) for word in text.split())

    def normal(self, answer: str) -> str:
        return _normal(answer)

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(_normal(answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"its answer is not text but {type(value).__name__}")
        return " ".join(value.split()) if isinstance(value, str) else number_text(value)

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        """All right answers, also those that only an article tells apart: a run knows its data by them."""
        found: dict[str, str] = {}
        for gold in (self.gold_in_row(one, options) for one in alternatives(value)):
            found.setdefault(_letters(gold) or gold, gold)
        return tuple(found.values())

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        return answer[::-1] if answer[::-1] != answer else f"{answer}{answer}"

    def as_written(self, line: str, found: str) -> str:
        """A text keeps its capitals and spaces."""
        bare = line.strip(_DECORATION).removesuffix(".").strip(_DECORATION)
        return bare if self.same(_normal(bare), _normal(found)) else found


def _of_line(line: str) -> str:
    if "\\" in line:
        line = plain(line)
    line = _without_pictures(line).rstrip(_TICKS).strip(_ENCLOSING) or line
    line = _COMES_TO.split(line)[-1]
    spelled = _SPELLED.match(line)
    if spelled:
        return "".join(_LETTER.findall(spelled[0].replace(" and ", " "))).lower()
    quoted = _QUOTED.search(line)
    if quoted and (restated := _RESTATED.search(line, quoted.end())):
        quoted = _QUOTED.match(line, restated.end())
    if quoted and _OR_QUOTED.match(line, quoted.end()):
        return ""
    if quoted and not is_denied(line, quoted.start()):
        return _normal(quoted[1] or quoted[2])
    introduced = _INTRODUCED.match(line)
    clause = _CLAUSE_END.split(line[introduced.end() :] if introduced else line, maxsplit=1)[0]
    return _normal(clause.strip(_ENCLOSING))


def _without_pictures(text: str) -> str:
    """`text` without the emoji at its end, if it is anything else."""
    if text.isascii():
        return text
    tail = text[-_MOST_PICTURES:]
    bare = text[: len(text) - len(tail)] + _PICTURES.sub("", tail)
    return bare or text


def _concluded(text: str) -> str:
    """What the last sentence comes to in a few words: "So we get le.", "=> le"."""
    tail = text[-_TAIL:].rstrip()
    sentence = tail[max(tail.rfind("\n"), tail.rfind(". "), tail.rfind("! "), tail.rfind("? ")) + 1 :]
    found = _NAMED.match(sentence)
    if found and is_denied(sentence, found.end()):
        return ""
    for found in _CONCLUSION.finditer(sentence):  # noqa: B007 - the last one
        pass
    if found is None:
        labelled = _LABELLED.match(text) if len(text) <= _TAIL else None
        if labelled and (is_denied(text, labelled.start(1)) or len(labelled[1].split()) > _MOST_WORDS):
            return ""
        last = labelled or _LAST_OF_ALL.search(sentence)
        return _normal(last[1]) if last else ""
    if is_denied(sentence, found.end()):
        return ""
    said = _SURELY.sub("", _WHO.split(sentence[found.end() :], maxsplit=1)[0])
    if found.groupdict().get("by"):
        said = _WHEN.split(said, maxsplit=1)[0]
    return _of_line(said) if 0 < len(said.split()) <= _MOST_WORDS or _SPELLED.match(said) else ""


def _last_quoted(text: str) -> str:
    """The last text in quotes that is not denied ('"le", not "el"')."""
    found = last_match(_QUOTED, text)
    while found is not None and is_denied(text, found.start()):
        text = text[: found.start()]
        found = last_match(_QUOTED, text)
    return _normal(found[1] or found[2]) if found else ""


def _last_line(text: str) -> str:
    """The last line of several, where it is one word."""
    before, _, line = text.rstrip().rpartition("\n")
    alone = _ALONE.match(line) if before.strip() and len(line) < _TAIL else None
    return _normal(alone[1]) if alone else ""


def _opening(text: str) -> str:
    """What a text opens with, a few words that the rest explains, or what its only sentence tells something of: "Oslo
    is the capital of Norway."."""
    text = text.strip()[:_LONGEST]
    if (opening := _OPENING.match(text)) and not (
        is_denied(text, opening.start(1)) or is_denied_after(text, opening.end(1))
    ):
        return _normal(opening[1])
    told = _SUBJECT.match(text) if "\n" not in text else None
    return "" if told is None or is_denied_after(text, told.end(1)) else _normal(told[1])


def _corrected(text: str) -> str:
    """What a text says on second thought in a few words: "Bob? No, Ada."."""
    tail = text.strip()[-_TAIL:]
    corrected = settled(tail)
    if corrected is tail or "\n" in corrected or len(corrected.split()) > _MOST_WORDS:
        return ""
    return _of_line(corrected)


def _normal(answer: str) -> str:
    if not answer.isascii():
        answer = unicodedata.normalize("NFKC", answer).translate(_DASHES)
    return _letters(_ARTICLE.sub("", answer, count=1))


def _letters(answer: str) -> str:
    return _DROPPED.sub("", answer).lstrip("_:}").lower()
