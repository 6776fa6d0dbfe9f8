"""The student as a Ray Serve application with an OpenAI-compatible endpoint.

Owns: the application, its deployment options, and starting it from Python.

The protocol is vLLM's own server application inside a Serve deployment: completions, chat, streaming, /v1/models, 404
for an unknown model, 400 for too long a prompt. Why not `ray.serve.llm`: importing it takes 9 s and it puts a
router deployment before the engine's, so it was up in 41 s on two cores without a GPU where this takes about 30; and
the engine here is started by the same `reasoning.student.engine` as the sampler that examined the student.

Invariants
- Students of one cluster stand side by side: each is an application with a name and a route of its own, and none is
  replaced by the start of another.
- More requests than are let in get 429 (Serve's own back-pressure), never an endless queue.

From the shell: `serve run serve.student:build_app checkpoint=/runs/coin/round-002/student`; the same keys are `args` in
a Serve config file. (No `from __future__ import annotations` here: Serve reads the builder's annotation as a class.)
"""

from collections.abc import Callable
from typing import Any

import ray
from ray import serve
from ray.serve import Application

from serve.door.refusals import RETRY_S
from serve.front import running_front
from serve.internals import ONE_LOOP, routes, same_code
from serve.proxy import LOOPBACK, start_serve
from serve.serving import StudentServing
from serve.student_server import StudentServer, keys_of
from serve.weights import Weights

HEALTH_S = 1.0  # how often Serve asks a replica how it is: a dead one is missed for at most so long
START_S = 60.0  # how long a replica may be silent, as it is while it imports and loads


class AlreadyServed(ValueError):
    """A name or a route that another application of this Serve has. The message says what to do."""


class NotStarted(RuntimeError):
    """A student whose replicas do not come up. The message says what they ended with."""


def build_app(serving: StudentServing) -> Application:
    """The Serve application, for `serve run`, a Serve config file, or `serve.run`. Raises `NoKeys` where this machine
    has the file of keys and it holds none."""
    return application(serving, serving.weights())


def application(serving: StudentServing, weights: Weights, environment: dict[str, Any] | None = None) -> Application:
    """The application, answering with `weights`. Deployed again with other weights alone it keeps its replicas, which
    take them on in place; `environment` is the runtime environment that it was first deployed from, without which a
    program with another one would have them started again (None: Serve's to say)."""
    options: dict[str, Any] = {"num_replicas": serving.replicas}
    if serving.most_replicas is not None:
        options = {
            "num_replicas": None,
            "autoscaling_config": {
                "min_replicas": serving.replicas,
                "initial_replicas": max(1, serving.replicas),
                "max_replicas": serving.most_replicas,
                "target_ongoing_requests": max(1, serving.door.at_once // 4),
                "upscale_delay_s": 5,
                "downscale_delay_s": serving.idle_s,
            },
        }
    own = dict(environment or {})
    own["env_vars"] = {**own.get("env_vars", {}), **ONE_LOOP}
    deployment = serve.deployment(
        **options,
        user_config=weights.model_dump(),
        ray_actor_options={
            "num_cpus": serving.cpus,
            "num_gpus": serving.gpus,
            "runtime_env": own,
        },
        max_ongoing_requests=serving.door.at_once,  # the engine batches; Serve's default of 5 would starve it
        max_queued_requests=-1 if serving.door.waiting is None else serving.door.waiting,
        backpressure_config={"status_code": 429, "retry_after_s": RETRY_S},
        health_check_period_s=HEALTH_S,
        health_check_timeout_s=START_S,
        graceful_shutdown_timeout_s=20,
    )(serve.ingress()(StudentServer))
    return same_code(deployment, serving.model_dump_json()).bind(serving, environment)


def deploy_student(
    serving: StudentServing,
    host: str = LOOPBACK,
    port: int | None = None,
    name: str = "student",
    route_prefix: str = "/",
    direct: bool = False,
    began: Callable[[], None] = lambda: None,
    certificate: str | None = None,
) -> str:
    """Serves the student in the Ray that the caller is connected to, and returns when it answers.

    Returns the base URL for an OpenAI client. `port` None takes that of a Serve that runs already, else a free one;
    `direct` and `certificate`: see `start_serve`; `began` is called when there is something to take down.
    `serve.delete(name)` removes the student, `serve.shutdown()` ends Serve. Raises `AlreadyServed`, `PortRefused`,
    `NoKeys`, `NotStarted`."""
    keys_of(serving.door)
    port = start_serve(host, port, direct=direct, certificate=certificate)
    for route, other in routes().items():
        if other == name or route == route_prefix:
            what = f"the name {name}" if other == name else f"the route {route_prefix}"
            raise AlreadyServed(f"{what} is taken by the application {other} of this cluster's Ray Serve")
    began()
    environment = dict(ray.get_runtime_context().runtime_env)
    try:
        serve.run(application(serving, serving.weights(), environment), name=name, route_prefix=route_prefix)
    except RuntimeError as error:
        raise NotStarted(f"{', '.join(serving.names)} did not come up: {_ended_with(name) or error}") from error
    front = running_front()
    scheme = "https" if front is not None and front[1] is not None else "http"
    return f"{scheme}://{LOOPBACK if host == '0.0.0.0' else host}:{port}{route_prefix.rstrip('/')}/v1"


def _ended_with(name: str) -> str:
    """The last line of what a replica of the application ended with; "" where Serve does not say."""
    there = serve.status().applications.get(name)
    lines = [one.message.strip() for one in there.deployments.values()] if there is not None else []
    return "".join(lines).rpartition("\n")[2].strip()
