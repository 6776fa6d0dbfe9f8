"""A run's log: each line once, Ray's own left out, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pipelines.run.jobs import following
from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.following import Lines, follow, is_of_the_run, lines_of, stopped
from pipelines.run.jobs.server import SubmittedRun

RUN = SubmittedRun("mine", "mine@1", "pending", "runs", 0.0, None, None, "", "")
LOG = "Run mine is new, in /runs/mine\nround 0 · train\n  ✓ round 0 train  1.0 s\nReport: /runs/mine/report.html\n"


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-28 11:03:50,985\tINFO job_manager.py:581 -- Runtime env is setting up.",
        "2026-11-28 11:03:50,985 WARNING worker.py:12 -- something",
        "Running entrypoint for job mine@1: sh start.sh tailored mine.yaml",
        "(raylet) Task A.key failed.",
        "\x1b[33m(raylet)\x1b[0m Task A.key failed.",
        "(raylet, ip=10.0.0.5) a node died",
        "[2026-11-28 11:10:52,808 W 3378 3378] gcs_client.cc:210: Failed to get cluster ID from GCS server",
        "[2026-11-28 11:10:52,808 E 3378 3390] (python-core-worker) logging.cc:497: *** SIGTERM received",
        "*** SIGTERM received at time=1795863773 on cpu 1 ***",
        "PC: @     0x7f53c9a2b1e0  (unknown)  epoll_wait",
        "    @     0x7fdd63d278ec         32  (unknown)",
    ],
)
def test_lines_of_ray_are_not_the_runs(line: str) -> None:
    assert not is_of_the_run(line)


@pytest.mark.parametrize("line", [*LOG.splitlines(), "", "error: task.path: no such file", "2026-11-28 is a date"])
def test_lines_of_the_run_are_kept(line: str) -> None:
    assert is_of_the_run(line)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("cut", [0, 1, 30, 60, len(LOG)])
def test_a_log_that_begins_anew_is_shown_once(size: int, cut: int) -> None:
    lines, shown = Lines(), []
    for text in (LOG[:cut], LOG[:cut], LOG + "no end"):
        lines.begin_anew()
        for at in range(0, len(text), size):
            shown += lines.of(text[at : at + size])
    assert [*shown, *lines.last()] == [*LOG.splitlines(), "no end"]
    assert list(lines_of(LOG)) == LOG.splitlines()


class Server:
    """A job server as following uses it: `states` are what it says of the run, one question after another, an exception
    to be raised; `connections` are what each tail of the log brings before it breaks."""

    def __init__(self, states: list[str | Exception], connections: list[str]) -> None:
        self.states, self.connections, self.stopped, self.forgotten = states, connections, False, ""
        self.whole: str | None = None  # what it answers when it is asked for the log

    def again(self, run: SubmittedRun) -> SubmittedRun:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return replace(run, state=state)

    async def log_as_it_comes(self, run: SubmittedRun) -> AsyncIterator[str]:
        assert run.state != "pending"  # there is none yet
        log = self.connections.pop(0) if self.connections else ""
        for at in range(0, len(log), 20):
            yield log[at : at + 20]
            await asyncio.sleep(0)
        raise RuntimeError("the connection broke")

    def log(self, run: SubmittedRun) -> str:
        if self.whole is None:
            raise ClusterError("away")
        return self.whole

    def stop(self, run: SubmittedRun) -> None:
        self.stopped = True

    def forget_keys(self, place: str) -> None:
        self.forgotten += place


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("POLL_S", 0.002), ("_TAIL_S", 0.05), ("_WAITING_S", 0.01), ("PATIENCE_S", 0.05)):
        monkeypatch.setattr(following, name, seconds)


def test_a_run_is_followed_from_its_waiting_to_its_end() -> None:
    states = ["pending"] * 30 + ["running"] * 8 + [ClusterError("away"), "running", "succeeded"]
    server, shown = Server(states, [LOG[:40], LOG[:70], LOG, LOG, LOG]), list[str]()
    ended = follow(server, RUN, shown.append)  # type: ignore[arg-type]
    assert ended.state == "succeeded"
    assert shown[0].startswith("Waiting for a node to start the driver on (")
    assert [line for line in shown if not line.startswith("Waiting")] == LOG.splitlines()


def test_where_no_connection_comes_about_the_log_is_asked_for() -> None:
    server, shown = Server(["running"] * 4 + ["failed"], []), list[str]()

    def say(line: str) -> None:
        shown.append(line)
        server.whole = LOG + "error: no end"

    server.whole = LOG[:60]
    assert follow(server, RUN, say).state == "failed"  # type: ignore[arg-type]
    assert shown == [*LOG.splitlines(), "error: no end"]


def test_a_server_that_is_gone_is_waited_for_and_then_told() -> None:
    states: list[str | Exception] = ["running", ClusterError("did not answer")]
    with pytest.raises(ClusterError, match="did not answer"):
        follow(Server(states, []), RUN, print)  # type: ignore[arg-type]


def test_a_stopped_run_is_waited_for_and_its_keys_are_forgotten() -> None:
    server = Server(["running", "running", "stopped"], [])
    after = stopped(server, replace(RUN, state="running", keys="place"))  # type: ignore[arg-type]
    assert server.stopped and after.state == "stopped" and server.forgotten == "place"
