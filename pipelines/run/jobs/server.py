"""A cluster's job server, as Tailor uses it: submitting a run, finding submitted runs, their logs, stopping them.

Owns: what a submitted run is called and what stands in its job's metadata; the sending of its keys.

Invariants
- A submission is called `RUN@N`, the run's N-th on this cluster. Ray takes an id once, so that of two submissions at
  the same moment one is refused.
- What is sent for the job to see (command, metadata, environment) holds no key, only the id under which they wait.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.ray_api import job_keys
from actors.ray_api.internals import job_client
from pipelines.errors import Refused
from pipelines.run.jobs.access import CERTIFICATE_CURE, Access, request
from pipelines.run.jobs.cluster_token import ClusterError

RUN, STORAGE, KEYS = "tailor.run", "tailor.storage", "tailor.keys"
ENDED = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
_START_S = 30.0  # a node that has just come up takes no job for a moment
_STOP_S = 60  # a stopped run's processes end within this time, or are killed
_SEEN_STARTING = "No available agent"
_STATUS = re.compile(r"status code (\d{3}):")
_TAG = re.compile(r"<[^>]*>")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """One submission of a run. `state` is Ray's word in lower case; times are seconds since 1970."""

    run: str
    id: str
    state: str
    storage: str
    started: float | None
    ended: float | None
    exit_code: int | None
    message: str
    keys: str

    @property
    def has_ended(self) -> bool:
        return self.state.upper() in ENDED

    @property
    def number(self) -> int:
        """Which of its run's submissions it is, from 1; 0 for a name of another's making."""
        number = self.id.rpartition("@")[2]
        return int(number) if number.isascii() and number.isdigit() else 0


class JobServer:
    """The job server at an address that was tried (`pipelines.run.jobs.access`)."""

    def __init__(self, access: Access) -> None:
        self.access = access
        with _told(access.address):
            self._client = job_client(access.address, access.headers, direct=access.here, trusted=access.trusted)

    def runs(self) -> list[SubmittedRun]:
        """Every submission of a run that the cluster remembers, the newest first. Raises `ClusterError`."""
        with _told(self.access.address):
            jobs = self._client.list_jobs()
        found = [run for job in jobs if (run := _submitted(job)) is not None]
        return sorted(found, key=lambda run: run.started or 0.0, reverse=True)

    def find(self, name: str) -> SubmittedRun:
        """The submission of this id, or else the newest of the run of this name. Raises `Refused`."""
        runs = self.runs()
        of_name = [run for run in runs if run.run == name]
        found = [run for run in runs if run.id == name] or sorted(of_name, key=lambda run: -run.number)
        if not found:
            known = ", ".join(sorted({run.run for run in runs})) or "none at all"
            raise Refused(f"no run {name} was submitted to {self.access.address}; runs there: {known}")
        return found[0]

    def again(self, run: SubmittedRun) -> SubmittedRun:
        """How `run` stands now. Raises `ClusterError`."""
        with _told(self.access.address):
            return _submitted(self._client.get_job_info(run.id)) or run

    def submit(
        self,
        run: str,
        folder: Path,
        command: Sequence[str],
        storage: str,
        keys: Mapping[str, str],
        cpus: float | None,
        labels: Mapping[str, str],
    ) -> SubmittedRun:
        """Submits the run that `folder` holds. Raises `Refused` when it was submitted already, or by another at this
        moment."""
        earlier = [known for known in self.runs() if known.run == run]
        refuse_running(earlier, self.access.address)
        id = f"{run}@{1 + max((known.number for known in earlier), default=0)}"
        environment: dict[str, Any] = {
            "working_dir": str(folder),
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_S)},
        }
        metadata = {"job_name": run, RUN: run, STORAGE: storage}
        for known in earlier[:1]:
            self.forget_keys(known.keys)  # if its driver was lost with its node, they are still there
        if keys:
            place = job_keys.new_id()
            environment["env_vars"][job_keys.VARIABLE] = metadata[KEYS] = place
            self._put_keys(place, job_keys.packed(keys))
        try:
            self._submit(id, shlex.join(command), environment, metadata, cpus, labels)
        except BaseException:
            if keys:
                self.forget_keys(place)
            raise
        return self.find(id)

    def _submit(
        self,
        id: str,
        command: str,
        environment: dict[str, Any],
        metadata: dict[str, str],
        cpus: float | None,
        labels: Mapping[str, str],
    ) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with _told(self.access.address):
                    self._client.submit_job(
                        entrypoint=command,
                        submission_id=id,
                        runtime_env=environment,
                        metadata=metadata,
                        entrypoint_num_cpus=cpus,
                        entrypoint_label_selector=dict(labels) or None,
                    )
                return
            except ClusterError as error:
                if _SEEN_STARTING not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(1.0)

    def stop(self, run: SubmittedRun) -> None:
        """Asks a submission to end, which takes some seconds; the run keeps what it has. Raises `ClusterError`."""
        with _told(self.access.address):
            self._client.stop_job(run.id)

    def log(self, run: SubmittedRun) -> str:
        """What the submission has said so far. Raises `ClusterError`."""
        with _told(self.access.address):
            return str(self._client.get_job_logs(run.id))

    async def log_as_it_comes(self, run: SubmittedRun) -> AsyncIterator[str]:
        """The submission's log in pieces, from its beginning to its end."""
        async for piece in self._client.tail_job_logs(run.id):
            yield piece

    def forget_keys(self, place: str) -> None:
        """Overwrites the keys that wait there for a run that did not take them."""
        if place:
            self._put_keys(place, job_keys.TAKEN_BACK)

    def _put_keys(self, place: str, content: bytes) -> None:
        package = job_keys.place_of(place).removeprefix("gcs://")
        url = f"{self.access.address}/api/packages/gcs/{package}"
        with _told(self.access.address):
            status, _ = request(url, self.access.headers, "PUT", content)
            if status != 200:
                raise RuntimeError(f"it did not take the run's keys (status {status})")


def refuse_running(runs: Sequence[SubmittedRun], address: str) -> None:
    """Raises `Refused` when one of `runs`, submissions of one run, has not ended."""
    for run in runs:
        if not run.has_ended:
            raise Refused(
                f"{run.run} is {run.state} on this cluster already, as {run.id}{_since(run)}. Rejoin it: tailor logs "
                f"{run.run} --address {address}; stop it: tailor stop {run.run} --address {address}; or give this run "
                "another --name"
            )


def _since(run: SubmittedRun) -> str:
    return f" since {datetime.fromtimestamp(run.started, UTC):%Y-%m-%d %H:%M} UTC" if run.started else ""


def _submitted(job: Any) -> SubmittedRun | None:
    """What Ray knows of a job, None where it is no submitted run."""
    metadata: dict[str, str] = job.metadata or {}
    if RUN not in metadata or not job.submission_id:
        return None
    return SubmittedRun(
        run=metadata[RUN],
        id=job.submission_id,
        state=str(getattr(job.status, "value", job.status)).lower(),
        storage=metadata.get(STORAGE, ""),
        started=job.start_time / 1000 if job.start_time else None,
        ended=job.end_time / 1000 if job.end_time else None,
        exit_code=job.driver_exit_code,
        message=job.message or "",
        keys=metadata.get(KEYS, ""),
    )


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turns what the client raises into one sentence."""
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError:
        raise ClusterError(f"the cluster at {address} does not take this machine's token any more") from None
    except OSError as error:  # those of requests are of this kind
        if type(error).__name__ == "SSLError":
            raise ClusterError(f"{address}: its certificate is not trusted ({CERTIFICATE_CURE})") from error
        raise ClusterError(f"the job server at {address} did not answer ({type(error).__name__})") from error
    except RuntimeError as error:
        raise ClusterError(f"the job server at {address} refused: {reason_in(str(error))}") from error


def reason_in(text: str) -> str:
    """What a refusal says, in a line: the last of a traceback, or its status and the first words of a page that
    something before the job server answered with."""
    found = _STATUS.search(text)
    status, rest = (found.group(1), text[found.end() :]) if found else ("", text)
    page = "<html" in rest.lower()
    lines = [line.strip() for line in _TAG.sub("\n" if page else r"\g<0>", rest).splitlines()]
    lines = [line for line in lines if any(character.isalnum() for character in line)]
    words = (lines[0] if page else lines[-1])[:_LONGEST] if lines else "no reason is given"
    if not status or "Traceback" in rest:
        return words
    hint = ". What is uploaded is larger than it takes, or than a proxy before it does" if status == "413" else ""
    return f"status {status}, {words}{hint}"
