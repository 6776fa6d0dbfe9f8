"""Submitting a run to a cluster: `tailor submit RECIPE`.

Owns: the order check here -> reach the cluster -> upload -> submit -> follow, and what the user is told on the way.

Invariants
- What can be known to be wrong here (the recipe, its files, a key that was asked for, the address, the token, the
  version of Ray) is told before anything is uploaded.
- Keys go only to a server that is reached by https or on this machine (a tunnel), unless the user insists.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pipelines.errors import Refused
from pipelines.run.jobs.access import Access, access
from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.following import Say, follow
from pipelines.run.jobs.server import JobServer, SubmittedRun, refuse_running
from pipelines.run.jobs.uploads import START, AnyRecipe, uploads
from reasoning.files.secrets_file import SecretsFileError, secret
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, parse_any_recipe
from reasoning.recipe.tailored import recipe_text

# As pipelines.run.live.describe writes it of both kinds of run.
_PROGRESS = re.compile(r"(?:round \d+|degree \d+|labels alone|teacher) · ")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a run is to be submitted. `name`, `storage` and `seed` replace the recipe's; `env` are names of further
    secrets; `cpus` and `labels` place the driver (neither: the head node); `restarts` is how often a driver that was
    lost is started again; `send_keys` None sends keys where nobody can read them on the way."""

    recipe: Path
    data: Path | None = None
    name: str | None = None
    storage: str | None = None
    seed: int | None = None
    probe: bool = True
    env: tuple[str, ...] = ()
    cpus: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 3
    send_keys: bool | None = None


def submit(wanted: Wanted, address: str | None, console: Console) -> tuple[JobServer, SubmittedRun]:
    """Submits a run and says what it is called there. Raises `Refused`."""
    text = recipe_text(wanted.recipe)  # once: what a shell writes into a pipe (`<(envsubst < r.yaml)`) is there once
    recipe = parse_any_recipe(text, str(wanted.recipe), wanted.data).replace(
        name=wanted.name, storage_path=wanted.storage, seed=wanted.seed
    )
    going = uploads(recipe, wanted.recipe, text, Path.cwd())
    keys, missing = _keys(recipe, wanted.env)
    there = access(address)
    refuse_another_ray(there)
    server = JobServer(there)
    refuse_running([run for run in server.runs() if run.run == recipe.name], there.address)
    keys = _that_may_be_sent(keys, there, wanted.send_keys, console)
    with tempfile.TemporaryDirectory(prefix="tailor-") as folder:
        going.gather(Path(folder))
        storage = str(recipe.storage.path)
        run = server.submit(
            recipe.name, Path(folder), _command(wanted, recipe, going.recipe), storage, keys, wanted.cpus, wanted.labels
        )
    console.print(
        f"Run [bold]{run.run}[/bold] was submitted to {escape(there.address)} as {run.id}, with "
        f"{len(going.files) + 1} files{_named(keys)}.",
        soft_wrap=True,
        highlight=False,
    )
    for note in (*going.notes, *(f"{name} is not set here: the nodes must have it." for name in missing)):
        console.print(f"  {note}", soft_wrap=True, highlight=False, markup=False)
    return server, run


def follow_to_its_end(server: JobServer, run: SubmittedRun, console: Console) -> int:
    """Shows the run's log until it ends, or until Ctrl-C; the exit code of the command."""
    at = f"--address {server.access.address}"
    ways = f"Rejoin: tailor logs {run.run} {at}. Stop it: tailor stop {run.run} {at}"
    console.print(f"Ctrl-C leaves it running. {ways}.", soft_wrap=True, highlight=False, markup=False)
    try:
        with shown(console) as say:
            ended = follow(server, run, say)
    except KeyboardInterrupt:
        console.print(f"\nLeft; {run.run} goes on. {ways}.", soft_wrap=True, highlight=False, markup=False)
        return 0
    except ClusterError as error:
        console.print(
            f"{error}. The run may go on all the same. {ways}.", soft_wrap=True, highlight=False, markup=False
        )
        return 1
    return tell_the_end(server, ended, console)


@contextmanager
def shown(console: Console) -> Iterator[Say]:
    """Shows a run's lines: in a file one below the other; on a terminal, how far a phase has come in place."""

    def lasting(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield lasting
        return
    with console.status("") as progress:
        yield lambda line: progress.update(Text(line, overflow="ellipsis")) if _PROGRESS.match(line) else lasting(line)


def tell_the_end(server: JobServer, run: SubmittedRun, console: Console) -> int:
    """Says how a submission ended; the exit code that goes with it."""
    with suppress(ClusterError):
        server.forget_keys(run.keys)  # of a run that did not come to take them; otherwise they are gone
    code = exit_code(run)
    if run.state == "succeeded":
        console.print(f"{run.run} has finished ({run.id}).", soft_wrap=True, highlight=False)
    elif code == 2:
        console.print(f"{run.run} was refused ({run.id}): nothing was started.", soft_wrap=True, highlight=False)
    else:
        said = f" {run.message.strip()}" if run.exit_code is None and run.state == "failed" else ""
        how = "was stopped" if run.state == "stopped" else "stopped before its end"
        console.print(
            f"{run.run} {how} ({run.id}).{said} What was finished is kept; the same tailor submit continues from "
            "there.",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    return code


def exit_code(run: SubmittedRun) -> int:
    """The code of a command that saw the submission end: 0 finished, 2 refused, 1 stopped."""
    if run.state == "succeeded":
        return 0
    return 2 if run.exit_code == 2 else 1


def refuse_another_ray(there: Access) -> None:
    """Raises `ClusterError` for a cluster whose Ray is not the one that this Tailor was tested with."""
    import ray

    if there.ray_version != ray.__version__:
        raise ClusterError(
            f"the cluster at {there.address} runs Ray {there.ray_version}, and this Tailor needs {ray.__version__} on "
            "every node. Install the tested set there (docs/clusters.md) and start Ray again"
        )


def _keys(recipe: AnyRecipe, env: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The secrets that go along, by name, and the names of those that the recipe needs and are not here."""
    for name in env:
        if not name.isidentifier():
            raise Refused("--env takes the name of a variable; its value is read here and never stands in a command")
    try:
        found = {name: secret(name) for name in (*recipe.secret_names(), *env)}
    except SecretsFileError as error:
        raise Refused(str(error)) from error
    if absent := [name for name in env if not found[name]]:
        raise Refused(f"--env {absent[0]}: this variable is not set here. Export it, or leave it to the nodes")
    needed = recipe.teacher_secret_names()
    return {name: value for name, value in found.items() if value}, [name for name in needed if not found[name]]


def _that_may_be_sent(keys: dict[str, str], there: Access, insists: bool | None, console: Console) -> dict[str, str]:
    if not keys or insists or (insists is None and there.closed):
        return keys
    if insists is None:
        console.print(
            f"Keys ({', '.join(keys)}) are not sent: {there.address} is plain http to another machine, where they "
            "could be read on the way. Use a tunnel (ssh -N -L 8265:127.0.0.1:8265 HEAD) or https, or have them in the "
            "nodes' secrets file; --send-keys sends them all the same.",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    return {}


def _named(keys: Mapping[str, str]) -> str:
    return f" and the keys {', '.join(keys)}" if keys else ""


def _command(wanted: Wanted, recipe: AnyRecipe, place: str) -> list[str]:
    """What the job runs, in the folder of its uploads."""
    program = "fine_tune_cot" if isinstance(recipe, FineTuneCotRecipe) else "tailored"
    command = ["sh", START, "--restarts", str(wanted.restarts), program, place]
    for option, value in (("--name", wanted.name), ("--storage", wanted.storage), ("--seed", wanted.seed)):
        command += [option, str(value)] if value is not None else []
    return [*command, *([] if wanted.probe else ["--no-probe"])]
