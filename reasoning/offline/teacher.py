"""Teachers that need no network: one that solves the generated families, and one that repeats recorded completions.

Owns: what such a teacher says to a prompt; the HTTP around it is in `serve.offline_teacher`. Invariants
- The offline teacher reads nothing but the prompt: question and student's mistake are taken from its text, and the gold
  answer that a prompt may mention is not looked at.
- A reply depends on prompt, sample index, temperature and seed only: asked again, it says the same.
- Asked for new questions (`reasoning.prompts.headings.count_asked_for`), it writes training questions of its families
  and none that could be one of validation or test.
- A recording is never repeated: fewer samples come back when fewer were recorded.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reasoning.files.data_error import DataError
from reasoning.files.json_files import json_lines, kind_of_value
from reasoning.prompts.headings import (
    ANSWER_HEADING,
    MISTAKE_HEADING,
    QUESTION_HEADING,
    REASONING_HEADING,
    WRONG_STEP_HEADING,
    asks_for_the_wrong_step,
    asks_to_go_on,
    count_asked_for,
    one_block,
    read_request,
)
from reasoning.prompts.parts import numbered, parts_of
from reasoning.records import stable_id
from reasoning.tasks.families import Family
from reasoning.tasks.families.family import Worked
from reasoning.tasks.families.parted_steps import family_of

CANNOT_SOLVE = "I cannot solve this kind of question."

_SHAPE = "a line is a JSON object with the texts 'question', 'rationale', 'answer_completion'"

# Paper B, section 3: the two prompts of zero-shot chain of thought, as raw text. The second ends in a trigger whose
# wording differs a little from task to task ("Therefore, among A through C, the answer is").
_STEP_BY_STEP = "Let's think step by step."
_RAW_PROMPT = re.compile(
    rf"^\s*Q: (?P<question>.+?)\nA:\s*(?:{re.escape(_STEP_BY_STEP)})?(?P<rationale>.*?)"
    r"(?P<trigger>\s*Therefore,[^\n]*\banswer\b[^\n]*\bis:?)?\s*$",
    re.DOTALL,
)


class Teacher(Protocol):
    """Anything that answers prompts."""

    def complete(self, content: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """At most `n` replies to a chat message."""

    def continue_text(self, prompt: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """At most `n` continuations of a raw prompt."""


@dataclass(frozen=True, slots=True)
class RawPrompt:
    """A raw `Q: ... A: ...` prompt taken apart; `asks_answer` is True for the second prompt of the two."""

    question: str
    rationale: str
    asks_answer: bool


def read_raw_prompt(prompt: str) -> RawPrompt | None:
    """The parts of a zero-shot chain-of-thought prompt; None for a text of another form."""
    found = _RAW_PROMPT.match(prompt)
    if found is None:
        return None
    return RawPrompt(found["question"].strip(), found["rationale"].strip(), found["trigger"] is not None)


@dataclass(frozen=True, slots=True)
class _Sources:
    """Whether a sample errs, the source of its wording (None at temperature 0), and that of its slip."""

    errs: bool
    wording: random.Random | None
    slips: random.Random


class OfflineTeacher:
    """Solves the generated families from the text of the question, and errs at a set rate."""

    def __init__(self, error_rate: float = 0.0, seed: int = 0) -> None:
        """`error_rate`: the share of replies that are wrong, 0 to 1. Errors: `ValueError` outside of it."""
        if not 0.0 <= error_rate <= 1.0:
            raise ValueError(f"error_rate must be between 0 and 1, not {error_rate}")
        self.error_rate = error_rate
        self.seed = seed

    def complete(self, content: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """`n` replies in the form that `reasoning.prompts.headings.read_reply` reads. A question of no known family is
        declined in words. At temperature 0 all are alike; above it, wording and order vary from sample to sample.

        A prompt that shows a mistake and asks for new questions gets them instead (`Family.similar`, to the first wrong
        step), in the form that `reasoning.rounds.new_questions.proposals.read_new_questions` reads; each one's answer
        may err. Several numbered questions are answered one by one, under their numbers."""
        if read_raw_prompt(content) is not None:
            return self.continue_text(content, n, temperature, seed)
        parts = [part for _, part in parts_of(content)]
        if len(parts) > 1 and all(QUESTION_HEADING in part for part in parts):
            answers = [self._answers(part, n, temperature, seed, content) for part in parts]
            return [numbered([answer[sample] for answer in answers]) for sample in range(n)]
        return self._answers(content, n, temperature, seed, content)

    def _answers(self, content: str, n: int, temperature: float, seed: int | None, instructions: str) -> list[str]:
        """The replies to one question, by the `instructions` that it shares with others or has alone."""
        request = read_request(content)
        family = family_of(request.question)
        if family is None:
            return [CANNOT_SOLVE] * n
        count = count_asked_for(content)
        if count is not None and request.mistake is not None:
            wrong = family.first_wrong_step(request.question, request.mistake)
            step = wrong.index if wrong else None
            asked = [f"{content}\n{number}" for number in range(count)]
            drawn = [[self._sources(text, sample, temperature, seed) for text in asked] for sample in range(n)]
            return [_new_questions(family, request.question, step, sources) for sources in drawn]
        replies = []
        for sample in range(n):
            sources = self._sources(content, sample, temperature, seed)
            named, text, answer = "", "", ""
            if request.mistake is not None:
                question, mistake, go_on = request.question, request.mistake, asks_to_go_on(instructions)
                feedback = family.feedback(question, mistake, sources.wording, go_on=go_on)
                words = family.wrong_words(question, mistake) if asks_for_the_wrong_step(instructions) else ""
                named = f"{WRONG_STEP_HEADING} {words}\n" if words else ""
                named += "" if go_on else f"{MISTAKE_HEADING} {feedback.mistake}\n"
                text, answer = feedback.rationale, feedback.answer
            if sources.errs or not text:
                worked = _worked(family, request.question, sources)
                text, answer = worked.text, worked.answer
            replies.append(f"{named}{REASONING_HEADING} {text}\n{ANSWER_HEADING} {answer}")
        return replies

    def continue_text(self, prompt: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """The two raw steps: a rationale, then the answer that the prompt's rationale arrives at (the right one where
        it arrives at none). Any other text is answered as a chat message would be."""
        raw = read_raw_prompt(prompt)
        if raw is None:
            return self.complete(prompt, n, temperature, seed)
        family = family_of(raw.question)
        if family is None:
            return [f" {CANNOT_SOLVE}"] * n
        if raw.asks_answer:
            answer = family.conclusion(raw.question, raw.rationale) or family.solve(raw.question).answer
            return [f" {answer}."] * n
        sources = (self._sources(prompt, sample, temperature, seed) for sample in range(n))
        return [f" {_worked(family, raw.question, own).text}" for own in sources]

    def _sources(self, text: str, sample: int, temperature: float, seed: int | None) -> _Sources:
        key = (self.seed, text) if temperature == 0 else (self.seed, text, sample, temperature, seed)
        chance = random.Random(stable_id("error", *key))
        wording = None if temperature == 0 else random.Random(stable_id("wording", *key))
        return _Sources(chance.random() < self.error_rate, wording, chance)


def _worked(family: Family[Any], question: str, sources: _Sources) -> Worked:
    return family.corrupt(question, sources.slips) if sources.errs else family.rationale(question, sources.wording)


def _new_questions(family: Family[Any], question: str, step: int | None, sources: list[_Sources]) -> str:
    """One new question for each of `sources`, worked out; fewer where the family runs out of them."""
    written: dict[str, Worked] = {}
    for own in sources:
        new = family.similar(question, step, own.slips, taken=written)
        if new is None:
            break
        written[new] = _worked(family, new, own)
    blocks = [
        f"{QUESTION_HEADING} {new}\n{REASONING_HEADING} {worked.text}\n{ANSWER_HEADING} {worked.answer}"
        for new, worked in written.items()
    ]
    return "\n\n".join(blocks) or CANNOT_SOLVE


class UnrecordedQuestionError(LookupError):
    """Nothing was recorded for this question, or not as many samples as were asked for."""

    def __init__(self, question: str, path: Path, recorded: int = 0) -> None:
        count = f"only {recorded} completions are" if recorded else "no completion is"
        super().__init__(f"{count} recorded in {path} for the question {question[:200]!r}")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded pair of completions: the rationale, and what followed the answer trigger."""

    question: str
    rationale: str
    answer_trigger: str
    answer_completion: str


class RecordedTeacher:
    """Answers from a JSONL of recorded completions; a student's mistake in the prompt changes nothing about them."""

    def __init__(self, path: str | Path) -> None:
        """Reads the whole file. Raises `DataError` with the line number, also when the file cannot be read."""
        self.path = Path(path)
        self._recorded: dict[str, list[Recording]] = {}
        for recording in read_recordings(self.path):
            self._recorded.setdefault(_key(recording.question), []).append(recording)

    @property
    def questions(self) -> list[str]:
        """The recorded questions, in the order of the file."""
        return [recordings[0].question for recordings in self._recorded.values()]

    def complete(self, content: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """`n` recordings of the question from number `seed` on, fewer when there are fewer: whoever samples one
        question several times gives each sample its number as `seed`, and gets another recording for each. Temperature
        changes nothing. Errors: `UnrecordedQuestionError`, also for a sample that was not recorded.
        """
        raw = self._raw(content)
        if raw is not None and (raw.asks_answer or _STEP_BY_STEP in content):
            return self.continue_text(content, n, temperature, seed)
        question = read_request(content).question if raw is None else raw.question
        return [
            f"{REASONING_HEADING} {one_block(recording.rationale)}\n"
            f"{ANSWER_HEADING} {one_block(recording.answer_completion)}"
            for recording in self._samples(question, n, seed)
        ]

    def continue_text(self, prompt: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        """The recorded rationales, or, after a recorded rationale, what was recorded after the trigger; word for word.

        Errors: `UnrecordedQuestionError`, also for a rationale that is not recorded.
        """
        raw = self._raw(prompt)
        if raw is None:
            return self.complete(prompt, n, temperature, seed)
        if not raw.asks_answer:
            return [recording.rationale for recording in self._samples(raw.question, n, seed)]
        found = self._find(raw.question)
        answers = [one.answer_completion for one in found if _key(one.rationale) == _key(raw.rationale)]
        if not answers:
            raise UnrecordedQuestionError(f"{raw.question} [with another rationale]", self.path)
        return answers[:n]

    def _raw(self, prompt: str) -> RawPrompt | None:
        """The prompt taken apart. Of several questions the last one is asked and those before are worked examples; but
        in a second prompt, a recorded rationale may itself go on to a next question."""
        whole = read_raw_prompt(prompt)
        _, several, last = prompt.rpartition("\nQ: ")
        asked = read_raw_prompt(f"Q: {last}") if several else None
        if whole is None or asked is None:
            return whole
        return whole if asked.rationale and _key(whole.question) in self._recorded else asked

    def _samples(self, question: str, n: int, seed: int | None) -> list[Recording]:
        found, first = self._find(question), max(0, seed or 0)
        if first >= len(found):
            raise UnrecordedQuestionError(question, self.path, len(found))
        return found[first : first + n]

    def _find(self, question: str) -> list[Recording]:
        found = self._recorded.get(_key(question))
        if found is None:
            raise UnrecordedQuestionError(question, self.path)
        return found


def _key(text: str) -> str:
    """What makes two texts the same one: everything but white space."""
    return " ".join(text.split())


def read_recordings(path: Path) -> list[Recording]:
    """All recordings of a JSONL file. Raises `DataError`."""
    found = [_recording(line.place, line.value()) for line in json_lines(path, cure=_SHAPE)]
    if not found:
        raise DataError(str(path), "the file contains no recordings", _SHAPE)
    return found


def _recording(place: str, record: Any) -> Recording:
    if not isinstance(record, dict):
        raise DataError(place, f"a recording is an object, this is {kind_of_value(record)}", _SHAPE)
    texts = {}
    for name in ("question", "rationale", "answer_completion"):
        if not isinstance(record.get(name), str):
            raise DataError(place, f"it has no text '{name}'", _SHAPE)
        texts[name] = record[name]
    if not texts["question"].strip():
        raise DataError(place, "it has an empty 'question'", _SHAPE)
    trigger = record.get("answer_trigger", "")
    if not isinstance(trigger, str):
        raise DataError(place, "it has an 'answer_trigger' that is not a text", _SHAPE)
    return Recording(texts["question"], texts["rationale"], trigger, texts["answer_completion"])
