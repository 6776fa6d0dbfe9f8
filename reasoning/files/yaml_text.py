"""Text to the values of YAML: plain ones only, and whatever is wrong with the text is a `yaml.YAMLError`."""

from __future__ import annotations

from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"  # `<<`, of which there may be several


class _OneOfEach(yaml.SafeLoader):
    """The reader of plain values, which takes no key twice: YAML forbids it, and PyYAML lets the last value win."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem="a key that its mapping has already; one of the two must go", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return node


def read_yaml(text: str) -> Any:
    """The values in `text`: mappings, lists and scalars, never an object of a class that the text names.

    Raises `yaml.YAMLError`, also where the text is nested too deeply, a value impossible or a key there twice, and
    quotes none of them.
    (The reader in Python is used even where libyaml is at hand: that one ends the process on a deep text.)"""
    try:
        return yaml.load(text, _OneOfEach)  # a SafeLoader
    except RecursionError:
        raise yaml.MarkedYAMLError(problem="nested too deeply to be read") from None
    except (ValueError, LookupError, AttributeError, TypeError):  # of PyYAML's constructors: `2024-99-99`, `!!bool 3`
        raise yaml.MarkedYAMLError(
            problem="a date or a tagged value that does not exist; what is meant as text goes in quotes"
        ) from None
