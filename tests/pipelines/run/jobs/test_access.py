"""A job server's address, in the forms in which people give it, and everything that can be wrong with one."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.run.jobs import access as module
from pipelines.run.jobs.access import Access, access, job_address
from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.server import JobServer

TOKEN = "t" * 64


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("RAY_JOB_HEADERS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "http://127.0.0.1:8265"),
        ("auto", "http://127.0.0.1:8265"),
        ("http://head:8265", "http://head:8265"),
        ("http://head:8265/", "http://head:8265"),
        ("https://ray.example.com/head", "https://ray.example.com/head"),
        ("head:8265", "http://head:8265"),
        ("10.0.0.5:6379", "http://10.0.0.5:8265"),
        ("head", "http://head:8265"),
        ("[fd00::5]:6379", "http://[fd00::5]:8265"),
        ("fd00::5", "http://[fd00::5]:8265"),
        ("::1", "http://[::1]:8265"),
        ("http://head:8265/#/jobs", "http://head:8265"),  # from a browser
        ("http://head:8265/#/actors?tab=1", "http://head:8265"),
        (" http://head:8265\n", "http://head:8265"),
        ("HTTPS://Head.example:8265", "https://Head.example:8265"),
        ("  ", "http://127.0.0.1:8265"),
    ],
)
def test_an_address_is_taken_as_it_is_meant(given: str | None, address: str) -> None:
    assert job_address(given) == address


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ray://head:10001", "--address ray://head:10001: runs are submitted to a cluster's job server; give"),
        ("anyscale://x", "give the job server's, mostly --address http://HOST:8265"),
        ("http://", "this is not the address of a job server"),
        ("http://head:port", "this is not an address"),
        ("http://head..example:8265", "this is not an address"),  # as the look-up of names will say
        (f"{'a' * 70}.example", "this is not an address"),
        ("http://me:password@head:8265", "without user, password or query"),
        ("http://head:8265?token=password", "without user, password or query"),
    ],
)
def test_what_is_no_address_of_a_job_server_is_told(given: str, said: str) -> None:
    with pytest.raises(ClusterError) as refused:
        job_address(given)
    assert said in str(refused.value) and "password" not in str(refused.value).replace("user, password", "")


def test_the_environment_is_asked_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://of-ray:8265")
    assert job_address(None) == "http://of-ray:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://of-the-server:8265")
    assert job_address(None) == "http://of-the-server:8265"
    assert job_address("http://given:1") == "http://given:1"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "ray://head:10001")
    with pytest.raises(ClusterError, match="RAY_API_SERVER_ADDRESS ray://head:10001"):
        job_address(None)


@contextmanager
def server(
    token: str | None = None,
    status: int = 200,
    body: str = '{"ray_version": "2.60.0"}',
    place: str = "Authorization",
) -> Iterator[str]:
    """Answers as a job server does, which asks for `token` in the header `place` if that is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get(place)
            code = status if token is None or asked == f"Bearer {token}" else 401 if asked is None else 403
            self.send_response(code)
            self.send_header("Location", "http://elsewhere.invalid/")
            self.end_headers()
            self.wfile.write(body.encode() if code == 200 else b"Unauthorized")

        def log_message(self, *_: object) -> None: ...

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{serving.server_address[1]}"
    finally:
        serving.shutdown()
        serving.server_close()


@pytest.mark.parametrize("mode", [None, "token"])
def test_a_token_that_is_here_opens_a_server_that_asks_for_it(
    mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with server(TOKEN) as address:
        there = access(address)
    assert there.ray_version == "2.60.0" and there.headers == {"Authorization": f"Bearer {TOKEN}"}
    assert TOKEN not in repr(there)


def test_no_token_goes_to_a_server_that_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    with server() as address:
        assert access(address).headers == {}


@pytest.mark.parametrize(
    "own", [{"Authorization": "Bearer of-the-proxy"}, {"authorization": "Basic eA=="}, {"X-Account": "1"}]
)
@pytest.mark.parametrize("mode", [None, "token"])
def test_headers_for_a_proxy_before_the_server_go_along_as_with_ray_job_submit(
    own: dict[str, str], mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_JOB_HEADERS", json.dumps(own))
    with server() as address:
        assert access(address).headers == own
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    place = "Authorization" if "X-Account" in own else "X-Ray-Authorization"  # where Ray looks, too
    with server(TOKEN, place=place) as address:
        assert access(address).headers == own | {place: f"Bearer {TOKEN}"}


@pytest.mark.parametrize("text", ["X: tk-1", '["tk-1"]', '{"X": 1}', '{"X": "tk-1\\n"}', '{"X:": "tk-1"}'])
def test_headers_that_are_none_are_told_and_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_HEADERS", text)
    with server() as address, pytest.raises(ClusterError, match="RAY_JOB_HEADERS is no JSON object") as refused:
        access(address)
    assert "tk-1" not in str(refused.value)


def test_the_certificates_that_the_environment_names_are_trusted_by_all_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, plain = Access("https://ray.example", {}, ""), Access("http://ray.example", {}, "")
    assert here.trusted is True
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, f"~/{variable}.pem")
        assert here.trusted == str(tmp_path / f"{variable}.pem") and plain.trusted is True
        with pytest.raises(ClusterError, match=rf"{variable}.*does not exist"):
            access("https://127.0.0.1:1")
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "asks for a token, and there is none here"), ("x" * 64, "does not take this machine's token")],
)
def test_a_missing_or_wrong_token_is_told_and_not_shown(
    token: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    with server(TOKEN) as address, pytest.raises(ClusterError, match=f"the cluster at {address} {said}") as refused:
        access(address)
    assert "RAY_AUTH_TOKEN_PATH" in str(refused.value) and (not token or token not in str(refused.value))


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>a router</html>"), (200, "[]"), (200, "{}"), (404, "")],
)
def test_what_is_no_job_server_is_told(status: int, body: str) -> None:
    with server(status=status, body=body) as address, pytest.raises(ClusterError, match="is not a job server of Ray"):
        access(address)


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, "fails .status 500"), (503, "is starting, or the tunnel or proxy"), (302, "elsewhere .status 302.*log in")],
)
def test_what_stands_before_a_job_server_is_told(status: int, said: str) -> None:
    with server(status=status) as address, pytest.raises(ClusterError, match=said):
        access(address)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_what_is_on_this_machine_is_asked_for_by_no_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(status=407) as proxy, server() as address:
        monkeypatch.setenv(variable, proxy)
        there = access(address)
        assert there.here and there.closed and JobServer(there).access is there  # whose client asks again


def test_nobody_and_somebody_silent_are_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._ANSWER_S * 2 <= 10
    monkeypatch.setattr(module, "_ANSWER_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match=r"cannot reach a job server at .*ray dashboard cluster"):
            access(address)
        silent.listen()
        began = time.monotonic()
        with pytest.raises(ClusterError, match="takes connections and says nothing"):
            access(address)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("address", "closed"),
    [
        ("http://127.0.0.1:8265", True),
        ("http://localhost:8265", True),
        ("http://[::1]:8265", True),
        ("https://ray.example.com", True),
        ("http://10.0.0.5:8265", False),
        ("http://localhost.example.com:8265", False),
    ],
)
def test_only_https_and_this_machine_keep_what_is_sent_to_themselves(address: str, closed: bool) -> None:
    assert Access(address, {}, "2.60.0").closed is closed


def test_the_version_is_what_the_server_says() -> None:
    with server(body=json.dumps({"version": "4", "ray_version": "2.9.3"})) as address:
        assert access(address).ray_version == "2.9.3"
