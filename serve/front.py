"""What clients connect to: an HAProxy of Tailor's own before Ray Serve's, on a socket that outlives both.

Owns: the listening socket, the HAProxy that answers on it, its configuration, and the actor that keeps them.

Ray Serve's HAProxy is started anew by its manager when it dies, which takes seconds, and refuses connections meanwhile,
longer than the retries of a stock client last. This one hands requests to Serve's Python proxy for that time.

Invariants
- The socket is open as long as the actor lives: while an HAProxy is started on it connections wait, none is refused.
- A request goes to Serve's HAProxy only while that knows its routes. One that had no answer when Serve's HAProxy died
  is asked again of the Python proxy, where it fits into a buffer.
- What HAProxy says itself has OpenAI's error body, and says when to try again; but for a head that cannot be read or
  does not come, of which its words are built in.
- A connection that says nothing is closed after half a minute.
- A certificate that is renewed in its file is taken on without a broken connection; one that cannot be read is not.
- HAProxy ends with its actor.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from serve.door.refusals import NOT_SERVED, UNREADABLE, Refusal, unavailable
from serve.internals import haproxy_program

BUFFER = 65536  # bytes; a larger request is not asked again
_LOOK_S = 1.0  # how often the certificate's file is looked at
_CALM_S = 0.5  # an HAProxy that lived shorter was not well; the next one waits so long
_ACTOR, _NAMESPACE = "tailor-front", "serve"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class FrontAddress:
    """Where the front listens, the ports of this machine on which Serve's HAProxy and Serve's Python proxy do, and the
    PEM file of certificate and key (None: no TLS)."""

    host: str
    port: int
    haproxy: int
    python: int
    certificate: str | None = None


def check_certificate(file: str) -> None:
    """Raises `ValueError` where `file` is no PEM file with a certificate and its key, which says why."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password=_no_password)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ValueError(
            f"{file}: no certificate and key can be read from it ({getattr(error, 'strerror', None) or error}): "
            "give one PEM file with the certificate, the chain and the key, which has no password"
        ) from error


def _no_password() -> str:
    raise ValueError("its key has a password")


def configuration(address: FrontAddress, listener: int, folder: Path) -> str:
    """HAProxy's configuration. `listener` is the file descriptor of the socket; `folder` has the pages of errors."""
    tls = f" ssl crt {address.certificate} ssl-min-ver TLSv1.2 alpn h2,http/1.1" if address.certificate else ""
    away, unknown, unreadable = (_as_rule(refusal) for refusal in (unavailable(), NOT_SERVED, UNREADABLE))
    plain = "{ res.hdr(content-type) -m beg text/plain } !{ path_beg /-/ }"
    return f"""global
    maxconn 4096
    nbthread {_threads()}
    tune.bufsize {BUFFER}
    hard-stop-after 600s
defaults
    mode http
    timeout connect 2s
    timeout http-request 30s
    timeout http-keep-alive 60s
    timeout client 3600s
    timeout server 3600s
    timeout queue 30s
    option abortonclose
    option http-no-delay
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    errorfile 400 {folder}/400.http
    errorfile 502 {folder}/503.http
    errorfile 503 {folder}/503.http
    errorfile 504 {folder}/503.http
frontend front
    bind fd@{listener}{tls}
    default_backend serve
backend serve
    option httpchk GET /-/routes
    http-check expect status 200
    http-response return {away} if {{ status 500 502 503 504 }} {plain}
    http-response return {unknown} if {{ status 404 }} {plain}
    http-response return {unreadable} if {{ status 400 }} {plain}
    default-server inter 500ms fastinter 100ms downinter 100ms rise 1 fall 1
    server haproxy 127.0.0.1:{address.haproxy} check observe layer4 error-limit 1 on-error mark-down
    server python 127.0.0.1:{address.python} check backup
"""


def _threads() -> int:
    """A quarter of the cores: one thread passes thousands of requests a second on, and on two cores a second one took
    5 % of the throughput of streamed answers from the engine."""
    return max(1, min(4, (os.cpu_count() or 1) // 4))


def _as_rule(refusal: Refusal) -> str:
    start, body = refusal.messages()
    headers = "".join(f" hdr {name} {value}" for name, value in refusal.headers.items())
    text = body["body"].decode().replace("\\", "\\\\").replace('"', '\\"').replace(" ", "\\ ")
    return f"status {start['status']} content-type application/json string {text}{headers}"


def page(refusal: Refusal) -> bytes:
    """A refusal as the file of a whole HTTP response."""
    start, body = refusal.messages()
    headers = b"".join(b"%s: %s\r\n" % header for header in start["headers"])
    said = f"{start['status']} {HTTPStatus(start['status']).phrase}".encode()
    return b"HTTP/1.1 %s\r\n%sconnection: close\r\n\r\n%s" % (said, headers, body["body"])


class Front:
    """HAProxy on a socket that is kept open here, started again when it dies. Raises `OSError` where the port is
    another's."""

    def __init__(self, address: FrontAddress) -> None:
        self.address = address
        self._folder = tempfile.TemporaryDirectory(prefix="tailor-front-")
        self._socket = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address.host, address.port))
        self._socket.listen(1024)
        folder = Path(self._folder.name)
        for refusal in (UNREADABLE, unavailable()):
            (folder / f"{refusal.status}.http").write_bytes(page(refusal))
        self._file = folder / "haproxy.cfg"
        self._file.write_text(configuration(address, self._socket.fileno(), folder), encoding="utf-8")
        self._program = haproxy_program()
        self._stopped = threading.Event()
        self._up = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True, name="front")
        self._thread.start()
        self._up.wait(10)

    def described(self) -> tuple[int, str | None]:
        """The port, and the file of the certificate."""
        return self.address.port, self.address.certificate

    def stop(self) -> None:
        """Ends HAProxy and closes the socket."""
        self._stopped.set()
        if self.process is not None:
            self.process.terminate()
        self._thread.join(10)
        self._socket.close()
        self._folder.cleanup()

    def _keep(self) -> None:
        """Has an HAProxy run until it is stopped. The thread lives as long as the process: HAProxy ends with it."""
        seen = _stamp(self.address.certificate)
        while not self._stopped.is_set():
            begun = time.monotonic()
            self.process = self._start()
            self._up.set()
            while not self._stopped.is_set():
                try:
                    self.process.wait(_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    now = _stamp(self.address.certificate)
                    if now != seen and self._is_readable():
                        seen = now
                        self.process.send_signal(signal.SIGUSR1)  # ends when its connections have
                        self.process = self._start()
            if time.monotonic() - begun < _CALM_S:
                self._stopped.wait(_CALM_S)

    def _is_readable(self) -> bool:
        try:
            check_certificate(str(self.address.certificate))
        except ValueError:
            return False
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self._program, "-q", "-db", "-f", str(self._file)],
            pass_fds=(self._socket.fileno(),),
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """Runs in the child, before HAProxy does."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stamp(file: str | None) -> tuple[int, int] | None:
    try:
        found = Path(file).stat() if file is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


def start_front(address: FrontAddress) -> None:
    """Starts the front on the head node of the cluster that this process is connected to. Raises `RayError` where it
    cannot listen there."""
    import ray

    actor: Any = ray.remote(num_cpus=0, max_restarts=-1)(Front)
    front = actor.options(
        name=_ACTOR, namespace=_NAMESPACE, lifetime="detached", resources={"node:__internal_head__": 0.001}
    ).remote(address)
    ray.get(front.described.remote())


def running_front() -> tuple[int, str | None] | None:
    """The port and certificate of the front that runs on this cluster; None where none does."""
    import ray

    try:
        front: Any = ray.get_actor(_ACTOR, _NAMESPACE)
        port, certificate = ray.get(front.described.remote(), timeout=30)
    except (ValueError, ray.exceptions.RayError):
        return None
    return port, certificate


def stop_front() -> None:
    """Ends the front of this cluster, where there is one."""
    import ray

    with contextlib.suppress(ValueError, ray.exceptions.RayError):
        front = ray.get_actor(_ACTOR, _NAMESPACE)
        ray.get(front.stop.remote(), timeout=30)
        ray.kill(front)
