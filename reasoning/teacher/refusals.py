"""One request that several places of a teacher refused: the failure that it comes to.

Owns: which of their kinds counts, and how their words are put together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from reasoning.teacher.calls import TeacherFailure


def joint_failure(failures: Mapping[str, TeacherFailure]) -> TeacherFailure:
    """One failure of those that each place, by name, gave in turn. The last one's kind counts; but where that is of the
    place as a whole (its key, its quota), the last refusal of the request counts: such a place may come back, and the
    others serve other requests."""
    *_, last = failures.values()
    refusals = [failure for failure in failures.values() if failure.kind.refusal]
    kind = refusals[-1].kind if refusals and last.kind.endpoint_wide else last.kind
    words = words_of({name: failure.message for name, failure in failures.items()})
    return dataclasses.replace(last, kind=kind, message=words)


def words_of(messages: Mapping[str, str]) -> str:
    """What each place, by name, said; of a single one its words alone."""
    if len(messages) == 1:
        return next(iter(messages.values()))
    by_words: dict[str, list[str]] = {}
    for name, message in messages.items():
        by_words.setdefault(message, []).append(name)
    return "; ".join(f"{', '.join(names)}: {message}" for message, names in by_words.items())
