"""The teachers that a run serves itself: the offline and the recorded teacher, as Ray Serve applications.

Owns: which applications a recipe needs, their deployment, and their addresses.
"""

from __future__ import annotations

import socket

from reasoning.recipe import EndpointSection, Recipe


def endpoints_of(recipe: Recipe) -> list[EndpointSection]:
    """The recipe's endpoints: the one that answers mistakes, and the one of round 0 when it is another."""
    return [recipe.teacher, *([recipe.teacher.first] if recipe.teacher.first else [])]


def served_here(recipe: Recipe) -> list[EndpointSection]:
    """Those of them that the run serves itself."""
    return [section for section in endpoints_of(recipe) if section.kind != "openai"]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
