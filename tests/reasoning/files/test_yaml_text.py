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


@given(st.text(alphabet="ab:-[]{}?*&!|>'\"#%@,\n\t 01.\x00\u2028\ufeff"))
def test_any_text_is_values_or_an_error(text: str) -> None:
    """And the values are those of YAML's own reader."""
    try:
        found = read_yaml(text)
    except yaml.YAMLError as error:
        assert yaml_problem(error)
    else:
        assert repr(found) == repr(yaml.safe_load(text))
