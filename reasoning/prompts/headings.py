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


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A reply in parts: what the teacher says is wrong ("" when it does not), its rationale, and the text in which the
    final answer is to be looked for (the answer line when there is one, else the whole reply)."""

    mistake: str
    rationale: str
    answer_text: str


_REASONING = re.compile(rf"^\s*\**{REASONING_HEADING}\**", re.MULTILINE | re.IGNORECASE)
_ANSWER = re.compile(rf"^\s*\**{ANSWER_HEADING}\**", re.MULTILINE | re.IGNORECASE)
_MISTAKE = re.compile(rf"^\s*\**{MISTAKE_HEADING}\**", re.MULTILINE | re.IGNORECASE)


def read_reply(text: str) -> ReplyParts:
    """Splits a reply at its headings. A missing heading is not an error: the parts that exist are used."""
    reasoning = _REASONING.search(text)
    preface = text[: reasoning.start()] if reasoning else ""
    body = text[reasoning.end() :] if reasoning else text
    answers = list(_ANSWER.finditer(body))
    rationale = body[: answers[-1].start()] if answers else body
    answer_text = body[answers[-1].end() :].strip() if answers else text
    mistake_heading = _MISTAKE.search(preface)
    mistake = preface[mistake_heading.end() :] if mistake_heading else ""
    return ReplyParts(one_block(mistake), one_block(rationale), answer_text)
