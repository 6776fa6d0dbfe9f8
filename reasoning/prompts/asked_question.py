"""The question in a chat: what of its messages is the question itself, as the student learnt to be asked it.

Owns: that rule. A student has learnt one thing, to answer a bare question in its own form; people and harnesses send
more around it: a system message, examples of earlier turns, a heading ("Question:"), a cue ("Answer:"), instructions
("Let's think step by step."), or the student's whole prompt. In its form all that would be words that it never saw.

Invariants
- Total: every text has a question in it, if need be the whole text. What is taken away is a prefix or a suffix of it.
- The question's own words are never changed, nor what follows it that belongs to it: options, a table, a second part.
- A question that stands alone is itself.
- It takes time linear in the text, whatever that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reasoning.prompts.frame import Frame

_LONGEST_END = 600  # characters of an instruction that ends a message; so many are looked through
_LABEL = r"(?:question|problem|exercise|query|task|input|q)"
_CUE = r"(?:(?:the )?(?:final )?answer|reasoning|solution|response|output|explanation|rationale|a)"
# A heading of a question, at the start of a line, perhaps numbered and bold.
_HEADING = re.compile(
    rf"^[ \t]*(?:\*\*|#+[ \t]*)?{_LABEL}[ \t]*\d{{0,4}}[ \t]*(?:\*\*)?[ \t]*:(?:\*\*)?\s*", re.I | re.M
)
# Where the answer is to be written: the last line, with nothing after it.
_CUE_LINE = re.compile(
    rf"(?:^|\n)[ \t]*(?:{_CUE}[ \t]*:|\*\*{_CUE}(?::\*\*|\*\*:?)|#+[ \t]*{_CUE}[ \t]*:?)[ \t]*\Z", re.I
)
_STEP_BY_STEP = re.compile(
    r"\s*(?:(?:a|answer)[ \t]*:[ \t]*)?"
    r"(?:let['’]?s|let us|please|now|you should|think|reason|work|solve|first)\b[^.?!\n]{0,80}?"
    r"\bstep[- ]by[- ]step\b[^?\n]{0,200}\Z",
    re.I,
)
# A last sentence that says how to answer, after the question's own end.
_HOW = re.compile(
    r"(?<=[.?!:)\n])[ \t\n]*(?:please\b|make sure\b|remember\b|you (?:must|should)\b|be sure\b|"
    r"(?:show|explain) your\b|"
    r"(?:put|give|provide|write|state|enclose|place|output|return|report|box)\b[^\n]{0,60}?\b(?:answer|result|boxed)\b|"
    r"(?:answer|respond|reply|end|finish|conclude)\b[^\n]{0,20}?\b(?:with|in|using|by|only)\b|"
    r"(?:your|the) (?:final )?(?:answer|response) (?:should|must|is to)\b)"
    r"[^\n?]{0,240}\Z",
    re.I,
)
_TASK_LINE = re.compile(
    r"\A[ \t]*(?:please[ \t]+)?(?:you (?:are|will be)\b|answer\b|solve\b|read\b|consider\b|work (?:out|through)\b|"
    r"here is\b|below is\b|the following\b|given\b)"
    r"[^\n?]{0,300}?(?:questions?|problems?|puzzles?|exercises?|tasks?|assistant|tutor|teacher|solver|expert)\b"
    r"[^\n?]{0,300}?[.:][ \t]*\n+",
    re.I,
)


class NoQuestion(ValueError):
    """A chat in which nobody asks. The message says what is expected."""


def asked_question(messages: object, frame: Frame) -> str:
    """The question of a chat's last message, the user's, without what stands around it. What follows it and asks
    nothing (a system message, an empty one of the assistant's) is passed over. `messages` are the request's, unchecked.
    Raises `NoQuestion`."""
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise NoQuestion("messages: a list with one message of the role user is expected")
    last = next((message for message in reversed(messages) if not _asks_nothing(message)), None)
    if not isinstance(last, Mapping) or last.get("role") != "user":
        raise NoQuestion("messages: the last one must be of the role user: the question, which this student answers")
    text = _text(last.get("content"))
    if not text.strip():
        raise NoQuestion("messages: the last one has no text")
    return bare_question(text, frame)


def bare_question(text: str, frame: Frame | None = None) -> str:
    """`text` without headings, cues, examples and instructions around its question."""
    asked = text.strip()
    if frame is not None and frame.fits(asked) and (frame.before or frame.after):
        return asked[len(frame.before) : len(asked) - len(frame.after)].strip()
    asked, cued = _without_end(asked)
    headings = list(_HEADING.finditer(asked))
    if headings and (cued or headings[0].start() == 0 or _TASK_LINE.match(asked)):
        asked = asked[headings[-1].end() :]
    else:
        asked = _rest(asked, _TASK_LINE.match(asked))
        heading = _HEADING.match(asked)
        asked = _rest(asked, heading)
    asked = asked.strip()
    return asked or text.strip()


def _without_end(asked: str) -> tuple[str, bool]:
    """`asked` without the cues and instructions that end it, and whether there was one."""
    cued = False
    for _ in range(4):
        start = max(0, len(asked) - _LONGEST_END)
        end = asked[start:]
        found = _CUE_LINE.search(end) or _STEP_BY_STEP.search(end) or _HOW.search(end)
        if found is None or not asked[: start + found.start()].strip():
            break
        asked, cued = asked[: start + found.start()].rstrip(), True
    return asked, cued


def _rest(asked: str, found: re.Match[str] | None) -> str:
    """What follows `found` in `asked`, where something does."""
    rest = asked[found.end() :] if found is not None else asked
    return rest if rest.strip() else asked


def _asks_nothing(message: object) -> bool:
    """Whether a message only says how to answer, or begins an answer without a word."""
    if not isinstance(message, Mapping):
        return False
    if message.get("role") == "assistant":
        return not message.get("content") and not message.get("tool_calls")
    return message.get("role") in ("system", "developer")


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = []
    for part in content:
        if (
            not isinstance(part, Mapping)
            or part.get("type") not in ("text", "input_text")
            or not isinstance(part.get("text"), str)
        ):
            raise NoQuestion("messages: this student reads text alone")
        parts.append(part["text"])
    return "\n".join(parts)
