"""Faults of data: one is itself, several are told together, ten at most."""

from __future__ import annotations

import pytest

from reasoning.files.data_error import DataError, ErrorCollector, ManyDataErrors


def gathered(count: int) -> ErrorCollector:
    faults = ErrorCollector()
    for number in range(count):
        with faults.caught():
            raise DataError(f"file, line {number}", "bad", "mend it")
    return faults


def test_nothing_caught_raises_nothing_and_one_is_raised_as_it_was() -> None:
    gathered(0).raise_caught()
    with pytest.raises(DataError, match="file, line 0: bad; mend it") as caught:
        gathered(1).raise_caught()
    assert not isinstance(caught.value, ManyDataErrors) and caught.value.faults == (caught.value,)


def test_several_are_told_together_and_the_rest_is_counted() -> None:
    with pytest.raises(DataError) as caught:
        gathered(3).raise_caught()
    assert [fault.place for fault in caught.value.faults] == [f"file, line {i}" for i in range(3)]
    assert str(caught.value).count("\n") == 2
    with pytest.raises(DataError) as caught:
        gathered(47).raise_caught()
    assert len(caught.value.faults) == 11 and "37 more" in str(caught.value) and "line 10" not in str(caught.value)


def test_gathered_faults_can_be_gathered_again() -> None:
    both = ErrorCollector()
    for count in (8, 30):
        with both.caught():
            gathered(count).raise_caught()
    with pytest.raises(ManyDataErrors) as caught:
        both.raise_caught()
    assert caught.value.count == 38 and len(caught.value.shown) == 10 and "28 more" in str(caught.value)


def test_what_is_no_fault_of_the_data_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), ErrorCollector().caught():
        raise ZeroDivisionError
