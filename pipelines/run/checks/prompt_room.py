"""How much room prompts leave: measured with the student's own tokenizer, form and marks, as its run reads them.

Owns: the measurement, and what it needs to know. What is told of it is `prompt_lengths`'s, the counting itself
`reasoning.prompts.lengths`'s.

Invariants
- The context is that of the back end that samples the student: its positions, or what vLLM makes of them.
- A process that holds no torch is left without it: the measurement then has a process of its own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from reasoning.prompts.run_prompts import form_of
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.student import StudentSection


@dataclass(frozen=True)
class Room:
    """Tokens. `context`: of prompt and answer, or of an encoder's prompt (`apart`), None without end; `positions`: what
    the model has; `wanted`: of a whole answer; `least`: of the shortest completion that is learnt."""

    context: int | None
    positions: int | None
    wanted: int
    least: int
    apart: bool

    @property
    def answered(self) -> float:
        """The longest prompt that leaves room for a token of the answer."""
        return (self.context or math.inf) - (0 if self.apart else 1)

    @property
    def answered_whole(self) -> float:
        """The longest one that leaves room for a whole answer, where one is bounded by less than the context."""
        context = self.context or math.inf
        return self.answered if self.apart or self.wanted >= context else context - self.wanted

    def learnt(self, limit: int) -> int:
        """The longest one that is learnt with a completion, where both have at most `limit` tokens."""
        limit = min(limit, self.positions or limit)
        return limit if self.apart else limit - self.least


@dataclass(frozen=True)
class Measured:
    """The room that there is, the tokens of the form's `own` words, and those of each prompt: on the right side of each
    limit, and exact for the longest and the shortest of each group."""

    room: Room
    own: int
    counts: list[int]


@dataclass(frozen=True)
class Measurement:
    """What is to be measured: `questions` in the form of `student`, and in `groups` (their indices) those of which the
    longest and the shortest are to be known. `wanted`: tokens of a whole answer; `completion`: the shortest that is
    learnt; `limits`: of the tokens of what is learnt; `vllm`: whether vLLM samples the student, where it can."""

    student: StudentSection
    vllm: bool
    wanted: int
    completion: str
    limits: list[int]
    questions: list[str]
    groups: list[list[int]]

    def as_json(self) -> str:
        keys = {name: getattr(self, name) for name in Measurement.__dataclass_fields__ if name != "student"}
        return json.dumps(keys | {"student": self.student.model_dump(mode="json")})

    @classmethod
    def of_json(cls, text: str) -> Measurement:
        content: dict[str, Any] = json.loads(text)
        return cls(**content | {"student": StudentSection.model_validate(content["student"])})


def measure(wanted: Measurement, form: StudentForm) -> Measured:
    """Raises `OSError`, `ValueError` or `ImportError` where tokenizer or configuration cannot be read."""
    if "torch" in sys.modules:
        return measured_here(wanted, form)
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        input=wanted.as_json(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise ValueError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return Measured(**found | {"room": Room(**found["room"])})


def measured_here(wanted: Measurement, form: StudentForm) -> Measured:
    """As `measure`, in this process."""
    from reasoning.prompts.encoding import Encoder
    from reasoning.prompts.lengths import PromptLengths
    from reasoning.student.loading import load_config, load_tokenizer

    config, tokenizer = load_config(wanted.student.source), load_tokenizer(wanted.student.source)
    tokenizer.model_max_length = sys.maxsize  # it would warn of what is told here
    encoder = Encoder(tokenizer, encoder_decoder=bool(config.is_encoder_decoder))
    room = _room(wanted, config, len(encoder.completions([wanted.completion], form.frame)[0]))
    limits = [room.answered, room.answered_whole, *map(room.learnt, wanted.limits)]
    lengths = PromptLengths(encoder, form)
    counts = lengths.counted(wanted.questions, [int(limit) for limit in limits if limit < math.inf])
    for group in filter(None, wanted.groups):
        for index in (max(group, key=counts.__getitem__), min(group, key=counts.__getitem__)):
            counts[index] = lengths.exact(wanted.questions[index])
    return Measured(room, lengths.own, counts)


def _room(wanted: Measurement, config: Any, least: int) -> Room:
    from reasoning.student.generation import context_length
    from reasoning.student.vllm_internals import own_context

    positions, apart, given = context_length(config), bool(config.is_encoder_decoder), wanted.student.max_model_len
    own = own_context(config) if wanted.vllm and not apart and given is None else positions
    context = min((length for length in (own, given) if length is not None), default=None)
    return Room(context, positions, wanted.wanted, least, apart)


def _main(text: str) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    wanted = Measurement.of_json(text)
    print("\n" + json.dumps(asdict(measured_here(wanted, form_of(wanted.student)))))


if __name__ == "__main__":
    _main(sys.stdin.read())
