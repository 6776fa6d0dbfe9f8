"""What the probe sees of a job server: who it answers, and where it listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bench.node_install import probe
from bench.node_install.__main__ import LOOPBACK, Failed, judge
from bench.node_install.probe import Seen, listening, status


class Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == "Bearer right" else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Door) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(probe, "JOB_SERVER", f"http://127.0.0.1:{running.server_port}")
        yield running
        running.shutdown()


def test_it_sees_whom_the_server_answers_and_where_it_listens(server: HTTPServer) -> None:
    assert [status("/api/jobs/", token) for token in (None, "wrong", "right")] == [401, 401, 200]
    assert listening(server.server_port) == [LOOPBACK]


GOOD = {
    "without_token": {"/api/jobs/": 401},
    "with_token": {"/api/jobs/": 200},
    "listening": [LOOPBACK],
    "job_python": "/v/bin/python",
    "nodes": 2,
}


def test_a_node_as_it_should_be_passes(capsys: pytest.CaptureFixture[str]) -> None:
    judge(Seen(**GOOD), "/v/bin/python", {LOOPBACK}, nodes=2)
    told = capsys.readouterr().out
    assert "{'/api/jobs/': 401}" in told and "/v/bin/python" in told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"without_token": {"/api/jobs/": 200}}, "without the token"),
        ({"with_token": {"/api/jobs/": 0}}, "with it"),
        ({"listening": [LOOPBACK, "00000000"]}, "listens at"),
        ({"listening": []}, "listens at"),
        ({"job_python": "/usr/bin/python3"}, "a job's python is /usr/bin/python3"),
        ({"job_python": None}, "a job's python is None"),
        ({"nodes": 1}, "1 nodes are in the cluster, not 2"),
        ({"leaks": ["/tmp/ray/x.log"]}, "/tmp/ray/x.log"),
    ],
)
def test_an_open_door_is_told(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(Failed, match=said):
        judge(Seen(**{**GOOD, **wrong}), "/v/bin/python", {LOOPBACK}, nodes=2)
