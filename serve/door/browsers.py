"""What a page in a browser needs to read a response that another address sends: the headers of CORS.

vLLM's server says so of its own responses; a page that is refused (no key, too many requests, no such model) could not
read why. Whoever may ask is for the keys to say; no cookie is one.
"""

from __future__ import annotations

from starlette.types import Message, Scope, Send

_ORIGIN = (b"access-control-allow-origin", b"*")
_EXPOSED = (b"access-control-expose-headers", b"x-student-version, x-request-id, retry-after")


def readable_by_pages(scope: Scope, send: Send) -> Send:
    """`send`, with these headers where a page asks."""
    if not any(name == b"origin" for name, _ in scope["headers"]):
        return send

    async def put(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = (_ORIGIN[0], _EXPOSED[0])
            headers = [one for one in message.get("headers", ()) if one[0].lower() not in ours]
            message = {**message, "headers": [*headers, _ORIGIN, _EXPOSED]}
        await send(message)

    return put
