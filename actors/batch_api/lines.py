"""The lines of a batch's result files, in whichever of the published forms they come.

Owns: how bytes become lines, and what a line says: whose it is, with which status, which body, which error. No I/O.

Invariants
- Nothing of a line is trusted but its `custom_id`, by which its reader looks up what was asked.
- A line with a completion is a completion, whatever else it says: it was paid for.
- An error that says nothing (null, empty, without code and message) does not count as an error.

Forms: OpenAI's (`response` with `status_code` and `body`), which Azure, Groq, Mistral and vLLM's `run-batch` follow,
the last with the error beside a response without a body; Together's error lines (an error alone); a body as JSON text,
or without its `response`, or in its place; Anthropic's `result` with a message, Google's `response` with candidates
(`actors.endpoint.other_protocols`). Files come plain or packed, with or without a byte order mark, as lines (several
records to one, or one over several, with commas or without) or as one array, also within an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from actors.endpoint.bodies import unpacked
from actors.endpoint.other_protocols import as_chat_completion

_MOST_UNPACKED = 2**30  # bytes of a file: more than any that was handed over can be answered with
_NAMES = ("custom_id", "customId", "custom-id", "key", "recordId")
_LISTS = ("data", "results", "responses", "outputs")  # of lines, in the place of lines
_DECODER = json.JSONDecoder()
_NO_ERROR = frozenset({"", "null", "none"})
_NOT_BEGUN = frozenset(
    {"batchexpired", "batchcancelled", "batchcanceled", "expired", "cancelled", "canceled", "requestexpired"}
)
# Anthropic's types of errors, each with the status that it comes with outside of a batch.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line. `body`: JSON, None where there is none; `status` 0: not given. `not_begun`: it expired, or was
    cancelled, before it was answered, and cost nothing."""

    custom_id: str
    status: int
    body: bytes | None
    code: str
    message: str
    not_begun: bool = False

    @property
    def answered(self) -> bool:
        return self.body is not None and 200 <= self.status < 300


def lines_of(content: bytes) -> Iterator[ResultLine | None]:
    """The lines of a file in order, None for each that cannot be read."""
    try:
        text = unpacked(content, _MOST_UNPACKED)
    except ValueError:
        yield None
        return
    for value in _values(text):
        yield read_line(value) if isinstance(value, Mapping) else None


def read_line(line: Mapping[str, Any]) -> ResultLine | None:
    """What a line says; None if it does not name a request."""
    name = next((line[name] for name in _NAMES if isinstance(line.get(name), str | int)), None)
    if name is None or isinstance(name, bool):
        return None
    response, result = _parsed(line.get("response")), _parsed(line.get("result"))
    if response is None and isinstance(result, Mapping):
        return _of_result(str(name), result)
    given = response if isinstance(response, Mapping) else line
    body = _body(given) or None  # an empty one says nothing: OpenAI writes status 0 and {} for what it lost
    is_error = isinstance(body, Mapping) and body.get("object") == "error"  # vLLM's, in the place of a completion
    code, message, inner_status = _error(line.get("error") or given.get("error") or (body if is_error else None))
    status = _status(given.get("status_code", given.get("status")), line.get("status_code"))
    if isinstance(body, Mapping) and body.get("choices"):
        return ResultLine(str(name), status if 200 <= status < 300 else 200, _json(body), code, message)
    if code or message:
        sent = (
            body if isinstance(body, Mapping) and body.get("error") else {"error": {"code": code, "message": message}}
        )
        not_begun = _squashed(code) in _NOT_BEGUN and not (isinstance(body, Mapping) and body)
        status = (status if status >= 300 else 0) or inner_status
        return ResultLine(str(name), status, _json(sent), code, message, not_begun)
    return ResultLine(str(name), status or (200 if body is not None else 0), _json(body), "", "")


# Bytes to values ------------------------------------------------------------------------------------------------------


def _values(text: bytes) -> Iterator[Any]:
    """The JSON values in a file; None for each line, or rest of one, that is not JSON."""
    text = text.strip()
    first = _loaded(text.partition(b"\n")[0])
    records = None if _is_line(first) else _not_by_line(text, begins_within=first is None)
    if records is not None:
        yield from records
        return
    for line in text.split(b"\n"):
        stripped = line.strip().rstrip(b"\x00")
        if stripped:
            value = _loaded(stripped)
            yield from [value] if value is not None else _following(stripped)


def _not_by_line(text: bytes, *, begins_within: bool) -> list[Any] | None:
    """The records of a file that is one array, an object with a list of them, or, where its first line is no value
    (`begins_within`), a record over several lines after the other. None where it is none of these."""
    whole = _loaded(text)
    listed = whole if isinstance(whole, list) else _listed(whole)
    if listed is not None or not begins_within or not text.startswith(b"{"):
        return listed
    found = [one for value in _following(text) for one in (_listed(value) or [value])]
    return found if any(map(_is_line, found)) else None


def _is_line(value: Any) -> bool:
    return isinstance(value, Mapping) and any(name in value for name in _NAMES)


def _listed(value: Any) -> list[Any] | None:
    """The lines that an object holds as one of its lists; None where it holds none."""
    if not isinstance(value, Mapping) or _is_line(value):
        return None
    lists = (value.get(name) for name in _LISTS)
    return next((found for found in lists if isinstance(found, list) and any(_is_line(one) for one in found)), None)


def _following(text: bytes) -> Iterator[Any]:
    """The JSON values that follow one another in `text`, with commas between them or without; None for what is none."""
    rest = text.decode("utf-8", "replace").strip(", \t\r\n\x00")
    at = 0
    while at < len(rest):
        try:
            value, at = _DECODER.raw_decode(rest, at)
        except (ValueError, RecursionError):
            yield None
            return
        yield value
        while at < len(rest) and rest[at] in ", \t\r\n\x00":
            at += 1


def _loaded(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parsed(value: Any) -> Any:
    """JSON that came as text; anything else as it is."""
    for _ in range(2):
        if not isinstance(value, str) or value.lstrip()[:1] not in ("{", '"'):
            break
        value = _loaded(value)
    return value


# Values to a line -----------------------------------------------------------------------------------------------------


def _body(given: Mapping[str, Any]) -> Any:
    """The body in a response, or in a line without one: under its name, or in its place."""
    body = _parsed(given.get("body", given.get("modelOutput")))
    return as_chat_completion(given if body is None else body) or body


def _error(error: Any) -> tuple[str, str, int]:
    """Code, message and status of an error; nothing of one that says nothing. vLLM and Anthropic wrap it once more."""
    error = _parsed(error)
    if isinstance(error, Mapping) and isinstance(error.get("error"), Mapping | str) and not error.get("message"):
        error = error["error"]
    if isinstance(error, str):
        return "", "" if error.strip().lower() in _NO_ERROR else error.strip(), 0
    if not isinstance(error, Mapping):
        return "", "", 0
    code, kind = error.get("code"), error.get("type")
    message = error.get("message") or error.get("detail") or error.get("errorMessage") or ""  # Bedrock's, the last
    status = _status(code, error.get("status_code"), error.get("errorCode"))
    named = code if isinstance(code, str) and not code.strip().isdigit() else kind
    status = status or _STATUS_OF_TYPE.get(kind if isinstance(kind, str) else "", 0)
    return named if isinstance(named, str) else "", message if isinstance(message, str) else json.dumps(message), status


def _status(*given: Any) -> int:
    """The first that is an HTTP status, as a number or as text; 0: none is."""
    for value in given:
        try:
            status = int(float(value)) if isinstance(value, int | float | str) else 0
        except (ValueError, OverflowError):
            continue
        if 100 <= status < 600:
            return status
    return 0


def _json(body: Any) -> bytes | None:
    """ASCII: half a character, which JSON can spell, stays as it is."""
    return None if body is None else json.dumps(body).encode("ascii")


def _squashed(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalpha())


# Other protocols ------------------------------------------------------------------------------------------------------


def _of_result(name: str, result: Mapping[str, Any]) -> ResultLine | None:
    """Of Anthropic's {type: succeeded | errored | canceled | expired, message or error}, or of a `result` that stands
    for a `response`."""
    kind = str(result.get("type", ""))
    if _squashed(kind) in _NOT_BEGUN:
        return ResultLine(name, 0, None, kind, f"the request was {kind}", not_begun=True)
    answer = _parsed(result.get("message"))
    return read_line(
        {"custom_id": name, "body": answer} if isinstance(answer, Mapping) else {**result, "custom_id": name}
    )
