"""The nouns of a round, each a frozen record with a stable id.

Owns: the data that flows between phases, and nothing that acts on it.

Invariants
- A record's id is a hash of what makes it itself, so the same content has the same id in every process and every run.
- Records hold plain text, numbers and enumerations only: they travel between processes and into Parquet as they are.
- A field that came after tables had been written is marked `LATER`, and has a default: a table without it is read.
- A truncated attempt is its own verdict. It is never a mistake, never a negative and never shown to the teacher.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum

LATER = {"later": True}

_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)  # made once: every record asks
_quoted = json.encoder.encode_basestring  # the encoder's own, which asks less


def stable_id(*parts: object) -> str:
    """A 16-hex-digit id of `parts`: equal content, equal id, in every process (BLAKE2b over canonical JSON)."""
    canonical = f"[{','.join(map(_as_json, parts))}]"
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _as_json(part: object) -> str:
    """What `_CANONICAL` makes of it, sooner for text and numbers, of which records are made."""
    if isinstance(part, str):
        return _quoted(part)
    return repr(part) if type(part) is int else _CANONICAL.encode(part)


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class AnswerKind(StrEnum):
    """How an answer is found in a text and compared with the gold one."""

    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"
    TEXT = "text"
    DATE = "date"
    SET = "set"
    EXPRESSION = "expression"

    __hash__ = str.__hash__  # the usual one of enumerations is slow, and each answer looks its kind up


class Verdict(StrEnum):
    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"


class RationaleSource(StrEnum):
    """Who wrote a rationale, and what they were shown."""

    PLAIN = "plain"  # the teacher, shown the question alone
    TAILORED = "tailored"  # the teacher, shown the student's mistake
    NEW = "new"  # the teacher, for a question that it wrote itself, shown the student's mistake
    STUDENT = "student"  # the student's own correct attempt


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its gold answer.

    `answer` is in the task's own form: "18", "yes", "B", "yajo". `choices` are the texts of the options of a
    multiple-choice question in order (A, B, ...), empty otherwise; `question` already contains them as shown.
    `aliases` are other answers that are as right as `answer`, which is the one that is taught. `settings`, a JSON
    object, is how the task wants answers of this kind compared, where that is not the usual way (a tolerance), and
    `grader` the user's own grader ("module:function"), where there is one.
    `occurrence` counts from 0 how often the question came before, where a set repeats it and the repetition counts.
    """

    task: str
    question: str
    answer: str
    answer_kind: AnswerKind
    split: Split
    choices: tuple[str, ...] = ()
    occurrence: int = 0
    aliases: tuple[str, ...] = ()
    settings: str = ""
    grader: str = ""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        again = (self.occurrence,) if self.occurrence else ()
        object.__setattr__(self, "id", stable_id(self.task, self.question, *again))

    @property
    def golds(self) -> tuple[str, ...]:
        """Every answer that is right."""
        return (self.answer, *self.aliases)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sampled answer of the student to one problem, graded.

    `text` is the completion without the prompt; `complete` is False when it ran into the token limit;
    `prediction` is the answer found in it ("" when none); `tokens` counts new tokens.
    """

    problem_id: str
    round: int
    sample: int
    text: str
    complete: bool
    tokens: int
    prediction: str
    verdict: Verdict
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", stable_id(self.problem_id, self.round, self.sample, self.text))


@dataclass(frozen=True, slots=True)
class ScoredAttempt:
    """What a teacher with logits says of the tokens of one of the student's own answers.

    `prompt` and `tokens` are the token ids of question and answer as they are learnt, the token that ends it included.
    Of every one of `tokens`, in order, the teacher lists `width` ids with their log-probabilities (natural logarithm):
    those it holds most likely there, and the token itself; -1 fills up where it is among them."""

    problem_id: str
    round: int
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    width: int
    listed: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    model: str
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", stable_id(self.problem_id, self.prompt, self.tokens, self.model))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A complete, wrong rationale of the student: what the teacher is shown and what the triplet loss pushes away.

    `text` keeps the student's own wrong answer (never the gold one).
    """

    problem_id: str
    round: int
    text: str
    prediction: str
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", stable_id(self.problem_id, self.text))


@dataclass(frozen=True, slots=True)
class Rationale:
    """A worked solution and how it came about.

    `text` is the reasoning alone and `answer` what it ends in; `prompt` names the prompt that asked for it, `model`
    who wrote it; `mistake_id` is the mistake it answers ("" for plain ones); `kept` says whether it passed the
    filter (its answer is the gold one); `sample` is its number (from 0) among the answers to the same question.
    `wrong_step` is the step of the mistake that the teacher called the first wrong one, in the student's own words.
    """

    problem_id: str
    round: int
    source: RationaleSource
    prompt: str
    model: str
    text: str
    answer: str
    kept: bool
    mistake_id: str = ""
    sample: int = 0
    wrong_step: str = field(default="", metadata=LATER)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", stable_id(self.problem_id, self.text, self.answer))


@dataclass(frozen=True, slots=True)
class Example:
    """Everything a question teaches in one round: completions to imitate, and the student's own to move away from.

    `prompt` is what the student sees; each positive and negative is a whole completion (rationale, answer line)
    without the end-of-sequence token. A question is one example, however many rationales it has, and one more where it
    is learnt with its answer shown. `wrong_steps`, where any is known and compared, has one for each negative: its
    first wrong step in the teacher's eyes, or "".
    """

    problem_id: str
    prompt: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    wrong_steps: tuple[str, ...] = field(default=(), metadata=LATER)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        steps = (self.wrong_steps,) if self.wrong_steps else ()
        content = (self.problem_id, self.prompt, self.positives, self.negatives, *steps)
        object.__setattr__(self, "id", stable_id(*content))
