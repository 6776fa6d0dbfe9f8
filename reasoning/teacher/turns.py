"""Whose words a completion holds: where its own end, and a next turn that the model makes up begins.

Owns: the marks by which chat templates end a turn and begin another, and the lines by which a text does ("Human:",
"### Question:", "Q:"). What a model thinks before it speaks is `reasoning.teacher.thinking`.

Invariants
- Total: every string is accepted, nothing raises, and the time is linear in the text's length.
- What a completion begins with is its own, even a question: it may repeat the one it was asked.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Marks that carry a part of the same turn: the channels of Harmony, and the marks of solutions, responses and answers.
_CARRIERS = (
    r"channel|message|constrain|answer|final|final_answer|response|output|solution"
    r"|(?:begin|start|end)_(?:of_)?(?:thought|thinking|think|reasoning)|/?think(?:ing)?"
    r"|(?:begin|start)_(?:of_)?(?:solution|answer|response|text|action)|inner_(?:prefix|suffix)"
)
_MARK = re.compile(
    rf"<[|｜](?!(?:{_CARRIERS})[|｜]>)/?[\w▁:/.-]{{1,40}}[|｜]>"  # <|im_end|>, <｜end▁of▁sentence｜>
    r"|<\|turn>|<turn\|>|</?s>|<</?SYS>>|\[/?(?:INST|EOS|BOS|EOT)\]|\[\|/?[\w▁]{1,30}\|\]|\]~b\]|\[e~\["
    r"|</?(?:eos|bos|pad|unk|eot|eop|eoa|eoh|eod|end_of_turn|start_of_turn|endoftext|end_of_text|extra_id_1|_user"
    r"|role)>",
    re.IGNORECASE,
)
_BOX = re.compile(r"<\|(?:begin|end)_of_box\|>")
_GOES_ON = re.compile(r"<\|(?:end\|>\s*<\|start)\|>\s*assistant", re.IGNORECASE)  # a next message of the same turn
_OPENING_MARK = (
    r"(?:<\|(?:im_start|start|assistant|start_header_id|end_header_id|header_start|header_end|message|channel"
    r"|begin_of_text|start_of_role|end_of_role|begin_of_solution|start_response|start_text|response|solution)\|>"
    r"|<｜Assistant｜>|<(?:s|bos|start_of_turn)>|\[/INST\]|\[\|assistant\|\]|<\|turn>model)"
)
_OPENING = re.compile(
    rf"\s*{_OPENING_MARK}(?:\s|{_OPENING_MARK}|(?<=[>\]])(?:assistant|model)\b(?!\s*:))*", re.IGNORECASE
)

# At a line's beginning. The first group begins a question in whatever text; the words of the second may be a heading of
# an answer's own, and begin another question only where an answer stands before them.
_SPEAKERS = (
    r"question|q|human|user|customer|student\s+question|instruction|input|(?:new|next|related|similar|bonus|follow-?up)\s+question|prompt|用户|问题"
    r"|вопрос|frage|pregunta|domanda|utilisateur|usuario"
)
_HEADINGS = (
    r"problem|exercise|task|example|puzzle|quiz|test|(?:new|next)\s+problem"
    r"|(?:here(?:['’]s|\s+is)\s+)?(?:another|a\s+new|the\s+next)\s+(?:problem|question|example|exercise)"
)
_NUMBERED = (
    r"question|q|problem|exercise|task|example|puzzle|quiz|test"  # "Exercise 2." and "Problem 2" on a line of its own
)
_LINE = re.compile(  # begins with its newline, so that a search skips from line to line
    r"\n[ \t\r*#>]*(?=[q用问в\[]|\n[ \t*]*[2-9]|h[ue]|u[st]|cu|s[it]|in[ps]|ne|p[ru]|t(?:[ae]|he next)"
    r"|ex|f[ro]|do|a[ n]|re|bo)(?:"
    rf"(?:(?P<speaker>{_SPEAKERS})|{_HEADINGS})[ \t]*\#?[0-9]*[ \t]*(?:[*_]*[:：]|[*_]+[ \t]*(?=\n))"
    r"|(?P<title>(?:(?:(?<=\#)|(?<=\#[ \t]))(?:question|user|human|instruction)[ \t]*[0-9]*"
    r"|\[(?:question|user|human|instruction|input)\]))[ \t]*(?=\n)"
    r"|(?P<role>user|human)[ \t]*(?=\n)"
    rf"|(?:{_NUMBERED})[ \t]*(?:no\.?[ \t]*)?\#?[0-9]{{1,3}}[*_]*(?:[.)](?=[*_ \t\n])|[*_ \t]*(?=\n))"
    r"|\n[ \t*]*(?P<next>[2-9][.)][ \t][^\n?]{4,200}\?)"
    r")"
)
# A paragraph that tells another problem and asks: "Tim has 9 pens and loses 4. How many are left?"
_STORY = re.compile(
    r"\n[ \t\r]*\n\s{0,9}(?:[#*]{0,4}[ \t]?[\w.]{0,9}[ \t]?[0-9]{0,3}[.:*]{0,3}[ \t]*\n)?"
    r"(?![\W_]*(?:wait|but|hmm+|hm|ok(?:ay)?|so|let|now[ ,]+(?:let|we|i|the|if|to)|however|actually|no|first|second"
    r"|then|to|we|i|check|note|recall|remember|since|because|it|that|this|the (?:question|problem)|step|if)\b)"
    r"(?=[^\n?]{0,300}[0-9])[^\n?]{20,300}[.!][ ]+how (?:many|much|old|long|far|tall)\b[^\n?]{4,200}\?"
)
_RULE = re.compile(r"\n[ \t]*(?:-{3,}|\*{3,}|_{3,})\s*\Z")  # a horizontal line between two problems
_LONGEST_RULE = 80
_OF_SERIES = re.compile(rf"({_NUMBERED})[ \t]*(?:no\.?[ \t]*)?\#?(?:[2-9]|[1-9][0-9])(?![0-9])")  # "Problem 2"
_WORD = re.compile(r"\S")
_OPENING_WORDS = re.compile(r"\s*((?:\S+\s+){2}\S+)(?:\s+\S+){2}")  # of a question
_SHORTEST_REPEATED = 30  # characters of a question that are not repeated by chance
_LETTER = re.compile(r"\w")
_ANSWERED = re.compile(r"answer|boxed|####|-->")
_ANSWERED_THERE = re.compile(r"answer (?:is|=)|answer\W{0,4}:|boxed|####|-->")


def before_question(text: str, question: str) -> str:
    """`text` without the `question` that it repeats at its end, or a beginning of it: nobody's answer."""
    asked, end = question.strip(), len(text)
    begun = asked[:_SHORTEST_REPEATED]
    while len(begun) == _SHORTEST_REPEATED and (place := text.rfind(begun, 0, end)) >= 0:
        rest = text[place:end].rstrip()
        if not asked.startswith(rest) and (not rest.startswith(asked) or _LETTER.search(rest, len(asked))):
            break
        end = place
    return text[:end]


def next_turn(text: str, start: int = 0, end: int | None = None, *, marks_alone: bool = False, low: str = "") -> int:
    """Where, in `text[start:end]`, somebody else's words begin after words of its own; `end` where they do not. With
    `marks_alone` only the marks of chat templates count, not the lines such as "Human:". `low`: `text` in small letters
    and of the same length, where it is known."""
    end = len(text) if end is None else end
    if "<" in text or "[" in text:
        end = _next_mark(text, start, end)
    if marks_alone or text.find("\n", start, end) < 0:
        return end
    if not low:
        low = text.lower()
        if len(low) != len(text):  # a few capitals grow when lowered
            low = text
    if _LINE.search(low, start, end):
        end = _next_line(low, start, end)
    return _next_story(low, start, end) if low.find("?", start, end) >= 0 else end


def asked_again(text: str, question: str) -> int:
    """Where in `text`, behind an answer, a line begins with the first five words of `question`, as the next question of
    the same task does, or a paragraph is another question of its first three; the length of `text` where none does."""
    begins, five = _opening(question)
    if not begins or begins not in text:
        return len(text)
    answered = _ANSWERED_THERE.search(text.lower())
    place = text.find(begins, answered.end()) if answered else -1
    while place >= 0:
        end = text.find("\n", place + 1)
        line = text[place + 1 : end if end >= 0 else len(text)].rstrip()
        asks = line.endswith("?") and text[place - 1] == "\n"
        if asks or line.startswith(five):
            return place
        place = text.find(begins, place + 1)
    return len(text)


@lru_cache(maxsize=1024)
def _opening(question: str) -> tuple[str, str]:
    """A new line with the first three words of a question, and its first five words; "" for a shorter one."""
    found = _OPENING_WORDS.match(question)
    return (f"\n{found[1]}", found[0].lstrip()) if found else ("", "")


def own_start(text: str, start: int = 0) -> int:
    """Where the words begin that follow the marks of a turn's beginning ("<|im_start|>assistant")."""
    found = _OPENING.match(text, start) if "<" in text or "[" in text else None
    return found.end() if found else start


def own_turn(text: str) -> str:
    """What a turn says between the marks that begin and end it, without those around its answer (GLM's)."""
    text = _BOX.sub("", text)
    return text[own_start(text) : next_turn(text, marks_alone=True)]


def _next_mark(text: str, start: int, end: int) -> int:
    place = start = own_start(text, start)
    while found := _MARK.search(text, place, end):
        again = _GOES_ON.match(text, found.start())
        if again is None and text[start : found.start()].strip():
            return found.start()
        place = again.end() if again else own_start(text, found.end())
        start = start if again else place
    return end


def _next_line(low: str, start: int, end: int) -> int:
    own = _WORD.search(low, start, end)
    begun = own.start() if own else end
    answered = _ANSWERED.search(low, start, end)
    replies = max(low.rfind("\nassistant\n", start, end), low.rfind("\nmodel\n", start, end))
    for found in _LINE.finditer(low, begun, end):
        if found["next"]:  # "2. What is ...?", after a paragraph that answers
            paragraph = low[max(start, low.rfind("\n", start, found.start())) : found.start()]
            begins = _ANSWERED_THERE.search(paragraph) is not None
        elif found["role"]:  # where the decoder left out the marks of a chat template
            begins = found.end() <= replies
        else:
            named = found["speaker"] or found["title"]
            begins = bool(named) or (answered is not None and answered.start() < found.start())
            begins = begins or _is_next_of_series(low, begun, found)
        if begins:
            return found.start()
    return end


def _next_story(low: str, start: int, end: int) -> int:
    """Where a paragraph tells another problem behind one that ends in an answer; `end` where none does."""
    answered = _ANSWERED_THERE.search(low, start, end)
    for found in _STORY.finditer(low, answered.end(), end) if answered else ():
        line = low[low.rfind("\n", start, found.start()) + 1 : found.start()]
        if _ANSWERED_THERE.search(line):
            return found.start()
    return end


def _is_next_of_series(low: str, begun: int, found: re.Match[str]) -> bool:
    """Whether a heading, behind a horizontal line, is the second or later of a series whose first is not there."""
    place = found.start()
    if _RULE.search(low, max(begun, place - _LONGEST_RULE), place) is None:
        return False
    series = _OF_SERIES.search(low, place, found.end())
    return series is not None and f"{series[1]} 1" not in low[begun:place]
