"""`tailor submit`, and `tailor status`, `logs` and `stop` for what was submitted.

Owns: their arguments, and what is shown of submitted runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipelines.command_line.answer import Answer
from pipelines.command_line.console import plain_console
from pipelines.run.options import DataOption, NameOption, ProbeOption, SeedOption, StorageOption

if TYPE_CHECKING:
    from pipelines.run.jobs.server import JobServer, SubmittedRun

console = plain_console()

AddressOption = Annotated[
    str | None,
    typer.Option(
        help="The cluster's job server. Default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, or http://127.0.0.1:8265."
    ),
]
RunArgument = Annotated[str, typer.Argument(help="The run's name, or the id of one of its submissions.")]


def submit(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file, of either kind of run.")],
    address: AddressOption = None,
    data: DataOption = None,
    name: NameOption = None,
    storage: StorageOption = None,
    seed: SeedOption = None,
    probe: ProbeOption = True,
    follow: Annotated[bool, typer.Option(help="Show the run's log until it ends; Ctrl-C leaves it running.")] = True,
    env: Annotated[
        list[str] | None,
        typer.Option(help="A further variable of this machine that the run needs, by its name; may be repeated."),
    ] = None,
    send_keys: Annotated[
        bool | None,
        typer.Option(help="Whether this machine's keys go along. Default: if nobody can read them on the way."),
    ] = None,
    driver_cpus: Annotated[
        float | None,
        typer.Option(min=0, help="CPUs of the driver, which is then placed where they are. Default: the head node."),
    ] = None,
    driver_label: Annotated[
        list[str] | None, typer.Option(help="A node label, KEY=VALUE, where the driver is to be; may be repeated.")
    ] = None,
    restarts: Annotated[int, typer.Option(min=0, help="How often a driver that was lost is started again.")] = 3,
) -> Answer:
    """Submit a run to a Ray cluster and follow it. The same command again, after it ended, resumes."""
    from pipelines.run.jobs.submitting import Wanted, submit

    wanted = Wanted(
        recipe,
        data=data,
        name=name,
        storage=storage,
        seed=seed,
        probe=probe,
        env=tuple(env or ()),
        cpus=driver_cpus,
        labels=_labels(driver_label or ()),
        restarts=restarts,
        send_keys=send_keys,
    )
    server, run = submit(wanted, address, console)
    if follow:
        return _followed(server, run)
    at = f"--address {server.access.address}"
    console.print(
        f"Follow it: tailor logs {run.run} {at}. Stop it: tailor stop {run.run} {at}.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    return _answer(run)


def status(
    run: Annotated[
        str | None, typer.Argument(help="A run's name, or the id of a submission. Default: all that were submitted.")
    ] = None,
    address: AddressOption = None,
) -> Answer:
    """Show the runs that were submitted to a cluster, or how one of them stands."""
    from pipelines.run.jobs import showing

    server = _server(address)
    if run is None:
        runs = server.runs()
        shown = showing.table(runs) if runs else f"No run was submitted to {server.access.address}."
        return Answer(
            [showing.as_json(one) for one in runs],
            lambda console: console.print(shown, soft_wrap=not runs, highlight=False, markup=False),
        )
    found = server.find(run)
    said = [line.strip() for line in _lines(server, found) if line.strip()]

    def show(console: Console) -> None:
        console.print(showing.table([found]))
        console.print(said[-1] if said else found.message, soft_wrap=True, highlight=False, markup=False)

    return Answer(showing.as_json(found, said[-1] if said else ""), show)


def logs(
    run: RunArgument,
    address: AddressOption = None,
    follow: Annotated[bool, typer.Option(help="Go on until the run ends; Ctrl-C leaves it running.")] = True,
) -> Answer:
    """Show what a submitted run has said, and follow it until it ends."""
    from pipelines.run.jobs.submitting import tell_the_end

    server = _server(address)
    found = server.find(run)
    if follow and not found.has_ended:
        return _followed(server, found)
    lines = _lines(server, found)

    def show(console: Console) -> None:
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if found.has_ended:
            tell_the_end(server, found, console)

    return _answer(found, show, lines=lines)


def stop(run: RunArgument, address: AddressOption = None) -> Answer:
    """Stop a submitted run. What was finished is kept; submitting it again resumes."""
    from pipelines.run.jobs.following import stopped

    server = _server(address)
    before = server.find(run)
    after = before if before.has_ended else stopped(server, before)

    def show(console: Console) -> None:
        if before.has_ended:
            console.print(f"{before.run} ({before.id}) had ended already: {before.state}.", highlight=False)
            return
        console.print(
            f"{after.run} ({after.id}) is {after.state}. What was finished is kept; the same tailor submit "
            "continues from there.",
            soft_wrap=True,
            highlight=False,
        )

    return _answer(after, show)


def _server(address: str | None) -> JobServer:
    from pipelines.run.jobs.access import access
    from pipelines.run.jobs.server import JobServer

    return JobServer(access(address))


def _lines(server: JobServer, run: SubmittedRun) -> list[str]:
    from pipelines.run.jobs.following import lines_of

    return list(lines_of(server.log(run)))


def _followed(server: JobServer, run: SubmittedRun) -> Answer:
    """Shows a run's log until it ends, or until Ctrl-C, and says how it stands then."""
    from pipelines.run.jobs.cluster_token import ClusterError
    from pipelines.run.jobs.submitting import follow_to_its_end

    code = follow_to_its_end(server, run, console)
    with suppress(ClusterError):  # then what was last known of it
        run = server.again(run)
    return _answer(run, exit_code=code)


def _answer(
    run: SubmittedRun, show: Callable[[Console], None] | None = None, exit_code: int = 0, **more: object
) -> Answer:
    from pipelines.run.jobs.showing import as_json

    return Answer({**as_json(run), **more}, show, exit_code)


def _labels(given: Sequence[str]) -> dict[str, str]:
    for label in given:
        if not all(part.strip() for part in label.partition("=")):
            raise typer.BadParameter(f"{label!r} is not KEY=VALUE", param_hint="--driver-label")
    return {key.strip(): value.strip() for key, _, value in (label.partition("=") for label in given)}
