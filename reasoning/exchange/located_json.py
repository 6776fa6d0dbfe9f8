"""JSON read together with the lines on which things stand.

Owns: the outer levels of a JSON text, member by member, so that a fault is named by its line and a repeated key is
seen. What lies deeper is decoded by the standard library.

Invariant: whatever is wrong with the text (not UTF-8, not JSON, brackets without end) is a `DataError` that names file
and line; no other exception leaves this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoning.files.data_error import DataError
from reasoning.files.json_files import kind_of_value, read_text

_SPACE = re.compile(r"[ \t\n\r]*")
_CURE = "fix or remove that part of the file"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its line. Above the depth that was asked for, an object is its `members` (key and node, repeated keys
    included) and a list its `elements`; anything else is a `value`."""

    line: int
    value: Any = None
    members: tuple[tuple[str, Node], ...] | None = None
    elements: tuple[Node, ...] | None = None

    @property
    def kind(self) -> str:
        """What it is, in words of JSON."""
        return kind_of_value({} if self.members is not None else [] if self.elements is not None else self.value)

    def plain(self) -> Any:
        """The whole value as the standard library would give it."""
        if self.members is not None:
            return {key: node.plain() for key, node in self.members}
        if self.elements is not None:
            return [node.plain() for node in self.elements]
        return self.value


def read_located(path: Path, depth: int) -> Node:
    """The JSON file at `path`, its upper `depth` levels as nodes. Raises `DataError`."""
    text = read_text(path)
    reader = _Reader(text)
    try:
        node, end = reader.node(reader.skip(0), depth)
        end = reader.skip(end)
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}", f"malformed JSON: {error.msg} (column {error.colno})", _CURE
        ) from error
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits
        raise DataError(f"{path}, line {reader.last_line}", f"JSON that cannot be read: {error}", _CURE) from error
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
        self._counted_to, self.last_line = 0, 1

    def skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def node(self, at: int, depth: int) -> tuple[Node, int]:
        """The value at `at` and where it ends."""
        line, opened = self._line(at), self._text[at : at + 1]
        if depth <= 0 or opened not in ("{", "["):
            value, end = self._decode(self._text, at)
            return Node(line, value), end
        if opened == "{":
            members: list[tuple[str, Node]] = []
            end = self._each(at, "}", lambda start: self._member(start, depth, members))
            return Node(line, members=tuple(members)), end
        elements: list[Node] = []
        end = self._each(at, "]", lambda start: self._element(start, depth, elements))
        return Node(line, elements=tuple(elements)), end

    def _each(self, at: int, closing: str, read: Callable[[int], int]) -> int:
        """Reads what is between brackets, one after another; returns where the closing bracket ends."""
        at = self.skip(at + 1)
        if self._text[at : at + 1] == closing:
            return at + 1
        while True:
            at = self.skip(read(at))
            sign = self._text[at : at + 1]
            if sign == closing:
                return at + 1
            if sign != ",":
                raise json.JSONDecodeError(f"Expecting ',' or '{closing}'", self._text, at)
            at = self.skip(at + 1)

    def _element(self, at: int, depth: int, into: list[Node]) -> int:
        node, end = self.node(at, depth - 1)
        into.append(node)
        return end

    def _member(self, at: int, depth: int, into: list[tuple[str, Node]]) -> int:
        if self._text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting a name in double quotes", self._text, at)
        key, end = self._decode(self._text, at)
        end = self.skip(end)
        if self._text[end : end + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", self._text, end)
        node, after = self.node(self.skip(end + 1), depth - 1)
        into.append((key, node))
        return after

    def _line(self, at: int) -> int:
        self.last_line += self._text.count("\n", self._counted_to, at)
        self._counted_to = at
        return self.last_line
