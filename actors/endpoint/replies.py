"""What a body with a status of success means: a reply, or a typed failure.

Owns: the reading of completions. What stands around the JSON is `actors.endpoint.bodies`, what a message holds
`actors.endpoint.messages`, what it cost `actors.endpoint.usage`, and what an error says
`actors.endpoint.errors.responses`.

Invariants
- A body is read strictly and never trusted.
- What was paid for and can be used is a reply, in whatever form it came. What cannot be used says why, in the
  endpoint's own words.
- A reply counts as whole only by a finish reason that says so. Scores of tokens are whole or none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from actors.endpoint.bodies import choices_of, is_page, read_object
from actors.endpoint.errors.kinds import failure_kind
from actors.endpoint.errors.responses import ErrorResponse, read_error_response
from actors.endpoint.messages import Message, read_message
from actors.endpoint.other_protocols import as_chat_completion
from actors.endpoint.usage import NOTHING_USED, Usage, read_usage
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind, TeacherReply, TeacherRequest, storable
from reasoning.teacher.finish_reasons import UNKNOWN, UNSTATED, Finish, finish_of, is_whole
from reasoning.teacher.scoring import scores_text

_LONGEST_QUOTE = 200


class UnusableReply(Exception):
    """The endpoint served the request, but what it sent is not a reply. `usage` None: its cost is not known.
    `retry_after_s` is the wait that it asks for in its body."""

    def __init__(
        self, kind: FailureKind, message: str, usage: Usage | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.usage = usage
        self.retry_after_s = retry_after_s


def read_completion(request: TeacherRequest, body: bytes) -> tuple[TeacherReply, Usage]:
    """The reply in a response's body, and what it used. Raises `UnusableReply`."""
    content = _object_in(body, "a chat completion")
    content = as_chat_completion(content) or content
    spoken = [(choice, _message_of(choice)) for choice in choices_of(content)]
    choice, message = next((pair for pair in spoken if pair[1].text.strip()), (spoken or [({}, _NO_MESSAGE)])[0])
    usage = read_usage(request, content, message.text, message.thinking)
    _raise_error_within(request, content, choice, message, usage)
    finish_reason = _finish_reason(choice, request, usage)
    _raise_unless_said(request, finish_reason, message, usage)
    text, thinking = (message.text, message.thinking) if message.text.strip() else (message.thinking, "")
    if text != storable(text):
        raise UnusableReply(FailureKind.MALFORMED, "not a chat completion: its text has half of a character", usage)
    model = content.get("model")
    reply = TeacherReply(
        key=request.key,
        text=text,
        finish_reason=finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        model=storable(model) if isinstance(model, str) and model else request.model,
        thinking=storable(thinking),
    )
    return reply, usage


def read_scores(request: TeacherRequest, body: bytes) -> tuple[TeacherReply, Usage]:
    """The scores of `request`'s tokens in a response's body, as the text of a reply. Raises `UnusableReply`."""
    assert request.scoring is not None  # the caller asks for scores
    content = _object_in(body, "a completion")
    choice = next(iter(choices_of(content)), {})
    usage = read_usage(request, content, "")
    _raise_error_within(request, content, choice, _NO_MESSAGE, usage)
    try:
        text = scores_text(request.scoring, choice)
    except ValueError as error:
        raise UnusableReply(FailureKind.BAD_REQUEST, f"it does not score tokens: {error}", usage) from None
    model = str(content.get("model") or request.model)
    reply = TeacherReply(request.key, text, "stop", usage.prompt_tokens, usage.completion_tokens, storable(model))
    return reply, usage


def _object_in(body: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `body`. Raises `UnusableReply`: a web page is not the work of a model, and costs nothing."""
    try:
        return read_object(body)
    except ValueError as error:
        quote = " ".join(body[: 2 * _LONGEST_QUOTE].decode("utf-8", "replace").split())[:_LONGEST_QUOTE]
        if is_page(body):
            said = f"a web page instead of {what}: look at base_url, and at what stands before it; it begins {quote!r}"
            raise UnusableReply(FailureKind.SERVER, said, NOTHING_USED) from None
        raise UnusableReply(FailureKind.MALFORMED, f"not {what}: {error}; it begins {quote!r}") from None


_NO_MESSAGE = Message("", "", "")
_NOT_WHOLE = frozenset({Finish.CUT_OFF, Finish.CONTEXT_FULL, Finish.WITHHELD, Finish.GIVEN_UP})


def _message_of(choice: Mapping[str, Any]) -> Message:
    return read_message(choice["message"] if choice.get("message") is not None else choice.get("text"))


def _finish_reason(choice: Mapping[str, Any], request: TeacherRequest, usage: Usage) -> str:
    """The endpoint's word. One that has none for this shows by its count that the limit was not reached; null is the
    word for what is not finished."""
    for name in ("finish_reason", "finishReason", "stop_reason", "done_reason"):
        if name in choice:
            word, own = choice[name], choice.get("native_finish_reason")
            if isinstance(word, Mapping):  # SGLang's own: {"type": "stop", "matched": 2}
                word = word.get("type")
            if isinstance(word, list):
                word = next(iter(word), None)
            if isinstance(own, str) and (finish_of(own) in _NOT_WHOLE or not word):
                word = own  # of the provider behind a router, which may have no word of its own for it
            return storable(word) if isinstance(word, str) and word.strip() else UNKNOWN
    return UNSTATED if usage.certain and usage.completion_tokens < request.max_tokens else UNKNOWN


def _raise_unless_said(request: TeacherRequest, finish_reason: str, message: Message, usage: Usage) -> None:
    """Raises `UnusableReply` where no text of the teacher's came, or not one to use."""
    finish, empty = finish_of(finish_reason), not message.text.strip()
    if finish is Finish.WITHHELD or (message.refusal.strip() and empty):
        why = message.refusal.strip() or f"withheld by the endpoint's filter (finish_reason {finish_reason})"
        raise UnusableReply(FailureKind.CONTENT_FILTER, why, usage)
    if finish is Finish.GIVEN_UP:
        why = f"the endpoint gave up before the reply was whole (finish_reason {finish_reason})"
        raise UnusableReply(FailureKind.SERVER, why, usage)
    if empty and finish is Finish.CUT_OFF:
        where = "while it was thinking" if message.thinking.strip() else "before the first word"
        why = f"cut off at max_tokens ({request.max_tokens}) {where}; raise teacher.max_tokens"
        raise UnusableReply(FailureKind.TRUNCATED, why, usage)
    if empty and finish is Finish.CONTEXT_FULL:
        why = f"the model's context was full before the first word (finish_reason {finish_reason})"
        raise UnusableReply(FailureKind.CONTEXT_TOO_LONG, why, usage)
    if empty and not message.thinking.strip():
        raise UnusableReply(FailureKind.EMPTY, f"a reply without text (finish_reason {finish_reason})", usage)


def _raise_error_within(
    request: TeacherRequest,
    content: Mapping[str, Any],
    choice: Mapping[str, Any],
    message: Message,
    usage: Usage,
) -> None:
    """Raises `UnusableReply` for an error that an endpoint met after it had begun to answer, in a body with a status
    that says otherwise: routers do so. A whole reply beside an error stands."""
    error = content.get("error") or choice.get("error")
    if choice and (not error or (message.text.strip() and is_whole(str(choice.get("finish_reason"))))):
        return
    beside = {name: content[name] for name in _ERROR_WORDS if content.get(name)}
    said = {"error": error} if error and (isinstance(error, Mapping | list | str) or not beside) else beside
    if not said:
        quote = json.dumps(content, ensure_ascii=False)[:_LONGEST_QUOTE]
        raise UnusableReply(FailureKind.MALFORMED, f"not a chat completion: it has no choices; it begins {quote}")
    found = read_error_response(Response(_status_within(said), {}, json.dumps(said).encode()))
    kind = failure_kind(found, (text for _, text in request.messages))
    if _BLOCKED & said.keys():
        kind = FailureKind.CONTENT_FILTER
    elif kind is FailureKind.BAD_REQUEST and found.status == _UNSAID:
        kind = FailureKind.SERVER  # the request was taken, and what went wrong then may go right
    known = usage if usage.tokens or usage.cost else None
    if known is None and not choice and kind in _BEFORE_IT_BEGAN:
        known = NOTHING_USED
    raise UnusableReply(kind, f"a status of success with an error: {_named(found)}", known, found.retry_after_s)


# What an error is called where no status says it: OpenAI's types, Anthropic's, Google's.
_STATUS_OF_TYPE = {
    **dict.fromkeys(("invalid_request_error", "invalid_argument", "failed_precondition", "badrequesterror"), 400),
    **dict.fromkeys(("authentication_error", "unauthenticated", "invalid_api_key"), 401),
    **dict.fromkeys(("billing_error", "insufficient_quota", "insufficient_balance"), 402),
    **dict.fromkeys(("permission_error", "permission_denied"), 403),
    **dict.fromkeys(("not_found_error", "not_found", "notfounderror"), 404),
    **dict.fromkeys(("request_too_large",), 413),
    **dict.fromkeys(("rate_limit_error", "rate_limit_exceeded", "resource_exhausted", "too_many_requests"), 429),
    **dict.fromkeys(("overloaded_error", "unavailable", "service_unavailable"), 503),
    **dict.fromkeys(("timeout_error", "deadline_exceeded"), 504),
}
_UNSAID = 200
_QUOTED_STATUS = re.compile(r"\b(?:error code|status(?: code)?|http(?: error)?):? ?([45]\d\d)\b", re.IGNORECASE)
# What an endpoint says before it answers anything: where no choice and no count came, it cost nothing.
_BEFORE_IT_BEGAN = frozenset(
    {FailureKind.RATE_LIMITED, FailureKind.QUOTA, FailureKind.AUTHENTICATION, FailureKind.NOT_FOUND}
)
_BLOCKED = frozenset({"prompt_feedback", "promptFeedback"})  # Google's word on a prompt that it does not answer
# Where a body without choices may say why, when it has no `error`.
_ERROR_WORDS = (
    *("message", "detail", "errors", "msg", "type", "code", "status", "base_resp"),
    *("error_code", "error_msg", "error_message", "errorCode", "errorMessage", "errorMsg", "err_code", "err_msg"),
    *("errcode", "errmsg", "Code", "Message", "title", "reason", "description", *sorted(_BLOCKED)),
)


def _named(error: ErrorResponse) -> str:
    """An error's words with its type or code, where the words do not have it."""
    kind = error.type or error.code
    return f"{error.message} ({kind})" if kind and kind not in error.message else error.message


def _status_within(said: Mapping[str, Any]) -> int:
    """The status that an error in a body stands for: its own number, or what its type is called elsewhere."""
    error = said.get("error", said)
    if not isinstance(error, Mapping):
        return _UNSAID
    for name in ("code", "status", "status_code", "http_status"):
        code = error.get(name)
        if isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600:
            return int(code)
    words = (str(error.get(name)).lower() for name in ("type", "code", "status"))
    quoted = _QUOTED_STATUS.search(str(error.get("message")))
    named = next((_STATUS_OF_TYPE[word] for word in words if word in _STATUS_OF_TYPE), _UNSAID)
    return int(quoted[1]) if named == _UNSAID and quoted else named
