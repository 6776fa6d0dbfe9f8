"""The faulty provider's request handling: decides the outcome of a request and records it before any byte is sent.

Owns: the account, the admission and the fault plans, and how they go together. No I/O; clocks are passed in.
Invariants
- A request is taken whole or refused, in one step: nothing else can come between the check of a limit and its count.
- What reached the model is booked when it was admitted: a client that hangs up pays all the same.
- Only admitted arrivals count for the fault plan, so that refusals, which depend on time, change no fault.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from reasoning.offline.teacher import Teacher, UnrecordedQuestionError
from reasoning.offline.word_tokens import count_tokens
from serve.provider.account import Account, ProviderStats
from serve.provider.admission_control import AdmissionControl, Cause, Charge, Rejection, retry_headers
from serve.provider.args import ProviderArgs
from serve.provider.batch_api import LineReply
from serve.provider.chat_completion import (
    Answer,
    ProviderError,
    ProviderRequest,
    altered,
    answer,
    completion,
    read_chat_request,
)
from serve.provider.faults import ANSWERED, BATCH_KINDS, UNBILLED, FaultKind, FaultPlan, chance
from serve.provider.reply_forms import ERRORS, STATUSES, chosen

DEFAULT_RESERVED = 16  # tokens of a request without max_tokens, as OpenAI reserves them
Clock = Callable[[], float]


class RateLimitError(ProviderError):
    """A 429, with what the client is told about coming back."""

    def __init__(self, message: str, code: str, kind: str, headers: dict[str, str]) -> None:
        super().__init__(429, message, code, None, kind)
        self.headers = headers


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """A request that was admitted. `given`: None where the fault keeps it from the model. `account`: the one it is in,
    also after a reset."""

    ask: ProviderRequest
    arrival: int
    fault: FaultKind | None
    given: Answer | None
    latency_s: float
    account: Account


class RequestHandler:
    """`monotonic` never goes back and paces the limits; `unix` is the time of day."""

    def __init__(self, args: ProviderArgs, teacher: Teacher, monotonic: Clock, unix: Clock) -> None:
        self.args = args
        self._teacher, self._monotonic, self._unix = teacher, monotonic, unix
        self._plan = FaultPlan(args.faults, args.seed)
        self._batch_plan = FaultPlan(args.batch_faults(), args.seed, BATCH_KINDS)
        self._admission = AdmissionControl(args.limits())
        self.reset()

    def reset(self) -> None:
        """As new, but for requests in flight and batches under way."""
        self.account = Account(self.args.prices())
        self._arrivals: Counter[str] = Counter()
        self._admission.reset()

    def stats(self) -> ProviderStats:
        return self.account.stats(self._admission.in_flight)

    def take(self, ask: ProviderRequest) -> AdmittedRequest:
        """Admits and books a request; it is in flight until `close`. Errors: `RateLimitError`; `ProviderError` when the
        teacher knows no answer."""
        account = self.account
        account.arrive(ask.identity, self._unix())
        arrival = self._arrivals[ask.identity]
        fault = self._plan.fault(ask.identity, arrival)
        given: Answer | None = None

        def charge() -> Charge:
            nonlocal given
            prompt_tokens = count_tokens(ask.prompt)
            reserved = prompt_tokens + ask.n * (ask.limit or DEFAULT_RESERVED)
            by_reserve = self.args.count_tokens == "reserved"
            if fault in UNBILLED:
                return Charge(reserved if by_reserve else 0, 0, 0, 0.0)
            given = altered(self._answer(ask, prompt_tokens), fault, self._form_at(ask, arrival))
            used = given.prompt_tokens + given.completion_tokens
            cost = account.prices.cost(given.prompt_tokens, given.completion_tokens)
            return Charge(reserved if by_reserve else used, 1, used, cost)

        admitted = self._admission.admit(self._monotonic(), charge)
        if isinstance(admitted, Rejection):
            account.refused[admitted.cause] += 1
            self._refuse(admitted)
        self._arrivals[ask.identity] += 1
        account.admit(admitted.counted_tokens, self._admission.in_flight, fault)
        if given is not None:
            account.live.add(given)
        latency = self.args.latency
        at = chance(self.args.seed, "latency", ask.identity, arrival) if latency.median_s else 0.0
        return AdmittedRequest(ask, arrival, fault, given, latency.seconds(at), account)

    def body(self, admitted: AdmittedRequest) -> bytes:
        """The reply to an admitted request that reached the model."""
        assert admitted.given is not None
        return self._completion(admitted.ask, admitted.arrival, admitted.given, admitted.fault)

    def finish(self, admitted: AdmittedRequest) -> None:
        """Its answer goes out."""
        if admitted.given is not None:
            admitted.account.serve(admitted.ask.identity, self._unix(), admitted.given, admitted.fault in ANSWERED)

    def close(self) -> None:
        """It is no longer in flight."""
        self._admission.release()

    def headers(self) -> dict[str, str]:
        return self._admission.headers(self._monotonic()) if self.args.send_limit_headers else {}

    def hint(self, wait_s: float, *, always: bool = False) -> dict[str, str]:
        """When to come back. `always`: also where refusals do not say it."""
        form = self.args.retry_after
        return retry_headers("seconds" if always and form == "none" else form, wait_s, self._unix())

    def answer_line(self, sent: object) -> LineReply | None:
        """What becomes of a line of a batch; None: it is lost."""
        account = self.account
        account.batch_lines += 1
        try:
            ask = read_chat_request(sent, self.args.model)
            account.arrive_in_batch(ask.identity)
            arrival = self._arrivals[ask.identity]
            self._arrivals[ask.identity] += 1
            fault = self._batch_plan.fault(ask.identity, arrival)
            if fault is not None:
                account.faults[fault] += 1
            if fault is FaultKind.DROPPED:
                return None
            if fault in UNBILLED:
                raise fault_error(fault, self.args.model)
            given = altered(self._answer(ask, count_tokens(ask.prompt)), fault, self._form_at(ask, arrival))
            tokens = given.prompt_tokens + given.completion_tokens
            cost = account.prices.cost(given.prompt_tokens, given.completion_tokens, batch=True)
            if not self._admission.spend(Charge(0, 1, tokens, cost)):
                account.refused[Cause.QUOTA] += 1
                self._refuse(Rejection(Cause.QUOTA, float("inf")))
        except ProviderError as refusal:
            return LineReply(refusal.status, refusal.text())
        account.batch.add(given)
        if fault in ANSWERED:
            account.answered[ask.identity] += 1
        body = self._completion(ask, arrival, given, fault, batch=True).decode()
        return LineReply(200, body, malformed=fault is FaultKind.MALFORMED)

    def _answer(self, ask: ProviderRequest, prompt_tokens: int) -> Answer:
        try:
            given = answer(self._teacher, ask, prompt_tokens)
            thinks = self.args.thinking != "none" or self.args.thinking_tokens
            return given.thinks(self.args.thinking, self.args.thinking_tokens) if thinks else given
        except UnrecordedQuestionError as error:
            raise ProviderError(404, str(error), "question_not_recorded") from error

    def _completion(
        self, ask: ProviderRequest, arrival: int, given: Answer, fault: FaultKind | None, batch: bool = False
    ) -> bytes:
        wrong = fault is FaultKind.WRONG_USAGE
        at = chance(self.args.seed, "usage", ask.identity, arrival) if wrong else self._form_at(ask, arrival)
        cost = self.account.prices.cost(given.prompt_tokens, given.completion_tokens, batch)
        return completion(f"{ask.identity}{arrival}", self.args.model, int(self._unix()), given, fault, at, cost)

    def _form_at(self, ask: ProviderRequest, arrival: int) -> float:
        """Which of a fault's forms it has."""
        return chance(self.args.seed, "form", ask.identity, arrival)

    def error_of(self, admitted: AdmittedRequest) -> ProviderError:
        """The error that is answered instead of a reply."""
        if admitted.fault is FaultKind.ODD_STATUS:
            status = chosen(STATUSES, self._form_at(admitted.ask, admitted.arrival))
            return ProviderError(status, "Something behind this server is not ready.", None, None, "server_error")
        return fault_error(admitted.fault, self.args.model)

    def error_within(self, admitted: AdmittedRequest) -> bytes:
        """The body, with status 200, of an error that was met after all."""
        error = chosen(ERRORS, self._form_at(admitted.ask, admitted.arrival))
        return json.dumps({"id": "gen-1", "choices": [], "error": error}).encode()

    def status(self, admitted: AdmittedRequest) -> int:
        """Of a reply."""
        accepted = admitted.fault is FaultKind.ACCEPTED
        return chosen((201, 202), self._form_at(admitted.ask, admitted.arrival)) if accepted else 200

    def _refuse(self, refusal: Rejection) -> NoReturn:
        if refusal.cause is Cause.QUOTA:
            message = "You exceeded your current quota, please check your plan and billing details."
            raise RateLimitError(message, "insufficient_quota", "insufficient_quota", {})
        what = {Cause.REQUESTS: "requests per min (RPM)", Cause.TOKENS: "tokens per min (TPM)"}
        where = f"Rate limit reached for {self.args.model} on {what.get(refusal.cause, 'concurrent requests')}"
        late = "Please try again later." if self.args.retry_after == "none" else "Please try again when told."
        message = f"{where}. {late}" if refusal.wait_s < float("inf") else f"{where}: the request is too large."
        raise RateLimitError(message, "rate_limit_exceeded", refusal.cause.value, self.hint(refusal.wait_s))


def fault_error(fault: FaultKind | None, model: str) -> ProviderError:
    """The error that a fault is, with OpenAI's words."""
    if fault is FaultKind.CONTEXT_TOO_LONG:
        message = "This model's maximum context length was exceeded. Please reduce the length of the messages."
        return ProviderError(400, message, "context_length_exceeded", "messages")
    if fault is FaultKind.UNSUPPORTED:
        # Of this one request: a parameter that a model never takes, it refuses in every request.
        message = "Invalid 'messages[0].content': this text holds characters that cannot be read."
        return ProviderError(400, message, "invalid_value", "messages[0].content")
    if fault is FaultKind.SERVER_ERROR:
        message = "The server had an error while processing your request. Sorry about that!"
        return ProviderError(500, message, None, None, "server_error")
    if fault is FaultKind.UNAVAILABLE:
        return ProviderError(503, "The server is overloaded or not ready yet.", None, None, "server_error")
    message = f"Rate limit reached for {model}. Please slow down."
    return ProviderError(429, message, "rate_limit_exceeded", None, "requests")
