"""How many replicas a user asks for."""

from __future__ import annotations

import pytest
import typer

from pipelines.serving.cli import replica_range


@pytest.mark.parametrize(
    ("text", "replicas"),
    [("1", (1, None)), ("3", (3, None)), ("0-4", (0, 4)), ("2-2", (2, 2)), (" 1-8 ", (1, 8))],
)
def test_replicas_are_a_number_or_a_range(text: str, replicas: tuple[int, int | None]) -> None:
    assert replica_range(text) == replicas


@pytest.mark.parametrize("text", ["", "0", "0-0", "4-2", "-1", "1-", "many", "1.5", "1-2-3", "99999"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="give how many"):
        replica_range(text)
