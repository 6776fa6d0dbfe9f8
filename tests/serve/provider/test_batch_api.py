"""Batches through the stock OpenAI client: a round trip, every way to end, and what goes wrong on the way."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from serve.provider.args import ProviderArgs
from serve.provider.faults import FaultArgs, FaultKind
from serve.provider.server import Provider

MODEL = "faulty-teacher"
ARGS = ProviderArgs(teacher="echo", input_price=1.0, output_price=2.0, batch_seconds=0.2)


def run(
    args: ProviderArgs, work: Callable[[openai.AsyncOpenAI], Awaitable[Any]], provider: Provider | None = None
) -> Any:
    async def go(url: str) -> Any:
        plain = openai.DefaultAsyncHttpxClient(verify=False)  # no TLS here, and its certificates take 20 ms to load
        async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0, http_client=plain) as client:
            return await work(client)

    if provider is not None:
        return asyncio.run(go(provider.base_url))
    with Provider(args) as own:
        return asyncio.run(go(own.base_url))


def line(number: int, **more: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"q{number}"}], "seed": number}
    sent = {"custom_id": f'id "{number}"', "method": "POST", "url": "/v1/chat/completions", "body": body}
    return {**sent, **more}


def lines(count: int) -> bytes:
    return "\n".join(json.dumps(line(number)) for number in range(count)).encode()


async def submit(client: openai.AsyncOpenAI, content: bytes) -> Any:
    sent = await client.files.create(file=("requests.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=sent.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"run": "r-1"}
    )


async def ended(client: openai.AsyncOpenAI, batch: Any, seen: set[str] | None = None) -> Any:
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        if seen is not None:
            seen.add(batch.status)
        await asyncio.sleep(0.01)
        batch = await client.batches.retrieve(batch.id)
    return batch


async def texts(client: openai.AsyncOpenAI, file_id: str | None) -> list[str]:
    return [] if file_id is None else (await client.files.content(file_id)).text.splitlines()


def test_a_batch_goes_round_at_half_the_price() -> None:
    with Provider(ARGS) as provider:

        async def work(client: openai.AsyncOpenAI) -> None:
            seen: set[str] = set()
            batch = await ended(client, await submit(client, lines(50)), seen)
            assert seen <= {"validating", "in_progress", "finalizing"} and batch.status == "completed"
            went = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
            assert None not in went and went == sorted(went)
            counts = batch.request_counts
            assert (counts.total, counts.completed, counts.failed, batch.error_file_id) == (50, 50, 0, None)
            assert batch.metadata == {"run": "r-1"} and batch.completed_at >= batch.in_progress_at >= batch.created_at
            results = [json.loads(text) for text in await texts(client, batch.output_file_id)]
            said = {one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in results}
            assert said == {f'id "{number}"': f"Answer to q{number}" for number in range(50)}
            assert list(said) != [f'id "{number}"' for number in range(50)]  # in another admitted

        run(ARGS, work, provider)
        stats = provider.stats()
        assert (stats.batch_lines, stats.batch_billed, stats.billed, stats.arrived) == (50, 50, 50, 0)
        assert stats.cost == stats.batch_cost == pytest.approx(50 * (1 + 3 * 2) / 2 / 1e6)


def test_lines_expire_by_share_and_can_be_sent_again() -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        expired = []
        for _ in range(2):
            batch = await ended(client, await submit(client, lines(60)))
            assert batch.status == "expired"
            failed = [json.loads(text) for text in await texts(client, batch.error_file_id)]
            assert {one["error"]["code"] for one in failed} == {"batch_expired"}
            assert 15 < len(failed) < 45
            assert len(failed) + len(await texts(client, batch.output_file_id)) == 60
            expired.append({one["custom_id"] for one in failed})
        assert expired[0] != expired[1]

    run(ARGS.model_copy(update={"batch_expire_share": 0.5}), work)


def test_lines_fail_in_their_own_ways() -> None:
    kinds = (FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.MALFORMED, FaultKind.DROPPED)
    faults = FaultArgs(weights=dict.fromkeys(kinds, 1.0))
    args = ARGS.model_copy(update={"faults": faults, "batch_fault_share": 1.0})
    with Provider(args) as provider:

        async def work(client: openai.AsyncOpenAI) -> tuple[list[str], list[str]]:
            batch = await ended(client, await submit(client, lines(80)))
            return await texts(client, batch.output_file_id), await texts(client, batch.error_file_id)

        output, failed = run(args, work, provider)
        found = provider.stats().faults
        assert set(found) == set(kinds) and sum(found.values()) == 80
        assert len(output) == found["malformed"] == provider.stats().batch_billed
        for text in output:
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
        codes = [json.loads(text)["response"]["status_code"] for text in failed]
        assert (codes.count(500), codes.count(429)) == (found["server_error"], found["rate_limited"])
        assert len(output) + len(failed) == 80 - found["dropped"]


def test_a_request_that_is_wrong_fails_alone() -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        content = lines(2) + b"\n" + json.dumps(line(9, body={"model": "other"})).encode()
        batch = await ended(client, await submit(client, content))
        assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 2, 1)
        (failed,) = await texts(client, batch.error_file_id)
        response = json.loads(failed)["response"]
        assert (response["status_code"], response["body"]["error"]["code"]) == (404, "model_not_found")

    run(ARGS, work)


@pytest.mark.parametrize(
    ("content", "code", "number"),
    [
        (b"\n", "empty_file", 1),
        (lines(1) + b"\n{", "invalid_json_line", 2),
        (lines(1) + b"\n" + lines(1), "duplicate_custom_id", 2),
        (json.dumps(line(1, url="/v1/embeddings")).encode(), "invalid_request", 1),
        (json.dumps({"body": {}}).encode(), "missing_required_parameter", 1),
        (lines(6), "too_many_tasks", 6),
    ],
)
def test_a_file_that_is_wrong_fails_the_batch(content: bytes, code: str, number: int) -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        batch = await ended(client, await submit(client, content))
        assert (batch.status, batch.output_file_id) == ("failed", None)
        assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, number)

    run(ARGS.model_copy(update={"batch_most_lines": 5}), work)


def test_a_cancelled_batch_keeps_what_it_had() -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        batch = await submit(client, lines(100))
        while batch.request_counts.completed < 10:
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
        assert (await client.batches.cancel(batch.id)).status == "cancelling"
        batch = await ended(client, batch)
        assert batch.status == "cancelled" and 10 <= batch.request_counts.completed < 100
        assert len(await texts(client, batch.output_file_id)) == batch.request_counts.completed
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            await client.batches.cancel(batch.id)

    run(ARGS.model_copy(update={"batch_seconds": 1.0}), work)


def test_the_quota_ends_within_a_batch() -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        batch = await ended(client, await submit(client, lines(5)))
        assert (batch.request_counts.completed, batch.request_counts.failed) == (3, 2)
        failed = json.loads((await texts(client, batch.error_file_id))[0])
        assert failed["response"]["body"]["error"]["code"] == "insufficient_quota"

    run(ARGS.model_copy(update={"quota_requests": 3}), work)


def test_files_and_batches_are_listed_page_by_page_and_deleted() -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        made = [await submit(client, lines(1)) for _ in range(5)]
        listed = [batch.id async for batch in client.batches.list(limit=2)]
        assert listed == [batch.id for batch in reversed(made)]
        uploads = [one.id async for one in client.files.list(purpose="batch", limit=3)]
        assert sorted(uploads) == sorted(batch.input_file_id for batch in made)
        stored = await client.files.retrieve(uploads[0])
        assert (stored.filename, stored.bytes) == ("requests.jsonl", len(lines(1)))
        assert (await client.files.content(stored.id)).content == lines(1)
        assert (await client.files.delete(stored.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve(stored.id)
        with pytest.raises(openai.NotFoundError):
            await client.batches.retrieve("batch_of_nobody")

    run(ARGS, work)


def test_a_reply_that_was_lost_left_its_batch_behind() -> None:
    """Half of the failing calls were carried out: whoever submits again has to look first."""

    async def work(client: openai.AsyncOpenAI) -> None:
        lost = refused = 0
        for _ in range(20):
            try:
                await client.files.create(file=("requests.jsonl", lines(1)), purpose="batch")
            except openai.InternalServerError:
                refused += 1
            except openai.APIConnectionError:
                lost += 1
        assert lost + refused == 20 and lost > 3 and refused > 3

    run(ARGS.model_copy(update={"batch_call_fault_share": 1.0}), work)
