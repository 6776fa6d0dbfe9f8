"""What Ray says of a process that is gone, and what a person is told of it.

Ray's memory monitor ends processes where a machine runs low on memory. A call of an actor that it ended for good raises
`OutOfMemoryError`, which is no `RayActorError`, and whose text is a page that ends in advice about Ray's own settings.
"""

from __future__ import annotations

import re

from ray.exceptions import OutOfMemoryError, RayActorError

PROCESS_GONE = (RayActorError, OutOfMemoryError)

_LOW_ON_MEMORY = re.compile(
    r"killed due to the node running low on memory\.\s+Memory on the node \(IP: (?P<machine>[^,)]+)"
    r".*?\bwas (?P<used>[\d.]+ ?\w+)(?: used)? / (?P<limit>[\d.]+ ?\w+)",
    re.DOTALL,
)


def low_on_memory(text: str) -> str:
    """Of an error's text: which machine ran low on memory, and what helps; "" where none did."""
    found = _LOW_ON_MEMORY.search(text)
    if found is None:
        return ""
    return (
        f"the machine {found['machine']} ran low on memory ({found['used']} of {found['limit']} used), and Ray ended "
        "the process. Free memory there, have less run on it, or take a machine with more"
    )


def told_of(error: BaseException) -> str:
    """What `error` says, and of a machine that ran low on memory that alone."""
    text = str(error).strip()
    return low_on_memory(text) or text
