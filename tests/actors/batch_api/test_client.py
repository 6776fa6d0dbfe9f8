"""Calls to a provider's Batch API that do not go as they should."""

import asyncio
import time
from unittest.mock import MagicMock

import pytest

from actors.batch_api.client import BatchClient, CallFailed
from actors.batch_api.remote import Page, RemoteBatch
from reasoning.teacher.calls import BatchSettings, EndpointSettings, FailureKind
from serve.provider.server import Provider
from tests.actors.batch_api.batches import endpoint, provider
from tests.actors.scripted_server import Server


def test_a_list_that_does_not_turn_its_pages_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def page(*_: object) -> Page:
        nonlocal looks
        looks += 1
        return Page.model_validate({"data": [{"id": "other", "status": "completed"}], "has_more": True})

    async def scenario(there: Provider) -> RemoteBatch | None:
        client = BatchClient(endpoint(there), backoff_s=0.01)
        monkeypatch.setattr(client, "_read", page)
        monkeypatch.setattr(client, "_client", MagicMock())
        return await client.find("mine", time.time())

    with provider() as there:
        assert asyncio.run(scenario(there)) is None and looks == 2


@pytest.mark.parametrize("form", ["openai", "together"])
def test_a_file_is_stored_where_the_provider_takes_it(form: str) -> None:
    async def scenario(there: Provider) -> list[str]:
        client = BatchClient(endpoint(there), backoff_s=0.01)
        stored = [await client.upload(f"mine-{number}", b"{}\n") for number in range(2)]
        assert await client.content(stored[0]) == b"{}\n"
        await client.close()
        return stored

    with provider(batch_form=form) as there:
        assert len(set(asyncio.run(scenario(there)))) == 2


def test_a_provider_without_files_is_told_as_it_said_it() -> None:
    async def scenario(base_url: str) -> None:
        settings = EndpointSettings("bare", base_url, "m", batch=BatchSettings())
        with pytest.raises(CallFailed, match="status 404") as failed:
            await BatchClient(settings, backoff_s=0.01).hand_over("mine", b"{}\n", time.time(), time.monotonic() + 5)
        assert failed.value.kind is FailureKind.NOT_FOUND

    with Server() as bare:
        asyncio.run(scenario(bare.base_url))
