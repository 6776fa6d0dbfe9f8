"""What Tailor uses of Ray Serve that Ray Serve does not promise to keep: everything such is here, and nowhere else.

Owns: the names under which Serve's insides are reached, and why each is needed. An upgrade of Ray that moves one of
them fails `tests/serve/test_internals.py`, which names it.
"""

from __future__ import annotations


def running_port() -> int | None:
    """The port of the Serve that runs in this Ray, None when none does. `serve.status()` tells of proxies, but not
    where they listen, and `serve.start` keeps a Serve that runs on its old port without a word."""
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    return None if client is None else int(client.http_config.port)
