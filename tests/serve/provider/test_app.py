"""The faulty provider, seen through the stock OpenAI client and raw HTTP: each fault, each limit, and its own count."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import openai
import pytest

from reasoning.prompts.headings import read_reply
from reasoning.records import Split
from reasoning.tasks.families import FAMILIES, problems
from serve.provider.args import ProviderArgs
from serve.provider.faults import UNBILLED, FaultArgs, FaultKind, LatencyArgs
from serve.provider.server import Provider, ProviderProcess, main, read_overrides
from tests.inputs.teacher_requests import plain_content

MODEL = "faulty-teacher"
ECHO = ProviderArgs(teacher="echo", input_price=1.0, output_price=2.0)
Ask = Callable[[openai.AsyncOpenAI], Awaitable[Any]]


def with_client(provider: Provider | ProviderProcess, ask: Ask, **options: Any) -> Any:
    """What `ask` returns, or the OpenAI error it ends with."""

    async def go() -> Any:
        settings: dict[str, Any] = {"api_key": "k", "max_retries": 0, "timeout": 5.0, **options}
        plain = openai.DefaultAsyncHttpxClient(verify=False)  # no TLS here, and its certificates take 20 ms to load
        async with openai.AsyncOpenAI(base_url=provider.base_url, http_client=plain, **settings) as client:
            try:
                return await ask(client)
            except openai.OpenAIError as error:
                return error

    return asyncio.run(go())


def question(text: str, **more: Any) -> Ask:
    def ask(client: openai.AsyncOpenAI) -> Awaitable[Any]:
        return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **more)

    return ask


def post(provider: Provider, body: bytes, timeout_s: float = 5.0) -> tuple[int, Mapping[str, str], bytes]:
    async def go() -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(timeout_s)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{provider.base_url}/chat/completions", data=body) as reply,
        ):
            return reply.status, reply.headers, await reply.read()

    return asyncio.run(go())


def asked(text: str, **more: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}], **more}).encode()


def faulty(kind: FaultKind, **more: Any) -> ProviderArgs:
    settings = {"stall_s": 0.3, "trickle_s": 0.2, "retry_after_s": 3.0, **more}
    faults = FaultArgs(share=1.0, weights={kind: 1.0}, first_arrivals=1, **settings)
    return ECHO.model_copy(update={"faults": faults})


def test_the_echo_teacher_answers_and_is_counted() -> None:
    with Provider(ECHO) as provider:
        reply = with_client(provider, question("one two three", max_tokens=4, n=2))
        assert [choice.message.content for choice in reply.choices] == ["Answer to one two"] * 2
        assert {choice.finish_reason for choice in reply.choices} == {"length"}
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 8)
        stats = provider.stats()
        assert (stats.arrived, stats.admitted, stats.served, stats.answered, stats.billed) == (1, 1, 1, 1, 1)
        assert (stats.prompt_tokens, stats.completion_tokens, stats.cost) == (3, 8, pytest.approx(19e-6))
        assert provider.served() == [(stats.first_served_at, 11)]
        provider.reset()
        assert provider.stats().arrived == 0 and provider.served() == []


def test_the_offline_teacher_answers_right() -> None:
    family = FAMILIES["coin_flip"]
    problem = problems(family, 1, Split.TEST, 1)[0]
    with Provider() as provider:
        text = with_client(provider, question(plain_content(problem.question))).choices[0].message.content
    assert read_reply(text).answer_text.strip() == family.solve(problem.question).answer


def test_models_are_listed() -> None:
    with Provider(ECHO) as provider:

        async def models(client: openai.AsyncOpenAI) -> list[str]:
            return [model.id async for model in client.models.list()] + [(await client.models.retrieve(MODEL)).id]

        assert with_client(provider, models) == [MODEL, MODEL]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RATE_LIMITED_WITH_HINT, openai.RateLimitError),
        (FaultKind.RATE_LIMITED, openai.RateLimitError),
        (FaultKind.SERVER_ERROR, openai.InternalServerError),
        (FaultKind.UNAVAILABLE, openai.InternalServerError),
        (FaultKind.DROPPED, openai.APIConnectionError),
        (FaultKind.CUT_OFF, openai.APIConnectionError),
        (FaultKind.STALLED, openai.APIConnectionError),
        (FaultKind.CONTEXT_TOO_LONG, openai.BadRequestError),
    ],
)
def test_a_fault_that_is_an_error(kind: FaultKind, error: type[openai.OpenAIError]) -> None:
    with Provider(faulty(kind)) as provider:
        failed = with_client(provider, question("one"))
        assert isinstance(failed, error)
        if isinstance(failed, openai.RateLimitError):
            hint = "3" if kind is FaultKind.RATE_LIMITED_WITH_HINT else None
            assert failed.response.headers.get("retry-after") == hint
        stats = provider.stats()
        assert stats.faults == {kind.value: 1}
        assert (stats.billed, stats.answered) == (int(kind not in UNBILLED), 0)
        assert with_client(provider, question("one")).choices[0].message.content == "Answer to one"
        stats = provider.stats()
        assert (stats.sent_more_than_once, stats.answered_more_than_once, stats.in_flight) == (1, 0, 0)


@pytest.mark.parametrize("kind", [FaultKind.EMPTY, FaultKind.TRUNCATED, FaultKind.CONTENT_FILTER, FaultKind.TRICKLING])
def test_a_fault_that_is_a_reply(kind: FaultKind) -> None:
    expected = {
        FaultKind.EMPTY: ("", "stop", 6),
        FaultKind.TRUNCATED: ("Answer to one", "length", 3),
        FaultKind.CONTENT_FILTER: ("", "content_filter", 6),
        FaultKind.TRICKLING: ("Answer to one two three four", "stop", 6),
    }
    with Provider(faulty(kind, trickle_s=0.8)) as provider:
        started = time.monotonic()
        reply = with_client(provider, question("one two three four"))
        choice = reply.choices[0]
        assert (choice.message.content, choice.finish_reason, reply.usage.completion_tokens) == expected[kind]
        assert kind is not FaultKind.TRICKLING or time.monotonic() - started > 0.6
        stats = provider.stats()
        assert (stats.billed, stats.completion_tokens) == (1, expected[kind][2])
        assert stats.answered == int(kind is FaultKind.TRICKLING)


def test_a_malformed_body_is_complete_and_billed() -> None:
    with Provider(faulty(FaultKind.MALFORMED)) as provider:
        status, headers, body = post(provider, asked("one"))
        assert (status, headers["Content-Type"], headers["Content-Length"]) == (200, "application/json", str(len(body)))
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
        assert (provider.stats().billed, provider.stats().answered) == (1, 0)


def test_a_page_of_html_is_not_billed() -> None:
    with Provider(faulty(FaultKind.HTML)) as provider:
        status, headers, body = post(provider, asked("one"))
        assert status == 200 and headers["Content-Type"].startswith("text/html") and body.startswith(b"<html>")
        assert provider.stats().billed == 0


def test_wrong_usage_comes_in_every_form_and_the_count_stays_right() -> None:
    with Provider(faulty(FaultKind.WRONG_USAGE)) as provider:
        replies = [json.loads(post(provider, asked(f"one {i}"))[2]) for i in range(30)]
        told = {repr(reply.get("usage", {}).get("prompt_tokens")) for reply in replies}
        assert told == {"None", "-3", "'2'", "0", "3000"}
        assert (provider.stats().prompt_tokens, provider.stats().answered) == (60, 30)


def test_faults_do_not_depend_on_the_order_of_arrival() -> None:
    args = ECHO.model_copy(update={"seed": 5, "faults": FaultArgs(share=0.5, stall_s=0.05, trickle_s=0.05)})

    def run(admitted: list[int]) -> dict[int, int | str]:
        async def one(client: openai.AsyncOpenAI, number: int) -> int | str:
            try:
                response = await client.chat.completions.with_raw_response.create(
                    model=MODEL, messages=[{"role": "user", "content": f"question {number}"}]
                )
            except openai.APIStatusError as error:
                return error.status_code
            except openai.APIConnectionError:
                return "connection"
            return response.http_response.status_code

        async def all_of(client: openai.AsyncOpenAI) -> list[int | str]:
            return await asyncio.gather(*(one(client, number) for number in admitted))

        with Provider(args) as provider:
            return dict(sorted(zip(admitted, with_client(provider, all_of), strict=True)))

    first = run(list(range(120)))
    assert first == run(list(reversed(range(120))))
    assert {200, 500, 429, 503, 400, "connection"} <= set(first.values())


def test_an_answer_given_twice_is_seen() -> None:
    with Provider(ECHO) as provider:
        for seed in (1, 1, 2):
            with_client(provider, question("one", seed=seed))
        stats = provider.stats()
        assert (stats.distinct, stats.sent_more_than_once, stats.answered_more_than_once) == (2, 1, 1)


def test_requests_a_minute_are_kept_and_told() -> None:
    with Provider(ECHO.model_copy(update={"requests_per_minute": 2, "algorithm": "window"})) as provider:
        first = post(provider, asked("one"))[1]
        assert (first["x-ratelimit-limit-requests"], first["x-ratelimit-remaining-requests"]) == ("2", "1")
        assert "x-ratelimit-limit-tokens" not in first
        post(provider, asked("two"))
        status, headers, body = post(provider, asked("three"))
        assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 50 < int(headers["retry-after"]) <= 60 and headers["x-ratelimit-remaining-requests"] == "0"
        assert provider.stats().refused == {"requests": 1, "tokens": 0, "concurrent": 0, "quota": 0}
        assert provider.stats().admitted == 2


@pytest.mark.parametrize(("count", "admitted"), [("actual", 5), ("reserved", 2)])
def test_tokens_a_minute_count_what_is_used_or_what_was_reserved(count: str, admitted: int) -> None:
    settings = {"tokens_per_minute": 20, "algorithm": "window", "count_tokens": count, "retry_after": "ms"}
    with Provider(ECHO.model_copy(update=settings)) as provider:
        replies = [post(provider, asked(f"q{i}", max_tokens=9)) for i in range(6)]  # 4 tokens used, 10 reserved
        assert [status for status, _, _ in replies] == [200] * admitted + [429] * (6 - admitted)
        last = replies[-1][1]
        assert 50_000 < int(last["retry-after-ms"]) <= 60_000
        assert provider.stats().refused["tokens"] == 6 - admitted


def test_only_so_many_at_once() -> None:
    settings = {"max_concurrent": 3, "latency": LatencyArgs(median_s=0.2)}
    with Provider(ECHO.model_copy(update=settings)) as provider:

        async def at_once(client: openai.AsyncOpenAI) -> list[Any]:
            return await asyncio.gather(*(question(f"{i}")(client) for i in range(8)), return_exceptions=True)

        done = with_client(provider, at_once)
        assert sum(isinstance(one, openai.RateLimitError) for one in done) == 5
        stats = provider.stats()
        assert (stats.most_in_flight, stats.in_flight, stats.refused["concurrent"]) == (3, 0, 5)


def test_a_client_that_hangs_up_is_out_of_flight_and_pays() -> None:
    with Provider(ECHO.model_copy(update={"latency": LatencyArgs(median_s=5.0)})) as provider:
        with pytest.raises(TimeoutError):
            post(provider, asked("one"), timeout_s=0.2)
        time.sleep(0.1)
        stats = provider.stats()
        assert (stats.in_flight, stats.client_gone, stats.billed, stats.answered) == (0, 1, 1, 0)


def test_the_quota_ends_for_good() -> None:
    with Provider(ECHO.model_copy(update={"quota_cost": 14e-6})) as provider:  # of 7e-6 dollars a request
        replies = [with_client(provider, question(f"q{i}")) for i in range(4)]
        assert [isinstance(reply, openai.RateLimitError) for reply in replies] == [False, False, True, True]
        assert replies[-1].code == "insufficient_quota" and "retry-after" not in replies[-1].response.headers
        assert provider.stats().cost == pytest.approx(14e-6) and provider.stats().refused["quota"] == 2


def test_keys_are_asked_for_and_never_repeated() -> None:
    key = "sk-very-secret"
    args = ECHO.model_copy(update={"api_keys": (key,)})
    with Provider(args) as provider:
        assert with_client(provider, question("one"), api_key=key).choices
        refused = with_client(provider, question("one"), api_key="sk-wrong")
        assert isinstance(refused, openai.AuthenticationError) and refused.code == "invalid_api_key"
        assert "sk-" not in f"{refused.body}{provider.stats()}{args!r}"
        assert (provider.stats().arrived, provider.stats().bad_requests) == (2, 1)


@pytest.mark.parametrize(
    ("sent", "status", "param"),
    [
        (b"{", 400, None),
        (b"[1]", 400, "body"),
        (json.dumps({"model": "other", "messages": []}).encode(), 404, None),
        (json.dumps({"model": MODEL, "messages": []}).encode(), 400, "messages"),
        (asked("one", n=0), 400, "n"),
        (asked("one", n=True), 400, "n"),
        (asked("one", temperature="1"), 400, "temperature"),
        (asked("one", max_tokens=0), 400, "max_tokens"),
        (asked("one", seed=1.5), 400, "seed"),
        (asked("one", stop=[1]), 400, "stop"),
        (asked("one", stream=True), 400, "stream"),
        (
            json.dumps({"model": MODEL, "messages": [{"role": "user", "content": 1}]}).encode(),
            400,
            "messages.0.content",
        ),
    ],
)
def test_a_bad_request_is_refused_with_the_name_of_what_is_wrong(sent: bytes, status: int, param: str | None) -> None:
    with Provider(ECHO) as provider:
        found, _, body = post(provider, sent)
        error = json.loads(body)["error"]
        assert (found, error["param"], error["type"]) == (status, param, "invalid_request_error")
        assert (provider.stats().bad_requests, provider.stats().billed) == (1, 0)


def test_a_wrong_path_has_openais_body_too() -> None:
    with Provider(ECHO) as provider:
        refused = with_client(provider, lambda client: client.embeddings.create(model=MODEL, input="x"))
        assert isinstance(refused, openai.NotFoundError) and refused.type == "invalid_request_error"


def test_a_process_of_its_own_answers_and_ends() -> None:
    """Two seconds: a fresh interpreter."""
    with ProviderProcess(ECHO.model_copy(update={"api_keys": ("k",)})) as provider:
        assert with_client(provider, question("one")).choices[0].message.content == "Answer to one"
        assert provider.stats().answered == 1 and len(provider.served()) == 1
        provider.reset()
        assert provider.stats().answered == 0
        process = provider._process
    assert process.returncode == 0


def test_settings_of_the_command_line() -> None:
    settings = read_overrides(["teacher=echo", "faults.share=0.2", "faults.weights.html=1", "requests_per_minute=60"])
    args = ProviderArgs.model_validate(settings)
    assert args.faults == FaultArgs(share=0.2, weights={FaultKind.HTML: 1.0}) and args.requests_per_minute == 60
    for wrong in (["teacher"], ["faults=1", "faults.share=1"]):
        with pytest.raises(ValueError, match=r"name=value|as a whole"):
            read_overrides(wrong)


def test_a_wrong_setting_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults.share=2"]) == 2
    assert "faults.share" in capsys.readouterr().err
