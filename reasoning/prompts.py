"""Every word that a student or a teacher is sent, and how a teacher's words are read back.

Owns: the student's prompt and completion form, the teacher's plain and tailored prompts, the reader of replies.

Invariants
- The student's prompt ends without white space and its completion begins with one space, so that prompt and completion
  tokenise apart exactly as they do together, in training and at inference alike.
- A prompt has a name; the name travels with every rationale it produced.
- A teacher's reply is data: it is split at known headings, never evaluated, and any text is a valid input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

QUESTION_HEADING = "Question:"
REASONING_HEADING = "Reasoning:"
ANSWER_HEADING = "Answer:"
MISTAKE_HEADING = "Mistake:"
ATTEMPT_HEADING = "The student's reasoning:"

PLAIN_PROMPT = "plain-v1"
TAILORED_PROMPT = "tailored-v1"


def student_prompt(question: str) -> str:
    """What the student continues. Source: paper A's form, without its trailing space."""
    return f"{QUESTION_HEADING} {question.strip()}\n{REASONING_HEADING}"


def student_completion(rationale: str, answer: str) -> str:
    """The target after `student_prompt`: ` {rationale}\\nAnswer: {answer}`; the caller adds the EOS token."""
    return f" {one_block(rationale)}\n{ANSWER_HEADING} {answer.strip()}"


def one_block(text: str) -> str:
    """`text` trimmed, each line trimmed, blank lines dropped: a completion ends at its first blank line."""
    return "\n".join(line for line in (line.strip() for line in text.splitlines()) if line)


def plain_request(question: str) -> list[dict[str, str]]:
    """Chat messages that ask for a chain of thought for the question alone."""
    instruction = (
        "Solve the question below step by step, one short sentence per step.\n"
        f"Write '{REASONING_HEADING}' and the steps, then a last line '{ANSWER_HEADING}' with the final answer alone."
    )
    return [{"role": "user", "content": f"{instruction}\n\n{QUESTION_HEADING} {question.strip()}"}]


def tailored_request(question: str, mistake: str, gold: str) -> list[dict[str, str]]:
    """Chat messages that show the student's own wrong reasoning and ask for one that repairs it (paper A, feedback)."""
    instruction = (
        "A student answered the question below wrongly. Find the first wrong step and say in one sentence what is "
        f"wrong with it, after '{MISTAKE_HEADING}'.\nThen write '{REASONING_HEADING}' and a correct solution step by "
        "step, one short sentence per step, in which the step the student missed is worked out in smaller ones.\n"
        f"End with a last line '{ANSWER_HEADING}' with the final answer alone. The correct answer is {gold}; do not "
        "mention that you were told."
    )
    content = f"{instruction}\n\n{QUESTION_HEADING} {question.strip()}\n\n{ATTEMPT_HEADING}\n{one_block(mistake)}"
    return [{"role": "user", "content": content}]


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


@dataclass(frozen=True, slots=True)
class TeacherReply:
    """A reply in parts: what the teacher says is wrong ("" when it does not), its rationale, and the text in which the
    final answer is to be looked for (the answer line when there is one, else the whole reply)."""

    mistake: str
    rationale: str
    answer_text: str


_REASONING = re.compile(rf"^\s*\**{REASONING_HEADING}\**", re.MULTILINE | re.IGNORECASE)
_ANSWER = re.compile(rf"^\s*\**{ANSWER_HEADING}\**", re.MULTILINE | re.IGNORECASE)
_MISTAKE = re.compile(rf"^\s*\**{MISTAKE_HEADING}\**", re.MULTILINE | re.IGNORECASE)


def read_reply(text: str) -> TeacherReply:
    """Splits a reply at its headings. A missing heading is no error: what is there is used."""
    reasoning = _REASONING.search(text)
    preface = text[: reasoning.start()] if reasoning else ""
    body = text[reasoning.end() :] if reasoning else text
    answers = list(_ANSWER.finditer(body))
    rationale = body[: answers[-1].start()] if answers else body
    answer_text = body[answers[-1].end() :].strip() if answers else text
    mistake_heading = _MISTAKE.search(preface)
    mistake = preface[mistake_heading.end() :] if mistake_heading else ""
    return TeacherReply(one_block(mistake), one_block(rationale), answer_text)
