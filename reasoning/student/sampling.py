"""What is asked of a student sampler, how it answers, and how it refuses.

Owns: the records and typed errors that travel between samplers and their callers; no engine, no Ray.
"""

from __future__ import annotations

from dataclasses import dataclass

from reasoning.prompts.frame import Marks


class StaleWeights(RuntimeError):
    """A replica was asked for a version that it does not hold: sync it first."""

    def __init__(self, asked: str, held: str) -> None:
        super().__init__(asked, held)
        self.asked = asked
        self.held = held

    def __str__(self) -> str:
        held = f"holds {self.held!r}" if self.held else "has not been synced since it started"
        return f"asked for weights {self.asked!r}, but this sampler {held}; sync it first"


class SyncFailed(RuntimeError):
    """New weights could not be taken on, or the probe shows that the engine computes with others."""

    def __init__(self, version: str, checkpoint: str, reason: str) -> None:
        super().__init__(version, checkpoint, reason)

    def __str__(self) -> str:
        version, checkpoint, reason = self.args
        return f"sync to weights {version!r} from {checkpoint} failed: {reason}"


class CannotSleep(RuntimeError):
    """A sampler did not give its GPU's memory up. The message says why."""


class PromptRefused(ValueError):
    """A prompt that the engine cannot take, mostly because it is longer than the context."""


class SamplersLost(RuntimeError):
    """No replica could be brought back: the actors' restarts are used up or their node is gone."""


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """Bytes of one GPU's memory, whoever uses it."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to answer: `samples` completions of at most `max_new_tokens`, ending early at any of `stop` (left out of
    the text). Temperature 0 is greedy and allows one sample. With `seed` the same prompt gets the same completions.
    `marks` says how the prompt is read and which token ends the answer; None: as the tokenizer reads any text."""

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int | None = None
    stop: tuple[str, ...] = ()
    marks: Marks | None = None

    def __post_init__(self) -> None:
        if self.temperature == 0.0 and self.samples != 1:
            raise ValueError(f"greedy decoding (temperature 0) gives one sample, not {self.samples}")


@dataclass(frozen=True, slots=True)
class Completion:
    """`complete`: it ended by itself (end of sequence or a stop string), not at the limit. `tokens` counts new ones."""

    text: str
    complete: bool
    tokens: int
