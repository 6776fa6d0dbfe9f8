"""Starting and ending the actors that a teacher is asked through: journal, limiters, workers.

Owns: where they run and how they restart. What each promises is said in its own module: `actors.journal.actor`,
`actors.limits.actor`, `actors.teacher.worker`, `actors.batch_api.worker`, `actors.teacher.pool`.

Invariants
- Every actor comes back when it dies, and every call that may be repeated is.
- The journal lies on this machine's disk, so its actor stays on this machine; the limiters, whom every request asks,
  stay beside it. Workers are spread over the cluster's nodes.
- A missing key is reported here, before an actor is started.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ray

from actors.batch_api.worker import BatchWorker
from actors.endpoint.address import headers_of
from actors.endpoint.api_keys import read_api_key
from actors.journal.actor import Journal, JournalHandle
from actors.journal.database import new_writer
from actors.journal.sums import JournalSums
from actors.limits.actor import RateLimiter, RateLimiterHandle
from actors.ray_api.nodes import this_node
from actors.ray_api.processes import collect_seldom, give_way
from actors.teacher.pool import TeacherPool
from actors.teacher.worker import TeacherWorker
from actors.teacher.worker_base import WorkerHandle
from actors.watching.logs import logged
from reasoning.teacher.calls import EndpointSettings, TeacherSettings

if TYPE_CHECKING:
    from ray.actor import ActorHandle

_LimiterKey = tuple[str, str | None, str, tuple[tuple[str, str], ...]]
_CONCURRENT_CALLS = 10_000  # requests that may wait in one actor at a time
IN_FLIGHT_A_WORKER, MOST_WORKERS = 256, 8
_MANY: dict[str, Any] = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": _CONCURRENT_CALLS}


def _giving_way(actor_class: Any, actor: str, run: str) -> Any:
    """`logged`, in a process that gives way to those that compute."""

    class Waiting(actor_class):  # type: ignore[misc]
        def __init__(self, *args: Any, **keys: Any) -> None:
            super().__init__(*args, **keys)
            give_way()

    Waiting.__name__ = Waiting.__qualname__ = actor_class.__name__
    return logged(Waiting, actor, run)


class _WorkerProcess(TeacherWorker):
    """A worker in a process of its own."""

    def __init__(self, settings: TeacherSettings, journal: JournalHandle, *limiters: RateLimiterHandle) -> None:
        super().__init__(settings, journal, *limiters)
        collect_seldom()


def start_journal(path: Path, run: str = "") -> JournalHandle:
    """Starts the journal actor on this machine, where `path` is. Raises `JournalError` when it cannot be opened."""
    Journal(path).close()  # here first: an actor that dies in its constructor reports less, and later
    # Every method of both may be repeated, so that losing the process in the middle of a call loses nothing.
    journal = ray.remote(_giving_way(Journal, "journal", run))
    actor = journal.options(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=this_node())
    # A restarted actor is the same writer: what is in flight is still its own.
    return cast(JournalHandle, actor.remote(path.absolute(), writer=new_writer()))


async def close_journal(journal: JournalHandle, run: str | None = None) -> JournalSums:
    """Closes and stops the journal actor and returns its final sums; with `run`, of what that run sent."""
    sums = await journal.sums.remote(run)
    await journal.close.remote()
    ray.kill(cast("ActorHandle[Journal]", journal))
    return sums


class Limiters:
    """The limiter actors of several pools: one for each endpoint, key and model, started when it is first wanted."""

    def __init__(self, known: Iterable[EndpointSettings] = (), run: str = "") -> None:
        """`known` are the endpoints of all the pools: where several set limits of one, the least of each holds."""
        self._known: dict[_LimiterKey, list[EndpointSettings]] = {}
        for endpoint in known:
            self._known.setdefault(_limiter_key(endpoint), []).append(endpoint)
        self._started: dict[_LimiterKey, RateLimiterHandle] = {}
        self._run = run

    def of(self, endpoint: EndpointSettings) -> RateLimiterHandle:
        key = _limiter_key(endpoint)
        if key not in self._started:
            strictest = strictest_of(self._known.get(key, [endpoint]))
            limiter = ray.remote(_giving_way(RateLimiter, "limiter", self._run))
            actor = limiter.options(**_MANY, max_task_retries=-1, scheduling_strategy=this_node())
            self._started[key] = cast(RateLimiterHandle, actor.remote(strictest))
        return self._started[key]


def _limiter_key(endpoint: EndpointSettings) -> _LimiterKey:
    """Whose limits these are: the account's, by the variables of its key, for one model at one address."""
    keyed = tuple((name, value) for name, value in endpoint.headers if "${" in value)
    return endpoint.base_url.rstrip("/"), endpoint.api_key_env, endpoint.model, keyed


def strictest_of(endpoints: Sequence[EndpointSettings]) -> EndpointSettings:
    """One limiter's settings for all of these: the least of each limit, and the longest time that a request takes."""

    def least(limits: Iterable[float | None]) -> float | None:
        return min((limit for limit in limits if limit is not None), default=None)

    return dataclasses.replace(
        endpoints[0],
        requests_per_minute=least(one.requests_per_minute for one in endpoints),
        tokens_per_minute=least(one.tokens_per_minute for one in endpoints),
        max_in_flight=min(one.max_in_flight for one in endpoints),
        timeout_s=max(one.timeout_s for one in endpoints),
    )


def workers_for(settings: TeacherSettings) -> int:
    """One for every `IN_FLIGHT_A_WORKER` requests that may be in flight, and no more than `MOST_WORKERS`. One that is
    not needed takes processor time from engines, for calls go in company, and fewer where all are one process's: exam
    and feedback together took 15.0 s with two and 13.4 with one (`python -m bench.round --in-flight 64`, two cores)."""
    in_flight = sum(endpoint.max_in_flight for endpoint in settings.endpoints)
    return min(-(-in_flight // IN_FLIGHT_A_WORKER), MOST_WORKERS)


def start_pool(
    settings: TeacherSettings,
    journal: JournalHandle,
    workers: int | None = None,
    limiters: Limiters | None = None,
    labels: Mapping[str, str] | None = None,
) -> TeacherPool:
    """Starts the workers (`workers_for` without a number), spread over the nodes that have these labels, and the
    limiters that `limiters` has not yet; for endpoints with a Batch API, one worker each, and no limiters. Raises
    `AuthenticationRefused` when a key is missing, `ValueError` when only some have batch settings."""
    for endpoint in settings.endpoints:
        headers_of(endpoint, read_api_key(endpoint))
    if any(endpoint.batch is not None for endpoint in settings.endpoints):
        if not all(endpoint.batch is not None for endpoint in settings.endpoints):
            raise ValueError(f"teacher {settings.name}: give batch settings to all endpoints or to none")
        batch_worker = ray.remote(_giving_way(BatchWorker, "batch worker", settings.run)).options(**_MANY)
        numbers = range(len(settings.endpoints))
        batching = [cast(WorkerHandle, batch_worker.remote(settings, journal, number=number)) for number in numbers]
        return TeacherPool(batching, [], journal, settings)
    limiters = limiters or Limiters(settings.endpoints, settings.run)
    own = [limiters.of(endpoint) for endpoint in settings.endpoints]
    worker = ray.remote(_giving_way(_WorkerProcess, "teacher worker", settings.run)).options(
        **_MANY, scheduling_strategy="SPREAD", label_selector=labels or None
    )
    count = workers_for(settings) if workers is None else workers
    asking = [cast(WorkerHandle, worker.remote(settings, journal, *own)) for _ in range(count)]
    return TeacherPool(asking, own, journal, settings)
