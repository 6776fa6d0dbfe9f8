"""Values of typed tables as JSON could have held them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from reasoning.tasks.data_files.source_row import plain_value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("1E+3"), 1000),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("NaN"), None),
        (float("inf"), float("inf")),
        (datetime.time(9, 30), "09:30:00"),
        (b"\xff", b"\xff"),
        ({1: (Decimal("2.0"), [b"x"])}, {"1": ["2.0", ["x"]]}),
    ],
)
def test_a_value_is_plain_or_stays_as_it_is(value: Any, plain: Any) -> None:
    assert plain_value(value) == plain
