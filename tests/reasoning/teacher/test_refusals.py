"""Several refusals of one request as one failure."""

import pytest

from reasoning.teacher.calls import FailureKind, TeacherFailure
from reasoning.teacher.refusals import joint_failure, words_of

K = FailureKind


@pytest.mark.parametrize(
    ("kinds", "joint"),
    [
        ([K.CONTENT_FILTER], K.CONTENT_FILTER),
        ([K.CONTENT_FILTER, K.CONTEXT_TOO_LONG], K.CONTEXT_TOO_LONG),
        ([K.CONTEXT_TOO_LONG, K.BAD_REQUEST], K.BAD_REQUEST),
        ([K.CONTENT_FILTER, K.QUOTA], K.CONTENT_FILTER),  # the run goes on: the first place serves others
        ([K.CONTENT_FILTER, K.AUTHENTICATION, K.NOT_FOUND], K.CONTENT_FILTER),
        ([K.AUTHENTICATION, K.QUOTA], K.QUOTA),
        ([K.EMPTY, K.QUOTA], K.EMPTY),
        ([K.CONTENT_FILTER, K.TIMEOUT, K.NOT_FOUND], K.TIMEOUT),
        ([K.CONTENT_FILTER, K.SERVER], K.SERVER),  # asked again by the next run
    ],
)
def test_the_last_kind_counts_unless_it_is_of_the_whole_place(kinds: list[FailureKind], joint: FailureKind) -> None:
    failures = {f"place {n}": TeacherFailure("k", kind, f"why {n}", n + 1) for n, kind in enumerate(kinds)}
    failure = joint_failure(failures)
    assert (failure.key, failure.kind, failure.attempts) == ("k", joint, len(kinds))
    assert all(f"why {n}" in failure.message for n in range(len(kinds)))


def test_words_name_their_places_where_there_are_several() -> None:
    assert words_of({"a": "no"}) == "no"
    assert words_of({"a": "no", "b": "never"}) == "a: no; b: never"
    assert words_of({"a": "no", "b": "never", "c": "no"}) == "a, c: no; b: never"
