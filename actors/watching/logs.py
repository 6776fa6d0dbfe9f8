"""What processes log, and how: one setup for the driver and for every actor.

Owns: the two variables TAILOR_LOG_FORMAT (text, json) and TAILOR_LOG_LEVEL, which the options `--log-format` and
`--log-level` set; and what stands beside a message: the run, the actor, and the round and phase where a process knows
them. With json, Ray formats every record of every process as one JSON object, with its own ids of node, job and actor.

Invariants
- Only this project's loggers are made talkative; libraries are heard from WARNING on.
- A message holds no key, no question and no answer. (What a provider says is scrubbed where it is read.)
- Nothing is logged a token, an attempt or a request: changes are.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Literal

Format = Literal["text", "json"]

FORMAT_VARIABLE, LEVEL_VARIABLE = "TAILOR_LOG_FORMAT", "TAILOR_LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error")
OUR_LOGGERS = ("actors", "reasoning", "pipelines", "serve")
_TEXT = "%(asctime)s %(levelname)s %(context)s: %(message)s"

_context: dict[str, str | int] = {}


def wants_json() -> bool:
    """Whether logs are to be JSON, one object a line."""
    return os.environ.get(FORMAT_VARIABLE, "text").lower() == "json"


def level() -> int:
    """From which level on this project's own loggers are heard; INFO where the variable says nothing known."""
    named = os.environ.get(LEVEL_VARIABLE, "info").lower()
    return int(logging.getLevelName(named.upper())) if named in LEVELS else logging.INFO


def ray_logging() -> dict[str, Any]:
    """Arguments of `ray.init` that make every process of the job log in JSON; none where text is wanted."""
    if not wants_json():
        return {}
    import ray

    return {"logging_config": ray.LoggingConfig(encoding="JSON", log_level="WARNING")}


def begin(run: str, actor: str) -> None:
    """Sets up this process's logs, as those of `actor` in `run`."""
    _context.update(run=run, actor=actor)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level())
    root = logging.getLogger()
    if not root.handlers:  # Ray has made none: text is wanted
        text = logging.StreamHandler(sys.stderr)
        text.setFormatter(logging.Formatter(_TEXT))
        root.addHandler(text)
    for handler in root.handlers:
        handler.setLevel(min(handler.level, level()))
        if not any(isinstance(one, _Context) for one in handler.filters):
            handler.addFilter(_Context())


def at(round: int, phase: str) -> None:
    """Says where the run is, for the records that follow."""
    _context.update(round=round, phase=phase)


def context() -> dict[str, str | int]:
    """What stands beside this process's messages."""
    return dict(_context)


class _Context(logging.Filter):
    """Puts the context beside a record; what a call gives as `extra` stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _context.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        if not wants_json():
            record.context = " ".join(f"{name}={getattr(record, name)}" for name in _context)
        return True


def logged(actor_class: Any, actor: str, run: str) -> Any:
    """`actor_class` as a class whose process logs as `actor` of `run`, for `ray.remote`."""

    class Logged(actor_class):  # type: ignore[misc]
        def __init__(self, *args: Any, **keys: Any) -> None:
            begin(run, actor)
            super().__init__(*args, **keys)

    Logged.__name__ = Logged.__qualname__ = actor_class.__name__  # as Ray's dashboard shows it
    return Logged


def here(run: str) -> None:
    """Says which run this process, which is no actor, works for."""
    _context.update(run=run)
