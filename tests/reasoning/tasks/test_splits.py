"""The rules of splits: paper B's lists, computed; disjoint, sorted and whole for any questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.tasks.splits import (
    read_splits,
    seeded_part,
    shot_order,
    split_positions,
    subset_positions,
    template_positions,
    without_numbers_and_names,
)


def listed(real_data: Path, name: str) -> tuple[list[int], list[int]]:
    content = json.loads((real_data / "splits" / f"{name}.json").read_text(encoding="utf-8"))
    return content["train"], content["test"]


def test_the_rule_of_the_published_splits(real_data: Path) -> None:
    """Every task that comes without a split of its own (single_eq rounds up: 355.6 to 356)."""
    ruled = [
        *("single_eq", "addsub", "multiarith", "svamp", "date_understanding", "tracking_shuffled_objects"),
        *("last_letter_concatenation", "coin_flip", "strategy_qa"),
    ]
    for name in ruled:
        train, test = listed(real_data, f"{name}__default")
        assert split_positions(len(train) + len(test)) == (train, test), name


def test_the_rule_of_aquas_ten_thousand(real_data: Path) -> None:
    train, test = listed(real_data, "aqua__default")
    assert subset_positions(range(97_467), 10_000) == train and test == list(range(97_467, 97_721))


@given(st.integers(2, 400))
def test_a_split_is_whole_disjoint_sorted_and_always_the_same(count: int) -> None:
    train, test = split_positions(count)
    assert sorted(train + test) == list(range(count))
    assert train == sorted(train) and test == sorted(test)
    assert len(train) == round(0.7 * count)
    assert split_positions(count) == (train, test)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60))
def test_a_template_is_in_one_part(templates: list[str]) -> None:
    train, test = template_positions(templates)
    assert sorted(train + test) == list(range(len(templates)))
    assert train == sorted(train) and test == sorted(test)
    assert not {templates[i] for i in train} & {templates[i] for i in test}
    assert len({templates[i] for i in train}) == round(0.7 * len(set(templates)))


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=200), st.data())
def test_a_subset_grows_and_never_swaps(positions: set[int], data: st.DataObject) -> None:
    ordered = sorted(positions)
    few = data.draw(st.integers(0, len(ordered)))
    many = data.draw(st.integers(few, len(ordered) + 3))
    subset = subset_positions(ordered, few)
    assert subset == sorted(shot_order(ordered)[:few]) and len(subset) == few
    assert set(subset) <= set(subset_positions(ordered, many)) <= positions


@given(st.lists(st.integers(), max_size=50), st.integers(0, 60), st.integers(0, 5))
def test_a_seeded_part_keeps_the_order_and_grows(part: list[int], limit: int, seed: int) -> None:
    numbered = list(enumerate(part))
    some = seeded_part(numbered, limit, seed)
    assert len(some) == min(limit, len(part)) and some == sorted(some)
    assert set(some) <= set(seeded_part(numbered, limit + 1, seed))
    assert seeded_part(numbered, None, seed) == numbered


def test_the_template_of_a_question() -> None:
    first = "Debby had 32 pieces of candy while her sister had 42."
    second = "Robin's had 7 pieces of  candy while her sister had 5."
    assert without_numbers_and_names(first) == "had pieces of candy while her sister had ."
    assert without_numbers_and_names(second) != without_numbers_and_names(first)
    assert without_numbers_and_names(second.replace("'s", "")) == without_numbers_and_names(first)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"train": [0, 1], "test": [1]}', "twice"),
        ('{"train": [0, 0], "test": [1]}', "twice"),
        ('{"train": [0], "test": [3]}', "'test' holds 3"),
        ('{"train": [0], "test": [true]}', "holds True"),
        ('{"train": [0], "test": [-1]}', "holds -1"),
        ('{"train": [0]}', "no list 'test'"),
        ("[0, 1]", "no list 'train'"),
        ("{", "malformed JSON"),
    ],
)
def test_bad_split_files_are_refused(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=what) as caught:
        read_splits(path, 3)
    assert str(path) in caught.value.place
