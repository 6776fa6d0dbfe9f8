"""What belongs to the code lies inside its packages, where a wheel takes it along."""

from __future__ import annotations

import pytest

from reasoning.files.resources import resource


@pytest.mark.parametrize(
    "names",
    [
        ("reasoning.prompts", "library", "teacher", "tailored.yaml"),
        ("reasoning.teacher", "prices.yaml"),
        ("reasoning.student.embedded", "weights", "model.safetensors"),
        ("pipelines.report", "templates", "tailored.html.jinja"),
    ],
)
def test_a_resource_is_a_file_that_other_libraries_can_open(names: tuple[str, ...]) -> None:
    with resource(*names).open("rb") as file:
        assert file.read(1)
