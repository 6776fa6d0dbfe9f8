"""What an endpoint's connections go through: the certificates that are trusted, and the proxy.

Owns: the reading of `SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` and of the proxies' variables.

Invariants
- Preflight, workers and the Batch API's client trust the same certificates and go through the same proxy.
- What the environment names and cannot be used is told in a sentence that names the variable, never a password.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from actors.endpoint.api_keys import EndpointError

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
PROXY_VARIABLES = tuple(
    name for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (lower, lower.upper())
)


class NetworkSettingsError(EndpointError):
    """The environment names certificates or a proxy that cannot be used. The message names the variable."""


def ssl_context_of(base_url: str) -> ssl.SSLContext:
    """For the connections to `base_url`. What speaks plain HTTP shows no certificate, and to load those of the world
    takes 20 ms; none is then trusted, should it lead elsewhere. Raises `NetworkSettingsError`."""
    plain = not base_url.lower().startswith("https:")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else ssl_context()


def ssl_context() -> ssl.SSLContext:
    """Trusts what the environment's variables name; without them, the system's store and, where it is installed,
    certifi's. Raises `NetworkSettingsError`."""
    return _context(*(os.environ.get(name, "").strip() for name in CERTIFICATE_VARIABLES))


@lru_cache(maxsize=8)
def _context(*named: str) -> ssl.SSLContext:
    if not any(named):
        context = ssl.create_default_context()
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, value in zip(CERTIFICATE_VARIABLES, named, strict=True):
        # SSL_CERT_DIR may be several folders, as OpenSSL reads it
        for part in value.split(os.pathsep) if variable == "SSL_CERT_DIR" else [value]:
            if part:
                _load(context, variable, Path(part).expanduser())
    return context


def _load(context: ssl.SSLContext, variable: str, path: Path) -> None:
    try:
        if path.is_file():
            context.load_verify_locations(cafile=path)
        elif path.is_dir():
            # OpenSSL finds a folder's certificates by their hashes, which not every folder has: read each file as well
            context.load_verify_locations(capath=path)
            for file in sorted(path.iterdir()):
                if file.suffix in (".pem", ".crt", ".cer") and file.is_file():
                    context.load_verify_locations(cafile=file)
        else:
            raise NetworkSettingsError(
                f"the environment variable {variable} names {path}, which does not exist here: name a file of "
                "certificates (PEM) or a folder of them, or unset it"
            )
    except (OSError, ssl.SSLError) as error:
        raise NetworkSettingsError(
            f"the environment variable {variable} names {path}, which holds no certificates that can be read "
            f"({getattr(error, 'reason', None) or error}): name a file of certificates (PEM), or unset it"
        ) from None


def proxy_of(base_url: str) -> str | None:
    """The proxy from the environment through which `base_url` is reached; None: directly. Raises
    `NetworkSettingsError`."""
    parts = urlsplit(base_url)
    proxies = getproxies()
    if is_loopback(base_url) or _is_passed_by(parts, proxies.get("no", "")):
        return None
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind, "").strip()), None)
    if kind is None:
        return None
    variable = next((name for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name)), "proxy")
    proxy = proxies[kind].strip()
    cure = f"name an HTTP proxy (http://HOST:PORT), unset it, or put {parts.hostname} into no_proxy"
    try:
        read = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, _ = read.hostname, read.port
    except ValueError:
        host, read = None, urlsplit("")
    if read.scheme.startswith("socks"):
        raise NetworkSettingsError(
            f"the environment variable {variable} names a SOCKS proxy, through which no request can be sent: {cure}"
        )
    if not host or read.scheme not in ("http", "https") or any(one.isspace() for one in proxy):
        raise NetworkSettingsError(f"the environment variable {variable} does not hold a proxy's address: {cure}")
    return read.geturl()


def _is_passed_by(parts: SplitResult, no_proxy: str) -> bool:
    """Whether an address is reached past every proxy. Beyond the names and endings that Python knows an entry of
    `no_proxy` may be `*.example.com`, a network (`10.0.0.0/8`), or have a port, as httpx and curl have it."""
    host = (parts.hostname or "").rstrip(".")
    if proxy_bypass(host):
        return True
    try:
        port = str(parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError:  # no port of TCP, which the request itself will say
        port = ""
    for entry in no_proxy.lower().replace(",", " ").split():
        name, colon, own_port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
        if colon and own_port != port:
            continue
        name = name.strip("[]").removeprefix("*").strip(".")
        if name and (host == name or host.endswith(f".{name}") or _is_within(host, name)):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def is_loopback(base_url: str) -> bool:
    """Whether `base_url` is on this machine, which no proxy from the environment can reach."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
