"""Serve is started once and keeps its port, whoever starts it again."""

from __future__ import annotations

import socket

import httpx
import pytest

from serve.proxy import LOOPBACK, PortRefused, free_port, is_free, running_port, start_serve


def test_a_serve_that_runs_keeps_its_port_and_tells_it(serve_port: int) -> None:
    assert running_port() == serve_port
    assert start_serve() == start_serve(port=serve_port) == serve_port
    with pytest.raises(PortRefused, match=f"already listens on port {serve_port}.*leave the port out"):
        start_serve(port=free_port())
    with pytest.raises(PortRefused, match="started without this certificate"):
        start_serve(certificate="/etc/tls.pem")
    health = httpx.get(f"http://{LOOPBACK}:{serve_port}/-/healthz")
    assert (health.status_code, health.text) in [(200, "success"), (503, "Route table is not populated yet.")]


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        port = free_port()
        listener.bind((LOOPBACK, port))
        assert is_free(LOOPBACK, port) is False and listener.getsockname() == (LOOPBACK, port)


@pytest.mark.parametrize("shared", [True, False])
def test_a_port_that_somebody_listens_on_is_not_free(shared: bool) -> None:
    """Also one whose listener would share it, as another cluster's Serve does: half of the requests would be its."""
    with socket.socket() as listener:
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(LOOPBACK, port)
    assert is_free(LOOPBACK, port)
