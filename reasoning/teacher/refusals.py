"""One request that several places of a teacher refused: the failure that it comes to.

Owns: which of their kinds counts, and how their words are put together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from reasoning.teacher.calls import TeacherFailure


def joint_failure(failures: Mapping[str, TeacherFailure]) -> TeacherFailure:
    """One failure of those that each place, by name, gave in turn. The last one's kind counts, but for those of a place
    as a whole (its key, its quota) where another place failed the request alone: that one serves other requests."""
    *_, last = failures.values()
    of_the_request = [failure.kind for failure in failures.values() if not failure.kind.endpoint_wide]
    kind = of_the_request[-1] if of_the_request else last.kind
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
