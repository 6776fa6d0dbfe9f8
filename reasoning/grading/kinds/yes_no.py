"""Yes or no, true or false. Normal form: "yes" or "no".

Owns: which "yes" and "no" of a sentence is its answer.

Invariant: a "no" that only denies a noun ("no evidence", "no one") is no answer, and neither is "yes or no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.conditions import is_left_open
from reasoning.grading.extraction.denials import is_denied
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.extraction.restated_questions import answer_to
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.options import NO_OPTIONS, RowOptions

_STOP = r"(?=\W*\Z|\s*[.,;:!?)\]}\"'”’*\n<$\\]|\s+(?:[-–—]|is\s+(?:the|my)\b|from\s+me\b))"
_REASON = (
    r"(?=\s+(?:because|since|as|but|and|it|he|she|they|we|you|i|this|that|the|although|though|rather|instead|not)\b)"
)
_ALONE = re.compile(r"[\s:*\"'“(]*(yes|no)[\s.\"'”*!)]*\Z", re.IGNORECASE)

# "no" before a noun that it only denies.
_NOUN = (
    r"(?!-)(?!\s+(?:one|evidence|idea|longer|more|matter|other|clear|definite|definitive|single|answer|information|such"
    r"|change|record|proof|doubt|reason|need|point|problem|body|where|question|wonder|rule)\b)"
)
# "yes would be wrong", "yes, if it rains"
_SUPPOSED = (
    r"(?!\s+would\s+(?:be|have)\b|,?\s+(?:if|unless)\b"
    r"|[\"'”’*]{0,3}\s+(?:is|was)\s+(?:not|(?:simply\s+|clearly\s+)?(?:wrong|incorrect|false))\b)"
)
_END = r"(?=\W*\Z|\s*[.,;!:，。])"
_LEADING = re.compile(
    r"[\W_]*(?:(?:well|so|oh|thus|therefore|hence|then|ok|okay|clearly|obviously|in\s+fact|in\s+short|simply|just"
    r"|probably|most\s+likely|likely|a|an|definitely|it\s+is|it['’]s|that\s+is|that['’]s|i['’]m\s+afraid"
    r"|i\s+am\s+afraid"
    r"|(?:that|this|it)\s+would\s+be|this\s+is|entirely|quite|certainly)\b[\s,:]*){0,3}[\"'“*_($\\{[]*"
    r"(?:(?P<no>(?:(?:absolutely|certainly|definitely|probably|surely|of\s+course|most\s+likely|clearly|obviously"
    r"|likely|decidedly|apparently|sadly|unfortunately)\s+)?not(?=\W*\Z|\s*[.,;!:])|not\s+(?:true|correct|yes)\b"
    r"|not\s+possible(?=\W*\Z|\s*[.,;!])"
    r"|not\s+(?:at\s+all|really|so|in\s+the\s+(?:slightest|least)|by\s+(?:a\s+long\s+shot|any\s+means)"
    r"|even\s+(?:close|remotely)|remotely)(?=\W*\Z|\s*[.,;!])"
    rf"|(?:there(?:['’]s|\s+is)\s+)?no\s+(?:way|chance|sir)\b(?!\s+to\b)|not\s+a\s+chance\b|(?:nope|nah|nay|untrue|incorrect|never"
    rf"|negative|false)\b(?![\w-])"
    rf"|(?:hardly|scarcely|by\s+no\s+means|in\s+no\s+way|under\s+no\s+circumstances|i\s+(?:do\s+not"
    rf"|don['’]t)\s+(?:think"
    rf"|believe)\s+so|i\s+doubt\s+(?:it|that)|(?:i['’]m\s+)?afraid\s+not|i\s+(?:would\s+not|wouldn['’]t)\s+(?:say|think)\s+so"
    rf"|impossible|wrong|não|不(?=[，,。\s]|\Z)|不能|不可以|不会|i(?:['’]d|\s+would)?\s+(?:think|believe|guess|say)\s+not|nein"
    rf"|non|nee|нет|不是|否|いいえ|아니요|hayır){_END}"
    rf"|no\b{_NOUN}{_SUPPOSED}(?=[\W_]|\Z)"
    r"|n(?=[\W_]*\Z|[.,)]\s))"
    rf"|(?P<yes>(?:yes|yeah|yep|yup|yea|aye|true|indeed|affirmative|correct)\b(?![\w-]){_SUPPOSED}"
    rf"|(?:most\s+certainly|可以|i(?:['’]d)?\s+(?:think|believe|would\s+say|say|suppose|guess)\s+so"
    rf"|(?:without\s+(?:a\s+|any\s+)?|beyond\s+(?:a\s+|any\s+)?)doubt|undoubtedly|by\s+all\s+means|naturally|obviously|clearly|ja|oui"
    rf"|s[íì]|sim|да|是的?|对|はい|예|네|evet){_END}"
    r"|not\s+(?:false|untrue|incorrect|wrong|no)\b"
    r"|(?:absolutely|certainly|definitely|of\s+course|sure(?:ly)?|right|exactly)(?=\W*\Z|\s*[.,;!:])"
    r"|y(?=[\W_]*\Z|[.,)]\s)))",
    re.IGNORECASE,
)
# Further on in a statement: whole words that can only be the answer.
_WORD = re.compile(
    r"(?<![\w-])(?:(?P<denied>not\s+(?:true|false|correct|yes|no)\b(?!\s+(?:one|evidence))|n['’]t\s+(?:true|false"
    r"|correct)\b)"
    rf"|(?P<yes>yes|true)(?![\w-]){_SUPPOSED}|(?P<false>false|untrue)(?![\w-])|(?P<no>no){_SUPPOSED}(?:{_STOP}"
    rf"|{_REASON}))",
    re.IGNORECASE,
)
_LONE = re.compile(
    rf"(?<![\w-])(?:(?P<yes>yes)(?![\w-]){_SUPPOSED}|(?P<no>no){_STOP})(?![\"'”’*]*\s*\?)", re.IGNORECASE
)
_JOINED = (
    r"[\s\"'”’*)]*(?:[,/|&]|\(|(?:,\s*)?(?:or|and|nor)(?:\s+also)?\b|,?\s*but\s+also\b|\.\s*(?:or|and)\b)[\s\"'“‘*(]*"
    r"(?:(?:or|and|maybe|perhaps)\s+)?"
)
# After a mere comma a "no" that more words follow denies those: "yes, no further explanation is needed".
_OTHER = re.compile(
    rf"{_JOINED}(yes|no|true|false)(?![\w-]){_SUPPOSED}{_NOUN}(?:(?<!,\sno)(?<!,\sand\sno)|(?!\s[a-z])|{_REASON})",
    re.IGNORECASE,
)
_BEFORE_OTHER = re.compile(
    r"\b(?:(?P<other>yes|no)|true|false|neither|either|both|between|whether)[\s\"'”’*)]*(?:[,/|&]|or|and|nor"
    r"|,?\s*but\s+also)?[\s\"'“‘*(]*\Z",
    re.I,
)
_DENIED = re.compile(
    r"(?:\bnot|n['’]t|\bcannot|\bhardly|\bscarcely|\brather than|\binstead of|\banything but|\bfar from)\s+"
    r"(?P<said>(?:say|claim|call\s+it|answer|bet\s+on|go\s+(?:with|for)|vote)\s+)?(?:a\s+|an\s+|the\s+|simply\s+|be\s+)?[\"'“*]*\Z",
    re.IGNORECASE,
)
_OPENED = re.compile(r"\W*(yes|no)\s*[.!,][*_]*\s", re.IGNORECASE)
_TURNS = re.compile(r"\b(?:so|thus|therefore|hence|but|wait|actually|however|answer|conclusion)\b|[?:=>]")
_CONCEDED = re.compile(r"(?:yes|no),?\s+but\b")
_WAIT = re.compile(r"\b(?:wait|hold\s+on|correction)\b")
_DENIED_NOUN = re.compile(r"\W*no\s+(?!way|chance|sir)\w", re.IGNORECASE)
# What a last sentence without "yes" or "no" comes to: "The statement is false." or "It could not."
_COMES_TO = re.compile(
    r"(?:(?:\b(?:statement|claim|assertion|sentence|premise|proposition|it|that|this)"
    r"(?:\s+[\"“][^\"”\n]{1,100}[\"”])?(?:\s+is|\s+was|\s+must\s+be|['’]s))"
    r"(?:\s+(?:therefore|thus|clearly|indeed|actually|definitely))?\s+"
    r"(?P<not>not\s+)?(?:(?P<true>true|correct|the\s+case)|(?P<false>false|untrue|incorrect))"
    r"|(?:\A|[.!?;,\n]\s*|\b(?:so|thus|hence|therefore|and|but)\s+)(?:of\s+course,?\s+)?(?:(?:it|he|she|they|that|one|you|we|i|this)\s+|(?=sure\s))"
    r"(?:(?:certainly|definitely|surely|sure|indeed|absolutely|clearly|really|most\s+certainly|obviously)\s+)?"
    r"(?:could|can|would|will|wo|did|does|do|is|was|are|were|has|have|had|should|must|ca)(?P<denied>n['’]?t|not"
    r"|\s+not)?)"
    r"[\s.!*\"'”’)]*\Z",
    re.IGNORECASE,
)
_DEPENDS = re.compile(  # "Yes for large ones, no for small ones."
    r"\b(?:(?P<yes>yes)|no)\s+(?:for|if|when|in|with|on)\s[^.\n]{1,80}?[,;.]\s*(?:(?:and|but)\s+)?(?(yes)no"
    r"|yes)\s+(?:for|if|when|in|with|on)\s",
    re.IGNORECASE,
)
_WRITTEN = {"true": "yes", "t": "yes", "y": "yes", "false": "no", "f": "no", "n": "no"}  # as data writes it
_ASKED = re.compile(r"\(yes\s{0,3}(?:or|/)\s{0,3}no\)", re.IGNORECASE)
_LABEL = re.compile(
    r"\A[*_#\s]*(?:final\s+)?(?:verdict|conclusion|decision|judge?ment|label|classification)[*_]*:[*_]*\s*", re.I
)
_TICKS = " .!*✅✓✔❌✗✘\ufe0f"
_SHORT = 60  # characters of a text that may be nothing but its answer, in words


@dataclass(frozen=True, slots=True)
class YesNo(AnswerRules):
    """Yes or no."""

    description = "yes or no"
    settles = True

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        alone = _ALONE.match(said)
        if alone:
            return FoundAnswer(alone[1].lower(), how)
        if _DEPENDS.match(said.lstrip()):
            return NO_ANSWER
        corrected = settled(said)
        answer = _of_line(first_line(corrected))
        if not answer and corrected is not said:
            answer = _of_line(first_line(said))
        return FoundAnswer(answer, how) if answer else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """The last "yes" or "no" that stands by itself; of a text that is one short sentence, what it comes to."""
        text = _ASKED.sub(" ", text)
        if _DEPENDS.search(text[-LONGEST_ANSWER:]):
            return NO_ANSWER
        low = text.lower()
        if len(low) != len(text):  # a few capitals grow when lowered
            low = text
        yes, no = low.rfind("yes"), low.rfind("no")
        while (place := max(yes, no)) >= 0:
            found = _LONE.match(low, place)
            before = low[max(0, place - 24) : place]
            denied = _DENIED.search(before) if found else None
            if found and denied and not denied["said"] and "be" in denied[0].split():  # "The answer can't be yes."
                return FoundAnswer("no" if found["yes"] else "yes", How.LAST_CANDIDATE)
            if found and _CONCEDED.match(low, place) and before.endswith(", "):
                found = None  # "Whales are large, yes, but"
            if found and not denied and not is_denied(text, place):
                other = _OTHER.match(low, found.end())
                joined = _BEFORE_OTHER.search(before)
                if (joined and joined["other"] != found[0]) or (other and _WRITTEN.get(other[1], other[1]) != found[0]):
                    return NO_ANSWER
                if _opened_otherwise(low, place, found[0]) or is_left_open(low, place):
                    return NO_ANSWER
                return FoundAnswer("yes" if found["yes"] else "no", How.LAST_CANDIDATE)
            if place == yes:
                yes = low.rfind("yes", 0, place)
            else:
                no = low.rfind("no", 0, place)
        sentence = text.strip()
        noun = _DENIED_NOUN.match(sentence)  # "No coin was flipped." denies a noun
        answer = _leading(sentence) if len(sentence) <= _SHORT and noun is None else ""
        answer = answer or _said_last(sentence) or _come_to(text)
        return FoundAnswer(answer, How.LAST_CANDIDATE) if answer else None

    def beside(self, question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """What the last sentence says again or denies, whatever questions of its own the text answered before."""
        answer, low = answer_to(question, text), text.lower().rstrip(" .!*\n")
        said = bool(answer) and not _opened_otherwise(low, len(low), answer)
        return FoundAnswer(answer, How.LAST_CANDIDATE) if said else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        return (_meaning(found) for found in _WORD.finditer(text))

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        return _ALONE.match(line) is not None

    def normal(self, answer: str) -> str:
        return _of_line(first_line(answer[:LONGEST_ANSWER].lstrip()))

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return answer in ("yes", "no")

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, Mapping):
            right = [word for word, score in value.items() if score == 1]
            value = right[0] if len(right) == 1 else ""
        word = str(value).strip(" .\n").lower() if isinstance(value, str | bool) else ""
        word = _WRITTEN.get(word, word)
        if word not in ("yes", "no"):
            hint = "; write true and false for 1 and 0" if str(value).strip() in ("0", "1", "0.0", "1.0") else ""
            raise ValueError(f"its answer {str(value)[:40]!r} is not yes or no{hint}")
        return word

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        scores = isinstance(value, Mapping) and any(isinstance(score, int) for score in value.values())
        found = (self.gold_in_row(value),) if scores else AnswerRules.golds_in_row(self, value)
        if len(found) > 1:
            raise ValueError("its answers are both yes and no")
        return found

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        return "no" if answer == "yes" else "yes"


def _of_line(line: str) -> str:
    if "\\" in line:
        line = plain(line).strip("$ ")
    answer = _leading(line)
    if answer is not None:
        return answer
    for found in _WORD.finditer(line):
        before = line[max(0, found.start() - 24) : found.start()]
        if _BEFORE_OTHER.search(before) or _OTHER.match(line, found.end()):
            return ""
        denied = _DENIED.search(before)
        if denied is None:
            return _meaning(found)
        if denied["said"]:
            return ""  # "I would not say yes."
        if not found["denied"]:
            return "no" if found["yes"] else "yes"  # "not yes" is no
    return ""


def _opened_otherwise(low: str, place: int, answer: str) -> bool:
    """Whether a text opens with another than the `answer` at `place`, and nothing there says that it comes to this one
    after all: "No. It is tall. Yes, boxes are high, but narrow."."""
    opened = _OPENED.match(low)
    if opened is None or opened[1] == answer or opened.end() > place:
        return False
    begun = max(low.rfind(". ", 0, place), low.rfind("\n", 0, place)) + 1
    between = low[max(opened.end() - 1, place - LONGEST_ANSWER) : place]
    return _WAIT.search(between) is None and _TURNS.search(between[max(0, begun - place) :]) is None


def _leading(line: str) -> str | None:
    """What a statement begins with: "Nope", "Absolutely not", "Indeed"; "" for both, None for neither."""
    found = _LEADING.match(line)
    if found is None:
        return None
    answer = "yes" if found["yes"] else "no"
    other = _OTHER.match(line, found.end())
    return "" if other and _WRITTEN.get(other[1].lower(), other[1].lower()) != answer else answer


def _said_last(text: str) -> str:
    """What the last sentence says, where it says nothing else: "A whale, in a bath? No way."."""
    sentence = text[max(text.rfind(end) for end in (". ", "! ", "? ", "\n")) + 1 :][:_SHORT].strip()
    sentence = _LABEL.sub("", sentence.rstrip(_TICKS))
    found = _LEADING.match(sentence)
    if found is None or sentence[found.end() :].strip(" .!*\"'”’)"):
        return ""
    return "yes" if found["yes"] else "no"


def _come_to(text: str) -> str:
    found = _COMES_TO.search(text[-LONGEST_ANSWER:])
    if found is None:
        return ""
    if found["true"] or found["false"]:
        return "yes" if bool(found["true"]) != bool(found["not"]) else "no"
    return "no" if found["denied"] else "yes"


def _meaning(found: re.Match[str]) -> str:
    denied = found["denied"]
    if denied:
        return "yes" if denied.lower().endswith(("false", "no")) else "no"
    return "yes" if found["yes"] else "no"
