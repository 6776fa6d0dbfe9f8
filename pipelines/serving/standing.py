"""`tailor served`: which students a cluster serves, with which weights, and their live accuracy.

Owns: this list and how it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.run.cluster import connect
from pipelines.serving.deployed import Live, cluster_here, live, served_as, served_by
from pipelines.serving.names import applications
from pipelines.serving.sharing import show_live


@dataclass(frozen=True, slots=True)
class Standing:
    """A served student: its route, its weights, its candidate's and their share, and what was counted."""

    model: str
    route: str
    version: str
    candidate: str | None
    share: float | None
    live: Live


def standing(name: str | None, address: str | None) -> list[Standing]:
    """The student that is served as `name`, or all. Raises `Refused`."""
    from serve.internals import routes

    connect(address or cluster_here())
    if name is not None:
        chosen = [served_as(name)]
    else:
        chosen = [student for one in dict.fromkeys(applications().values()) for student in served_by(one)]
    by_application = {application: route for route, application in routes().items()}
    found = []
    for one in chosen:
        candidate = one.weights.candidate
        found.append(
            Standing(
                one.serving.model_name,
                by_application[one.application],
                one.weights.version,
                candidate.version if candidate else None,
                candidate.share if candidate else None,
                live(one),
            )
        )
    return found


def answer(found: Sequence[Standing]) -> Answer:
    return Answer(list(found), lambda console: _show(found, console))


def _show(found: Sequence[Standing], console: Console) -> None:
    if not found:
        console.print("No student is served on this cluster.")
    for one in found:
        beside = f", and {one.share:.1%} of the requests by {one.candidate}" if one.share is not None else ""
        console.print(
            f"[bold]{one.model}[/bold] at {one.route}: answered by {one.version}{beside}",
            soft_wrap=True,
            highlight=False,
        )
        show_live(console, one.live, one.candidate)
