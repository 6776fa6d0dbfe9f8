"""Which nodes of a cluster count."""

import socket

import pytest
import ray

from actors.ray_api import nodes as module
from actors.ray_api.nodes import LOCAL, live_nodes, lost_nodes, on_one_node, silent_nodes


@pytest.mark.parametrize(
    ("alive", "labels", "alone"),
    [
        ([True], LOCAL, True),
        ([True, False], LOCAL, True),
        ([True, True], LOCAL, False),
        ([True], {}, False),  # others may join it
    ],
)
def test_a_dead_node_does_not_count(
    alive: list[bool], labels: dict[str, str], alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"Alive": one, "Resources": {"CPU": 2.0}, "Labels": labels} for one in alive]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert live_nodes() == [node for node in nodes if node["Alive"]]
    assert on_one_node() is alone


def test_a_node_that_is_about_to_leave_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the notice on: it is still alive when the training that it interrupts looks for another one."""
    nodes = [{"NodeID": name, "Alive": name != "gone"} for name in ("stays", "leaves", "gone")]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(module, "draining_nodes", lambda: {"leaves": 0})
    assert [node["NodeID"] for node in lost_nodes()] == ["leaves", "gone"]


def test_a_node_that_takes_no_connection_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray holds it for alive until it has missed some looks."""
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as closed:
        ports = {"there": there.getsockname()[1], "gone": closed.getsockname()[1]}
        closed.close()
        nodes = [
            {"NodeID": name, "Alive": True, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}
            for name, port in ports.items()
        ]
        monkeypatch.setattr(ray, "nodes", lambda: nodes)
        assert silent_nodes({"there", "gone"}) == {"gone"}
        assert silent_nodes({"there", "another"}) == set()
