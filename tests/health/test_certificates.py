"""How long certificates are good, against real TLS servers on loopback and files."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.certificates import Pem, self_signed

from v8box.features.health.certificates import Certificates
from v8box.features.health.model import Finding, Status


@asynccontextmanager
async def tls_server(pem: Pem) -> AsyncIterator[str]:
    """Gives its place."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem.certificate, pem.key)

    async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"


async def look(*places: str, trusting: Pem | None = None) -> Finding:
    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=None if trusting is None else trusting.certificate)

    return await Certificates(places, warn_days=14, trust=trust).look()


@pytest.mark.parametrize(
    ("days", "status", "value"),
    [(60.5, Status.OK, "60 days left"), (10.5, Status.WARN, "10 days left"), (2.5, Status.FAIL, "2 days left")],
)
async def test_a_host_says_how_many_days_are_left(tmp_path: Path, days: float, status: Status, value: str) -> None:
    pem = self_signed(tmp_path, days=days)
    async with tls_server(pem) as place:
        found = await look(place, trusting=pem)
    assert (found.status, found.value) == (status, f"{place}: {value}")
    assert bool(found.advice) is (status is not Status.OK)


async def test_one_that_browsers_refuse_is_a_failure_and_says_why(tmp_path: Path) -> None:
    pem = self_signed(tmp_path, days=60.5)
    async with tls_server(pem) as place:
        found = await look(place)
    assert found.status is Status.FAIL
    assert "60 days left, but browsers refuse it: self-signed" in found.value.replace("self signed", "self-signed")


async def test_one_for_another_name_is_a_failure(tmp_path: Path) -> None:
    pem = self_signed(tmp_path, "example.com")
    async with tls_server(pem) as place:
        found = await look(place, trusting=pem)
    assert found.status is Status.FAIL
    assert "Hostname mismatch" in found.value


async def test_one_that_has_expired(tmp_path: Path) -> None:
    pem = self_signed(tmp_path, days=-4.5)
    async with tls_server(pem) as place:
        found = await look(place, trusting=pem)
    assert (found.status, found.value) == (Status.FAIL, f"{place}: expired 4 days ago")


async def test_the_worst_decides_and_all_are_told(tmp_path: Path) -> None:
    good, bad = self_signed(tmp_path / "a", days=60.5), self_signed(tmp_path / "b", days=1.5)
    found = await look(str(good.certificate), str(bad.certificate))
    assert found.status is Status.FAIL
    assert found.value == f"{good.certificate}: 60 days left; {bad.certificate}: 1 days left"
    assert str(good.certificate) not in found.advice


@pytest.mark.parametrize("place", ["127.0.0.1:1", "/nowhere/certificate.pem"])
async def test_what_cannot_be_seen_is_a_warning_that_says_what_to_do(place: str) -> None:
    found = await look(place)
    assert found.status is Status.WARN
    assert place in found.advice


async def test_a_file_that_holds_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing of the kind")
    assert (await look(str(tmp_path / "x.pem"))).status is Status.WARN


async def test_a_host_that_speaks_no_tls() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        found = await look(f"localhost:{server.sockets[0].getsockname()[1]}")
    assert found.status is Status.WARN
