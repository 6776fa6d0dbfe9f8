"""API keys: from the environment, or the machine's secrets file, to a header, and nowhere else.

Owns: reading a key, and taking it out of every text that leaves. Invariant: no message of this project holds a key, or
anything shaped like one (endpoints echo keys, whole or in part).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from reasoning.files.secrets_file import SecretsFileError, secret
from reasoning.teacher.calls import EndpointSettings

_KEY_SHAPED = re.compile(r"\b(?:sk|key)-[\w*.\-]{6,}|(?<=Bearer )\S+")
NO_KEY = "none"  # clients insist on a key; endpoints that take none ignore it
ON_A_CLUSTER = "on a cluster: where `tailor submit` is called, or in the nodes' secrets file"
_USER = re.compile(r"//[^/@\s]+@")  # with a password, perhaps, before a host


class EndpointError(Exception):
    """An endpoint that cannot be used. The message names its address and what to do."""


class AuthenticationRefused(EndpointError):
    """The key is missing, or the endpoint does not accept it."""


class NoKeyYet(AuthenticationRefused):
    """The variable that is to hold the key is not set."""


def read_api_key(settings: EndpointSettings) -> str | None:
    """The endpoint's key, None where it takes none. Raises `AuthenticationRefused`."""
    if settings.api_key_env is None:
        return None
    key = kept_secret(settings.name, settings.api_key_env)
    if not key:
        raise NoKeyYet(
            f"endpoint {_called(settings)} needs a key: set the environment variable "
            f"{settings.api_key_env} ({ON_A_CLUSTER})"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AuthenticationRefused(
            f"endpoint {settings.name}: the environment variable {settings.api_key_env} does not hold a usable key: it "
            "has a space, a line break or a character that an HTTP header cannot carry"
        )
    return key


def _called(settings: EndpointSettings) -> str:
    """An endpoint by its name and its address, which is its name where it has no other."""
    address = shown_address(settings.base_url)
    return address if settings.name in (address, settings.base_url) else f"{settings.name} at {address}"


def kept_secret(endpoint: str, name: str) -> str:
    """What `name` stands for in the environment or in this machine's secrets file; empty where it is not set. Raises
    `AuthenticationRefused` for a file that cannot be used."""
    try:
        return secret(name)
    except SecretsFileError as error:
        raise AuthenticationRefused(f"endpoint {endpoint} needs {name}, and the secrets file: {error}") from None


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without `secrets` and without anything shaped like a key (endpoints echo keys, whole or in part)."""
    for known in secrets:
        if known:
            text = text.replace(known, "[key]")
    return _USER.sub("//", _KEY_SHAPED.sub("[key]", text))


def shown_address(base_url: str) -> str:
    """`base_url` without user, password and query: fit for a message."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
