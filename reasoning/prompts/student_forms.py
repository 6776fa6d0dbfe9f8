"""The form in which a student is asked and answers: in exams, in training and when it is served, always the same.

Owns: prompt and completion of a student, from a prompt file, with demonstrations and chat template where wanted.

Invariants
- A prompt that is plain text ends without white space and its completion begins with it (a space or a line end), so
  that prompt and completion tokenise apart exactly as they do together. A chat prompt ends as its template does.
- A completion's answer is the one it is given: reasoning and answer are filled in, never changed but for white space.
- Of a chat, prompt and completion together are the turns as the template writes them, up to the token that ends the
  student's (`reasoning.prompts.chat_template`).

Sources: the forms of papers A (2310.13332), without its trailing space, and B (2212.10071); see `library/student`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from reasoning.prompts.chat_template import QUESTION, FrameOf
from reasoning.prompts.demonstrations import few_shot
from reasoning.prompts.files import Message, PromptError, checked, fill, places, read_prompt
from reasoning.prompts.frame import Frame, Marks
from reasoning.prompts.headings import one_block

DEFAULT_FORM = "reasoning"

_PROMPT_PLACES = {"question", "demonstrations"}
_COMPLETION_PLACES = {"rationale", "answer"}


class _Keys(BaseModel):
    """A student prompt file. `prompt` (plain text) or `messages` (for a chat template); `completion` is what is learnt.
    With `answer_prompt` the student is asked twice: its reasoning, then, that text added, the answer. `stop` and
    `answer_stop` end a reply when it is sampled; `demonstration` is the form of one few-shot example, of which there
    must be some with `few_shot`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    completion: str
    demonstration: str | None = None
    few_shot: bool = False
    answer_prompt: str | None = None
    stop: tuple[str, ...] = ()
    answer_stop: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> _Keys:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt (plain text) or messages (chat)")
        asked = self.prompt if self.prompt is not None else "".join(m.content for m in self.messages or ())
        if asked.count("{question}") != 1:
            raise ValueError("the place {question} must be in the prompt, once")
        if "{answer}" not in self.completion:
            raise ValueError("the place {answer} must be in the completion")
        for text, known in (
            (asked, _PROMPT_PLACES),
            (self.completion, _COMPLETION_PLACES),
            (self.demonstration or "", {"question", *_COMPLETION_PLACES}),
        ):
            strange = places(text) - known
            if strange:
                named = ", ".join(f"{{{name}}}" for name in sorted(strange))
                raise ValueError(f"unknown place {named}; known here: {', '.join(sorted(known))}")
        if self.prompt is not None and self.prompt != self.prompt.rstrip():
            raise ValueError("prompt must not end in white space, which would be tokenized differently from training")
        if self.prompt is not None and not self.completion[0].isspace():
            raise ValueError("completion must begin with a space or a line end, as prompt ends without one")
        return self


@dataclass(frozen=True, slots=True)
class StudentForm:
    """How a student is asked and how it answers. `id` names the prompt file and its content; `frame` is what stands
    around the question and around a completion; `answer_prompt` is None for a form that asks once."""

    id: str
    frame: Frame
    completion_template: str
    answer_prompt: str | None = None
    stop: tuple[str, ...] = ()
    answer_stop: tuple[str, ...] = ()

    def prompt(self, question: str) -> str:
        """What the student continues."""
        return f"{self.frame.before}{question.strip()}{self.frame.after}"

    def marks(self, question: str) -> Marks:
        """How the prompt of `question` is read."""
        return self.frame.marks(self.prompt(question))

    def completion(self, rationale: str, answer: str) -> str:
        """What it learns to continue with; whoever tokenizes it adds the token that ends it."""
        return fill(self.completion_template, rationale=one_block(rationale), answer=answer.strip())

    def own_completion(self, text: str) -> str:
        """A completion of the student's own as it would be learnt: trimmed, begun and ended as the form's are."""
        closing = self.frame.lead.strip().rpartition("\n")[2]  # of the thinking that the template opens, where it does
        said = text.rpartition(closing)[2] if closing else text
        said = said.rstrip().removesuffix(self.frame.trail.strip())
        return f"{self._lead}{one_block(said)}{self.frame.trail}"

    def rationale_in(self, text: str) -> str | None:
        """The rationale of a completion of the student's own, as one block; None where `text` has not this form."""
        if not self.reasons:
            return None
        found = _reader(self.completion_template).fullmatch(self.own_completion(text).strip())
        return one_block(found["rationale"]) or None if found else None

    @property
    def _lead(self) -> str:
        if self.frame.lead:
            return self.frame.lead
        template = self.completion_template
        return template[: len(template) - len(template.lstrip())]

    @property
    def reasons(self) -> bool:
        """Whether a rationale is part of what is learnt; without, labels alone are."""
        return "rationale" in places(self.completion_template)


def student_form(
    name: str = DEFAULT_FORM, demonstrations: Path | None = None, chat: FrameOf | None = None
) -> StudentForm:
    """The form of the prompt file `name` (of `library/student`, or a path). `chat` makes a frame of messages by the
    student's chat template (see `chat_frame`); a form of messages needs it. Raises `PromptError`."""
    file = read_prompt(name, "student")
    keys: _Keys = checked(file, _Keys)
    if keys.few_shot and demonstrations is None:
        raise PromptError(f"{file.path}: it shows demonstrations: name their file with student.demonstrations")
    examples = few_shot(file.path, keys.demonstration, demonstrations)
    completion = keys.completion
    if keys.messages is None:
        before, _, after = (keys.prompt or "").partition("{question}")
        before, after = (fill(text, demonstrations=examples) for text in (before, after))
        frame = Frame.around(before, after, shown=examples)
    elif chat is None:
        raise PromptError(f"{file.path}: a form of messages needs a student with a chat template")
    else:
        wanted = {"question": QUESTION, "demonstrations": examples}
        frame = chat([Message(role=m.role, content=fill(m.content, **wanted)) for m in keys.messages])
        completion = f"{frame.lead}{completion}{frame.trail}"
    return StudentForm(
        id=file.id,
        frame=replace(frame, words=_words(completion), between=_between(completion)),
        completion_template=completion,
        answer_prompt=keys.answer_prompt,
        stop=keys.stop,
        answer_stop=keys.answer_stop,
    )


def is_chat(name: str) -> bool:
    """Whether the prompt file `name` goes through a chat template. Raises `PromptError`."""
    keys: _Keys = checked(read_prompt(name, "student"), _Keys)
    return keys.messages is not None


@lru_cache(maxsize=16)
def _reader(completion: str) -> re.Pattern[str]:
    """What finds the rationale in a completion of this template: up to the last place where an answer may begin. What
    is to follow the answer may be missing, since a sampler stops there."""
    before, _, after = completion.strip().partition("{rationale}")
    between, _, end = after.partition("{answer}")
    loose = [r"\s*".join(map(re.escape, part.split())) for part in (before, between, end)]
    gap = rf"\s*{loose[1]}\s*" if loose[1] else r"\s+"
    return re.compile(rf"{loose[0]}\s*(?P<rationale>.+){gap}(?P<answer>.+?)(?:\s*{loose[2]})?", re.DOTALL)


def _words(completion: str) -> tuple[str, str]:
    """What stands in a completion's template before its first place and after its last."""
    parts = re.split("|".join(f"{{{name}}}" for name in sorted(_COMPLETION_PLACES)), completion)
    return parts[0], parts[-1]


def _between(completion: str) -> str:
    """What stands in a completion's template between reasoning and answer."""
    found = re.search(r"\{rationale\}(.*?)\{answer\}", completion, re.DOTALL)
    return found[1] if found else ""


@lru_cache(maxsize=1)
def default_form() -> StudentForm:
    """The form that the embedded student grew up with."""
    return student_form()


def student_prompt(question: str) -> str:
    """`question` in the default form."""
    return default_form().prompt(question)


def student_completion(rationale: str, answer: str) -> str:
    """A completion of `student_prompt`."""
    return default_form().completion(rationale, answer)
