"""Runs a coordinator and watches it from its first process to its last line, for either kind of run.

Owns: serving the run's own teachers while its coordinator works, the refusal to run one directory twice or to pay for
requests twice, the restart of a coordinator that was lost, what the user sees meanwhile and at the end.

Invariants
- However a run stops, its last message says what is kept and how to resume: by an error, Ctrl-C, or SIGTERM (which
  `ray job stop`, Kubernetes and spot machines send).
- The coordinator is on the driver's node, so that no other node takes the run with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import ray
from rich.console import Console
from rich.markup import escape

from actors.coordinator import AnyCoordinator, CoordinatorHandle, OutcomeT
from actors.journal.sums import JournalSums, in_open_batches
from actors.ray_api.deaths import PROCESS_GONE, told_of
from actors.ray_api.nodes import this_node
from actors.storage.keeping import Home
from actors.watching.logs import at, logged
from pipelines.command_line.stopping import told_when_stopped
from pipelines.errors import RunFailed
from pipelines.run.live import LiveView
from pipelines.run.preflight import Checked
from pipelines.run.served_teachers import NotDeployed, deployed, teachers_of
from reasoning.recipe.tailored import Recipe, RunRecipe
from reasoning.rounds.directory import ClaimedDirectory
from reasoning.rounds.phase_order import PhaseRecord
from reasoning.rounds.progress import Snapshot
from reasoning.teacher.prices import dollars

POLL_S = 0.5
STOP_GRACE_S = 30.0
ENDING_S = 10.0  # a killed run's actors take a moment to end
RESTARTS = 3  # of a coordinator that is lost, in one run of the program


class CoordinatorLost(RunFailed):
    """The coordinator's process ended without a word."""


def coordinate(
    kind: type[AnyCoordinator[Any, OutcomeT]],
    recipe: RunRecipe,
    teachers: Recipe | None,
    directory: ClaimedDirectory[Any],
    checked: Checked,
    home: Home,
    finished: Callable[[], Mapping[str, Sequence[PhaseRecord]]],
    console: Console,
) -> OutcomeT:
    """Has a coordinator of this kind do all that is left of a run, while the recipe `teachers` (None: no teacher)
    has its own teachers served. Returns what the coordinator's `run` returns. Raises `RunFailed`."""
    name = f"tailor-{home.shown}"
    _wait_until_ended(name, home.shown)
    if teachers is not None:
        _refuse_to_pay_twice(teachers, home)

    def start(base_urls: Mapping[str, str]) -> CoordinatorHandle[OutcomeT]:
        actor: Any = ray.remote(logged(kind, "coordinator", recipe.name)).options(
            # Ray keeps the name of one that died for as long as somebody has its handle.
            name=f"{name}#{secrets.token_hex(4)}",
            namespace="tailor",
            num_cpus=0,
            max_concurrency=1000,
            scheduling_strategy=this_node(),
        )
        started = actor.remote(recipe, directory, checked.data, checked.prompts, base_urls, home)
        return cast(CoordinatorHandle[OutcomeT], started)

    serving: AbstractContextManager[dict[str, str]] = deployed(teachers) if teachers is not None else nullcontext({})
    try:
        with told_when_stopped(), serving as base_urls:
            return _watch_to_the_end(lambda: start(base_urls), name, home.shown, finished, console)
    except NotDeployed as error:
        raise RunFailed(f"{home.shown}: {error}\nNo request was sent; the same command continues from here.") from error


def _watch_to_the_end(
    start: Callable[[], CoordinatorHandle[OutcomeT]],
    name: str,
    place: str,
    finished: Callable[[], Mapping[str, Sequence[PhaseRecord]]],
    console: Console,
) -> OutcomeT:
    """Watches a coordinator, and starts another one in the place of each that is lost, `RESTARTS` times."""
    lost = 0
    while True:
        try:
            return watch(start(), place, finished, console)
        except CoordinatorLost as error:
            lost += 1
            if lost > RESTARTS:
                raise
            console.print(
                f"The coordinator was lost ({_first_line(error.__cause__)}). It is started again and goes on from the "
                f"last finished phase (restart {lost} of {RESTARTS}).",
                soft_wrap=True,
                markup=False,
            )
            _wait_until_ended(name, place)


def _wait_until_ended(name: str, place: str) -> None:
    """Waits for the coordinator of an earlier start to be gone. Raises `RunFailed` when it goes on."""
    until = time.monotonic() + ENDING_S
    while name in {actor["name"].rpartition("#")[0] for actor in ray.util.list_named_actors(all_namespaces=True)}:
        if time.monotonic() > until:
            raise RunFailed(
                f"{place} is already running on this cluster: wait until that run ends, stop it, or "
                "give this run another name"
            )
        time.sleep(POLL_S)


def _first_line(error: BaseException | None) -> str:
    return (told_of(error).splitlines() if error is not None else ["no reason given"])[0][:300]


def _refuse_to_pay_twice(recipe: Recipe, home: Home) -> None:
    """A run that asks at once does not know what an earlier one has handed over in batches."""
    waiting = in_open_batches(home.journal, recipe.name)
    if waiting and not all(teacher.batch is not None for teacher in teachers_of(recipe)):
        raise RunFailed(
            f"{home.shown}: {waiting} requests are in a batch at the provider, and would be sent and paid for "
            "again. Keep the recipe's `batch` until they are fetched, then change it"
        )


def announce(name: str, place: str, done: int | None, notes: Sequence[str], console: Console) -> None:
    """Says which run begins, or goes on after `done` finished phases (None: it is new), and what to know about it."""
    state = "is new" if done is None else f"goes on after {done} finished phases"
    console.print(f"Run [bold]{name}[/bold] {state}, in {escape(place)}", soft_wrap=True)
    for note in notes:
        console.print(f"  {note}", soft_wrap=True, markup=False)


def account(reason: str, journal: JournalSums, report: str, console: Console) -> None:
    """Says why a run ended, what its teacher did for it, and where its report is."""
    requests, tokens = journal.requests, journal.all
    console.print(
        f"{reason}. Teacher: {requests.answered} answers for this run, {tokens.prompt_tokens:,} prompt and "
        f"{tokens.completion_tokens:,} completion tokens{_spent(journal)}; {requests.sent_again} requests sent again "
        "because the outcome of an earlier sending was lost.",
        soft_wrap=True,
        markup=False,
    )
    if journal.lost_answers:
        console.print(
            f"{journal.lost_answers} replies were recorded after the last copy of a journal whose disk was lost: they "
            "may have been requested again, and are counted as spent.",
            soft_wrap=True,
        )
    console.print(f"Report: {report}", soft_wrap=True, markup=False)


def _spent(journal: JournalSums) -> str:
    settled, reserved = dollars(journal.all.settled), dollars(journal.all.reserved)
    lost = f" (${reserved:.4f} of it reserved for lost requests)" if reserved else ""
    return f", ${settled + reserved:.4f}{lost}" if settled + reserved else ""


def watch(
    coordinator: CoordinatorHandle[OutcomeT],
    place: str,
    finished: Callable[[], Mapping[str, Sequence[PhaseRecord]]],
    console: Console,
) -> OutcomeT:
    """Has `coordinator` run and shows how it goes; returns what its `run` returns. `finished` gives the finished phases
    so far, under what each is called on the screen ("" for rounds, which name themselves). Raises `RunFailed`, and
    `CoordinatorLost` where a new coordinator could go on."""
    ending = cast("ray.ObjectRef[OutcomeT]", coordinator.run.remote())
    try:
        with LiveView(console, finished()) as view:
            while True:
                ready, _ = ray.wait([ending], timeout=POLL_S)
                # The look comes first: what had begun then comes after all that is told as finished.
                snapshot = None if ready else ray.get(cast("ray.ObjectRef[Snapshot]", coordinator.progress.remote()))
                view.tell(finished())
                if snapshot is None:
                    return ray.get(ending)
                at(snapshot.round, snapshot.phase)
                view.show(snapshot)
    except KeyboardInterrupt:
        console.print("Stopping. What was finished is kept; the same command goes on from the last finished phase.")
        ray.cancel(ending)
        ray.wait([ending], timeout=STOP_GRACE_S)
        raise
    except ray.exceptions.RayTaskError as error:
        raise RunFailed(
            f"{place}: the run stopped: {type(error.cause).__name__}: {told_of(error.cause)}\n"
            "What was finished is kept; the same command continues from there."
        ) from error
    except PROCESS_GONE as error:
        raise CoordinatorLost(
            f"{place}: the coordinator was lost ({told_of(error)}). What was finished is kept; the same command "
            "continues from there."
        ) from error
