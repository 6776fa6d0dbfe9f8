"""The token that a Ray cluster asks for, as Ray looks for it: `RAY_AUTH_TOKEN`, the file of `RAY_AUTH_TOKEN_PATH`,
`~/.ray/auth_token`.

Owns: reading it, and the sentence when it is wanted and not there (Ray ends the process by a signal then).

Invariant: no message holds the token.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import Refused

DEFAULT_FILE = "~/.ray/auth_token"
CURE = "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token"


class ClusterError(Refused):
    """The cluster cannot be reached. The message names the address and what to do."""


def cluster_token() -> str | None:
    """The token of this machine, None where there is none. Raises `ClusterError` for one that is asked for by
    `RAY_AUTH_MODE` or `RAY_AUTH_TOKEN_PATH` and cannot be read."""
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return _that_can_be_sent(token, "RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "").strip()
    path = Path(named or DEFAULT_FILE).expanduser()
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if named:
            raise ClusterError(
                f"the cluster's token cannot be read from {path}, which RAY_AUTH_TOKEN_PATH names "
                f"({type(error).__name__}). Put the token there, or into RAY_AUTH_TOKEN"
            ) from None
        token = ""
    if not token and asks_for_token():
        raise ClusterError(f"RAY_AUTH_MODE=token, and there is no token in {path} or RAY_AUTH_TOKEN. {CURE}")
    return _that_can_be_sent(token, str(path)) if token else None


def _that_can_be_sent(token: str, source: str) -> str:
    """The token, which goes into the head of each request. Raises `ClusterError` for what no head may hold."""
    if not token.isascii() or any(not "!" <= character <= "~" for character in token):
        raise ClusterError(
            f"the cluster's token in {source} has characters that no token has (a line break, a space, a typographic "
            "quote?). Copy it again: `ray get-auth-token` shows it on the head"
        )
    return token


def asks_for_token() -> bool:
    """Whether `RAY_AUTH_MODE` has every cluster ask for a token."""
    return os.environ.get("RAY_AUTH_MODE", "").strip().lower() == "token"
