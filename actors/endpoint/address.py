"""Where an endpoint's calls go, and what goes along in the head: its key and its further headers.

Owns: the addresses of Azure, whose deployments stand in the path, and the header in which a key travels.

Invariants
- A secret is read, from the environment or the machine's secrets file, when a session is made, and stands in a header
  alone.
- A key that the recipe puts into a header of its own is not sent a second time.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from actors.endpoint.api_keys import NO_KEY, ON_A_CLUSTER, AuthenticationRefused, kept_secret
from reasoning.recipe.place import VARIABLE, is_azure
from reasoning.teacher.calls import EndpointSettings

_CARRY_KEYS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"})
_DEPLOYMENTS = "/openai/deployments/"


def root_of(settings: EndpointSettings) -> str:
    """The address before `/chat/completions`. At Azure, where `base_url` names no path, that of the deployment."""
    base_url = settings.base_url.rstrip("/")
    if settings.api_version is None or urlsplit(base_url).path not in ("", "/openai"):
        return base_url
    return f"{base_url.removesuffix('/openai')}{_DEPLOYMENTS}{quote(settings.model, safe='')}"


def files_root_of(settings: EndpointSettings) -> str:
    """The address before `/files` and `/batches`, which belong to no deployment."""
    before, deployments, _ = root_of(settings).partition(_DEPLOYMENTS)
    return f"{before}/openai" if deployments else before


def lists_models(settings: EndpointSettings) -> bool:
    """Whether the list of models names what requests ask for: Azure's has no deployments."""
    return not names_deployments(settings)


def names_deployments(settings: EndpointSettings) -> bool:
    """Whether the models there are Azure's deployments."""
    return settings.api_version is not None or is_azure(settings.base_url)


def query_of(settings: EndpointSettings) -> dict[str, str]:
    """What stands behind the address."""
    return {"api-version": settings.api_version} if settings.api_version is not None else {}


def headers_of(settings: EndpointSettings, api_key: str | None) -> dict[str, str]:
    """The headers of the recipe, filled in, and the key's. Raises `AuthenticationRefused` for a variable that is not
    set or that no header can carry."""
    headers = {name: _filled(settings, name, value) for name, value in settings.headers}
    if api_key is not None and names_deployments(settings):
        return {"api-key": api_key} | headers
    if api_key is None and any(name.lower() in _CARRY_KEYS for name in headers):
        return headers
    has_its_own = any(name.lower() == "authorization" for name in headers)
    return headers if has_its_own else {"Authorization": f"Bearer {api_key or NO_KEY}"} | headers


def secrets_of(settings: EndpointSettings, api_key: str | None) -> tuple[str, ...]:
    """What no message may hold: the key, and what the headers take from the environment."""
    variables = (variable for _, value in settings.headers for variable in VARIABLE.findall(value))
    found = (kept_secret(settings.name, variable) for variable in variables)
    return tuple(secret for secret in (api_key, *found) if secret)


def _filled(settings: EndpointSettings, name: str, value: str) -> str:
    for variable in VARIABLE.findall(value):
        secret = kept_secret(settings.name, variable)
        if not secret:
            raise AuthenticationRefused(
                f"endpoint {settings.name}: the header {name} needs the environment variable {variable}, which is not "
                f"set ({ON_A_CLUSTER})"
            )
        if not (secret.isascii() and secret.isprintable()):
            raise AuthenticationRefused(
                f"endpoint {settings.name}: the environment variable {variable} holds what no header can carry, a line "
                f"break or a character beyond ASCII (it is for the header {name})"
            )
        value = value.replace(f"${{{variable}}}", secret)
    return value
