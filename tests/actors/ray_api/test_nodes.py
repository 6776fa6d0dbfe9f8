"""Which nodes of a cluster count."""

import pytest
import ray

from actors.ray_api.nodes import LOCAL, live_nodes, on_one_node


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
