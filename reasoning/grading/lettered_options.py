"""Which option of a multiple-choice question a text chooses by its letter, in whatever words.

Owns: what a letter of an option looks like, and the words that choose one or leave it out. Options that are named by
their text are `reasoning.grading.named_options`.

Invariants
- A capital inside a word is no letter, nor is the article "A", nor an option that is denied.
- Of several that are not denied nobody can say which is meant, so they are no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from reasoning.grading.extraction.denials import is_denied, is_denied_after
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.named_options import is_option_text, named_option
from reasoning.grading.options import LETTERS

NO_CHOICES_KNOWN = 10  # options that there may be
_MOST_LETTERS = 40  # that are looked at in one statement

_SENTENCE_END = re.compile(r"(?<!\A[A-Z])(?<![\n*][A-Z])[.!?](?:\s|\Z)|\n")  # not that of "A. ink"
_SO = re.compile(
    r"[,;]\s*(?:and\s+)?(?:so|thus|hence|therefore|which\s+means|(?:which\s+)?leav(?:es|ing))\b|\b(?:therefore|thus|hence)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\b(?:between|among|both|neither|either)\s+[^.;\n]{1,60}?(?:,|\band\b|\bthrough\b|\bto\b"
    r"|\bor\b)\s*[(\[]?[A-Za-z][)\]]?",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\b(?:both|either)\s+(?:options?\s+)?[(\[]?[A-Z][)\]]?\s+(?:and|or)\s", re.IGNORECASE)

# "Eliminating A, B and D": what is named to be left out.
_LETTER = r"[(\[*\"']*+[A-Za-z][)\]*\"']*+(?![\w'’])"
_AND = r"\s*+(?:,\s*+(?:(?:and|or|nor|&)\s*+)?|(?:and|or|nor|&)\s*+)"  # possessive: no list is tried in two ways
_NOT_A_SUBJECT = r"(?!\s+(?:is|remains|it|must)\b)"  # "eliminating A and B, C is left"
_LEFT_OUT = re.compile(
    r"\b(?:eliminat|rul|discard|exclud|reject|dismiss|remov|cross|set|leav)(?:e|es|ed|ing|s)?(?:\s+(?:out|off"
    r"|aside))*\s+"
    rf"(?:options?\s+|choices?\s+|answers?\s+|letters?\s+"
    rf"|out\s+)*{_LETTER}(?:{_AND}{_LETTER}{_NOT_A_SUBJECT})++(?:\s+(?:out|off|aside)\b)?"
    rf"|(?<![\w'’]){_LETTER}(?:{_AND}{_LETTER})*+\s+(?:(?:is|are|was|were|being|can\s+be|have\s+been|all|both"
    rf"|clearly)\s+)*+"
    r"(?:eliminated|ruled\s+out|excluded|discarded|crossed\s+out|rejected|wrong|incorrect|false|impossible)\b"
    rf"|(?:\b(?:not|neither|nor|none\s+of)|n['’]t)\s+(?:option\s+)?{_LETTER}(?:{_AND}{_LETTER})++",
    re.IGNORECASE,
)
_LETTER_ALONE = re.compile(r"(?<![\w'’])[A-Z](?![\w'’])")
_ALL_BUT = re.compile(  # "All options except B are wrong.", "None but B fits."
    r"\b(?i:(?:all|every(?:thing)?|each|any)\b[^.;\n]{0,30}?\b(?:except|but|besides|other\s+than"
    r"|apart\s+from)(?:\s+for)?)\s+(?i:option\s+)?"
    r"[(\[*\"']*([A-Z])[)\]*\"']*\s+(?i:(?:is|are|can\s+be|have\s+been|has\s+been)\s+(?:clearly\s+|all\s+)?(?:wrong"
    r"|incorrect|false"
    r"|impossible|eliminated|ruled\s+out|excluded|discarded|invalid))\b"
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_ENUMERATED = re.compile(  # "Out of A, B and C, B is best."
    rf"\b(?:out\s+of|of|among|from|considering)\s+(?:options?\s+)?{_LETTER}(?:{_AND}{_LETTER}{_NOT_A_SUBJECT})++",
    re.IGNORECASE,
)
_AFTER_COLON = re.compile(r":\s*(?:so\s+)?[(\[*]+([A-Z])[)\]*]+[\s.*]*\Z")
_COUNTED = re.compile(
    rf"\b({'|'.join(_ORDINALS)}|last|[1-9](?=st|nd|rd|th))(?:st|nd|rd|th)?\s+(?:option|choice|alternative|answer|one)\b"
    r"|\b(?:option|choice)\s*(?:number\s*|no\.?\s*|\#)?([1-9])(?!\w|\.\w)",
    re.IGNORECASE,
)
_DENIED_BY_NAME = re.compile(  # "not the river (A)"
    r"\b(?:not|rather\s+than|instead\s+of|unlike)\s+(?:[\w'’-]+\s+){1,5}[(\[]\s*[A-Za-z]\s*[)\]]"
    r"|(?:\A|[.,;:\n]\s?)(?:[\w'’-]+\s+){0,4}?(?:would|could|ca|should|do|does|did|wo)n['’]t\s+(?:[\w'’-]+\s+){1,6}"
    r"[(\[]\s*[A-Za-z]\s*[)\]]",
    re.IGNORECASE,
)
_OTHERS_LETTER = re.compile(r"\W*([A-Z])[).]\W")  # in front of another option's text
_JUDGEMENTS = ("no", "No", "wrong", "orrect", "alse", "✗", "❌", "✘", "[x]", "[X]")
_PART_OF_NAME = re.compile(  # "the daily requirement of vitamin A."
    r"\b(?:vitamin|event|hose|pipe|tap|tank|train|team|plan|point|machine|person|worker|city|town|station|type|class|group"
    r"|set|side|angle|figure|box|bag|urn|vessel|bottle|alloy|company|account|hepatitis|grade|section|solution|candidate)\s+"
    r"[A-Z]\W*\Z",
    re.IGNORECASE,
)
_REASON = re.compile(r",?\s+(?:because|since|though|although)\b|,\s+as\b", re.IGNORECASE)
_PREMISE = re.compile(  # what a sentence begins with and does not come to: "While (A) is near,", "A zoo may do, but"
    r"\A\W*(?:(?:if|since|as|because|given(?:\s+that)?|when|while|although|though|whereas)\s[^,;]*,\s+"
    r"|[^.;]{1,200}?\b(?:possible|plausible|tempting|reasonable|conceivable|likely|close|common|an\s+option"
    r"|seems?\s+right)\b[^.,;]{0,60},?\s+(?:but|yet)\s+)(?=[\w(\[*\"'])",
    re.IGNORECASE,
)
_PAUSE = re.compile(r"[*_]*(?:[,;!]|[ ]-+[ ])")
_CLAUSE = re.compile(r";\s")
_CALLED_RIGHT = re.compile(  # "(A) fridge is correct, while (B) oven is not."
    r"\(([A-Z])\)\s+(?:[\w'’-]+\s+){1,6}?(?:is|was)\s+(?:the\s+)?(?:correct|right|best)\b", re.IGNORECASE
)
_JUDGED = re.compile(  # "(A) no (B) yes (C) no", "A) ink ❌", "B, milk, is right."
    r"(?<![\w'’])\(?(?P<letter>[A-Z])[):.?]{0,2}\s*(?:(?<=[).:*])[\w '’]{1,40}?\s?(?=[-–—:=|✗❌✘✓✔✅]|\sis\s)"
    r"|[\w '’]{1,40}?\s(?=[-–—:=|]))?"
    r"(?:,\s[\w '’]{1,40},\s)?[*_]*(?:[-–—:=|][*_]*\s*)?(?:\s?is\s+)?[*_]*"
    r"(?:(?:no|false|wrong|incorrect|not\s+correct|✗|❌|✘)|(?P<right>yes|true|right|correct|✓|✔|✅))(?![\w'’])",
    re.IGNORECASE,
)
_MARKED = re.compile(  # "❌ A) ink", "- [x] B) milk"
    r"^[ \t*-]*(?:(?:❌|✗|✘|\[ \]|☐)|(?P<right>✅|✔|✓|☑|\[x\]))\ufe0f?[ \t*(]*(?P<letter>[A-Z])[).:*]",
    re.IGNORECASE | re.MULTILINE,
)
_JUDGED_AT_END = re.compile(  # "A) ink: it dries, so it's wrong."
    r"^[ \t*-]*\(?(?P<letter>[A-Z])[).:*][^\n]{0,300}?\b(?:wrong|incorrect|false"
    r"|(?:not|\w+n['’]t)\s+(?:the\s+)?(?:correct|right|best|suitable|appropriate)(?:\s+\w+)?"
    r"|(?P<right>right|correct|suitable|appropriate|the\s+(?:correct|right|best)\s+\w+))[.!*\s]*?$",
    re.IGNORECASE | re.MULTILINE,
)
_COMES_TO = re.compile(r"(?:\n|[.!?]\s)\W*(?:so|therefore|thus|hence)\b", re.IGNORECASE)
_TICKS, _CROSSES = frozenset("✅✔✓☑"), frozenset("❌✗✘")
_NO_TICKS = dict.fromkeys(map(ord, _TICKS))
_LONGEST_JUDGED = 1500  # characters from a text's end


@dataclass(frozen=True, slots=True)
class _Patterns:
    """`leading`: a letter that begins a statement: B, b), **B** -- but not the article of "A ball". `bracketed`: (B),
    ( b ). `lone`: a capital by itself anywhere. `chosen`: a letter that words around it choose."""

    leading: re.Pattern[str]
    bracketed: re.Pattern[str]
    lone: re.Pattern[str]
    several: re.Pattern[str]  # what follows the first of several: "A, B or C", "A and B", "A/B", "(A) ink or (B) milk"
    chosen: re.Pattern[str]
    reversed: re.Pattern[str]  # `bracketed` in a text read from its end


@lru_cache(maxsize=32)
def _patterns(count: int) -> _Patterns:
    last = LETTERS[min(count or NO_CHOICES_KNOWN, len(LETTERS)) - 1]
    small = last.lower()
    either = f"A-{last}a-{small}"
    reason = r"(?:because|since|as|is|and|by|for|which)\b|[-–—=:,(]"
    article = rf"(?!A\s+(?!{reason})\w)"
    abbreviation = r"(?!\.[A-Za-z])"  # e.g., i.e.
    wrong = r"(?![\w'’]|\s(?:is|was|being)\b)"
    return _Patterns(
        leading=re.compile(
            rf"(?:[\W_]*(?i:option|choice|letter|answer)\b)?[\W_]*(?:([{either}])(?=[\W_]*\Z|\s*[).\]:,*_}}/;!])"
            rf"{abbreviation}|{article}([A-{last}])(?=\s))"
        ),
        bracketed=re.compile(rf"[(\[]\s*([{either}])\s*[)\]]"),
        reversed=re.compile(rf"[)\]]\s*([{either}])\s*[(\[]"),
        several=re.compile(
            rf"[)\]*\"']*\s*(?:,|or|and|/|&|\+)\s*(?:(?:or|and|maybe"
            rf"|perhaps)\s+)?(?:option\s+)?[(\[*\"']*(?!A\s[a-z])[A-{last}]{wrong}"
            rf"|(?:\s+[A-{last}](?![\w'’.])){{1,25}}\W*\Z"
            rf"|[)\]*]*[\w\s'’-]{{1,60}}?,?\s+(?:or|and)\s+(?:option\s+)?[(\[]\s*[{either}]\s*[)\]]{wrong}"
        ),
        lone=re.compile(
            rf"(?<![a-zA-Z0-9_'’(\[])(?!A\s+(?!(?:or|and)\b)[a-z])([A-{last}])(?![a-zA-Z0-9_'’)\]]){abbreviation}"
        ),
        chosen=re.compile(
            rf"\b(?i:choose|chose|pick|picked|select|selected|go(?:ing)?\s+with|choice|option|letter"
            rf"|vote\s+for)\b[\s:*]*(?i:is\b[\s:*]*)?"
            rf"(?:(?i:option|choice|letter)\s+)?[(\[*\"']*(?:([A-{last}])(?![\w'’])|([b-{max(small, 'b')}]"
            rf"|a(?=[\W_]*\Z"
            rf"|[.)*]))(?![\w'’]))"
            rf"|\b(?i:leav(?:es|ing)|left\s+with|remaining\s+is|only|just)\s+(?i:us\s+with\s+|me\s+with\s+)?"
            rf"(?i:(?:only\s+)?(?:option|choice|letter)?\s*)[(\[*\"']*([A-{last}])(?![\w'’])"
            rf"|[选選][项項择擇択]?肢?\s*[:：]?\s*[(\[*\"']*([A-{last}])(?![a-zA-Z0-9_'’])"
            rf"|(?<![\w'’])[(\[*]*([A-{last}])[)\]*]*\s+(?i:remains|is\s+left|is\s+what\s+(?:is\s+left|remains))\b"
            rf"|(?<![\w'’])[(\[*]*([A-{last}])[)\]*]*\s+(?i:is|it\s+is|seems|looks|must\s+be|would\s+be|fits|works"
            rf"|wins|comes\s+closest|makes(?=\s+(?:the\s+)?(?:most|more|best|better|perfect)\s+sense)"
            rf"|for\s+sure|rather\s+than|(?:most\s+|very\s+)likely|probably|definitely|of\s+course|by\s+far)\b"
            r"(?=\s*[.!]?\s*\Z|\s+(?i:right|correct|best|true|the\s+(?:right|correct|best|better|most|only|odd|closest|answer)|better|closest|fine"
            r"|most)|\s*;|(?<=fits)|(?<=works)|(?<=closest)|(?<=wins)|\s+(?:the\s+)?\w+\s+sense|(?<=than))"
        ),
    )


def option_of_line(line: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
    """The option that a line chooses, by its letter or else by its text; `NO_ANSWER` for several, None for none."""
    patterns = _patterns(len(choices))
    if "\\" in line:
        line = plain(line)
    if " " in line:
        line = _LEFT_OUT.sub(" ", line)
    found = patterns.leading.match(line)
    if found:
        if patterns.several.match(line, found.end()):
            return NO_ANSWER
        if not is_denied_after(line, found.end()):
            return FoundAnswer((found[1] or found[2]).upper(), how)
    for pattern in (patterns.bracketed, patterns.lone):
        for found in islice(pattern.finditer(line), _MOST_LETTERS):
            if is_denied(line, found.start()) or is_denied_after(line, found.end()):
                continue
            if pattern is patterns.lone and (option := _text_around(found[1], line, choices)):
                return FoundAnswer(option, How.OPTION_TEXT)
            if pattern is patterns.lone and named_option(line[: found.start()], choices) not in ("", found[1]):
                return NO_ANSWER  # "18, so A", where 18 is another
            if patterns.several.match(line, found.end()):
                return NO_ANSWER
            return FoundAnswer(found[1].upper(), how)
    option = named_option(line, choices) or _counted(line, choices)
    return FoundAnswer(option, How.OPTION_TEXT) if option else None


def _picked(sentence: str, choices: tuple[str, ...], patterns: _Patterns) -> FoundAnswer | None:
    """The option that a sentence without an anchor picks; `NO_ANSWER` for several, None for none."""
    if saved := _ALL_BUT.search(sentence):
        return FoundAnswer(saved[1], How.LAST_CANDIDATE)
    bare = _ENUMERATED.sub(" ", sentence)
    bare = _LEFT_OUT.sub(" ", _BETWEEN.sub(" ", _DENIED_BY_NAME.sub(" ", bare)))
    bracketed = _meant(bare, patterns.bracketed)
    if len(bracketed) > 1:  # "(A) and (B) are too cold, so (C)"
        bracketed = _meant(_conclusion(bare), patterns.bracketed)
    if len(bracketed) > 1 and (told := _AFTER_COLON.search(bare)):
        return FoundAnswer(told[1], How.LAST_CANDIDATE)
    if len(bracketed) == 1:
        return FoundAnswer(bracketed.pop(), How.LAST_CANDIDATE)
    if bracketed:
        right = {found[1].upper() for found in _CALLED_RIGHT.finditer(bare)} & bracketed
        return FoundAnswer(right.pop(), How.LAST_CANDIDATE) if len(right) == 1 else NO_ANSWER
    chosen = [
        found
        for found in patterns.chosen.finditer(bare)
        if not is_denied(bare, found.start(found.lastindex or 0))
        and not is_denied_after(bare, found.end())
        and not is_denied_after(bare, found.end(found.lastindex or 0))
    ]
    letters = {found[found.lastindex or 1].upper() for found in chosen}
    if len(letters) == 1 and not patterns.several.match(bare, chosen[-1].end()):
        return FoundAnswer(letters.pop(), How.LAST_CANDIDATE)
    option = named_option(sentence, choices)
    label = _OTHERS_LETTER.match(sentence)
    if option and label and is_option_text(sentence[label.end() :], choices, LETTERS.index(option)):
        option = label[1] if label[1] in LETTERS[: len(choices)] else ""
    if option:
        return FoundAnswer(option, How.LAST_CANDIDATE)
    lone = _meant(bare, patterns.lone)
    if len(lone) > 1:  # "A and C are mammals, so B"
        lone = _meant(_conclusion(bare), patterns.lone)
    ends = len(lone) == 1 and bare.rstrip(" .*!\"'”").endswith(next(iter(lone)))
    if ends and _PART_OF_NAME.search(bare) is None:
        return FoundAnswer(lone.pop(), How.LAST_CANDIDATE)
    if len(lone) == 1 and (opening := patterns.leading.match(bare)) and _PAUSE.match(bare, opening.end()):
        return FoundAnswer(lone.pop(), How.LAST_CANDIDATE) if opening[1] in lone else None
    concluded = _conclusion(sentence)
    option = named_option(concluded, choices) if concluded != sentence else ""
    option = option or named_option(_CLAUSE.split(sentence)[-1], choices) or _counted(sentence, choices)
    return FoundAnswer(option, How.LAST_CANDIDATE) if option else None


def _conclusion(sentence: str) -> str:
    """What a sentence comes to, without what it follows from or concedes."""
    return _PREMISE.sub("", _SO.split(sentence)[-1])


def option_of_text(text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
    """Without an anchor: what the last sentence picks, by letter or by text; else the last letter in brackets."""
    patterns = _patterns(len(choices))
    if judged := _judged(text[-_LONGEST_JUDGED:]):
        return FoundAnswer(judged, How.LAST_CANDIDATE)
    if ticked := _ticked(text[-_LONGEST_JUDGED:]):
        return option_of_line(ticked, choices, How.LAST_CANDIDATE)
    sentence = _last_sentence(text)
    if "\\" in sentence:
        sentence = plain(sentence)
    picked = _picked(_REASON.split(sentence, maxsplit=1)[0], choices, patterns) or _picked(sentence, choices, patterns)
    if picked is not None:
        return picked
    if _BOTH.search(sentence):
        return NO_ANSWER
    text = _DENIED_BY_NAME.sub(" ", text)
    reversed_text = text[::-1]
    for found in islice(patterns.reversed.finditer(reversed_text), _MOST_LETTERS):
        start, end = len(text) - found.end(), len(text) - found.start()
        if not is_denied(text, start) and not is_denied_after(text, end):
            return FoundAnswer(found[1].upper(), How.LAST_CANDIDATE)
    left = _left_over(text[-LONGEST_ANSWER:], choices, patterns)
    return FoundAnswer(left, How.LAST_CANDIDATE) if left else None


def leading_letter(line: str, count: int) -> tuple[str, str] | None:
    """The letter of one of `count` options that a line begins with, and the rest of the line; None without one."""
    found = _patterns(count).leading.match(line)
    return ((found[1] or found[2]).upper(), line[found.end() :]) if found else None


def letters_within(text: str, count: int) -> Iterator[str]:
    """All letters of `count` options that stand by themselves somewhere in `text`."""
    patterns = _patterns(count)
    for pattern in (patterns.bracketed, patterns.lone):
        for found in pattern.finditer(text):
            yield found[1].upper()


def _left_over(text: str, choices: tuple[str, ...], patterns: _Patterns) -> str:
    """The only option that is not denied, where all others are ("A, C and D are wrong."); "" without one."""
    if len(choices) < 3:
        return ""
    denied = {letter for found in _LEFT_OUT.finditer(text) for letter in _LETTER_ALONE.findall(found[0])}
    for pattern in (patterns.bracketed, patterns.lone):
        for found in islice(pattern.finditer(text), _MOST_LETTERS):
            if is_denied(text, found.start()) or is_denied_after(text, found.end()):
                denied.add(found[1].upper())
    left = set(LETTERS[: len(choices)]) - denied
    return left.pop() if len(left) == 1 else ""


def _text_around(letter: str, line: str, choices: tuple[str, ...]) -> str:
    """The option that a line names by a text that the letter is a part of ("Vitamin A")."""
    option = named_option(line, choices)
    return option if option and letter in _LETTER_ALONE.findall(choices[LETTERS.index(option)]) else ""


def _counted(sentence: str, choices: tuple[str, ...]) -> str:
    """The letter of the option that is named by its number: "the second option", "Option 2"."""
    found = _COUNTED.search(sentence)
    if found is None or is_denied(sentence, found.start()) or is_denied_after(sentence, found.end()):
        return ""
    name = found[1] or found[2]
    place = len(choices) if name == "last" else int(name) if name.isdigit() else 1 + _ORDINALS.index(name.lower())
    return LETTERS[place - 1] if 0 < place <= len(choices) else ""


def _judged(text: str) -> str:
    """The one option that is called right where several are judged one by one; "" where there is none such."""
    if not any(word in text for word in _JUDGEMENTS):
        return ""
    for pattern in (_MARKED, _JUDGED, _JUDGED_AT_END):
        found = list(islice(pattern.finditer(text), _MOST_LETTERS))
        right = {one["letter"].upper() for one in found if one["right"]}
        wrong = {one["letter"].upper() for one in found if not one["right"]}
        if len(right) == 1 and len(wrong) > 1 and not right & wrong:
            rest = text[found[-1].end() :]
            return right.pop() if settled(rest) == rest and _COMES_TO.search(rest) is None else ""
    return ""


def _ticked(text: str) -> str:
    """The one line with a tick where several others have a cross; "" where there is none such."""
    if "❌" not in text and "✗" not in text and "✘" not in text:
        return ""
    lines = text.split("\n")
    right = [line for line in lines if not _TICKS.isdisjoint(line)]
    crossed = sum(not _CROSSES.isdisjoint(line) for line in lines)
    return right[0].translate(_NO_TICKS).strip() if len(right) == 1 and crossed > 1 else ""


def _meant(sentence: str, pattern: re.Pattern[str]) -> set[str]:
    """The letters of a sentence that are not denied."""
    return {
        found[1].upper()
        for found in islice(pattern.finditer(sentence), _MOST_LETTERS)
        if not is_denied(sentence, found.start()) and not is_denied_after(sentence, found.end())
    }


def _last_sentence(text: str) -> str:
    tail = text[-LONGEST_ANSWER:].rstrip()
    ends = [found.end() for found in _SENTENCE_END.finditer(tail) if found.end() < len(tail)]
    return tail[ends[-1] :] if ends else tail
