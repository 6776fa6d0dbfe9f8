"""Whether an endpoint is there, takes the key and has the model: asked before anything is spent.

Owns: the question for its models, and the stock client that asks it (and does batches: `actors.batch_api.client`).
Invariant: every error names the endpoint's address and says what to do.
"""

from __future__ import annotations

import asyncio
import difflib
import ssl

import openai
from pydantic import BaseModel, ValidationError

from actors.endpoint.api_keys import AuthenticationRefused, EndpointError, read_api_key, scrub, shown_address
from actors.endpoint.wire import NO_KEY, is_loopback
from reasoning.teacher.calls import EndpointSettings


class EndpointUnreachable(EndpointError):
    """Nothing answers there, or not in the OpenAI protocol."""


class UnknownModel(EndpointError):
    """The endpoint is there but does not serve the model."""


async def probe_endpoint(settings: EndpointSettings, timeout_s: float = 10.0) -> None:
    """Asks the endpoint for its models, before anything is spent. Passes where it serves the model, and where it keeps
    no list of models (404) or is busy (429).

    Raises `EndpointUnreachable`, `AuthenticationRefused` or `UnknownModel`."""
    api_key = read_api_key(settings)
    address = shown_address(settings.base_url)
    wanted = f"endpoint {settings.name} at {address}"
    client = make_client(settings, api_key, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            raw = await client.models.with_raw_response.list()
        models = [model.id for model in _Models.model_validate_json(raw.content).data]
    except TimeoutError:
        raise EndpointUnreachable(
            f"{wanted}: no answer within {timeout_s:g} s. Is it running, and is base_url right?"
        ) from None
    except openai.APIStatusError as error:
        if error.status_code in (401, 403):
            variable = settings.api_key_env or "no key: name its environment variable in api_key_env"
            raise AuthenticationRefused(
                f"{wanted} refuses the key (status {error.status_code}; key from {variable}). Put a valid key there"
            ) from None
        if error.status_code >= 500:
            raise EndpointUnreachable(f"{wanted} answers with status {error.status_code}. Try again later") from None
        return  # no list of models, or too busy to show it
    except ValidationError:
        raise EndpointUnreachable(
            f"{wanted} answers, but not in the OpenAI protocol. base_url usually ends in /v1"
        ) from None
    except (openai.APIConnectionError, ValueError) as error:  # a ValueError: an address that no request can go to
        cause = scrub(str(error.__cause__ or error), api_key)
        raise EndpointUnreachable(f"{wanted} cannot be reached ({cause}). Start it, or correct base_url") from None
    finally:
        await client.close()
    # Some providers list a model under a path that requests may leave out ("models/NAME").
    if models and not any(model == settings.model or model.endswith("/" + settings.model) for model in models):
        near = difflib.get_close_matches(settings.model, models, n=3, cutoff=0.3) or models[:3]
        raise UnknownModel(f"{wanted} does not serve the model {settings.model!r}. It serves {', '.join(near)}, ...")


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


def make_client(settings: EndpointSettings, api_key: str | None, timeout_s: float) -> openai.AsyncOpenAI:
    """A client that sends once and knows no limits of its own."""
    alone = is_loopback(settings.base_url)
    # What speaks HTTP on this machine shows no certificate, and to load those of the world takes 20 ms a client. None
    # is then trusted, should it lead elsewhere.
    plain = alone and not settings.base_url.lower().startswith("https:")
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=api_key or NO_KEY,
        max_retries=0,
        timeout=timeout_s,
        # A proxy from the environment cannot reach this machine's own addresses.
        http_client=openai.DefaultAsyncHttpxClient(
            trust_env=not alone, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
        ),
    )
