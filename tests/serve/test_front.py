"""What stands before Ray Serve's HAProxy: it loses no connection when something behind it or it itself dies.

A real HAProxy before two tiny servers, which stand for Serve's HAProxy and Serve's Python proxy."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from serve.front import Front, FrontAddress, check_certificate, configuration
from serve.proxy import free_port

pytestmark = pytest.mark.thorough

PLAIN = {
    "/unreadable": (400, "text/plain"),
    "/dead": (500, "text/plain"),
    "/nowhere": (404, "text/plain"),
    "/own": (404, "application/json"),
}


class Server(ThreadingHTTPServer):
    """Answers with its name. `knows`: whether it has routes."""

    def __init__(self, name: str) -> None:
        self.name, self.knows = name, True
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def die(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A check that went away."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        if self.path == "/slow":
            time.sleep(1.0)
        status, kind = PLAIN.get(self.path, (200, "application/json"))
        if not server.knows:
            status, kind = (503 if self.path == "/-/routes" else 404), "text/plain"
        body = server.name.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def behind() -> Iterator[tuple[Server, Server]]:
    servers = Server("haproxy"), Server("python")
    yield servers
    for server in servers:
        server.die()


def front_before(behind: tuple[Server, Server], certificate: str | None = None) -> Front:
    haproxy, python = behind
    return Front(FrontAddress("127.0.0.1", free_port(), haproxy.server_port, python.server_port, certificate))


@pytest.fixture
def front(behind: tuple[Server, Server]) -> Iterator[Front]:
    made = front_before(behind)
    yield made
    made.stop()
    assert made.process is not None and made.process.poll() is not None


def answer(front: Front, path: str = "/v1/answer") -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{front.address.port}{path}", content=b"{}", timeout=20)


def until_answered_by(front: Front, name: str) -> None:
    deadline = time.monotonic() + 10
    while answer(front).text != name:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_while_serves_haproxy_is_away_or_knows_no_routes_the_python_proxy_answers(
    front: Front, behind: tuple[Server, Server]
) -> None:
    haproxy, python = behind
    assert answer(front).text == "haproxy"
    haproxy.knows = False  # a new one, of which every route is a 404
    until_answered_by(front, "python")
    haproxy.knows = True
    until_answered_by(front, "haproxy")
    haproxy.die()
    assert [(one.status_code, one.text) for one in (answer(front), answer(front))] == [(200, "python")] * 2
    python.die()
    nobody = answer(front)
    assert nobody.status_code == 503 and nobody.headers["retry-after"] == "1"
    assert nobody.json()["error"]["code"] == "unavailable"


def test_when_it_dies_itself_connections_wait_for_the_next_one(front: Front) -> None:
    assert answer(front).status_code == 200
    for _ in range(2):
        assert front.process is not None
        os.kill(front.process.pid, signal.SIGKILL)
        assert answer(front).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/dead", 503, "unavailable"),
        ("/nowhere", 404, "not_found"),
        ("/unreadable", 400, "bad_request"),
        ("/own", 404, None),
    ],
)
def test_what_a_proxy_says_in_plain_text_is_said_in_openais_words(
    front: Front, path: str, status: int, code: str | None
) -> None:
    reply = answer(front, path)
    assert reply.status_code == status
    if code is None:
        assert reply.text == "haproxy"  # an application's own answer passes as it is
    else:
        assert reply.json()["error"]["code"] == code and reply.headers["content-type"] == "application/json"
        assert ("retry-after" in reply.headers) is (status == 503)


def test_who_says_no_more_and_does_not_wait_is_told_so_in_openais_words(front: Front) -> None:
    with socket.create_connection(("127.0.0.1", front.address.port), timeout=10) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        assert (reply.status, json.loads(reply.read())["error"]["code"]) == (400, "bad_request")


def test_a_port_that_somebody_has_is_refused(front: Front) -> None:
    with pytest.raises(OSError, match="in use"):
        Front(front.address)


def certificate(folder: Path, name: str = "localhost") -> Path:
    """A PEM file of a certificate and its key, made by openssl as docs/serving.md says."""
    pem = folder / "tls.pem"
    made = folder / "made.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
        f"-subj /CN={name} -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    where = ["-keyout", str(folder / "key.pem"), "-out", str(made)]
    subprocess.run([*command.split(), *where], check=True, capture_output=True)
    pem.write_text(made.read_text() + (folder / "key.pem").read_text())
    return pem


def test_with_a_certificate_it_speaks_tls_and_takes_a_renewed_one_on(
    behind: tuple[Server, Server], tmp_path: Path
) -> None:
    pem = certificate(tmp_path)
    front = front_before(behind, str(pem))

    def name_seen() -> str:
        trusted = ssl.create_default_context(cafile=tmp_path / "made.pem")
        with httpx.Client(verify=trusted) as client:
            reply = client.get(f"https://localhost:{front.address.port}/v1/models")
            assert reply.text == "haproxy"
        return ssl.get_server_certificate(("127.0.0.1", front.address.port))

    try:
        first = name_seen()
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{front.address.port}/v1/models")
        pem.write_text("torn", encoding="utf-8")
        time.sleep(1.2)
        assert name_seen() == first  # what cannot be read is not taken on
        certificate(tmp_path, "renewed")
        deadline = time.monotonic() + 10
        while ssl.get_server_certificate(("127.0.0.1", front.address.port)) == first:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert name_seen() != first
    finally:
        front.stop()


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    check_certificate(str(pem))
    for file, content in {"none.pem": None, "torn.pem": "x", "no_key.pem": (tmp_path / "made.pem").read_text()}.items():
        if content is not None:
            (tmp_path / file).write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=f"{file}: no certificate and key can be read from it"):
            check_certificate(str(tmp_path / file))


def test_haproxys_own_words_are_json(tmp_path: Path) -> None:
    text = configuration(FrontAddress("127.0.0.1", 1, 2, 3), 9, tmp_path)
    words = [line.partition("string ")[2] for line in text.splitlines() if " string " in line]
    assert len(words) == 3
    for one in words:
        quoted = one.partition("}}")[0] + "}}"
        assert set(json.loads(quoted.replace("\\", ""))["error"]) == {"message", "type", "param", "code"}


def test_as_an_application_its_arguments_are_checked() -> None:
    from pydantic import ValidationError
    from ray.serve.schema import ServeApplicationSchema

    from serve.deployed_front import FrontSection, build_front

    assert build_front(FrontSection(port=9000, python=9002))
    for wrong in ({"port": 0}, {"ports": 8000}, {"python": "here"}):
        with pytest.raises(ValidationError):
            FrontSection.model_validate(wrong)
    ServeApplicationSchema(name="front", route_prefix=None, import_path="serve.deployed_front:build_front")
