"""What a place is asked with beyond messages, temperature, bound on tokens and seed.

Owns: the record of such parameters, and the text of them that goes into a request's key.

Invariants
- What is not used is not in the text: a request without parameters has the key that it always had.
- The same parameters have the same text, whatever order they were written in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """None is not used. `extra_body` is what else stands at the top of the body and `headers` what else stands in the
    head, each a JSON object as `canonical` writes it, or ""."""

    top_p: float | None = None
    reasoning_effort: str | None = None
    enable_thinking: bool | None = None
    extra_body: str = ""
    headers: str = ""

    def as_json(self) -> dict[str, object]:
        """Those that are used, as plain JSON values."""
        used: dict[str, object] = {
            "top_p": self.top_p,
            "reasoning_effort": self.reasoning_effort,
            "enable_thinking": self.enable_thinking,
            "extra_body": json.loads(self.extra_body) if self.extra_body else None,
            "headers": json.loads(self.headers) if self.headers else None,
        }
        return {name: value for name, value in used.items() if value is not None}


NO_PARAMETERS = Parameters()


def canonical(content: Mapping[str, object]) -> str:
    """`content` as JSON, in one form; "" for nothing."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False) if content else ""


def of_places(teacher: Parameters, further: Iterable[Parameters]) -> str:
    """What a request is asked with, for its key: the teacher's own parameters, and those of further places that ask
    otherwise, each once. The order and the number of such places change nothing."""
    mine = teacher.as_json()
    used = (one.as_json() for one in further)
    others = sorted({canonical(one) for one in used if any(mine.get(name) != value for name, value in one.items())})
    return canonical(mine | ({"elsewhere": [json.loads(one) for one in others]} if others else {}))
