"""The HTTP of a teacher's endpoint: one POST, over a connection that is kept.

Owns: the connections of one process to one endpoint, and its key's way into a header.

Invariants
- One call, one request on the wire; nothing is repeated here.
- What surely never reached the endpoint is told apart from what may have.
- The key is in the session's header, and in no message.

Why not `AsyncOpenAI`, which asks for an endpoint's models (`actors.endpoint.probe`) and does its batches
(`actors.batch_api.client`): it takes 2 to 4 ms of CPU for a chat completion, more the more are in flight, of which the
exchange itself is a small part. A worker would spend its core on building requests (`bench.teacher` has both).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from actors.endpoint.api_keys import NO_KEY
from actors.endpoint.network import NetworkSettingsError, proxy_of, ssl_context_of

_CONNECT_S = 30.0
# An idle connection is used again within this time. Servers close theirs (uvicorn, so vLLM and Ray Serve, after 5 s),
# and what is sent just then is lost, though it counts as sent; the rest is for loops that are late.
_IDLE_S = 2.5
_LARGEST = 2**24  # bytes of a body: a reply in a hundredth of that is long


class NotReached(Exception):
    """No connection: nothing was sent."""


class Interrupted(Exception):
    """The connection broke off after something was sent: the request may have been served."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response. `headers` are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire:
    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        connections: int,
        connect_s: float = _CONNECT_S,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """`connections` may be open at a time, and each may take `connect_s` to be made. `headers` take the place of
        the key's own, and `query` stands behind every address. The environment's certificates and proxy are used
        (`actors.endpoint.network`)."""
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key or NO_KEY}"} if headers is None else dict(headers)
        self._query = dict(query or {})
        self._connections = connections
        self._connect_s = connect_s
        self._proxy: str | None = None
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, content: bytes) -> Response:
        """Sends JSON and reads the whole response, of whatever status. Raises `NotReached`, `Interrupted`."""
        return await self._exchange("POST", path, content)

    async def get(self, path: str) -> Response:
        """Reads a whole response, of whatever status. Raises `NotReached`, `Interrupted`."""
        return await self._exchange("GET", path, None)

    async def _exchange(self, method: str, path: str, content: bytes | None) -> Response:
        try:
            session = self._session = self._session or self._new_session()
        except NetworkSettingsError as error:
            raise NotReached(str(error)) from None
        try:
            async with session.request(
                method,
                f"{self._base_url}{path}",
                params=self._query or None,
                data=content,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                return Response(response.status, response.headers, await _body(response))
        except aiohttp.ClientHttpProxyError as error:  # its text has the proxy's address, which may hold a password
            raise NotReached(f"the proxy refused the connection: status {error.status}") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(f"{type(error).__name__}: {error}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Interrupted(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _new_session(self) -> aiohttp.ClientSession:
        """Raises `NetworkSettingsError`."""
        self._proxy = proxy_of(self._base_url)
        context = ssl_context_of(self._base_url)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=context, keepalive_timeout=_IDLE_S),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": "tailor",
                **self._headers,
            },
            # The time-out of the whole exchange is the caller's. This one tells a host that does not answer from one
            # that may have been sent something.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
        )


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """All of it, unpacked. Raises `Interrupted` for one that no reply can be."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            raise Interrupted(f"status {response.status} with a body of more than {_LARGEST >> 20} MiB")
    return b"".join(parts)
