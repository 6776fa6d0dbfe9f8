"""Calls to a provider's Batch API that do not go as they should."""

import asyncio
import time
from unittest.mock import MagicMock

import pytest

from actors.batch_api.client import BatchClient
from actors.batch_api.remote import Page, RemoteBatch
from serve.provider.server import Provider
from tests.actors.batch_api.batches import endpoint, provider


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
