"""Which nodes of a cluster count."""

import pytest
import ray

from actors.ray_api.nodes import live_nodes, on_one_node


@pytest.mark.parametrize(("alive", "alone"), [([True], True), ([True, False], True), ([True, True], False)])
def test_a_dead_node_does_not_count(alive: list[bool], alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"Alive": one, "Resources": {"CPU": 2.0}} for one in alive]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert live_nodes() == [node for node in nodes if node["Alive"]]
    assert on_one_node() is alone
