"""Where in a text its answer stands: the anchors, such as "Answer:", "the answer is", "####", "-->" and \\boxed{}.

Owns: what announces an answer, and what only looks like it ("3 answers", "if the answer is 5", "the answer cannot be
5"); where the part of a completion that counts ends.

Invariants
- Total: every function accepts every string, never raises, and takes time linear in its length.
- `low` is always `lowered(text)`, whose positions are those of `text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reasoning.grading.extraction.conditions import is_supposed
from reasoning.grading.extraction.denials import is_told, on_condition
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, How, first_line
from reasoning.teacher.thinking import BARE_CHANNELS
from reasoning.teacher.turns import next_turn

_STOP_WORD = " END"  # of paper B's completions
_IF_CLAUSE_END = 20  # characters before "answer" in which a condition ends: "If so, then the answer would be"
_MAX_ANCHORS = 16  # a text that repeats "the answer is" for ever is read from its end, so far

_ANCHOR = re.compile(
    r"(?<![a-z0-9])answers?(?![a-z0-9])(?:[*_ \t]*(?:\#?[0-9]{1,2}(?![0-9.,]))?[*_ \t]*(?:\([^()\n]{0,40}\))?[*_ \t}]*"
    r"(?:[:=：]|[—–]+>?(?=\s)|-{1,2}>|(?:is|are|was)(?![a-z'’]))"
    r"|['’]s(?=\s)|\s+(?:to|for)\s+[\"“][^\"”\n]{0,80}[\"”]\s*(?:is\b|:)"
    r"|(?!\s+(?:choices|options|(?:the|your|this)\s+question,\s+(?:yes|no)\b))([^\n.:=?]{0,60}?)\b(?:is|are|be|equals)\b(?!['’]))[\s*_:}]*"
)
_HEADING = re.compile(r"answers?[*_ \t]*\n\s*")
_BEFORE_HEADING = ("", "final", "the", "the final", "my", "my final", "correct")
_HOW_FOUND = re.compile(  # "the answer is found by adding": what follows is the way to it
    r"(?:then\s+|simply\s+)?(?:found|obtained|calculated|computed|determined|derived|reached|arrived\s+at)\s+"
    r"(?:by|from|through|with|when|if|as|in|using)\b"
)
_DENIED = re.compile(r"\bnot\b|n[’']t\b|\bcannot\b|\bused to\b")
_TAG = re.compile(r"answer(?:\|?>|\])")  # <answer>, <|answer|>, [ANSWER]
_BEFORE_TAG = re.compile(r"[<\[]\|?(?:final|correct|my|your|the|short)?[_ -]?\Z")
_TAG_END = re.compile(r"</|\[/|<\|")
_FIELD = re.compile(r"answer([\"'])\s*:\s*")  # of JSON
_BEFORE_FIELD = re.compile(r"[\"'](?:final|correct|my|your|the|short|predicted)?[_ -]?\Z")
_TEXT_VALUE = re.compile(r"\[?\s*([\"'])((?:[^\"'\\\n]|\\.|(?!\1)[\"'])*)\1(?!\s*,\s*[\"'0-9][^\n:]{0,300}\])")
_LIST_VALUE = re.compile(r"\[[^\[\]\n]*\]")  # of more than one
_BARE_VALUE = re.compile(r"[^,}\n]*")
_INVERTED = re.compile(
    r"\bis (?:clearly |therefore |thus |definitely |indeed )?(?:the|my) (?:(?!wrong|incorrect|false|bad|other)\w+ )?\Z"
)  # "B is the answer"
_AFTER_INVERTED = re.compile(r"answer\s*(?:[.!,;*)\n]|\Z|to\b|because\b|since\b|here\b|as\b)")
_CLAUSE_START = re.compile(r"[.!?:;\n]\s|,\s(?:so|thus|hence|therefore)\b|\A")
_LEAD_IN = re.compile(r"\W*(?:(?:so|thus|hence|therefore|then|and|but|now|clearly)\b,?\s*)*")
_WEAK_WORDS = (
    "Ans",
    "ans",
    "ANS",
    "esult",
    "olution",
    "hoice",
    "esp",
    "esposta",
    "awab",
    "evap",
    "antwo",
    "Antwo",
    "utput",
    'ption"',
    'etter"',
    'rediction"',
    'inal"',
)
_WEAK = re.compile(
    r"\bans\b\s*(?:[:=]|is\b)|\b(?:antwort|antwoord)\b\s*(?:ist|lautet|is|[:=])|\br[ée]ponse\b\s*(?:est|[:=])"
    r"|\b(?:respuesta|resposta|risposta)\b\s*(?:es|é|è|[:=])|\bjawaban(?:nya)?\b\s*(?:adalah|[:=])|\bcevap\b\s*[:=]"
    r"|\bответ\b\s*[:=—–-]|(?:答案|答え|正解|回答)\s*(?:是|为|は|[:：=])|(?:정답|답)\s*(?:은|는|[:=])|\bodpowiedź\b\s*(?:to|[:=])"
    r"|<ans>|[\"'](?:final[_ ])?(?:choice|option|letter|result|solution|output|prediction|final)[\"']\s*:\s*[\"']?"
    r"|\b((?:final\s+)?(?:result|solution|choice|output)\s*(?:is\b|[:=]))[*_\s]*",
    re.IGNORECASE,
)
_STEP = re.compile(  # a heading's "####", not an answer's
    r"\s*(?:step|part|check|verif|explan|note|reason|solution|because|why|proof|summary|calculat|working|[0-9]+[.)]\s)"
)
_BOX = re.compile(r"\\?(?<![a-z])(?:boxed|f(?:rame)?box)\s*(?:\[[^\]\n]{0,20}\]\s*)?\{")
_BRACE = re.compile(r"(?<!\\)[{}]")

_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_TAKEN_BACK = re.compile(
    r"\W{0,20}(?:(?:oh|hmm+|no|but|um|ah)\b\W{0,9}){0,3}(?:wait|hmm+|actually|correction|scratch that|hold on|oops"
    r"|sorry|no,|edit:|let me (?:re|double)|on second thought|i made an? (?:mistake|error)"
    r"|(?:that|this|it)(?:['’]s| is| was) (?:wrong|not right|incorrect|a mistake))"
)
_LATER_LINE = re.compile(rf"\n{_TAKEN_BACK.pattern}")
_ANSWER_LINE = re.compile(r"answer[ \t*_]*:[\s*_]*[^\s*_]")
_MARKUP = " \t*_#"


_LONGEST_STATED = 380  # characters from the last "answer" to the end
_STATED = re.compile(r"answer(?: \([^()\n]{1,40}\))? (?:is|are|was)[:\s*_]++(?![acdforst])")
_BEFORE_STATED = (", the ", ". The ", "\nThe ", "So the ", "so the ", "Thus the ", "\nTherefore, the ")


def plainly_stated(text: str) -> str:
    """What a text of plain words states at its end, as most do: "Therefore, the answer is 42."; "" where anything in it
    asks for a closer look. It is what `judged_end` and `anchored` find there, in a fraction of their time."""
    place = text.rfind("nswer") - 1
    if (
        place < 4
        or text[place] != "a"
        or len(text) - place > _LONGEST_STATED
        or not text.isascii()
        or not text.endswith(_BEFORE_STATED, 0, place)
        or "<" in text
        or "[" in text
        or "#" in text
        or "{" in text
        or "\\" in text
        or "`" in text
        or "~" in text
        or ">" in text
        or "&" in text
        or "NSWER" in text
        or text.startswith(BARE_CHANNELS)
    ):
        return ""
    stated = _STATED.match(text, place)
    said = text[stated.end() :].rstrip() if stated else ""
    if not stated or not said or (". " in said and text[place - 6] == "," and is_supposed(text.lower(), place)):
        return ""
    if "\n" in said:
        may_end = True
    else:
        may_end = (line := text.find("\n", 0, place)) >= 0 and (  # with somebody else's line, or after an answer line
            text.find("\n", max(line, text.find("nswer")), place) >= 0
            or text.find(":", 0, place) >= 0
            or "*" in text
            or "_" in text
            or "\nassistant" in text
            or "\nmodel" in text
        )
    if not may_end or (end := judged_end(text, text.lower())) == len(text):
        return said
    return text[stated.end() : end].rstrip()


def lowered(text: str) -> str:
    """`text` in lower case, of the same length."""
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered, and positions must stay those of `text`
        low = text.encode("ascii", "replace").decode("ascii").lower()
    return low


def anchored(text: str, low: str) -> Iterator[tuple[int, str, How]]:
    """After each anchor, the last first: where it ends, at most 400 characters from the first that is not blank, and
    which anchor it is."""
    word = low.rfind("answer")
    arrow = text.rfind("-->") if ">" in text else -1
    marks = text.rfind("####") if "#" in text else -1
    boxed = text.rfind("box") if "{" in text else -1
    for _ in range(_MAX_ANCHORS):
        place = max(word, arrow, marks, boxed)
        if place < 0:
            return
        if place == word:
            announced = _at_word(text, low, place)
            if announced is not None:
                yield announced
            word = low.rfind("answer", 0, place)
        elif place == boxed:
            start = (
                place - 5 if low.startswith("frame", place - 5) else place - 1 if low[place - 1 :][:1] == "f" else place
            )
            if opening := _BOX.match(low, max(0, start)):
                yield place, _in_box(text, opening.end()), How.BOXED
            boxed = text.rfind("box", 0, place)
        elif place == arrow:
            said = text[place + 3 : place + LONGEST_ANSWER].lstrip()
            yield place + 3, said.partition(_STOP_WORD)[0], How.ARROW
            arrow = text.rfind("-->", 0, place)
        else:
            if not _STEP.match(low, place + 4):
                yield place + 4, text[place + 4 : place + LONGEST_ANSWER].lstrip(), How.HASH_MARKS
            marks = text.rfind("####", 0, place)


def _at_word(text: str, low: str, place: int) -> tuple[int, str, How] | None:
    """What the word "answer" at `place` announces, if anything."""
    following = low[place + 6 : place + 7]
    if following in (">", "|", "]", '"', "'"):
        before = low[max(0, place - 30) : place]
        if (tag := _TAG.match(low, place)) and _BEFORE_TAG.search(before):
            end = _TAG_END.search(text, tag.end(), tag.end() + LONGEST_ANSWER)
            said = text[tag.end() : end.start() if end else tag.end() + LONGEST_ANSWER]
            return tag.end(), said.strip(), How.ANCHORED
        if (field := _FIELD.match(low, place)) and _BEFORE_FIELD.search(before):
            return field.end(), _value(text[field.end() : field.end() + LONGEST_ANSWER]), How.ANCHORED
    elif low.find("is ", max(0, place - 30), place) >= 0:
        before = low[max(0, place - 30) : place]
        if (inverted := _INVERTED.search(before)) and _AFTER_INVERTED.match(low, place):
            verb = max(0, place - len(before)) + inverted.start()
            clause = text[max(0, verb - 60) : verb]
            begun = max(found.end() for found in _CLAUSE_START.finditer(clause))
            return place, clause[_end_of_lead_in(clause, begun) :].strip(), How.ANCHORED
    start = _after_phrase(low, place)
    return (start, text[start : start + LONGEST_ANSWER].lstrip(), How.ANCHORED) if start >= 0 else None


def _end_of_lead_in(clause: str, start: int) -> int:
    found = _LEAD_IN.match(clause.lower(), start)
    return found.end() if found else start


def _value(said: str) -> str:
    """The value of a JSON field, without its quotes."""
    quoted = _TEXT_VALUE.match(said)
    if quoted:
        return quoted[2]
    bare = _LIST_VALUE.match(said) or _BARE_VALUE.match(said)
    return bare[0].strip() if bare else ""


def _after_phrase(low: str, place: int) -> int:
    """Where the answer begins that the word "answer" at `place` announces; -1 where it announces none: "3 answers",
    "the answer cannot be 5", "if the answer is 5", "a wrong answer is 5"."""
    found = _ANCHOR.match(low, place)
    if found is None:
        found = _HEADING.match(low, place)
        begun = max(low.rfind("\n", 0, place), low.rfind(". ", 0, place))
        if found is None or low[begun + 1 : place].strip(_MARKUP) not in _BEFORE_HEADING:
            return -1
    else:
        phrase = found[1] or ""
        would = "would" in phrase
        if phrase and (_DENIED.search(phrase) or (would and on_condition(low, found.end()))):
            return -1
        if low.find(",", max(0, place - _IF_CLAUSE_END), place) >= 0 and is_supposed(low, place, would=would):
            return -1
    end = found.end()
    return -1 if (low[end : end + 1].isalpha() and _HOW_FOUND.match(low, end)) or is_told(low, place) else end


def _in_box(text: str, start: int) -> str:
    """The content of the box that is opened before `start`; of an unpaired one the rest of its line."""
    depth = 1
    for brace in _BRACE.finditer(text, start, start + LONGEST_ANSWER):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return first_line(text[start : start + LONGEST_ANSWER])


def judged_end(text: str, low: str) -> int:
    """Where the part of a completion that counts ends: before somebody else's words (`reasoning.teacher.turns`), and
    before the first blank line after an answer line, unless the next paragraph takes the answer back."""
    end = next_turn(text, low=low)
    if ":" not in low or _BLANK_LINE.search(text, 0, end) is None:
        return end
    answered = _end_of_answer_line(low, 0, end)
    last = False
    for blank in _BLANK_LINE.finditer(text, answered, end) if answered >= 0 else ():
        if blank.start() < answered:
            continue
        if not _TAKEN_BACK.match(low, blank.end(), end):
            return blank.start()
        if not last:  # what takes an answer back may need paragraphs for another
            again = _end_of_answer_line(low, blank.end(), end)
            last, answered = again < 0, max(answered, again)
    return end


def is_taken_back(low: str, end: int) -> bool:
    """Whether a line behind `end` takes back what stands before it; none does where `end` is negative."""
    return end >= 0 and _LATER_LINE.search(low, end) is not None


def _end_of_answer_line(low: str, start: int, end: int) -> int:
    """Where the first answer of an answer line begins in `low[start:end]`; -1 without one."""
    place = low.find("answer", start, end)
    while place >= 0:
        line = _ANSWER_LINE.match(low, place, end)
        if line and low[low.rfind("\n", 0, place) + 1 : place].strip(_MARKUP) in ("", "final"):
            return line.end()
        place = low.find("answer", place + 6, end)
    return -1


def weakly_anchored(text: str) -> Iterator[tuple[str, bool]]:
    """What follows the words that announce an answer in another way, the last first, in a text's last 400 characters;
    and whether it must be an answer and nothing else, as after "Result:"."""
    tail = text[-LONGEST_ANSWER:]
    if tail.isascii() and not any(word in tail for word in _WEAK_WORDS):
        return
    for found in reversed(list(_WEAK.finditer(tail))):
        yield tail[found.end() :].lstrip(), found[1] is not None
