"""A real S3 API server on loopback (moto's), and a proxy before it that makes every fault that tests need."""

from __future__ import annotations

import http.client
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.request import Request, urlopen

from tests.conftest import ROOT

KEYS = {"AWS_ACCESS_KEY_ID": "a-loopback-key", "AWS_SECRET_ACCESS_KEY": "a-loopback-secret", "AWS_REGION": "us-east-1"}
ERRORS = {
    "SlowDown": (503, "Please reduce your request rate."),
    "AccessDenied": (403, "Access Denied"),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "XMinioStorageFull": (507, "Storage backend has reached its minimum free drive threshold."),
}
Fault = Callable[[str, str], str | None]


@dataclass
class S3:
    """A running server, asked through the proxy at `endpoint`.

    `fault` is asked of each request, by method and path, what becomes of it: the name of one of ERRORS; "cut", the
    connection ends without an answer; "cut after", so does it when the server has done what was asked; "slow", half a
    second late; None, nothing. `requests` are those that came."""

    port: int
    server_port: int
    fault: Fault = lambda method, path: None
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, path: str) -> str:
        """The address of `path`, a bucket and what is in it, for Tailor."""
        return f"s3://{path}?scheme=http&endpoint_override=127.0.0.1:{self.port}"

    def make_bucket(self, name: str) -> None:
        with urlopen(Request(f"http://127.0.0.1:{self.server_port}/{name}", method="PUT"), timeout=30):
            pass


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server in a process of its own, behind the proxy in this one."""
    command = [sys.executable, "-m", "tests.actors.storage.moto_server"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        server_port = int(next(line for line in process.stdout if line.strip().isdigit()))
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Proxy) as proxy:
            proxy.daemon_threads = True
            s3 = S3(proxy.server_address[1], server_port)
            proxy.s3 = s3  # type: ignore[attr-defined]
            threading.Thread(target=proxy.serve_forever, args=[0.05], daemon=True).start()
            try:
                yield s3
            finally:
                proxy.shutdown()
    finally:
        process.kill()
        process.wait()


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        s3: S3 = self.server.s3  # type: ignore[attr-defined]
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        s3.requests.append((self.command, self.path))
        fault = s3.fault(self.command, self.path)
        if fault == "cut":
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(0.5)
        if fault in ERRORS:
            status, words = ERRORS[fault]
            text = f"<?xml version='1.0'?><Error><Code>{fault}</Code><Message>{words}</Message></Error>".encode()
            self._answer(
                status, {"Content-Type": "application/xml"}, b"" if self.command == "HEAD" else text, len(text)
            )
            return
        server = http.client.HTTPConnection("127.0.0.1", s3.server_port, timeout=60)
        left_out = ("expect", "connection", "transfer-encoding")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        server.request(self.command, self.path, body, headers)
        reply = server.getresponse()
        content = reply.read()
        if fault == "cut after":
            self.close_connection = True
            return
        length = int(reply.headers.get("Content-Length", len(content)))
        kept = {n: v for n, v in reply.headers.items() if n.lower() not in ("transfer-encoding", "connection")}
        self._answer(reply.status, kept, content, length)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    def _answer(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `requests` has them."""
