"""What YAML may hold, and that nothing in a text is worse than an error of YAML's."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reasoning.files.yaml_text import read_yaml
from reasoning.recipe.base import yaml_problem


def test_plain_values() -> None:
    assert read_yaml("a: [1, 2.5, null, yes]\nb: {c: text}\n") == {"a": [1, 2.5, None, True], "b": {"c": "text"}}
    assert read_yaml("") is None


@pytest.mark.parametrize("deep", [10_000, pytest.param(100_000, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_what_is_nested_too_deeply_is_an_error_like_any_other(opening: str, deep: int) -> None:
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        read_yaml(opening * deep)


@pytest.mark.parametrize("text", ["due: 2024-99-99", "0x_", "!!int x", "!!float y", "!!timestamp z", "!!bool 3"])
def test_a_value_that_does_not_exist_is_one_too(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="goes in quotes"):
        read_yaml(text)


def test_a_class_is_never_made() -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: 2\na: 1\n", "line 3, column 1"),
        ("a: {b: 1, c: 2, b: 3}", "line 1, column 17"),
        ("- {x: 1}\n- 'y': 1\n  y: 2", "line 3, column 3"),
        ("{1: a, 1: b}", "line 1, column 8"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(yaml.YAMLError) as refused:
        read_yaml(text)
    assert yaml_problem(refused.value) == f"a key that its mapping has already; one of the two must go, {where}"


def test_a_merged_mapping_is_overridden_as_ever() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, y: 3}\nd: *b"
    assert read_yaml(text) == {
        "a": {"x": 1, "y": 1},
        "b": {"x": 2, "y": 1},
        "c": {"x": 2, "y": 3},
        "d": {"x": 2, "y": 1},
    }
    assert read_yaml("a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, <<: *b}")["c"] == {"x": 1, "y": 2}
    assert read_yaml("{1: a, '1': b, 2: c}") == {1: "a", "1": "b", 2: "c"}


@given(st.text(alphabet="ab:-[]{}?*&!|>'\"#%@,\n\t 01.\x00\u2028\ufeff"))
def test_any_text_is_values_or_an_error(text: str) -> None:
    """And the values are those of YAML's own reader."""
    try:
        found = read_yaml(text)
    except yaml.YAMLError as error:
        assert yaml_problem(error)
    else:
        assert repr(found) == repr(yaml.safe_load(text))
