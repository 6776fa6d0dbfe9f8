"""What a teacher is asked, from prompt files: plainly, tailored to a mistake, in two steps, or several at once.

Owns: the messages of each request. How replies are read is in `reasoning.prompts.headings`.

Invariant: a prompt that shows the student's mistake says so by the place {mistake}; nothing else decides whether a
rationale counts as tailored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from reasoning.prompts.demonstrations import few_shot
from reasoning.prompts.files import Message, PromptError, checked, fill, places, read_prompt
from reasoning.prompts.headings import ANSWER_HEADING, REASONING_HEADING, one_block
from reasoning.prompts.parts import numbered
from reasoning.records import Mistake, Problem, RationaleSource
from reasoning.teacher.thinking import split_thinking, with_thinking
from reasoning.teacher.turns import own_turn

_PLACES = {"question", "answer", "mistake", "demonstrations", "count"}
_SHARED_PLACES = {"parts", "demonstrations"}
_PART_PLACES = {"question", "answer", "mistake"}


class _Keys(BaseModel):
    """A teacher prompt file. `messages` is the request; with `then` there is a second one, in whose place {reply} the
    first one's reply stands, and whose own reply is the answer. `demonstration` is the form of a few-shot example.
    `several` is the request for several questions, in whose place {parts} each of them stands in the form of `part`.
    `continues`: it asks to go on from the first wrong step, which the reply names, so that a rationale is the student's
    own words before that step and the reply's after. `brief` are the messages of every second request, which ask for a
    shorter solution."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: tuple[Message, ...]
    then: tuple[Message, ...] | None = None
    demonstration: str | None = None
    several: tuple[Message, ...] | None = None
    part: str | None = None
    continues: bool = False
    brief: tuple[Message, ...] | None = None

    @model_validator(mode="after")
    def _goes_on_from_a_mistake(self) -> _Keys:
        if self.continues and "{mistake}" not in "".join(message.content for message in self.messages):
            raise ValueError("continues goes on from the student's solution: the place {mistake} must be in messages")
        if self.continues and self.then is not None:
            raise ValueError("continues needs a prompt of one step: leave out then")
        if self.brief is not None and (self.then is not None or self.several is not None):
            raise ValueError("brief needs a prompt of one step that asks one question at a time")
        return self

    @model_validator(mode="after")
    def _has_parts(self) -> _Keys:
        if (self.several is None) != (self.part is None):
            raise ValueError(
                "several and part belong together: the one says where the parts stand, the other what each is"
            )
        if self.several is None or self.part is None:
            return self
        if self.then is not None:
            raise ValueError("a prompt of two steps asks one question at a time: leave out several and part")
        shared = "".join(message.content for message in self.several)
        alone = "".join(message.content for message in self.messages)
        if shared.count("{parts}") != 1:
            raise ValueError("the place {parts} must be in several, once")
        for name, text, known in (("several", shared, _SHARED_PLACES), ("part", self.part, _PART_PLACES)):
            if strange := places(text) - known:
                named = ", ".join(f"{{{place}}}" for place in sorted(strange))
                raise ValueError(f"unknown place {named} in {name}; known there: {', '.join(sorted(known))}")
        if "{question}" not in self.part:
            raise ValueError("the place {question} must be in part")
        if ("{mistake}" in self.part) != ("{mistake}" in alone):
            raise ValueError("the place {mistake} must be in messages and in part, or in neither")
        return self

    @model_validator(mode="after")
    def _is_whole(self) -> _Keys:
        steps = [(self.messages, _PLACES), *([(self.then, {*_PLACES, "reply"})] if self.then else [])]
        shown = [
            {"mistake"} & places("".join(one.content for one in each)) for each in (self.messages, self.brief or ())
        ]
        if self.brief is not None and shown[0] != shown[1]:
            raise ValueError("the place {mistake} must be in messages and in brief, or in neither")
        for messages, known in [*steps, *([(self.brief, _PLACES)] if self.brief else [])]:
            text = "".join(message.content for message in messages)
            strange = places(text) - known
            if strange:
                named = ", ".join(f"{{{name}}}" for name in sorted(strange))
                raise ValueError(f"unknown place {named}; known here: {', '.join(sorted(known))}")
            if "{question}" not in text and "{reply}" not in text:
                raise ValueError("the place {question} must be in the messages")
        return self


Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TeacherPrompt:
    """One way to ask a teacher; `id` names the prompt file and its content, `count` is how many new questions it asks
    for, where it asks for such."""

    id: str
    messages: tuple[Message, ...]
    then: tuple[Message, ...] | None = None
    demonstrations: str = ""
    count: int = 1
    several: tuple[Message, ...] | None = None
    part: str | None = None
    continues: bool = False
    brief: tuple[Message, ...] | None = None

    @property
    def shows_mistake(self) -> bool:
        return any("mistake" in places(message.content) for message in (*self.messages, *(self.then or ())))

    @property
    def asks_new_questions(self) -> bool:
        """Whether it asks for so many ({count}) new questions, which no reply with a rationale has."""
        return any("count" in places(message.content) for message in (*self.messages, *(self.then or ())))

    @property
    def source(self) -> RationaleSource:
        """What a rationale that it asked for counts as."""
        return RationaleSource.TAILORED if self.shows_mistake else RationaleSource.PLAIN

    def first(self, problem: Problem, mistake: Mistake | None = None, sample: int = 0) -> Messages:
        """The request's messages, as (role, content) pairs. Raises `ValueError` for a mistake that is not given.

        Where the prompt has a `brief` form, half of the questions are first asked in it, and the `sample`s of one
        question in turns."""
        brief = self.brief is not None and (int(problem.id[-1], 16) + sample) % 2 == 1
        return self._filled(self.brief if brief and self.brief else self.messages, problem, mistake)

    def second(self, problem: Problem, mistake: Mistake | None, reply: str) -> Messages:
        """The second request's messages. Raises `ValueError` for a prompt of one step."""
        if self.then is None:
            raise ValueError(f"prompt {self.id} asks once")
        return self._filled(self.then, problem, mistake, split_thinking(reply).said.strip())

    def part_of(self, problem: Problem, mistake: Mistake | None) -> str:
        """One question as it stands among several. Raises `ValueError` for a prompt that asks one at a time."""
        if self.part is None:
            raise ValueError(f"prompt {self.id} asks one question at a time")
        return fill(self.part, **self._values(problem, mistake))

    def together(self, asked: Sequence[tuple[Problem, Mistake | None]]) -> Messages:
        """One request for several questions. Raises `ValueError` as `part_of` does."""
        parts = numbered([self.part_of(*one) for one in asked])
        values = {"parts": parts, "demonstrations": self.demonstrations}
        return tuple((message.role, fill(message.content, **values)) for message in self.several or ())

    def _filled(
        self, messages: tuple[Message, ...], problem: Problem, mistake: Mistake | None, reply: str = ""
    ) -> Messages:
        values = {**self._values(problem, mistake), "reply": reply}
        return tuple((message.role, fill(message.content, **values)) for message in messages)

    def _values(self, problem: Problem, mistake: Mistake | None) -> dict[str, str]:
        if self.shows_mistake and mistake is None:
            raise ValueError(f"prompt {self.id} shows a mistake, and none is given")
        return {
            "question": problem.question.strip(),
            "answer": problem.answer,
            "mistake": one_block(mistake.text) if mistake else "",
            "demonstrations": self.demonstrations,
            "count": str(self.count),
        }


def joined_reply(rationale: str, answer: str) -> str:
    """Two steps' replies as one, in the form that `reasoning.prompts.headings.read_reply` reads, after the thinking of
    the first where it has any."""
    first, second = split_thinking(rationale), split_thinking(answer)
    if not first.closed or not second.closed:  # cut off, and so is the whole
        return answer if first.closed else rationale
    said = f"{REASONING_HEADING} {own_turn(first.said).strip()}\n{ANSWER_HEADING} {own_turn(second.said).strip()}"
    return with_thinking(first.thought, said) if first.thought else said


def teacher_prompt(name: str, demonstrations: Path | None = None, *, count: int = 1) -> TeacherPrompt:
    """The prompt file `name` (of `library/teacher`, or a path). Raises `PromptError`."""
    file = read_prompt(name, "teacher")
    keys: _Keys = checked(file, _Keys)
    every = (*keys.messages, *(keys.then or ()), *(keys.several or ()), *(keys.brief or ()))
    text = "".join(message.content for message in every)
    if "{demonstrations}" in text and demonstrations is None:
        raise PromptError(f"{file.path}: it shows demonstrations: name their file with teacher.demonstrations")
    examples = few_shot(file.path, keys.demonstration, demonstrations)
    ways = (keys.several, keys.part, keys.continues, keys.brief)
    return TeacherPrompt(file.id, keys.messages, keys.then, examples, count, *ways)
