"""The headings that part a prompt and a reply, and how both are read back.

Owns: the headings, the reader of teachers' replies, the reader of requests (for the offline teacher). The prompts
themselves are files: `reasoning.prompts.student_forms`, `reasoning.prompts.teacher_prompts`.

Invariant: a teacher's reply is data: it is split at known headings, never evaluated, and any text is a valid input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

QUESTION_HEADING = "Question:"
REASONING_HEADING = "Reasoning:"
ANSWER_HEADING = "Answer:"
MISTAKE_HEADING = "Mistake:"
WRONG_STEP_HEADING = "Wrong step:"
ATTEMPT_HEADING = "The student's reasoning:"


def one_block(text: str) -> str:
    """`text` trimmed, each line trimmed, blank lines dropped: a completion ends at its first blank line."""
    return "\n".join(line for line in (line.strip() for line in text.splitlines()) if line)


@dataclass(frozen=True, slots=True)
class TeacherRequestText:
    """A teacher prompt taken apart again: the offline teacher reads its questions with this. `mistake` is None when
    no student reasoning is shown."""

    question: str
    mistake: str | None


def read_request(content: str) -> TeacherRequestText:
    """Finds the question (after the last `Question:`; the whole text when there is none) and the mistake shown."""
    body, found, mistake = content.partition(f"\n{ATTEMPT_HEADING}")
    _, heading, question = body.rpartition(QUESTION_HEADING)
    return TeacherRequestText((question if heading else body).strip(), mistake.strip() if found else None)


_COUNT = re.compile(r"\bnew questions?:[ \t]*(\d{1,3})\b|\b(\d{1,3})[ \t]+new questions?\b", re.IGNORECASE)


def count_asked_for(content: str) -> int | None:
    """How many new questions a prompt asks for, None when it asks for something else. It asks for them where its
    instructions, before the last `Question:`, say "new questions: 3" or "3 new questions"."""
    body, _, _ = content.partition(f"\n{ATTEMPT_HEADING}")
    instructions, _, _ = body.rpartition(QUESTION_HEADING)
    found = _COUNT.search(instructions)
    return int(found[1] or found[2]) if found else None


def asks_for_the_wrong_step(content: str) -> bool:
    """Whether a prompt asks which step of the student's is the first wrong one, in words of its own."""
    return f"'{WRONG_STEP_HEADING}'" in content.partition(f"\n{ATTEMPT_HEADING}")[0]


def asks_to_go_on(content: str) -> bool:
    """Whether a prompt asks to go on from that step, and not to say again what stands before it."""
    return "do not say it again" in content.partition(f"\n{ATTEMPT_HEADING}")[0]


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A reply in parts: what the teacher says is wrong ("" when it does not), its rationale, the text in which the
    final answer is to be looked for (the answer line when there is one, else the whole reply), and the step of the
    student that it calls the first wrong one ("" when it calls none so, or several)."""

    mistake: str
    rationale: str
    answer_text: str
    wrong_step: str = ""


def heading(name: str) -> str:
    """What finds a heading of this name (a pattern) at a line's beginning, however it is dressed: "Answer:",
    "**Answer**:", "- __Answer:__"; without a colon where it is alone and its dress says what it is: "### Answer"."""
    marks = r"[*_`'\"“”‘’]*"
    listed = r"^[ \t]*(?:(?:[-*•>]|\d{1,2}[.)])[ \t]+)*"
    with_colon = rf"{listed}(?:#{{1,6}}[ \t]*)?{marks}(?:{name}){marks}[ \t]*[:：]{marks}"
    return rf"(?:{with_colon}|{listed}(?:#{{1,6}}[ \t]*{marks}|\*\*|__)(?:{name}){marks}[ \t\r]*$)"


_FLAGS = re.MULTILINE | re.IGNORECASE
_WRONG_STEP_NAMES = r"(?:the )?(?:first )?(?:wrong|incorrect) step"
_WORKED_OUT = r"(?:the )?(?:correct(?:ed)?|step[- ]by[- ]step)"
REASONING = re.compile(heading(rf"(?:{_WORKED_OUT} )?reasoning|{_WORKED_OUT} solution"), _FLAGS)
ANSWER = re.compile(heading("(?:the )?(?:final )?answer"), _FLAGS)
_MISTAKE = re.compile(heading("(?:the )?mistake"), _FLAGS)
_WRONG_STEP = re.compile(heading(_WRONG_STEP_NAMES), _FLAGS)
_NEXT = re.compile(heading(f"explanation|{_WRONG_STEP_NAMES}"), _FLAGS)
_ABOUT_THE_MISTAKE = re.compile(
    rf"\A(?:\s*{heading(f'(?:the )?mistake|explanation|{_WRONG_STEP_NAMES}')}[^\n]*\n+)+", _FLAGS
)
_RULES = re.compile(r"\A(?:\s*(?:[-*_=][ \t]*){3,}(?:\n|\Z))+|(?:\n[ \t]*(?:[-*_=][ \t]*){3,})+\s*\Z")


def read_reply(text: str) -> ReplyParts:
    """Splits a reply at its headings. A missing heading is not an error: the parts that exist are used."""
    reasoning = REASONING.search(text) or _ABOUT_THE_MISTAKE.match(text)  # the latter, where that heading is missing
    preface, body = (text[: reasoning.end()], text[reasoning.end() :]) if reasoning else ("", text)
    preface = REASONING.sub("", preface)
    answers = list(ANSWER.finditer(body))
    rationale = body[: answers[-1].start()] if answers else body
    answer_text = body[answers[-1].end() :].strip() if answers else text
    named, steps = _MISTAKE.search(preface), list(_WRONG_STEP.finditer(preface))
    step = _block(_until(preface, steps[0].end(), _MISTAKE)) if len(steps) == 1 else ""
    mistake = _block(_until(preface, named.end(), _NEXT)) if named else ""
    return ReplyParts(mistake, _block(rationale), answer_text, step)


def _block(text: str) -> str:
    """`text` as one block, without the horizontal lines that part it from what stands around it."""
    return one_block(_RULES.sub("", text))


def _until(text: str, start: int, heading: re.Pattern[str]) -> str:
    """`text` from `start` up to the next `heading`."""
    end = heading.search(text, start)
    return text[start : end.start() if end else None]
