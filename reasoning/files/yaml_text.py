"""Text to the values of YAML: plain ones only, and whatever is wrong with the text is a `yaml.YAMLError`."""

from __future__ import annotations

from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """The values in `text`: mappings, lists and scalars, never an object of a class that the text names.

    Raises `yaml.YAMLError`, also where the text is nested too deeply or a value is impossible, and quotes neither.
    (The reader in Python is used even where libyaml is at hand: that one ends the process on a deep text.)"""
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise yaml.MarkedYAMLError(problem="nested too deeply to be read") from None
    except (ValueError, LookupError, AttributeError, TypeError):  # of PyYAML's constructors: `2024-99-99`, `!!bool 3`
        raise yaml.MarkedYAMLError(
            problem="a date or a tagged value that does not exist; what is meant as text goes in quotes"
        ) from None
