"""`tailor serve`: students of runs, side by side on one cluster, until interrupted.

Owns: their names and routes, what the user is told of them, and taking down what this command put up, and nothing else.

Invariants
- An application is called after its model, so that two of one name cannot stand side by side: the second is refused
  with what to do, and the first goes on.
- Everything is checked before anything is started. What fails takes down what this command has started.
- A key is never printed.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from rich.console import Console

from pipelines.command_line.console import plain_console
from pipelines.errors import Refused, RunFailed
from pipelines.run.cluster import connect
from pipelines.run.served_teachers import own_serve
from pipelines.serving.adapters import shared_serving
from pipelines.serving.graduate import Graduate, curl_line, graduate_of, question_line, serving_of
from pipelines.serving.names import application_of, application_of_adapters, applications, candidate_of, in_address
from reasoning.fine_tune_cot.directory import student_directory
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from reasoning.student.config import is_encoder_decoder

if TYPE_CHECKING:
    from serve.door.limits import DoorSection
    from serve.serving import StudentServing

DEFAULT_PORT = 8000
_ROUTE = re.compile(r"/?(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?/?")


_BESIDE = (
    "give this student another --name (and --route), or put its round in the place of the one that is served: tailor "
    "promote"
)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command's options say, alike for each of its students. `port` None: Serve's where it runs, else 8000;
    `gpus` None: as many as a sampler had; `adapters`: they share an engine."""

    host: str = "127.0.0.1"
    port: int | None = None
    replicas: int = 1
    most_replicas: int | None = None
    gpus: float | None = None
    keys_file: Path | None = None
    keys_variable: str | None = None
    certificate: Path | None = None
    adapters: bool = False


@dataclass(frozen=True, slots=True)
class Deployed:
    """What one application serves: a student, or several that share an engine as adapters."""

    students: Sequence[tuple[RunDirectory, Graduate]]
    serving: StudentServing

    @property
    def application(self) -> str:
        names = self.serving.names
        return application_of_adapters(names) if self.serving.adapters else application_of(names[0])


def serve_run(
    paths: Sequence[Path],
    round: int | None,
    options: ServeOptions,
    name: str | None,
    route: str | None,
    console: Console,
) -> None:
    """Serves until SIGINT or SIGTERM, then takes its own students down. `name` is for one student, `route` for one
    engine; the route of several is their name. Raises `RunDirectoryError`, `RunFailed`, `Refused`."""
    deployed = _deployed(paths, round, options, name, route, console)
    certificate = _certificate(options)
    connect(deployed[0].students[0][0].recipe().cluster.address)
    _check_gpus([one.serving for one in deployed])
    _check_names([name for one in deployed for name in one.serving.names])
    routes = [_route(route, one.serving.names[0], alone=len(deployed) == 1) for one in deployed]
    with own_serve(), _signalled() as stop, _served(deployed, routes, options, certificate) as addresses:
        for one, base_url in zip(deployed, addresses, strict=True):
            _tell(one, base_url, options, console)
        stop.wait()
        console.print("Shutting down.")


def serve_config(
    paths: Sequence[Path], round: int | None, options: ServeOptions, name: str | None, route: str | None
) -> dict[str, Any]:
    """The configuration by which `serve deploy` serves what `serve_run` would. Nothing is started."""
    deployed = _deployed(paths, round, options, name, route, plain_console(stderr=True))
    alone = len(deployed) == 1
    applications = [
        {
            "name": one.application,
            "route_prefix": f"/{(route or '').strip('/')}" if alone else f"/{in_address(one.serving.model_name)}",
            "import_path": "serve.student:build_app",
            "args": one.serving.model_dump(mode="json", exclude_defaults=True),
        }
        for one in deployed
    ]
    if options.certificate is not None:
        raise Refused(
            "a configuration file starts no front that speaks TLS: leave --certificate out, and let what stands before "
            "the cluster speak it (docs/serving.md)"
        )
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": options.host, "port": options.port or DEFAULT_PORT},
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": applications,
    }


def _deployed(
    paths: Sequence[Path], round: int | None, options: ServeOptions, name: str | None, route: str | None, told: Console
) -> list[Deployed]:
    """What is deployed of these runs, whose names and routes can stand side by side. Raises `Refused`."""
    students = [_student(path, round) for path in paths]
    names = [name or graduate.name for _, graduate in students]
    if len(set(map(in_address, names))) < len(names):
        raise Refused(f"two of these runs would be served as {', '.join(names)}: serve them apart, one with --name")
    _check_route(route, one=len(students) == 1 or options.adapters)
    keys: dict[str, Any] = {
        "replicas": options.replicas,
        "most_replicas": options.most_replicas,
        "gpus": options.gpus,
        "door": _door(options),
    }
    if options.adapters:
        return [Deployed(students, shared_serving(students, names, told, **keys))]
    return [
        Deployed([student], serving_of(*student, name=called, **keys))
        for student, called in zip(students, names, strict=True)
    ]


def _check_route(route: str | None, one: bool) -> None:
    if route is None:
        return
    if not one:
        raise Refused("--route is for one run; several are served at /NAME each")
    if not _ROUTE.fullmatch(route):
        raise Refused(f"--route {route}: an address has letters, digits and . _ ~ - between its slashes, such as /mine")
    if route.strip("/").split("/")[-1] == "v1":
        raise Refused(f"--route {route}: it is the path before /v1; leave /v1 out, such as /mine for /mine/v1")


def _student(path: Path, round: int | None) -> tuple[RunDirectory, Graduate]:
    directory = student_directory(path.resolve())
    graduate = graduate_of(directory, round)
    if is_encoder_decoder(str(graduate.checkpoint)):
        raise RunDirectoryError(
            f"{graduate.checkpoint}: an encoder-decoder, which vLLM does not serve; `tailor eval {path}` examines it, "
            "and AutoModelForSeq2SeqLM of `transformers` loads it"
        )
    return directory, graduate


def _door(options: ServeOptions) -> DoorSection:
    from serve.door.keys import NoKeys
    from serve.door.limits import DoorSection
    from serve.student_server import keys_of

    file = str(options.keys_file.expanduser().resolve()) if options.keys_file else None
    door = DoorSection(keys_file=file, keys_variable=options.keys_variable)
    try:
        keys_of(door)
    except NoKeys as error:
        raise Refused(str(error)) from error
    return door


def _certificate(options: ServeOptions) -> str | None:
    """The file of the certificate, which is where Serve's proxy is. Raises `Refused` where this machine cannot read
    it."""
    if options.certificate is None:
        return None
    from serve.front import check_certificate

    file = str(options.certificate.expanduser().resolve())
    try:
        check_certificate(file)
    except ValueError as error:
        raise Refused(str(error)) from error
    return file


def _check_gpus(servings: Sequence[StudentServing]) -> None:
    there = ray.cluster_resources().get("GPU", 0.0)
    wanted = sum(one.gpus * one.replicas for one in servings)
    if wanted > there:
        each = ", ".join(f"{one.replicas} x {one.gpus:g} for {one.model_name}" for one in servings)
        raise Refused(
            f"serving takes {wanted:g} GPUs ({each}), but Ray has {there:g} here; set --gpus (0 serves on CPUs)"
        )


def _check_names(names: Sequence[str]) -> None:
    """Refuses a name by which a student is served already, alone or as an adapter."""
    there = applications()
    for name in names:
        if in_address(name) in there:
            raise Refused(
                f"the name {name} is taken by the application {there[in_address(name)]} of this cluster's Ray Serve: "
                f"{_BESIDE}"
            )


def _route(asked: str | None, model: str, alone: bool) -> str:
    """Where a student is served: as asked; otherwise one alone at / where nobody is, and beside others at its name."""
    if asked is not None:
        return "/" + asked.strip("/")
    from serve.internals import routes

    return "/" if alone and "/" not in routes() else f"/{in_address(model)}"


@contextmanager
def _served(
    deployed: Sequence[Deployed], routes: Sequence[str], options: ServeOptions, certificate: str | None
) -> Iterator[list[str]]:
    """The base addresses of the students; they are taken down at the end, also where one did not come up."""
    from ray import serve as ray_serve
    from ray.serve.exceptions import RayServeException

    from serve.proxy import PortRefused, running_port
    from serve.student import AlreadyServed, NotStarted, deploy_student

    port = options.port or (None if running_port() is not None else DEFAULT_PORT)
    started: list[str] = []
    addresses = []
    try:
        for one, route in zip(deployed, routes, strict=True):
            try:
                addresses.append(
                    deploy_student(
                        one.serving,
                        options.host,
                        port,
                        one.application,
                        route,
                        direct=True,
                        began=partial(started.append, one.application),
                        certificate=certificate,
                    )
                )
            except AlreadyServed as error:
                raise Refused(f"{error}: {_BESIDE}") from error
            except PortRefused as error:
                raise Refused(str(error)) from error
            except NotStarted as error:
                raise RunFailed(str(error)) from error
        yield addresses
    finally:
        for name in started:
            for application in (name, candidate_of(name)):
                with suppress(RayServeException):
                    ray_serve.delete(application)


@contextmanager
def _signalled() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(one: Deployed, base_url: str, options: ServeOptions, console: Console) -> None:
    keyed = options.keys_file is not None or options.keys_variable is not None
    for (directory, graduate), served in zip(one.students, one.serving.names, strict=True):
        console.print(
            f"Student of round {graduate.round} is served as [bold]{served}[/bold] at {base_url}", soft_wrap=True
        )
        lines = [question_line(base_url, keyed, served if one.serving.adapters else None)]
        if not keyed:
            lines.append(curl_line(base_url, served, directory.form().prompt("...")))
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
