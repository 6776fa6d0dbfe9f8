"""The certificates that are trusted and the proxy that is used: as the environment says, or a sentence why not."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from actors.endpoint.network import CERTIFICATE_VARIABLES, PROXY_VARIABLES, NetworkSettingsError, proxy_of
from actors.endpoint.probe import EndpointUnreachable, make_client, probe_endpoint
from actors.endpoint.wire import NotReached, Wire
from reasoning.teacher.calls import EndpointSettings
from tests.actors.scripted_server import completion

URL = "https://api.example/v1"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CERTIFICATE_VARIABLES, *PROXY_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """An authority of our own, and the certificate and key of a server on the loopback, in one file."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-days", "2", "-subj", "/CN=ours", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.crt")  # fmt: skip
    whole = folder / "server.pem"
    whole.write_bytes((folder / "server.crt").read_bytes() + (folder / "server.key").read_bytes())
    yield folder / "ca.pem", whole


async def _three_ways(whole: Path) -> list[object]:
    """What a worker, the preflight and the Batch API's client get of a server with this certificate."""

    async def answer(_: web.Request) -> web.Response:
        return completion("yes")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", answer), web.get("/v1/models", models)])
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(whole)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    settings = EndpointSettings("east", f"https://127.0.0.1:{runner.addresses[0][1]}/v1", "m")
    wire = Wire(settings.base_url, None, 1)
    client = make_client(settings, None, 5.0)

    async def listed() -> object:
        return [one.id async for one in client.models.list()]

    async def posted() -> object:
        return (await wire.post("/chat/completions", b"{}")).status

    try:
        return await asyncio.gather(posted(), probe_endpoint(settings, 5.0), listed(), return_exceptions=True)
    finally:
        await wire.close()
        await client.close()
        await runner.cleanup()


@pytest.mark.parametrize("variable", CERTIFICATE_VARIABLES)
def test_an_authority_of_the_environment_is_trusted_alike(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, variable: str, tmp_path: Path
) -> None:
    authority, whole = certificate
    (tmp_path / "ours.crt").write_bytes(authority.read_bytes())
    monkeypatch.setenv(variable, str(tmp_path if variable == "SSL_CERT_DIR" else authority))
    assert asyncio.run(_three_ways(whole)) == [200, None, ["m"]]


def test_an_unknown_authority_is_refused_alike(certificate: tuple[Path, Path]) -> None:
    posted, probed, listed = asyncio.run(_three_ways(certificate[1]))
    assert isinstance(posted, NotReached) and isinstance(probed, EndpointUnreachable)
    assert "certificate" in str(posted).lower() and "certificate" in str(probed).lower()
    assert isinstance(listed, Exception)


@pytest.mark.parametrize("content", [None, "no certificates in here"])
def test_certificates_that_cannot_be_read_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    async def scenario() -> None:
        with pytest.raises(NetworkSettingsError, match=r"REQUESTS_CA_BUNDLE names .*bundle\.pem"):
            await probe_endpoint(EndpointSettings("east", URL, "m"))
        wire = Wire(URL, None, 1)
        with pytest.raises(NotReached, match="REQUESTS_CA_BUNDLE"):
            await wire.post("/chat/completions", b"{}")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("variable", "value", "proxy"),
    [
        ("https_proxy", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("https_proxy", "proxy.example:3128", "http://proxy.example:3128"),
        ("ALL_PROXY", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("http_proxy", "http://proxy.example:3128", None),
        ("https_proxy", "", None),
    ],
)
def test_the_proxy_is_the_environment_s(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, proxy: str | None
) -> None:
    monkeypatch.setenv(variable, value)
    assert proxy_of(URL) == proxy
    assert proxy_of("http://127.0.0.1:8000/v1") is None
    monkeypatch.setenv("no_proxy", "api.example")
    assert proxy_of(URL) is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "passed"),
    [
        ("*", "https://api.example/v1", True),
        (".example", "https://api.example/v1", True),
        ("*.example", "https://api.example/v1", True),
        ("other, *.Example", "https://API.example/v1", True),
        ("localhost other api.example", "https://api.example/v1", True),
        ("api.example:443", "https://api.example/v1", True),
        ("api.example:8443", "https://api.example/v1", False),
        ("10.0.0.0/8", "http://10.1.2.3:8000/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000/v1", False),
        ("10.0.0.0/8", "http://ten.example:8000/v1", False),
        ("10.1.2.3", "http://10.1.2.3:8000/v1", True),
        ("fd00::/8", "http://[fd00::1]:8000/v1", True),
        ("[fd00::1]", "http://[fd00::1]:8000/v1", True),
        ("example", "https://notexample/v1", False),
        (",, , .", "https://api.example/v1", False),
    ],
)
def test_no_proxy_names_hosts_endings_ports_and_networks(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, passed: bool
) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (proxy_of(url) is None) is passed


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks5://me:hunter2@proxy.example:1080", "SOCKS"),
        ("socks4a://proxy.example", "SOCKS"),
        ("http://me:hunter2@proxy.example:port", "not hold a proxy's address"),
        ("http://me:hunter2@proxy.example:99999", "not hold a proxy's address"),
        ("http://", "not hold a proxy's address"),
        ("ftp://proxy.example", "not hold a proxy's address"),
        ("http://[::1", "not hold a proxy's address"),
        ("two words", "not hold a proxy's address"),
    ],
)
@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_used_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    settings = EndpointSettings("east", URL, "m")

    async def scenario() -> list[str]:
        told = []
        with pytest.raises(NetworkSettingsError) as probed:
            await probe_endpoint(settings)
        told.append(str(probed.value))
        with pytest.raises(NotReached) as posted:
            await Wire(URL, None, 1).post("/chat/completions", b"{}")
        told.append(str(posted.value))
        with pytest.raises(NetworkSettingsError) as batched:
            make_client(settings, None, 1.0)
        return [*told, str(batched.value)]

    for words in asyncio.run(scenario()):
        assert said in words and variable in words and "hunter2" not in words and "no_proxy" in words
