"""What the workers of a training tell one another beside the training itself.

Owns: that all of them hear of what one has met, where the others would wait for it."""

from __future__ import annotations

from typing import Any, TypeVar

Told = TypeVar("Told")


def first_problem(own: str | None) -> str | None:
    """The first worker's problem, told to all: the others would wait for it."""
    problems = from_all(own)
    return next((f"worker {rank}: {problem}" for rank, problem in enumerate(problems) if problem is not None), None)


def from_all(own: Told) -> list[Told]:
    """What every worker says, in their order."""
    import torch

    said: list[Any] = [own]
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        said = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(said, own)
    return said
