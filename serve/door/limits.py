"""What a served student lets in: the keys of a deployment that say how much, how long and who.

Owns: these keys, their defaults and bounds.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reasoning.recipe.base import Positive, PositiveInt, Section


class DoorSection(Section):
    """The door of a deployment.

    `keys_file` and `keys_variable` are where bearer keys are on the machines of the replicas; without either anybody is
    let in. `at_once` requests are answered at a time by a replica and `waiting` more wait for one (None: any number);
    others get 429. A body has at most `body_bytes` and arrives within `body_s`; an answer has at most `max_tokens`
    tokens (None: what the model takes), a request asks for at most `samples` answers, and is given up after
    `answer_s`. Of a streamed answer a piece goes every `piece_s` at most (0: each token as it comes)."""

    keys_file: str | None = None
    keys_variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    at_once: PositiveInt = 256
    waiting: Annotated[int, Field(ge=0)] | None = 1024
    body_bytes: PositiveInt = 1024 * 1024
    body_s: Positive = 30.0
    max_tokens: PositiveInt | None = None
    samples: PositiveInt = 128
    answer_s: Positive = 600.0
    piece_s: Annotated[float, Field(ge=0, le=1)] = 0.04
