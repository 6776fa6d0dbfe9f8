"""What applications are called, and whose they are."""

from __future__ import annotations

import pytest

from pipelines.serving.names import application_of, application_of_adapters, applications, candidate_of


@pytest.mark.parametrize(
    ("model", "application"),
    [
        ("mine", "student-mine"),
        ("my run/2", "student-my-run-2"),
        ("Qwen/Qwen3-0.6B", "student-Qwen-Qwen3-0.6B"),
        ("日本", "student-student"),
        ("a#b?c", "student-a-b-c"),
    ],
)
def test_an_application_is_called_after_its_model(model: str, application: str) -> None:
    assert application_of(model) == application


def test_whose_an_application_is_stands_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = application_of("mine"), application_of_adapters(["a.b", "c-d"])
    there = {"/": alone, "/x": together, "/y": candidate_of(alone), "/z": "front"}
    monkeypatch.setattr("serve.internals.routes", lambda: there)
    assert applications() == {"mine": alone, "a.b": together, "c-d": together}
