"""How long the certificates are good that visitors of the box get to see: asked of the hosts themselves, or read from
files.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from v8box.features.health.model import Finding, Result, Status, worst
from v8box.kit.phrases import Phrase, joined, parts_of, phrase

HANDSHAKE_SECONDS: Final = 5.0
CRITICAL_DAYS: Final = 3
_HTTPS: Final = 443


@dataclass(frozen=True, slots=True)
class _Seen:
    """A certificate, and what is wrong with it but its age."""

    ends: datetime
    fault: str = ""


class Certificates:
    """`places`: host names with or without a port, and absolute paths of PEM files."""

    def __init__(
        self,
        places: Sequence[str],
        *,
        warn_days: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._places = places
        self._warn_days = warn_days
        self._now = now
        self._trust = trust

    async def look(self) -> Finding:
        """All of them; the worst decides."""
        findings = await asyncio.gather(*(self._one(place) for place in self._places))
        results = [Result(place, each, 0.0) for place, each in zip(self._places, findings, strict=True)]
        return Finding(
            worst(results),
            joined(Phrase(f"{each.name}: {each.finding.value}", parts_of(each.finding.value)) for each in results),
            joined(each.finding.advice for each in results),
        )

    async def _one(self, place: str) -> Finding:
        try:
            if place.startswith("/"):
                seen = await asyncio.to_thread(_read, Path(place))
            else:
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    seen = await self._shake(place)
        except TimeoutError:
            silent = phrase("certificate_silent", "no TLS answer in time", place=place)
            return Finding(Status.WARN, silent, _unreachable(place))
        except (OSError, ValueError) as error:
            fault = str(error)[:190]
            unseen = phrase("certificate_unseen", f"not seen: {fault}", place=place, fault=fault)
            return Finding(Status.WARN, unseen, _unreachable(place))
        return self._judge(place, seen)

    def _judge(self, place: str, seen: _Seen) -> Finding:
        days = (seen.ends - self._now()).total_seconds() / 86_400
        renew = phrase(
            "renew_certificate",
            f"look in the log of the proxy why the certificate of {place} is not renewed",
            place=place,
        )
        if days <= 0:
            ago = int(-days)
            return Finding(
                Status.FAIL, phrase("certificate_expired", f"expired {ago} days ago", place=place, days=ago), renew
            )
        left = int(days)
        value = phrase("certificate_days", f"{left} days left", place=place, days=left)
        if seen.fault:
            refused = phrase(
                "certificate_refused",
                f"{value}, but browsers refuse it: {seen.fault}",
                place=place,
                days=left,
                fault=seen.fault,
            )
            return Finding(Status.FAIL, refused, phrase("get_certificate", f"get {place} a certificate", place=place))
        if days <= CRITICAL_DAYS:
            return Finding(Status.FAIL, value, renew)
        return Finding(Status.WARN, value, renew) if days <= self._warn_days else Finding(Status.OK, value)

    async def _shake(self, place: str) -> _Seen:
        """As a browser does; where it would refuse, once more to see until when the certificate would be good."""
        host, port = _host_and_port(place)
        try:
            return _Seen(_ends(await _certificate(host, port, self._trust())))
        except ssl.SSLCertVerificationError as error:
            careless = ssl.create_default_context()
            careless.check_hostname = False
            careless.verify_mode = ssl.CERT_NONE  # nothing is sent: only the dates are wanted
            return _Seen(_ends(await _certificate(host, port, careless)), error.verify_message or "not trusted")


async def _certificate(host: str, port: int, context: ssl.SSLContext) -> bytes:
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        found = connection.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    if found is None:
        raise OSError("the host showed no certificate")
    return found


def _read(path: Path) -> _Seen:
    """The first certificate of a PEM file: that of the host, its authorities follow."""
    from cryptography import x509

    found = x509.load_pem_x509_certificates(path.read_bytes())
    return _Seen(found[0].not_valid_after_utc)


def _ends(certificate: bytes) -> datetime:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).not_valid_after_utc


def _host_and_port(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    return (host, int(port)) if colon else (place, _HTTPS)


def _unreachable(place: str) -> Phrase:
    if place.startswith("/"):
        return phrase("read_certificate", f"let the user that runs the box read {place}", place=place)
    return phrase(
        "reach_host",
        f"look whether {place} leads to this box; set V8BOX_CERTIFICATES where it cannot be reached from inside",
        place=place,
    )
