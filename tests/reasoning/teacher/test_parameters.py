"""Parameters: in a request's key when they are used, in one spelling, and not in it otherwise."""

from __future__ import annotations

from reasoning.teacher.calls import TeacherRequest
from reasoning.teacher.parameters import NO_PARAMETERS, Parameters, canonical, of_places

PLAIN = TeacherRequest("east", "m", (("user", "Hi"),), 0.7, 64)


def asked(parameters: str) -> TeacherRequest:
    return TeacherRequest("east", "m", (("user", "Hi"),), 0.7, 64, parameters=parameters)


def test_what_is_not_used_changes_no_key() -> None:
    assert of_places(NO_PARAMETERS, [NO_PARAMETERS]) == ""
    assert asked("").key == PLAIN.key and "parameters" not in PLAIN.as_json()


def test_what_is_used_changes_it_in_one_spelling() -> None:
    one = of_places(Parameters(extra_body=canonical({"a": 1, "b": {"c": 2}})), [])
    other = of_places(Parameters(extra_body=canonical({"b": {"c": 2}, "a": 1})), [])
    keys = {asked(one).key, asked(of_places(Parameters(top_p=0.9), [])).key, PLAIN.key}
    assert one == other and len(keys) == 3


def test_places_that_ask_otherwise_count_once_and_in_no_order() -> None:
    teacher, low, high = Parameters(top_p=0.9), Parameters(reasoning_effort="low"), Parameters(reasoning_effort="high")
    assert of_places(teacher, [low, high]) == of_places(teacher, [high, low, low])
    assert of_places(teacher, [teacher, NO_PARAMETERS]) == of_places(teacher, [])
    assert of_places(teacher, [low]) != of_places(teacher, [])
