"""An engine that does not start: whether it was killed, and if not, why.

vLLM's engine is a process of its own. What goes wrong in it is printed there, and the caller is told how it ended.

Owns: the reading of both, in the forms of the vLLM of the lock, and the cure where it names options of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

_ENDED = re.compile(r"core initialization failed\b.*\{(?P<codes>[^}]*)\}", re.DOTALL)
_CODE = re.compile(r":\s*[1-9]")  # that a process gave itself: a signal's is below zero, and one not known is left out
_CAUSE = re.compile(
    r"^\(EngineCore[^)]*\)(?:\s+ERROR\s[^\]\n]*\])?\s+(?P<cause>(?:\w+\.)*\w*(?:Error|Exception)\b.*)$", re.MULTILINE
)
# What vLLM says of memory for its key-value cache, and what that means in a recipe; {memory} is the key of its size.
CURES = {
    "model's max seq len": "Set student.max_model_len to fewer tokens, or raise {memory}",
    "Cannot auto-fit max_model_len": "Raise {memory}",
    "No available memory for the cache blocks": "Raise {memory}",
    "less than requested memory for kv": "Lower {memory}, or free memory on that machine",
    "less than desired GPU memory utilization": "Lower {memory}, or free memory of that GPU",
}
_OWN_CURE = re.compile(r" (?:Try increasing|Decrease) .*")
_MOST_PRINTED = 2**20  # bytes that are looked through


def was_killed(error: BaseException) -> bool:
    """Whether `error` says that the engine's process was ended from outside while it started: as by a kernel that was
    short of memory. Another start may succeed."""
    ended = _ENDED.search(str(error)) if isinstance(error, RuntimeError) else None
    return ended is not None and not _CODE.search(ended["codes"])


def cause_in(printed: str) -> str:
    """The error that an engine printed last; "" where there is none."""
    causes = _CAUSE.findall(printed)
    return causes[-1].strip() if causes else ""


def with_keys(cause: str, *, on_gpu: bool) -> str:
    """`cause` with the recipe's keys in the place of vLLM's options, where it is about memory for the cache."""
    memory = "cluster.gpu_memory_utilization" if on_gpu else "cluster.kv_cache_gib"
    for said, cure in CURES.items():
        if said in cause:
            return f"{_OWN_CURE.sub('', cause)} {cure.format(memory=memory)}"
    return cause


class Printed:
    """What this process and those that it starts print from now on, where that goes into files, as it does in Ray."""

    def __init__(self) -> None:
        self._from = {path: path.stat().st_size for path in _files()}

    def text(self) -> str:
        found = []
        for path, begun in self._from.items():
            with path.open("rb") as file:
                file.seek(max(begun, path.stat().st_size - _MOST_PRINTED))
                found.append(file.read().decode("utf-8", "replace"))
        return "\n".join(found)


def _files() -> set[Path]:
    paths = set()
    for descriptor in (1, 2):
        try:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
        except OSError:  # not Linux, or closed
            continue
        if path.is_file():
            paths.add(path)
    return paths
