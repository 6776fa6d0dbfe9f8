"""The JSON object in the body of a response, however it is wrapped.

Owns: what stands around the object, and the joining of a stream's pieces to one completion.

Invariants
- Endpoints that keep a connection alive with empty lines or comments, send a byte order mark, put the object into a
  list or a string, pack the body without saying so, or stream although nobody asked, are read like those that do not.
- A stream that broke off has no finish reason, so that nothing takes it for a whole reply. What comes after a whole
  object and is none is left out.
- Whatever the bytes are, the outcome is an object or a `ValueError` that says what is wrong.

Forms: server-sent events (WHATWG HTML, 9.2), with OpenAI's `data: [DONE]` at the end; JSON, a line an event.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from actors.endpoint.messages import THINKING_KEYS
from actors.endpoint.other_streams import joined_elsewhere

_GZIP, _ZLIB = b"\x1f\x8b", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")  # zlib at its levels
_MOST_UNPACKED = 2**28  # bytes: no reply is so long
_EVENT_FIELDS = ("data:", "event:", "id:", "retry:")
_DONE = "[DONE]"
_PAGE = re.compile(  # atomic: of many comments none is tried twice
    rb"(?:\xef\xbb\xbf)?\s*(?>(?:<\?xml[^>]*>|<!--.*?-->)\s*)*+<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_DECODER = json.JSONDecoder(strict=False)  # a tab within a text is no reason to lose what was paid for


def read_object(body: bytes) -> dict[str, Any]:
    """The object that `body` holds. Raises `ValueError`."""
    text = _without_comments(unpacked(body, _MOST_UNPACKED).decode("utf-8", "replace"))
    if not text:
        raise ValueError("the body is empty")
    events = list(_events(text) if text.startswith(_EVENT_FIELDS) else _values(text))
    objects = [event for event in events if isinstance(event, dict)]
    if not objects:
        raise ValueError("no JSON object")
    streamed = len(objects) > 1 or any("delta" in choice for choice in choices_of(objects[0]))
    return (joined_elsewhere(objects) or _joined(objects)) if streamed else objects[0]


def unpacked(body: bytes, most: int) -> bytes:
    """`body` as UTF-8 without a byte order mark: gzip and zlib are unpacked, to no more than `most` bytes, and UTF-16
    that has its mark is converted. Where packed bytes end too early, what came is kept. Raises `ValueError` where they
    are broken, or unpack to more."""
    if body.startswith((_GZIP, *_ZLIB)):
        try:
            body = _gunzipped(body, most) if body.startswith(_GZIP) else zlib.decompressobj().decompress(body, most + 1)
        except (OSError, zlib.error) as error:
            raise ValueError(f"packed, and broken: {error}") from None
        if len(body) > most:
            raise ValueError("it is too large unpacked")
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        body = body.decode("utf-16").encode()
    return body.removeprefix(b"\xef\xbb\xbf")


def _gunzipped(body: bytes, most: int) -> bytes:
    """Up to `most` + 1 bytes of all parts of `body`."""
    found = bytearray()
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file, contextlib.suppress(EOFError):
        while len(found) <= most and (piece := file.read1(most + 1 - len(found))):
            found += piece
    return bytes(found)


def is_page(body: bytes) -> bool:
    """Whether `body` is a web page: what a sign-in, a proxy or a wrong address answers, whatever the status."""
    return _PAGE.match(body) is not None


def choices_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of a completion, as far as they are objects."""
    choices = content.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _without_comments(text: str) -> str:
    """`text` from its first line that is neither empty nor a comment of a stream."""
    text = text.lstrip()
    while text.startswith(":"):
        text = text.partition("\n")[2].lstrip()
    return text.rstrip()


def _values(text: str) -> Iterator[Any]:
    """The JSON values that follow one another in `text`; those of a list one by one, and of a string what it holds."""
    found = False
    while text and text != _DONE:
        if text.startswith(_EVENT_FIELDS):
            yield from _events(text)
            return
        try:
            value, end = _DECODER.raw_decode(text)
            if isinstance(value, str):
                value = json.loads(value)
        except (ValueError, RecursionError) as error:
            if found:
                return
            raise ValueError(f"no JSON: {error}") from None
        yield from value if isinstance(value, list) else [value]
        found = True
        text = _without_comments(text[end:])


def _events(text: str) -> Iterator[Any]:
    """What the events of a stream hold. One that was cut short, at its end, is passed over."""
    waiting, kind = "", ""
    for line in text.split("\n"):  # a text may have other marks of a line's end in it
        if not line.startswith("data:"):
            kind = line.removeprefix("event:").strip() if line.startswith("event:") else kind if line.strip() else ""
            continue
        waiting += line.removeprefix("data:").strip()
        try:
            value = json.loads(waiting, strict=False)
            yield {"error": value} if kind == "error" and not _tells_its_error(value) else value
        except (ValueError, RecursionError):
            if waiting != _DONE:
                waiting += "\n"  # an event may have several lines
                continue
        waiting = ""


def _tells_its_error(value: Any) -> bool:
    return isinstance(value, dict) and (bool(value.get("error")) or value.get("type") == "error")


def _joined(events: list[dict[str, Any]]) -> dict[str, Any]:
    """One completion made of a stream's pieces: texts are joined, and of everything else the last word counts."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {"finish_reason": None}
    for event in events:
        whole |= {key: value for key, value in event.items() if key != "choices" and value is not None}
        for piece in [one for one in choices_of(event) if not one.get("index")][:1]:  # of several choices the first
            choice |= {key: value for key, value in piece.items() if key not in ("delta", "message") and value}
            whole_message = piece.get("message")  # after the pieces, of some; it says what they say
            if isinstance(whole_message, Mapping) and any(
                whole_message.get(key) for key in ("content", *THINKING_KEYS)
            ):
                message |= whole_message
                continue
            said = piece.get("delta") or whole_message
            for key, value in said.items() if isinstance(said, Mapping) else ():
                if value is not None:
                    message[key] = _appended(message.get(key), value, key)
    return {**whole, "choices": [{**choice, "message": message}]} if message or choice["finish_reason"] else whole


def _appended(before: Any, value: Any, key: str) -> Any:
    if before is None or key not in ("content", "refusal", *THINKING_KEYS):
        return value
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    return [*_as_list(before), *_as_list(value)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
