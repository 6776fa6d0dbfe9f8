"""Every row of docs/teacher.md's table of providers, against an imitation of that provider's forms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web

from actors.endpoint.api_keys import AuthenticationRefused
from actors.endpoint.attempt import Endpoint, Sent
from actors.endpoint.probe import UnknownModel, probe_endpoint
from actors.limits.rate_limits import LeaseOutcome
from reasoning.recipe.teacher import TeacherSection
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from serve.provider.dialects import DIALECTS, DialectApp

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "teacher.md").read_text(encoding="utf-8")
TABLE = PAGE.split("### Providers", 1)[1].split("\n## ", 1)[0]
ROWS = {name.strip(): yaml.safe_load(keys) for name, keys in re.findall(r"^\| ([^|]+) \| `(\{.*\})` \|$", TABLE, re.M)}
KEY = "the-key-of-this-account"


def test_the_table_has_every_provider_that_is_imitated() -> None:
    assert list(ROWS) == list(DIALECTS)


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the table, at its imitation."""

    settings: EndpointSettings
    request: TeacherRequest
    app: DialectApp

    async def ask(self, **changed: object) -> Sent:
        endpoint = Endpoint(replace(self.settings, **changed))  # type: ignore[arg-type]
        try:
            return await endpoint.send(self.request)
        finally:
            await endpoint.close()


@asynccontextmanager
async def place(name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """The row's own keys; only its host is another one."""
    section = TeacherSection.model_validate({"kind": "openai", **ROWS[name]})
    (settings,) = section.settings().endpoints
    dialect = DIALECTS[name]
    if settings.api_key_env is not None:
        monkeypatch.setenv(settings.api_key_env, KEY)
    root = dialect.root.replace("/teacher", f"/{settings.model}")
    app = DialectApp(replace(dialect, root=root), settings.model, KEY if settings.api_key_env else None)
    runner = web.AppRunner(app.build())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}{urlsplit(settings.base_url).path}"
    request = TeacherRequest(
        section.name, section.model, (("user", "Is 7 prime?"),), 0.7, 64, parameters=section.request_parameters()
    )
    try:
        yield Place(replace(settings, base_url=here), request, app)
    finally:
        await runner.cleanup()


def failure(sent: Sent) -> TeacherFailure:
    assert isinstance(sent.result, TeacherFailure)
    return sent.result


@pytest.mark.parametrize("name", ROWS)
def test_a_row_works_as_it_stands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with place(name, monkeypatch) as at:
            assert await probe_endpoint(at.settings) is None
            sent = await at.ask()
            assert isinstance(sent.result, TeacherReply) and sent.result.text == "Yes."
            assert sent.observed.requests.per_minute == DIALECTS[name].limit
            version = at.settings.api_version
            assert at.app.queries[-1] == ({"api-version": version} if version else {})

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ROWS)
def test_what_a_provider_refuses_is_typed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with place(name, monkeypatch) as at:
            at.app.busy = 1
            busy = await at.ask()
            assert failure(busy).kind is FailureKind.RATE_LIMITED and busy.outcome is LeaseOutcome.RATE_LIMITED
            assert busy.retry_after_s == pytest.approx(0.02)
            at.app.spent = True
            assert failure(await at.ask()).kind is FailureKind.QUOTA
            at.app.spent = False
            if at.settings.api_version is None:  # there the model is the path
                wrong = replace(at.settings, model="no-such-model")
                assert failure(await at.ask(model="no-such-model")).kind is FailureKind.NOT_FOUND
                with pytest.raises(UnknownModel, match="no-such-model"):
                    await probe_endpoint(wrong)
            if at.settings.api_key_env is not None:
                monkeypatch.setenv(at.settings.api_key_env, "another-key")
                refused = failure(await at.ask())
                assert refused.kind is FailureKind.AUTHENTICATION and "another-key" not in refused.message
                with pytest.raises(AuthenticationRefused, match=at.settings.api_key_env):
                    await probe_endpoint(at.settings)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "changed", "cure"),
    [
        ("OpenAI", {"max_tokens_key": "max_tokens"}, "max_tokens_key: max_completion_tokens"),
        ("OpenAI", {"send_temperature": True}, "send_temperature: false"),
        ("Gemini", {"send_seed": True}, "send_seed: false"),
        ("Mistral", {"send_seed": True}, "send_seed: false"),
    ],
)
def test_a_row_s_own_keys_are_what_cures(
    name: str, changed: dict[str, object], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with place(name, monkeypatch) as at:
            sent = await at.ask(**changed)
            assert sent.outcome is LeaseOutcome.SETTING_REFUSED and cure in failure(sent).message

    asyncio.run(scenario())
