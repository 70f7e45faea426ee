"""The checks of `v8box doctor` on the servers that the settings name: each is asked, as the box would ask it.

A server that is down is a warning: the box starts without it, and uses it when it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError
from v8box.cli.checks import Check, Mark
from v8box.errors import V8BoxError
from v8box.settings import S3, Libsql, ServerUrl, Valkey

_SECONDS: Final = 5.0


async def ask_libsql(settings: Libsql) -> list[Check]:
    """Nothing without LIBSQL_URL."""
    if settings.url is None:
        return []
    url, token = settings.url, settings.auth_token

    async def ask() -> Check:
        from v8box.bindings.db.libsql import LibsqlServer

        server = LibsqlServer(url.reveal(), token.reveal() if token else "")
        await server.start()
        try:
            await server.health()
        finally:
            await server.stop()
        if settings.admin_url is None:
            found = f"{url} answers; without V8BOX_LIBSQL_ADMIN_URL it has the default database only"
            return Check(Mark.GOOD, "libsql", found)
        return Check(Mark.GOOD, "libsql", f"{url} answers")

    return [await _asked("libsql", url, ask)]


async def ask_valkey(settings: Valkey) -> list[Check]:
    """Nothing without VALKEY_URL."""
    if settings.url is None:
        return []
    url = settings.url

    async def ask() -> Check:
        store = ValkeyStore(url.reveal())
        await store.start()
        try:
            await store.health()
        finally:
            await store.stop()
        if store.isolation == "prefix":
            advice = "let the box's user make users (ACL SETUSER), else only key prefixes part the projects"
            return Check(Mark.WARNING, "valkey", f"{url} answers, but makes no users for projects", advice)
        return Check(Mark.GOOD, "valkey", f"{url} answers; each project is a user of its own")

    return [await _asked("valkey", url, ask)]


async def ask_s3(settings: S3) -> list[Check]:
    """Nothing without S3_ENDPOINT."""
    if settings.endpoint is None or settings.access_key is None or settings.secret_key is None:
        return []
    url, key, secret = settings.endpoint, settings.access_key, settings.secret_key

    async def ask() -> Check:
        from v8box.bindings.s3.server import S3Server

        server = S3Server(url.reveal(), key.reveal(), secret.reveal(), settings.region)
        await server.start()
        try:
            await server.health()
        finally:
            await server.stop()
        return Check(Mark.GOOD, "s3", f"{url} answers")

    return [await _asked("s3", url, ask)]


async def _asked(name: str, url: ServerUrl, ask: Callable[[], Awaitable[Check]]) -> Check:
    advice = "start it, or mend its address and keys; the box starts without it and uses it when it is there"
    try:
        async with asyncio.timeout(_SECONDS):
            return await ask()
    except TimeoutError:
        return Check(Mark.WARNING, name, f"{url} did not answer within {_SECONDS:g} s", advice)
    except BindingError as error:
        return Check(Mark.WARNING, name, f"{url}: {error.message}", advice)
    except V8BoxError as error:
        return Check(Mark.WARNING, name, f"{url}: {error.detail}", advice)
