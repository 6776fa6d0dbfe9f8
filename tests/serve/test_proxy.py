"""Serve is started once and keeps its port, whoever starts it again."""

from __future__ import annotations

import socket

import httpx

from serve.internals import running_port
from serve.proxy import LOOPBACK, free_port, start_serve


def test_a_serve_that_runs_keeps_its_port_and_tells_it(serve_port: int) -> None:
    assert running_port() == serve_port
    assert start_serve() == start_serve(port=free_port()) == serve_port
    assert httpx.get(f"http://{LOOPBACK}:{serve_port}/-/healthz").text == "success"


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        port = free_port()
        listener.bind((LOOPBACK, port))
        assert listener.getsockname() == (LOOPBACK, port)
