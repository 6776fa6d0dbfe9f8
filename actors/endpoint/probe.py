"""Whether an endpoint is there, takes the key and has the model: asked before a run begins.

Owns: the question for its models, the request of one token that decides where the list does not, and the stock client
for calls other than completions (`actors.batch_api.client`).

Invariants
- Every error names the endpoint's address and says what to do; no message holds a key.
- What cannot be known is a warning and no error: a list in another form, forbidden, cut into pages, without an alias.
- A request is sent only where the list does not name the model, or is shown to anybody and so proves no key.
"""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Iterator
from typing import Any

import openai

from actors.endpoint.address import files_root_of, headers_of, lists_models, query_of, root_of, secrets_of
from actors.endpoint.api_keys import NO_KEY, AuthenticationRefused, EndpointError, read_api_key, scrub, shown_address
from actors.endpoint.bodies import is_page
from actors.endpoint.errors.kinds import failure_kind, own_words
from actors.endpoint.errors.refused_settings import cure_of, is_about_the_bound, refused_parameter
from actors.endpoint.errors.responses import read_error_response
from actors.endpoint.network import proxy_of, ssl_context_of
from actors.endpoint.replies import UnusableReply, read_completion
from actors.endpoint.request_body import request_body
from actors.endpoint.wire import Interrupted, NotReached, Response, Wire
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherRequest

# Some models refuse a bound of one token; one that refuses all of these answers, which is what was asked.
_BOUNDS = (1, 16, 256)
_QUESTION = (("user", "Say yes."),)
_LONGEST_QUOTE = 300
_PASSES = frozenset(
    {FailureKind.EMPTY, FailureKind.TRUNCATED, FailureKind.CONTENT_FILTER, FailureKind.CONTEXT_TOO_LONG}
)


class EndpointUnreachable(EndpointError):
    """Nothing answers there, or not in the OpenAI protocol."""


class UnknownModel(EndpointError):
    """The endpoint is there but does not serve the model."""


class QuotaSpent(EndpointError):
    """The endpoint takes the key, but its account has nothing left."""


class SettingRefused(EndpointError):
    """The endpoint refuses a parameter that every request has. `parameter` is its name there."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


async def probe_endpoint(settings: EndpointSettings, timeout_s: float = 10.0, ask: bool = True) -> str | None:
    """Asks the endpoint for its models, and for one token where their list does not name the model or does not depend
    on the key (unless `ask` is False). Returns a warning where it cannot be known whether requests will pass, None
    where they will.

    Raises `EndpointUnreachable`, `AuthenticationRefused`, `QuotaSpent`, `UnknownModel` or `SettingRefused`; and
    `NetworkSettingsError` for certificates or a proxy of the environment that cannot be used."""
    return await _Probe(settings, timeout_s).run(ask)


class _Probe:
    def __init__(self, settings: EndpointSettings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        api_key = read_api_key(settings)
        headers = headers_of(settings, api_key)
        proxy_of(settings.base_url)
        ssl_context_of(settings.base_url)
        self._secrets = secrets_of(settings, api_key)
        self._wire = Wire(root_of(settings), api_key, 1, timeout_s, headers, query_of(settings))
        self._wanted = f"endpoint {settings.name} at {shown_address(settings.base_url)}"

    async def run(self, ask: bool) -> str | None:
        try:
            listed = await self._call("/models") if lists_models(self._settings) else None
            models = list(_names(listed)) if isinstance(listed, Response) and listed.status == 200 else []
            # Some providers list a model under a path that requests may leave out ("models/NAME").
            if any(one == self._settings.model or one.endswith("/" + self._settings.model) for one in models):
                return await self._try_key(listed, models, ask) if self._secrets else None
            if not ask:
                return (
                    f"{self._wanted}: not known whether it serves {self._settings.model!r}; no request was sent to see"
                )
            return await self._ask(listed, models)
        finally:
            await self._wire.close()

    async def _try_key(self, listed: Response | str | None, models: list[str], ask: bool) -> str | None:
        """What becomes of a key at an API that lists the model: where anybody is shown its list (as by OpenRouter),
        one token decides. Of other refusals, which may pass, nothing is said."""
        stranger = Wire(root_of(self._settings), None, 1, self._timeout_s, {}, query_of(self._settings))
        try:
            shown = await self._call("/models", wire=stranger)
        finally:
            await stranger.close()
        if not isinstance(shown, Response) or shown.status != 200:
            return None
        if not ask:
            return f"{self._wanted}: not known whether it takes the key; its list of models is public"
        await self._ask(listed, models)
        return None

    async def _ask(self, listed: Response | str | None, models: list[str]) -> str | None:
        for bound in _BOUNDS:
            request = TeacherRequest(self._settings.name, self._settings.model, _QUESTION, 1.0, bound)
            body = request_body(self._settings, request)
            answer = await self._call("/chat/completions", json.dumps(body).encode())
            if isinstance(answer, str):
                return self._no_answer(listed, answer)
            if 200 <= answer.status < 300:
                return self._read(request, answer)
            error = read_error_response(answer)
            said = own_words(error.message, (text for _, text in _QUESTION))
            if is_about_the_bound(error, body, said):
                continue
            kind = failure_kind(error, (text for _, text in _QUESTION))
            parameter = refused_parameter(error, body, said) if kind is FailureKind.BAD_REQUEST else None
            if parameter is not None:
                told = self._quoted(str(error))
                raise SettingRefused(
                    f"{self._wanted} refuses {parameter} ({told}). {cure_of(parameter, said)}", parameter
                )
            return self._refused(kind, str(error), answer.status, listed, models)
        return None

    def _read(self, request: TeacherRequest, answer: Response) -> str | None:
        try:
            read_completion(request, answer.content)
        except UnusableReply as error:
            if error.kind in _PASSES:
                return None
            if error.kind is FailureKind.MALFORMED or is_page(answer.content):
                raise EndpointUnreachable(
                    f"{self._wanted} answers, but not in the OpenAI protocol. base_url usually ends in /v1"
                ) from None
            return self._refused(error.kind, str(error), 200, None, [])
        return None

    def _refused(
        self, kind: FailureKind, words: str, status: int, listed: Response | str | None, models: list[str]
    ) -> str | None:
        """What a refusal of one token says: an error that every request would meet, or a warning."""
        told, model = self._quoted(words), self._settings.model
        if kind is FailureKind.AUTHENTICATION:
            variable = self._settings.api_key_env or "no variable: name one in api_key_env"
            raise AuthenticationRefused(
                f"{self._wanted} refuses the key ({told}; key from {variable}). Put a valid key there, and see "
                "that the account and the region may use this API"
            )
        if kind is FailureKind.QUOTA:
            raise QuotaSpent(
                f"{self._wanted} has nothing left for this account ({told}). Top it up, or raise its limit"
            )
        if kind is FailureKind.NOT_FOUND:
            if models:
                near = difflib.get_close_matches(model, models, n=3, cutoff=0.3) or models[:3]
                raise UnknownModel(
                    f"{self._wanted} does not serve the model {model!r}. It serves {', '.join(near)}, ..."
                )
            there = isinstance(listed, Response) and listed.status == 200
            address = "" if there else ", or base_url is not the API's address, which usually ends in /v1"
            raise UnknownModel(f"{self._wanted} does not serve the model {model!r} ({told}){address}")
        if kind is FailureKind.SERVER and status >= 500 and not _answered(listed):
            raise EndpointUnreachable(f"{self._wanted} answers with status {status}. Try again later")
        return f"{self._wanted}: not known whether requests will pass; one of one token brought {kind}: {told}"

    def _no_answer(self, listed: Response | str | None, why: str) -> str:
        if not _answered(listed):
            raise EndpointUnreachable(f"{self._wanted}: {why}. Is it running, and is base_url right?")
        return f"{self._wanted}: not known whether requests will pass; one of one token: {why}"

    async def _call(self, path: str, content: bytes | None = None, wire: Wire | None = None) -> Response | str:
        """The response, or why none came. Raises `EndpointUnreachable` where nothing can be reached at all."""
        try:
            async with asyncio.timeout(self._timeout_s):
                wire = wire or self._wire
                return await (wire.get(path) if content is None else wire.post(path, content))
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except NotReached as error:
            raise EndpointUnreachable(
                f"{self._wanted} cannot be reached ({self._quoted(str(error))}). Start it, or correct base_url"
            ) from None
        except Interrupted as error:
            return self._quoted(str(error))

    def _quoted(self, words: str) -> str:
        return scrub(words, *self._secrets)[:_LONGEST_QUOTE]


def _answered(listed: Response | str | None) -> bool:
    """Whether the question for the models was answered at all, be it with a refusal."""
    return isinstance(listed, Response) and listed.status < 500


def _names(response: Response) -> Iterator[str]:
    """The models that a list names: `{"data": [...]}`, `{"models": [...]}` or a bare list, of objects or of names."""
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        content = next((found for key in ("data", "models") if isinstance(found := content.get(key), list)), [])
    for one in content if isinstance(content, list) else ():
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from {name for key in ("id", "name", "model") if isinstance(name := one.get(key), str)}


def make_client(settings: EndpointSettings, api_key: str | None, timeout_s: float) -> openai.AsyncOpenAI:
    """A client that sends once and knows no limits of its own. Raises `NetworkSettingsError`."""
    headers: dict[str, Any] = dict(headers_of(settings, api_key))
    if not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = openai.omit
    return openai.AsyncOpenAI(
        base_url=files_root_of(settings),
        api_key=api_key or NO_KEY,
        max_retries=0,
        timeout=timeout_s,
        default_headers=headers,
        default_query=query_of(settings),
        # The same certificates and proxy as for the requests (`actors.endpoint.wire`).
        http_client=openai.DefaultAsyncHttpxClient(
            verify=ssl_context_of(settings.base_url), proxy=proxy_of(settings.base_url), trust_env=False
        ),
    )
