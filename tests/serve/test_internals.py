"""What Tailor uses of Ray Serve's insides is still there; a name that an upgrade moved is named here."""

from __future__ import annotations

import inspect
from pathlib import Path

from ray.serve import context
from ray.serve._private import constants
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


def test_every_variable_that_serve_is_given_is_one_that_it_reads() -> None:
    source = inspect.getsource(constants)
    given = [*internals.DIRECT, *internals.RETRIES, *internals.ONE_LOOP]
    given += [internals.FALLBACK_PORT, internals.METRICS_PORT, internals.STATS_PORT, internals.MIDDLEWARES]
    given += [internals.DEPARTURE_S, internals.PROXY_HEALTH_S]
    assert not [name for name in given if f'"{name}"' not in source]
    assert set(given) >= {
        name for name in vars(internals).values() if isinstance(name, str) and "RAY_SERVE" in name[:9]
    }


def test_routes_are_told_with_the_applications() -> None:
    assert "get_serve_details" in vars(ServeControllerClient)
    from ray.serve import deployment

    assert (
        internals.same_code(deployment(lambda: None), "x")._version
        == internals.same_code(deployment(lambda: None), "x")._version
    )


def test_haproxy_is_installed() -> None:
    assert Path(internals.haproxy_program()).is_file()
