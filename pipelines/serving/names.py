"""What served students' applications are called on Ray Serve, and which are there.

Owns: these names.

Invariant: an application is called after its models, so that whose they are is known without asking it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ALONE, _TOGETHER, _AND = "student-", "adapters-", "+"


def application_of(model: str) -> str:
    """The name of the Serve application of the student that is served as `model`."""
    return f"{_ALONE}{in_address(model)}"


def application_of_adapters(models: Iterable[str]) -> str:
    """The name of the Serve application of the students that are adapters on one engine."""
    return _TOGETHER + _AND.join(map(in_address, models))


def candidate_of(application: str) -> str:
    """The name of the application of a served student's candidate."""
    return f"candidate-{application}"


def in_address(model: str) -> str:
    """A model's name as it stands in addresses and in names of applications."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "student"


def applications() -> dict[str, str]:
    """The applications of served students, by the names of their models in addresses."""
    from serve.internals import routes

    found = {}
    for application in sorted(routes().values()):
        if application.startswith(_ALONE):
            found[application.removeprefix(_ALONE)] = application
        elif application.startswith(_TOGETHER):
            found |= dict.fromkeys(application.removeprefix(_TOGETHER).split(_AND), application)
    return found
