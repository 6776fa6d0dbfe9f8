"""What Tailor uses of Ray Serve's insides is still there; a name that an upgrade moved is named here."""

from __future__ import annotations

import inspect

from ray.serve import context
from ray.serve._private.client import ServeControllerClient

from serve import internals
from tests.conftest import ROOT


def test_the_client_that_knows_the_port_is_where_it_was() -> None:
    found = getattr(context, "_get_global_client", None)
    assert found is not None, "Ray Serve has moved ray.serve.context._get_global_client"
    parameters = inspect.signature(found).parameters
    assert "raise_if_no_controller_running" in parameters, f"ray.serve.context._get_global_client takes {parameters}"
    assert hasattr(ServeControllerClient, "http_config"), "Ray Serve has moved ServeControllerClient.http_config"


def test_nobody_else_reaches_into_ray_serve() -> None:
    reached = [
        str(path.relative_to(ROOT))
        for package in ("reasoning", "actors", "serve", "pipelines", "bench")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "internals.py"
        and any(word in path.read_text(encoding="utf-8") for word in ("ray.serve._private", "_get_global_client"))
    ]
    assert not reached, reached
    assert "_get_global_client" in inspect.getsource(internals)
