"""A spot machine's notice: read as the clouds give it, awaited whatever a metadata server does, acted on once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError

import pytest

import actors.ray_api.machines.notice as notice
from actors.ray_api.machines.notice import AWS_NOTICE_S, GCP_NOTICE_S, aws, gcp, wait_for_notice

TOKEN = "a token of a session"


@contextmanager
def metadata(answer: Callable[[str], tuple[int, str]]) -> Iterator[str]:
    """A cloud's metadata server, which answers a path so; those of AWS only with a token that was asked for before."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asks = self.path == "/latest/api/token" and int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) > 0
            self._say(200 if asks else 400, TOKEN if asks else "")

        def do_GET(self) -> None:
            known = self.headers["X-aws-ec2-metadata-token"] == TOKEN or self.headers["Metadata-Flavor"] == "Google"
            self._say(*answer(self.path)) if known else self._say(401, "")

        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        ({"action": "terminate", "time": "%Y-%m-%dT%H:%M:%SZ"}, 600),
        ({"action": "stop", "time": "%Y-%m-%dT%H:%M:%S"}, 600),
        ({"action": "hibernate", "time": "%Y-%m-%dT%H:%M:%S+00:00"}, 600),
        ({"action": "terminate"}, AWS_NOTICE_S),
        ({"action": "terminate", "time": "soon"}, AWS_NOTICE_S),
        ({"action": "terminate", "time": None}, AWS_NOTICE_S),
        ({"action": "none"}, None),
    ],
)
def test_what_aws_announces(action: dict[str, str | None], seconds: float | None) -> None:
    """A time is given by its form: it is ten minutes from now."""
    ends = datetime.now(UTC) + timedelta(minutes=10)
    said = json.dumps({name: value and ends.strftime(value) for name, value in action.items()})
    with metadata(lambda path: (200, said if path.endswith("spot/instance-action") else "")) as at:
        assert aws(at) == (None if seconds is None else pytest.approx(seconds, abs=60))


def test_aws_announces_nothing_by_404_and_other_errors_are_errors() -> None:
    with metadata(lambda path: (404, "")) as at:
        assert aws(at) is None
    with metadata(lambda path: (500, "")) as at, pytest.raises(HTTPError):
        aws(at)


@pytest.mark.parametrize(("said", "seconds"), [("FALSE", None), ("TRUE", GCP_NOTICE_S), ("true\n", GCP_NOTICE_S)])
def test_what_google_cloud_announces(said: str, seconds: float | None) -> None:
    with metadata(lambda path: (200, said) if path.endswith("/v1/instance/preempted") else (404, "")) as at:
        assert gcp(at) == seconds


def test_the_machines_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with metadata(lambda path: (200, "TRUE")) as at:
        assert gcp(at) == GCP_NOTICE_S


def test_a_metadata_server_that_errs_is_asked_again_and_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "LOOK_S", 0.0)
    answers = iter([(500, ""), (500, ""), (200, "no JSON"), (200, "[1]"), (404, ""), (200, '{"action": "terminate"}')])
    told: list[str] = []
    with metadata(lambda path: next(answers)) as at:
        assert wait_for_notice(lambda: aws(at), told.append) == AWS_NOTICE_S
    assert len(told) == 3 and "HTTP Error 500" in told[0] and "[1]" in told[2]


def test_a_node_is_drained_until_ray_accepts_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = iter([1, 0])
    given: list[list[str]] = []

    def ran(command: list[str], check: bool, timeout: float) -> None:
        given.append(command)
        if status := next(tries):
            raise subprocess.CalledProcessError(status, command)

    monkeypatch.setattr(notice.subprocess, "run", ran)
    monkeypatch.setattr(notice.time, "sleep", lambda seconds: None)
    with metadata(lambda path: (200, "TRUE")) as at:
        monkeypatch.setattr("sys.argv", ["notice", "gcp", "--metadata", at + "/", "--node", "ab12"])
        notice.main()
    assert len(given) == 2 and given[1][-2:] == ["--node-id", "ab12"]
    remaining = given[1][given[1].index("--deadline-remaining-seconds") + 1]
    assert 0 < int(remaining) <= GCP_NOTICE_S
    assert "taken away in 30 s" in capsys.readouterr().out
