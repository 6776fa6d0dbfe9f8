"""One OpenAI-compatible endpoint: sending a request once, and typing what comes of it.

Owns: one sending. The HTTP is `actors.endpoint.wire`, the reading `actors.endpoint.replies`.

Invariants
- One call, one attempt: a retry below would know nothing of the limits that all workers share, and would repeat a spent
  quota like any "too many requests".
- Whatever comes back is a `TeacherReply` or a `TeacherFailure`.
- What is not known to have cost less may have cost its worst case. What the endpoint refused costs nothing.
- The key appears in no message: every text that leaves is scrubbed of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from dataclasses import dataclass
from typing import Any

from actors.endpoint.address import headers_of, query_of, root_of, secrets_of
from actors.endpoint.api_keys import read_api_key, scrub
from actors.endpoint.errors.kinds import failure_kind, outcome_of, own_words
from actors.endpoint.errors.refused_settings import cure_of, refused_parameter
from actors.endpoint.errors.responses import read_error_response
from actors.endpoint.errors.words import ANSWERED_CODES
from actors.endpoint.replies import UnusableReply, read_completion, read_scores
from actors.endpoint.request_body import request_body
from actors.endpoint.usage import NOTHING_USED, Usage
from actors.endpoint.wire import Interrupted, NotReached, Response, Wire
from actors.limits.headers import NOTHING, Observed, read_limits, read_retry_after
from actors.limits.rate_limits import LeaseOutcome
from reasoning.teacher.calls import (
    EndpointSettings,
    FailureKind,
    TeacherFailure,
    TeacherReply,
    TeacherRequest,
    storable,
)
from reasoning.teacher.scoring import SCORING_PATH

_LONGEST_MESSAGE = 500
_LONGEST_QUOTE = 300  # where a cure follows
_PERHAPS_SERVED = frozenset(
    {499, 504, 524, 598, 599}
)  # a gateway gave up waiting for an answer, which may have been made


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one attempt, and what it says about the limits. `usage` None: it may have cost its worst case."""

    result: TeacherReply | TeacherFailure
    outcome: LeaseOutcome
    usage: Usage | None = NOTHING_USED
    retry_after_s: float | None = None
    observed: Observed = NOTHING


class Endpoint:
    """Sends requests, each exactly once. Safe to use from many tasks of one event loop."""

    def __init__(self, settings: EndpointSettings) -> None:
        """Raises `AuthenticationRefused` when the environment variable of the key or of a header is empty."""
        self._settings = settings
        api_key = read_api_key(settings)
        self._secrets = secrets_of(settings, api_key)
        self._wire = Wire(
            root_of(settings),
            api_key,
            settings.max_in_flight,
            min(30.0, settings.timeout_s / 2),
            headers_of(settings, api_key),
            query_of(settings),
        )

    @property
    def settings(self) -> EndpointSettings:
        return self._settings

    async def send(self, request: TeacherRequest) -> Sent:
        """One attempt at `request`, over within `timeout_s`."""
        try:
            content = json.dumps(self.body(request), ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            return self._failed(request, FailureKind.BAD_REQUEST, f"a message is not valid text: {error.reason}")
        try:
            async with asyncio.timeout(self._settings.timeout_s):  # from first to last byte, for servers that trickle
                path = "/chat/completions" if request.scoring is None else SCORING_PATH
                response = await self._wire.post(path, content)
        except TimeoutError:
            return self._failed(request, FailureKind.TIMEOUT, f"no reply within {self._settings.timeout_s:g} s", None)
        except NotReached as error:
            return self._failed(request, FailureKind.TRANSPORT, str(error))
        except Interrupted as error:  # it may have been served
            return self._failed(request, FailureKind.TRANSPORT, str(error), None)
        if not 200 <= response.status < 300:
            return self._refused(request, response)
        observed = read_limits(response.headers, time.time())
        sent = self.read(request, response.content, observed)
        if sent.usage is not None:
            sent = dataclasses.replace(sent, usage=sent.usage.with_cost_of(response.headers))
        if sent.outcome is LeaseOutcome.RATE_LIMITED:
            wait = _retry_after(response, sent.retry_after_s, observed)
            return dataclasses.replace(sent, retry_after_s=wait)
        return sent

    def read(self, request: TeacherRequest, body: bytes, observed: Observed = NOTHING) -> Sent:
        """What a body that came with a status of success says."""
        try:
            reply, usage = (read_completion if request.scoring is None else read_scores)(request, body)
        except UnusableReply as error:
            failed = self._failed(request, error.kind, str(error), error.usage)
            return dataclasses.replace(failed, observed=observed, retry_after_s=error.retry_after_s)
        return Sent(reply, LeaseOutcome.DONE, usage, observed=observed)

    def body(self, request: TeacherRequest) -> dict[str, Any]:
        """The JSON that asks for `request`'s completion."""
        return request_body(self._settings, request)

    async def close(self) -> None:
        await self._wire.close()

    def _refused(self, request: TeacherRequest, response: Response) -> Sent:
        error_response = read_error_response(response)
        texts = [text for _, text in request.messages]
        kind, words = failure_kind(error_response, texts), str(error_response)
        outcome: LeaseOutcome | None = None
        if kind is FailureKind.BAD_REQUEST:
            said = own_words(error_response.message, texts)
            parameter = refused_parameter(error_response, self.body(request), said)
            if parameter is not None:
                words, outcome = f"{words[:_LONGEST_QUOTE]}. {cure_of(parameter, said)}", LeaseOutcome.SETTING_REFUSED
        served = response.status in _PERHAPS_SERVED or kind is FailureKind.TRUNCATED
        usage = None if served or ANSWERED_CODES & error_response.codes else NOTHING_USED
        failed = self._failed(request, kind, words, usage, outcome)
        if kind is not FailureKind.RATE_LIMITED and kind is not FailureKind.SERVER:
            return failed
        observed = read_limits(response.headers, time.time())
        return dataclasses.replace(
            failed,
            retry_after_s=_retry_after(response, error_response.retry_after_s, observed),
            observed=observed,
        )

    def _failed(
        self,
        request: TeacherRequest,
        kind: FailureKind,
        message: str,
        usage: Usage | None = NOTHING_USED,
        outcome: LeaseOutcome | None = None,
    ) -> Sent:
        message = scrub(storable(message), *self._secrets)[:_LONGEST_MESSAGE]
        return Sent(TeacherFailure(request.key, kind, message, attempts=1), outcome or outcome_of(kind), usage)


def _retry_after(response: Response, in_body: float | None, observed: Observed) -> float | None:
    """Seconds that the endpoint asks to wait: by its header, else by its body, else until its limit of a day is whole
    again."""
    told = read_retry_after(response.headers, time.time())
    if told is None:
        told = in_body
    return observed.used_up_for_s if told is None else told
