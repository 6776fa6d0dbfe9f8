"""`tailor serve`, `tailor promote`, `tailor served`, `tailor rollback`: their arguments.

Owns: the options of serving. Invariant: nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.command_line.answer import Answer
from pipelines.command_line.console import plain_console
from pipelines.run.options import RunArgument, run_argument

console = plain_console()

_RANGE = re.compile(r"(?P<least>\d{1,4})(?:-(?P<most>\d{1,4}))?")


def replica_range(text: str) -> tuple[int, int | None]:
    """How many replicas: "2" as many, "0-4" by load. Raises `typer.BadParameter`."""
    found = _RANGE.fullmatch(text.strip())
    least, most = (int(found["least"]), found["most"] and int(found["most"])) if found else (0, None)
    if found is None or (most is None and not least) or (most is not None and not max(1, least) <= int(most)):
        raise typer.BadParameter(
            "give how many (2), or the least and the most that load asks for (0-4)", param_hint="--replicas"
        )
    return least, None if most is None else int(most)


def serve(
    runs: Annotated[
        list[Path],
        run_argument("Folders or addresses of finished runs.", "RUN"),
    ],
    round: Annotated[int | None, typer.Option(help="Serve this round, instead of the best one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Default: 8000, or where the cluster's Ray Serve listens already."),
    ] = None,
    replicas: Annotated[
        str, typer.Option(help="How many, or by load: 0-4 starts up to four, and none while nobody asks.")
    ] = "1",
    gpus: Annotated[
        float | None, typer.Option(min=0, help="GPUs per replica; default: as many as a sampler had.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the served model; default: the run's name.")] = None,
    route: Annotated[
        str | None, typer.Option(help="Path before /v1; default: none, or /NAME where another student is served.")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="File of bearer keys, one a line, read again when it changes; default: no key is needed."),
    ] = None,
    keys_variable: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of a file: the environment variable that holds keys.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            help="Serve https: PEM file with certificate, chain and key, read again when it changes.", metavar="PEM"
        ),
    ] = None,
    adapters: Annotated[
        bool,
        typer.Option(
            "--adapters", help="Students that lora taught share one engine, as adapters of the model they began as."
        ),
    ] = False,
    print_only: Annotated[
        bool, typer.Option("--print-config", help="Print the file for `serve deploy` instead of serving.")
    ] = False,
) -> Answer | None:
    """Serve students of runs with an OpenAI-compatible endpoint, until interrupted."""
    from pipelines.serving.command import ServeOptions, serve_config, serve_run

    least, most = replica_range(replicas)
    options = ServeOptions(host, port, least, most, gpus, keys, keys_variable, certificate, adapters)
    if print_only:
        config = serve_config(runs, round, options, name, route)
        return Answer(config, lambda _: typer.echo(_yaml(config), nl=False))
    serve_run(runs, round, options, name, route, console)
    return None


def _yaml(config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


AddressOption = Annotated[
    str | None,
    typer.Option(
        help="The Ray cluster that serves; default: RAY_ADDRESS, or the one on this machine.", metavar="ADDRESS"
    ),
]


def promote(
    run: RunArgument,
    round: Annotated[int | None, typer.Option(help="This round, instead of the best one.")] = None,
    name: Annotated[str | None, typer.Option(help="The served model to replace; default: the run's name.")] = None,
    share: Annotated[
        float,
        typer.Option(
            help="Beside the served one: the share of its requests that this round answers, such as 0.1; 1 puts it in "
            "its place."
        ),
    ] = 1.0,
    address: AddressOption = None,
) -> Answer:
    """Put another round in the place of the one that is served: proven first, in place, without a failed request."""
    if not 0.0 < share <= 1.0:
        raise typer.BadParameter(
            "a share is above 0 and at most 1, such as 0.1; `tailor rollback` ends one", param_hint="--share"
        )
    if share < 1.0:
        from pipelines.serving.sharing import share as put_beside

        return put_beside(run, round, name, address, share, console).answer()
    from pipelines.serving.promotion import promote as put

    return put(run, round, name, address, console).answer()


def served(
    name: Annotated[str | None, typer.Argument(help="Name of the served model; default: all.")] = None,
    address: AddressOption = None,
) -> Answer:
    """Show which students a cluster serves, with which weights, and how often those are right."""
    from pipelines.serving.standing import answer, standing

    return answer(standing(name, address))


def rollback(
    name: Annotated[str, typer.Argument(help="Name of the served model.")],
    address: AddressOption = None,
) -> Answer:
    """End the share of a candidate, or take the last promotion of a served student back."""
    from pipelines.serving.promotion import roll_back

    return roll_back(name, address).answer()
