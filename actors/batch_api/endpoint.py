"""What all batches of a worker at one endpoint share.

Owns: the endpoint's client, price and patience. `critical` counts what should not be cut short: the handing over and
the recording of batches.
"""

from __future__ import annotations

import re

from actors.batch_api.client import BatchClient
from actors.endpoint.attempt import Endpoint
from actors.journal.actor import JournalHandle
from actors.teacher.metrics import TeacherMetrics
from actors.teacher.wait_group import WaitGroup
from reasoning.records import stable_id
from reasoning.teacher.calls import TeacherSettings

DAY_S = 86_400.0


class BatchEndpoint:
    """Endpoint number `number` of a teacher. `backoff_s` is the first wait after a failed call; a batch is created
    within `hand_over_s` after it was made, or never."""

    def __init__(
        self,
        settings: TeacherSettings,
        number: int,
        journal: JournalHandle,
        critical: WaitGroup,
        backoff_s: float,
        hand_over_s: float,
    ) -> None:
        """Raises `ValueError` without batch settings, `AuthenticationRefused` when the key is missing."""
        endpoint = settings.endpoints[number]
        if endpoint.batch is None:
            raise ValueError(f"teacher {settings.name}: endpoint {endpoint.name} has no batch settings")
        self.teacher = settings
        self.name = endpoint.name
        self.endpoint = Endpoint(endpoint)
        self.client = BatchClient(endpoint, backoff_s)
        self.batch = endpoint.batch
        self.price = endpoint.price
        self.fingerprint = endpoint.fingerprint
        self.window_s = _seconds(endpoint.batch.window)
        self.journal = journal
        self.critical = critical
        self.backoff_s = backoff_s
        self.hand_over_s = hand_over_s
        self.metrics = TeacherMetrics(settings.name, settings.run)
        self._tag = stable_id(endpoint.name, endpoint.model)[:8]

    def name_of(self, unique: str) -> str:
        """A name for a batch that is made here."""
        return f"{self._tag}-{unique}"

    def made(self, id: str) -> bool:
        """Whether the batch called `id` was made for this endpoint and its model. The same endpoint may answer for
        another teacher of the run, at another price: its batches are that teacher's to take over."""
        return id.startswith(f"{self._tag}-")


def _seconds(window: str) -> float:
    """Of a provider's "24h" or "7d"; a week for what cannot be read."""
    found = re.fullmatch(r"(\d+)\s*([hd])", window)
    return int(found[1]) * (3600.0 if found[2] == "h" else DAY_S) if found else 7 * DAY_S
