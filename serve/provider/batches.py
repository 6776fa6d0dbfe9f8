"""A batch of the faulty provider, its files and their lines.

Owns: the records behind the batch API, how they are shown, and what an input file must be. No I/O. Invariants
- A batch goes validating -> in_progress -> finalizing -> completed | expired, or to failed when its file is not what it
  must be, or by cancelling to cancelled; a batch that has ended never changes.
- An input file is valid as a whole or not at all; what a line asks is judged when it is answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ENDPOINT = "/v1/chat/completions"
WINDOW_S = 24 * 3600
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    filename: str
    purpose: str
    created_at: float
    content: bytes

    def card(self) -> dict[str, Any]:
        return {
            **{"id": self.id, "object": "file", "bytes": len(self.content)},
            "created_at": int(self.created_at),
            **{"filename": self.filename, "purpose": self.purpose, "status": "processed"},
        }


@dataclass(frozen=True, slots=True)
class Line:
    custom_id: str
    body: object
    text: str


class InvalidLine(ValueError):
    """A line of an input file that cannot be one."""

    def __init__(self, number: int, code: str, message: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "line": number, "message": message, "param": None}


@dataclass(slots=True)
class Batch:
    """A batch and the results it has so far. `stamps`: when it entered each status, under the API's names."""

    id: str
    input_file_id: str
    created_at: int
    metadata: object
    status: str = "validating"
    stamps: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0

    def enter(self, status: str, now: float) -> None:
        self.status = status
        self.stamps[f"{status}_at"] = int(now)

    def card(self) -> dict[str, Any]:
        names = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        counts = {"total": self.total, "completed": len(self.output), "failed": len(self.failed)}
        return {
            **{"id": self.id, "object": "batch", "endpoint": ENDPOINT, "status": self.status},
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            **{"input_file_id": self.input_file_id, "completion_window": "24h", "metadata": self.metadata},
            **{"output_file_id": self.output_file_id, "error_file_id": self.error_file_id},
            **{"created_at": self.created_at, "expires_at": self.created_at + WINDOW_S, "request_counts": counts},
            **{f"{name}_at": self.stamps.get(f"{name}_at") for name in names},
        }


def read_lines(content: bytes, most: int) -> Iterator[Line]:
    """The requests in an input file. Errors: `InvalidLine`, for the first that is wrong."""
    texts = [(number, text) for number, text in enumerate(content.split(b"\n"), 1) if text.strip()]
    if not texts:
        raise InvalidLine(1, "empty_file", "The input file is empty.")
    if len(texts) > most:
        raise InvalidLine(most + 1, "too_many_tasks", f"The input file has more than {most} requests.")
    known: set[str] = set()
    for number, text in texts:
        try:
            sent = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidLine(number, "invalid_json_line", "This line is not parseable as valid JSON.") from error
        name = sent.get("custom_id") if isinstance(sent, dict) else None
        if not isinstance(name, str):
            raise InvalidLine(number, "missing_required_parameter", "A request needs a string 'custom_id'.")
        if name in known:
            raise InvalidLine(number, "duplicate_custom_id", f"The custom_id {name!r} occurs twice.")
        if sent.get("method") != "POST" or sent.get("url") != ENDPOINT or "body" not in sent:
            raise InvalidLine(number, "invalid_request", f"A request needs method 'POST', url '{ENDPOINT}' and a body.")
        known.add(name)
        yield Line(name, sent["body"], text.decode("utf-8", "replace"))
