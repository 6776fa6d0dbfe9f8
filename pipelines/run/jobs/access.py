"""The way to a cluster's job server: its address, the token, and whether it is there.

Owns: which address is meant, and the sentence for every way in which it cannot be used.

Invariants
- Whatever is wrong is told within ten seconds, and before anything is sent but the token to a server that asks for one.
- No message holds the token, or what RAY_JOB_HEADERS holds for a proxy before the server.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from actors.endpoint.network import NetworkSettingsError, ssl_context_of
from pipelines.run.jobs.cluster_token import CURE, ClusterError, asks_for_token, cluster_token
from reasoning.recipe.place import HEADER_NAME

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
_PORT = 8265
_ANSWER_S = 5.0
_HEADERS = "RAY_JOB_HEADERS"  # Ray's own variable, as `ray job submit` reads it
CERTIFICATE_CURE = "REQUESTS_CA_BUNDLE names the file of those that are trusted"
_TUNNEL = (
    "Its job server listens on the head node alone: ray dashboard cluster.yaml, or ssh -N -L "
    "8265:127.0.0.1:8265 HEAD, brings it to http://127.0.0.1:8265"
)


@dataclass(frozen=True, slots=True)
class Access:
    """A job server that answered: its address, what each request carries, the version of its Ray."""

    address: str
    headers: dict[str, str] = field(repr=False)
    ray_version: str

    @property
    def here(self) -> bool:
        """Whether it is on this machine, as the end of a tunnel is."""
        return _is_loopback(urlsplit(self.address).hostname or "")

    @property
    def closed(self) -> bool:
        """Whether what is sent there can be read by nobody on the way: it is encrypted, or stays on this machine."""
        return self.here or urlsplit(self.address).scheme == "https"

    @property
    def trusted(self) -> str | bool:
        """The file of certificates that the environment names for this server; True: those that are trusted anyway."""
        named = (os.environ.get(name, "").strip() for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
        file = next(filter(None, named), "")
        return str(Path(file).expanduser()) if file and urlsplit(self.address).scheme == "https" else True


def job_address(given: str | None) -> str:
    """The address of the job server: as given, else as RAY_API_SERVER_ADDRESS or RAY_ADDRESS has it, else on this
    machine. Raises `ClusterError` for an address of another kind."""
    named, source = (given or "").strip(), "--address"
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        if not named:
            named, source = os.environ.get(variable, "").strip(), variable
    if not named or named in ("auto", "local"):
        return DEFAULT_ADDRESS
    scheme, separator, place = named.partition("#")[0].rpartition("://")  # a browser's address names a page there
    scheme = scheme.lower()
    if _is_ipv6(place):
        place = f"[{place}]"
    cure = f"give the job server's, mostly --address http://HOST:{_PORT}"
    if scheme and scheme not in ("http", "https"):
        raise ClusterError(f"{source} {named}: runs are submitted to a cluster's job server; {cure}")
    try:
        parts = urlsplit(f"//{place}")
        port = parts.port
        (parts.hostname or "").encode("idna")  # as the look-up of its name will
    except ValueError:
        raise ClusterError(f"{source} {named}: this is not an address; {cure}") from None
    if not parts.hostname or parts.username is not None or parts.query:
        raise ClusterError(
            f"{source}: this is not the address of a job server; {cure}, without user, password or query"
        )
    if not separator and (port is None or port == 6379):
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"http://{host}:{_PORT}"  # the cluster's own address: its job server is beside it
    return f"{scheme or 'http'}://{place.rstrip('/')}"


def access(given: str | None) -> Access:
    """The way to the job server at `given`, which was tried. Raises `ClusterError`."""
    address = job_address(given)
    token, own = cluster_token(), _own_headers()
    asked = token is not None and asks_for_token()
    headers = own | (_bearer(token, own) if token and asked else {})
    status, body = _version(address, headers)
    if status == 401 and token and not asked:  # it asks for one, whatever RAY_AUTH_MODE says here
        headers = own | _bearer(token, own)
        status, body = _version(address, headers)
    if status in (401, 403):
        what = "does not take this machine's token" if headers != own else "asks for a token, and there is none here"
        what = f"does not take what {_HEADERS} holds, or {what}" if own else what
        raise ClusterError(f"the cluster at {address} {what}. {CURE}")
    if status >= 500:
        raise ClusterError(
            f"what answers at {address} fails (status {status} for /api/version): the cluster is starting, or the "
            "tunnel or proxy before it does not reach it. Try again in a moment, and look at the head if that does "
            "not help"
        )
    if 300 <= status < 400:
        raise ClusterError(
            f"what answers at {address} leads elsewhere (status {status}), as a page to log in or http in the place "
            f"of https does. Give the address that Ray itself answers at. {_TUNNEL}"
        )
    version = body.get("ray_version") if status == 200 and isinstance(body, dict) else None
    if not isinstance(version, str):
        raise ClusterError(
            f"what answers at {address} is not a job server of Ray (status {status} for /api/version). Give the "
            f"address of the head node's dashboard, mostly http://HOST:{_PORT}"
        )
    return Access(address, headers, version)


def _version(address: str, headers: Mapping[str, str]) -> tuple[int, object]:
    try:
        status, body = request(f"{address}/api/version", headers, timeout_s=_ANSWER_S)
    except NetworkSettingsError as error:
        raise ClusterError(str(error)) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise ClusterError(
                f"{address}: its certificate is not trusted ({CERTIFICATE_CURE}), or it speaks plain http there"
            ) from None
        raise ClusterError(
            f"cannot reach a job server at {address} ({error.reason}). Check the address and that the cluster is up. "
            f"{_TUNNEL}"
        ) from None
    except TimeoutError:
        raise ClusterError(
            f"{address} takes connections and says nothing for {_ANSWER_S:g} s. Check that the tunnel is up and the "
            "address is the job server's"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise ClusterError(
            f"what answers at {address} is not a job server of Ray, or a tunnel that leads to none "
            f"({type(error).__name__}). {_TUNNEL}"
        ) from None
    try:
        return status, json.loads(body)
    except ValueError:
        return status, None


def request(
    url: str, headers: Mapping[str, str], method: str = "GET", data: bytes | None = None, timeout_s: float = 30.0
) -> tuple[int, bytes]:
    """One request: status and body. No redirect is followed, which would take the token elsewhere. Raises `OSError`
    (`URLError` where no connection comes about) or `HTTPException`. What is on this machine is reached directly: the
    environment's proxy would be told the token, and does not reach it."""
    asked = urllib.request.Request(url, data=data, headers=dict(headers), method=method)
    try:
        with urllib.request.build_opener(*_ways(url)).open(asked, timeout=timeout_s) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _ways(url: str) -> list[urllib.request.BaseHandler]:
    direct = [urllib.request.ProxyHandler({})] if _is_loopback(urlsplit(url).hostname or "") else []
    return [_NoRedirect(), urllib.request.HTTPSHandler(context=ssl_context_of(url)), *direct]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _own_headers() -> dict[str, str]:
    """What the user's variable has each request carry. Raises `ClusterError`."""
    text = os.environ.get(_HEADERS, "").strip()
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(value, str) and HEADER_NAME.fullmatch(name) and value.isascii() and value.isprintable()
        for name, value in found.items()
    ):
        raise ClusterError(f'{_HEADERS} is no JSON object of headers, such as {{"Authorization": "Bearer ..."}}')
    return found


def _bearer(token: str, own: Mapping[str, str]) -> dict[str, str]:
    """The token as Ray takes it; beside a header for a proxy, in the second place where Ray looks."""
    taken = any(name.lower() == "authorization" for name in own)
    return {"X-Ray-Authorization" if taken else "Authorization": f"Bearer {token}"}


def _is_ipv6(place: str) -> bool:
    try:
        return ipaddress.ip_address(place).version == 6
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
