"""API keys: from the environment to a header, and nowhere else.

Owns: reading a key, and taking it out of every text that leaves. Invariant: no message of this project holds a key, or
anything shaped like one (endpoints echo keys, whole or in part).
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from reasoning.teacher.calls import EndpointSettings

_KEY_SHAPED = re.compile(r"\b(?:sk|key)-[\w*.\-]{6,}|(?<=Bearer )\S+")
NO_KEY = "none"  # clients insist on a key; endpoints that take none ignore it
_USER = re.compile(r"//[^/@\s]+@")  # with a password, perhaps, before a host


class EndpointError(Exception):
    """An endpoint that cannot be used. The message names its address and what to do."""


class AuthenticationRefused(EndpointError):
    """The key is missing, or the endpoint does not accept it."""


def read_api_key(settings: EndpointSettings) -> str | None:
    """The endpoint's key from the environment, None where it takes none. Raises `AuthenticationRefused`."""
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise AuthenticationRefused(
            f"endpoint {settings.name} at {shown_address(settings.base_url)} needs a key: set the environment variable "
            f"{settings.api_key_env} (on a cluster, through the job's runtime environment, env_vars)"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AuthenticationRefused(
            f"endpoint {settings.name}: the environment variable {settings.api_key_env} does not hold a usable key: it "
            "has a space, a line break or a character that an HTTP header cannot carry"
        )
    return key


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without `secrets` and without anything shaped like a key (endpoints echo keys, whole or in part)."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    return _USER.sub("//", _KEY_SHAPED.sub("[key]", text))


def shown_address(base_url: str) -> str:
    """`base_url` without user, password and query: fit for a message."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
