"""Failures that stay: which places refused a request for good, and until when that holds.

Owns: the column `failure_places` of the journal's requests.

Invariants
- A failure for good ends when the setting that caused it changes. It stays as long as every place that may be asked
  has refused the request, or one that cut it off at `max_tokens` is still there; a place is known by its fingerprint,
  so that other settings are another place.
- Empty in the database (an older journal, an import): it is not known who refused it, and the failure stays. An empty
  object: it was cleared, and the request is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning.teacher.calls import FailureKind, TeacherFailure, storable
from reasoning.teacher.refusals import words_of

CLEARED = "{}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one place said. `place` is its name."""

    kind: str
    place: str
    message: str


def refusals_of(column: str | None) -> dict[str, Refusal] | None:
    """By fingerprint, in the order in which they came; None: not known. Raises `ValueError` for what is not ours."""
    if column is None:
        return None
    content = json.loads(column)
    if not isinstance(content, dict):
        raise ValueError("failure_places is not an object")
    found = {}
    for place, said in content.items():
        if not isinstance(said, list) or len(said) != 3 or not all(isinstance(part, str) for part in said):
            raise ValueError(f"failure_places.{place} is not a kind, a name and a message")
        found[place] = Refusal(*said)
    return found


def with_refusal(column: str | None, fingerprint: str, place: str, failure: TeacherFailure) -> str | None:
    """The column after `failure`, which came from the place called `place`."""
    if not failure.kind.final:
        return column
    if not fingerprint:
        return None
    known = {**(refusals_of(column) or {})}
    known.pop(fingerprint, None)  # the latest comes last
    known[fingerprint] = Refusal(failure.kind.value, place, storable(failure.message))
    return json.dumps({key: [one.kind, one.place, one.message] for key, one in known.items()})


def stays(kind: FailureKind, refusals: Mapping[str, Refusal] | None, places: Sequence[str]) -> bool:
    """Whether a request that failed with `kind` need not be asked, by `places` that may be (none: not known)."""
    if not kind.final or refusals is None:
        return kind.final
    if not refusals or not places:
        return bool(refusals)
    cut_off = any(place in refusals and refusals[place].kind == FailureKind.TRUNCATED for place in places)
    return cut_off or all(place in refusals for place in places)


def message_of(message: str, refusals: Mapping[str, Refusal] | None, places: Sequence[str]) -> str:
    """The words of every place that refused; `message` where they are not known."""
    said = {one.place: one.message for place, one in (refusals or {}).items() if not places or place in places}
    return words_of(said) if said else message
