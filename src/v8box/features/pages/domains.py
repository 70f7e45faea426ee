"""Proving that a host name is its owner's: by a TXT record, or by what answers at it over HTTP.

Either is enough. The record proves that one may change the zone, so it works before the name points here; the HTTP
check proves that the name points to this box already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from v8box.catalog.sites import Domain
from v8box.errors import BadRequest, V8BoxError
from v8box.kit.addresses import is_public

FindTexts = Callable[[str], Awaitable[Sequence[str]]]
"""The TXT records of a name; none when there is no such name."""
Fetch = Callable[[str], Awaitable[str]]
"""The body of what answers at an address, its first bytes; empty when nothing does."""

WELL_KNOWN: Final = "/.well-known/v8box/"
_MAX_BODY_BYTES: Final = 1_024
_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


class DomainOfTheBox(BadRequest):
    """This name is the box's own to give: it leads here whoever asks for it, so nothing can prove whose it is."""

    code = "domain_of_the_box"


class DomainNotVerified(V8BoxError):
    """Nothing proves yet that this host name is yours."""

    status = 409
    code = "domain_not_verified"


def check_not_the_boxs(host: str, domain: str) -> None:
    """Of the names below the box's own domain, the first level has the box's parts and the sites. `www` is none of
    them. Raises `DomainOfTheBox`."""
    name = host.rstrip(".").lower()
    label = name.removesuffix(f".{domain}")
    if label != name and "." not in label and label != "www":
        raise DomainOfTheBox(
            f"{name[:253]} is below the box's own domain, where its parts are and sites answer by their names. "
            "Use a name of a domain of your own."
        )


async def check(domain: Domain, find_texts: FindTexts, fetch: Fetch) -> None:
    """Raises `DomainNotVerified` saying what was looked for and what was found."""
    name = f"_v8box.{domain.host}"
    wanted = f"v8box={domain.token}"
    texts, body = await asyncio.gather(
        find_texts(name), fetch(f"http://{domain.host}{WELL_KNOWN}{domain.token}"), return_exceptions=True
    )
    if not isinstance(texts, BaseException) and wanted in texts:
        return
    if not isinstance(body, BaseException) and body.strip() == domain.token:
        return
    found = "no TXT record" if isinstance(texts, BaseException) or not texts else "other TXT records"
    raise DomainNotVerified(
        f'Nothing proves yet that {domain.host} is yours: set the TXT record {name} to "{wanted}" ({found} there now), '
        f"or point {domain.host} to this box, so that http://{domain.host}{WELL_KNOWN}… answers. New records take a "
        "while to be seen."
    )


async def find_texts(name: str) -> Sequence[str]:
    """Over DNS, as the machine is set up."""
    import dns.asyncresolver
    import dns.exception

    try:
        answer = await dns.asyncresolver.resolve(name, "TXT", lifetime=_SECONDS, raise_on_no_answer=False)
    except dns.exception.DNSException as error:
        _log.info("no TXT records of %s: %s", name, error)
        return ()
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer.rrset or ()]


async def fetch(url: str) -> str:
    """Over HTTP, at public addresses only, redirects not followed."""
    import aiohttp

    from v8box.gateway.pages.proxy import guarded_resolver

    connector = aiohttp.TCPConnector(resolver=guarded_resolver(is_public))
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                return ""
            return (await answer.content.read(_MAX_BODY_BYTES)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _log.info("nothing answers at %s: %s", url, error)
        return ""
