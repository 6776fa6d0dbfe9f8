"""`tailor submit`, and `tailor status`, `logs` and `stop` for what was submitted.

Owns: their arguments, and the form in which submitted runs are shown, as a table or as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.errors import told_plainly
from pipelines.run.options import DataOption, NameOption, ProbeOption, SeedOption, StorageOption

console = Console()

AddressOption = Annotated[
    str | None,
    typer.Option(
        help="The cluster's job server. Default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, or http://127.0.0.1:8265."
    ),
]
RunArgument = Annotated[str, typer.Argument(help="The run's name, or the id of one of its submissions.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


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
) -> None:
    """Submit a run to a Ray cluster and follow it. The same command again, after it ended, resumes."""
    with told_plainly():
        from pipelines.run.jobs.submitting import Wanted, follow_to_its_end, submit

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
        if not follow:
            at = f"--address {server.access.address}"
            console.print(
                f"Follow it: tailor logs {run.run} {at}. Stop it: tailor stop {run.run} {at}.",
                soft_wrap=True,
                highlight=False,
            )
            return
        raise typer.Exit(follow_to_its_end(server, run, console))


def status(
    run: Annotated[
        str | None, typer.Argument(help="A run's name, or the id of a submission. Default: all that were submitted.")
    ] = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the runs that were submitted to a cluster, or how one of them stands."""
    with told_plainly():
        from pipelines.run.jobs import showing
        from pipelines.run.jobs.access import access
        from pipelines.run.jobs.following import lines_of
        from pipelines.run.jobs.server import JobServer

        server = JobServer(access(address))
        if run is None:
            runs = server.runs()
            typer.echo(showing.json_of(runs)) if as_json else console.print(showing.table(runs))
            return
        found = server.find(run)
        said = [line.strip() for line in lines_of(server.log(found)) if line.strip()]
        if as_json:
            typer.echo(json.dumps(showing.as_json(found, said[-1] if said else "")))
            return
        console.print(showing.table([found]))
        console.print(said[-1] if said else found.message, soft_wrap=True, highlight=False, markup=False)


def logs(
    run: RunArgument,
    address: AddressOption = None,
    follow: Annotated[bool, typer.Option(help="Go on until the run ends; Ctrl-C leaves it running.")] = True,
) -> None:
    """Show what a submitted run has said, and follow it until it ends."""
    with told_plainly():
        from pipelines.run.jobs.access import access
        from pipelines.run.jobs.following import lines_of
        from pipelines.run.jobs.server import JobServer
        from pipelines.run.jobs.submitting import follow_to_its_end, tell_the_end

        server = JobServer(access(address))
        found = server.find(run)
        if follow and not found.has_ended:
            raise typer.Exit(follow_to_its_end(server, found, console))
        for line in lines_of(server.log(found)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if found.has_ended:
            tell_the_end(server, found, console)


def stop(run: RunArgument, address: AddressOption = None, as_json: JsonOption = False) -> None:
    """Stop a submitted run. What was finished is kept; submitting it again resumes."""
    with told_plainly():
        from pipelines.run.jobs.access import access
        from pipelines.run.jobs.following import stopped
        from pipelines.run.jobs.server import JobServer
        from pipelines.run.jobs.showing import as_json as fields

        server = JobServer(access(address))
        before = server.find(run)
        after = before if before.has_ended else stopped(server, before)
        if as_json:
            typer.echo(json.dumps(fields(after)))
        elif before.has_ended:
            console.print(f"{before.run} ({before.id}) had ended already: {before.state}.", highlight=False)
        else:
            console.print(
                f"{after.run} ({after.id}) is {after.state}. What was finished is kept; the same tailor submit "
                "continues from there.",
                soft_wrap=True,
                highlight=False,
            )


def _labels(given: Sequence[str]) -> dict[str, str]:
    for label in given:
        if not all(part.strip() for part in label.partition("=")):
            raise typer.BadParameter(f"{label!r} is not KEY=VALUE", param_hint="--driver-label")
    return {key.strip(): value.strip() for key, _, value in (label.partition("=") for label in given)}
