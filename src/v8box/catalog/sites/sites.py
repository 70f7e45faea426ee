"""The sites of the box: what changes them, and the snapshot of what answers at which host.

A change writes its rows, history and audit entry in one transaction, then swaps the snapshot. The bytes of a release
are in the blob store before its row is written, so a crash leaves blobs that nobody refers to, never a release without
its bytes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from v8box.catalog import held
from v8box.catalog.held import Arrived
from v8box.catalog.sites import rows
from v8box.catalog.sites.model import Domain, Preview, ReleaseInfo, Site, SiteTable
from v8box.catalog.sites.names import (
    DomainTaken,
    ReleaseInUse,
    SiteChanged,
    SiteTaken,
    check_label,
    check_site_name,
    read_host_name,
)
from v8box.catalog.sites.rows import NEWER_THAN_ALL, find_release, find_site, read_table
from v8box.errors import NotFound
from v8box.storage import Database, Transaction, Value, load_migrations, load_queries
from v8box.telemetry import audit
from v8box.telemetry.actors import RETENTION, Actor

T = TypeVar("T")

_queries: Final = load_queries("v8box.catalog.sites")
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_log: Final = logging.getLogger(__name__)


class Keep(Enum):
    """What a change leaves as it is."""

    KEEP = auto()


KEEP: Final = Keep.KEEP


class Sites:
    """All sites of the box."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = SiteTable()
        self._subscribers: list[Callable[[SiteTable], None]] = []
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, database: Database) -> Sites:
        await audit.open_audit(database)
        await database.migrate("catalog", load_migrations("v8box.catalog"))  # where what releases hold is
        await database.migrate("sites", load_migrations("v8box.catalog.sites"))
        sites = cls(database)
        await sites.reload()
        return sites

    # ---- the snapshot

    @property
    def table(self) -> SiteTable:
        """The current snapshot. Reading it costs nothing and never waits."""
        return self._table

    def subscribe(self, subscriber: Callable[[SiteTable], None]) -> None:
        """Calls `subscriber` with every new snapshot, at once. It must return at once."""
        self._subscribers.append(subscriber)

    async def reload(self) -> None:
        """Read everything again, as at start, or after another node changed it."""
        async with self._changing:
            await self._reload()

    async def _reload(self) -> None:
        self._table = await self._database.read(partial(read_table, before=self._table))
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(self._table)
            except Exception:
                _log.exception("a subscriber of the sites failed")

    async def _change(self, write: Callable[[Transaction], Any]) -> Any:
        """A change that began ends, whoever stops waiting."""

        async def both() -> Any:
            async with self._changing:
                result = await self._database.write(write)
                await self._reload()
                return result

        return await asyncio.shield(asyncio.ensure_future(both()))

    # ---- sites

    async def list(self, project: str | None = None) -> Sequence[Site]:
        key = {"project": project, "name": None}
        found = await self._database.read(lambda sql: sql.rows(_queries["sites"], key))
        return [rows.site(row) for row in found]

    async def overview(self, project: str) -> Sequence[tuple[Site, ReleaseInfo | None, Sequence[Domain]]]:
        """The sites of a project by name, each with its live release (without the report) and its host names."""
        key = {"project": project}

        def read(sql: Transaction) -> Sequence[tuple[Site, ReleaseInfo | None, Sequence[Domain]]]:
            live = {str(row[0]): rows.release(row) for row in sql.rows(_queries["live_of_project"], key)}
            hosts: dict[str, list[Domain]] = {}
            for row in sql.rows(_queries["domains_of_project"], key):
                domain = rows.domain(row)
                hosts.setdefault(domain.site, []).append(domain)
            found = [rows.site(row) for row in sql.rows(_queries["sites"], {**key, "name": None})]
            return [(site, live.get(site.name), hosts.get(site.name, ())) for site in found]

        return await self._database.read(read)

    async def get(self, project: str, name: str) -> Site:
        """Raises `NotFound`, also for another project's."""
        found = await self._database.read(lambda sql: find_site(sql, project, name))
        if found is None:
            raise NotFound(f"There is no site called {name[:63]}")
        return found

    async def check_free(self, name: str) -> None:
        """Raises `SiteTaken` when there is a site of the name, whosever it is."""
        key = {"project": None, "name": name}
        if await self._database.read(lambda sql: sql.rows(_queries["sites"], key)):
            raise SiteTaken

    async def create(self, project: str, name: str, actor: Actor) -> Site:
        """Raises `BadSiteName`, `SiteTaken`."""
        check_site_name(name)

        def write(sql: Transaction) -> None:
            if sql.rows(_queries["sites"], {"project": None, "name": name}):
                raise SiteTaken
            sql.execute(_queries["add_site"], {"name": name, "project": project, "at": _now()})
            _note(sql, "site.create", project, name, actor)

        await self._change(write)
        return await self.get(project, name)

    async def delete(self, project: str, name: str, actor: Actor) -> Sequence[tuple[str, str]]:
        """The site with its releases, previews, domains and functions. Gives project and name of the workers that went
        with it. Raises `NotFound`."""

        def write(sql: Transaction) -> Sequence[tuple[str, str]]:
            if find_site(sql, project, name) is None:
                raise NotFound(f"There is no site called {name[:63]}")
            sql.execute(_queries["delete_site"], {"name": name})
            gone = held.let_go(sql, name, None, actor)
            _note(sql, "site.delete", project, name, actor)
            return gone

        gone: Sequence[tuple[str, str]] = await self._change(write)
        return gone

    async def set_settings(self, project: str, name: str, settings: Mapping[str, Any], actor: Actor) -> Site:
        """Replaces what people set of the site; the next release is made with it."""
        before = await self.get(project, name)
        text = _encode(dict(settings)).decode()

        def write(sql: Transaction) -> None:
            sql.execute(_queries["set_settings"], {"name": name, "settings": text, "at": _now()})
            _note(sql, "site.settings", project, name, actor, dict(before.settings), dict(settings))

        await self._change(write)
        return await self.get(project, name)

    # ---- releases

    async def add_release(
        self,
        project: str,
        site: str,
        *,
        key: str,
        files: int,
        size: int,
        report: Mapping[str, Any],
        actor: Actor,
        message: str = "",
        live: bool = True,
        fingerprint: str | None = None,
        functions: Sequence[Arrived] = (),
        functions_of: int | None = None,
    ) -> ReleaseInfo:
        """A release whose bytes are all stored, with its functions, or with those of another release. Unless told
        otherwise it goes live. Raises `NotFound`, `CountQuotaExceeded`."""

        def write(sql: Transaction) -> int:
            if find_site(sql, project, site) is None:
                raise NotFound(f"There is no site called {site[:63]}")
            ((number,),) = sql.rows(_queries["next_release"], {"site": site})
            row: dict[str, Any] = {"site": site, "number": number, "key": key, "files": files, "bytes": size}
            row["id"] = secrets.token_hex(5)
            row |= {"at": _now(), "by": actor.name, "message": message, "report": _encode(dict(report)).decode()}
            sql.execute(_queries["add_release"], row)
            held.hold(sql, site, int(str(number)), functions, actor, message)
            if functions_of is not None:
                held.hold_same(sql, site, int(str(number)), functions_of)
            if live:
                _go_live(sql, project, site, int(str(number)), key, "deployed", actor, message, fingerprint)
            else:
                _note(sql, "site.release", project, site, actor, None, {"release": number, "message": message})
            return int(str(number))

        number = await self._change(write)
        return await self.release(project, site, number)

    async def improve_release(
        self, project: str, site: str, number: int, *, before: str, key: str, report: Mapping[str, Any]
    ) -> bool:
        """The same release with its files compressed or made smaller: the bytes that visitors see stay what they are,
        or show the same. Tells whether the release was still there."""

        def write(sql: Transaction) -> bool:
            if find_site(sql, project, site) is None:
                return False
            row: dict[str, Value] = {"site": site, "number": number, "before": before, "key": key}
            found = sql.rows(_queries["improve_release"], {**row, "report": _encode(dict(report)).decode()})
            if found:
                sql.execute(_queries["improve_live"], row)
            return bool(found)

        return bool(await self._change(write))

    async def releases(
        self, project: str, site: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[ReleaseInfo]:
        """Newest first. Raises `NotFound` for an unknown site."""
        await self.get(project, site)
        key: dict[str, Value] = {
            "site": site,
            "number": None,
            "limit": limit,
            "before": NEWER_THAN_ALL if before is None else before,
        }
        return [rows.release(row) for row in await self._database.read(lambda sql: sql.rows(_queries["releases"], key))]

    async def release(self, project: str, site: str, number: int) -> ReleaseInfo:
        """Raises `NotFound`."""
        await self.get(project, site)
        found = await self._database.read(lambda sql: find_release(sql, site, number))
        if found is None:
            raise NotFound(f"{site} has no release {number}")
        return found

    async def go_live(
        self,
        project: str,
        site: str,
        number: int,
        actor: Actor,
        *,
        change: str = "rolled_back",
        message: str = "",
        expected: int | None = None,
    ) -> Site:
        """Makes a release that is there the live one. Raises `NotFound`, `SiteChanged`."""

        def write(sql: Transaction) -> None:
            present = find_site(sql, project, site)
            release = None if present is None else find_release(sql, site, number)
            if present is None or release is None:
                raise NotFound(f"{site[:63]} has no release {number}")
            if expected is not None and present.number != expected:
                raise SiteChanged(f"The site was changed meanwhile: it is at change {present.number}, not {expected}")
            _go_live(sql, project, site, number, release.key, change, actor, message, None)

        await self._change(write)
        return await self.get(project, site)

    async def before_live(self, project: str, site: str) -> int:
        """The number of the release that was live before the present one. Raises `NotFound`."""
        present = await self.get(project, site)
        for entry in await self.history(project, site, limit=200):
            number = entry["release"]
            if present.live_number is not None and number < present.live_number:
                release = await self._database.read(partial(find_release, name=site, number=number))
                if release is not None:
                    return int(number)
        raise NotFound(f"{site} has no earlier release to go back to")

    async def history(self, project: str, site: str, *, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """What went live when, newest first."""
        await self.get(project, site)
        key: dict[str, Value] = {"site": site, "before": NEWER_THAN_ALL, "limit": limit}
        found = await self._database.read(lambda sql: sql.rows(_queries["history"], key))
        names = ("number", "change", "release", "at", "by", "message")
        return [dict(zip(names, row, strict=True)) for row in found]

    async def describe_release(
        self,
        project: str,
        site: str,
        number: int,
        actor: Actor,
        *,
        message: str | None = None,
        pinned: bool | None = None,
    ) -> ReleaseInfo:
        before = await self.release(project, site, number)
        after = {
            "message": before.message if message is None else message,
            "pinned": before.pinned if pinned is None else pinned,
        }

        def write(sql: Transaction) -> None:
            row: dict[str, Value] = {"site": site, "number": number, "message": str(after["message"])}
            row["pinned"] = int(bool(after["pinned"]))
            sql.execute(_queries["describe_release"], row)
            was = {"message": before.message, "pinned": before.pinned}
            _note(sql, "site.describe", project, site, actor, {"release": number, **was}, {"release": number, **after})

        await self._change(write)
        return await self.release(project, site, number)

    async def delete_release(self, project: str, site: str, number: int, actor: Actor) -> None:
        """Raises `NotFound`, `ReleaseInUse`."""

        def write(sql: Transaction) -> None:
            present = find_site(sql, project, site)
            release = None if present is None else find_release(sql, site, number)
            if present is None or release is None:
                raise NotFound(f"{site[:63]} has no release {number}")
            shown = any(int(str(row[2])) == number for row in sql.rows(_queries["previews"], {"site": site}))
            if present.live_number == number or release.pinned or shown:
                raise ReleaseInUse
            sql.execute(_queries["delete_release"], {"site": site, "number": number})
            held.let_go(sql, site, number, actor)
            _note(sql, "site.release_delete", project, site, actor, {"release": number})

        await self._change(write)

    async def prune(self, keep: int) -> int:
        """Removes the releases beyond each site's newest `keep` that nothing needs, and previews that have expired."""

        def write(sql: Transaction) -> int:
            gone = 0
            for row in sql.rows(_queries["sites"], {"project": None, "name": None}):
                site = rows.site(row)
                old = sql.rows(_queries["releases_to_prune"], {"site": site.name, "keep": keep})
                for (number,) in old:
                    sql.execute(_queries["delete_release"], {"site": site.name, "number": number})
                    held.let_go(sql, site.name, int(str(number)), RETENTION)
                if old:
                    numbers = [number for (number,) in old]
                    _note(sql, "site.prune", site.project, site.name, RETENTION, {"releases": numbers})
                gone += len(old)
            gone += len(sql.rows(_queries["delete_expired_previews"], {"now": _now()}))
            return gone

        return int(await self._change(write))

    async def keys(self) -> Sequence[str]:
        """The blob keys of every release there is."""
        return [str(row[0]) for row in await self._database.read(lambda sql: sql.rows(_queries["keys"]))]

    # ---- previews

    async def previews(self, project: str, site: str) -> Sequence[Preview]:
        await self.get(project, site)
        return [
            rows.preview(row)
            for row in await self._database.read(lambda sql: sql.rows(_queries["previews"], {"site": site}))
        ]

    async def set_preview(
        self,
        project: str,
        site: str,
        label: str,
        number: int,
        actor: Actor,
        *,
        password_hash: str | Keep | None = KEEP,
        expires_at: datetime | Keep | None = KEEP,
    ) -> None:
        """Shows a release under a name. A password that is there stays unless it is taken off: another release at the
        same name throws nothing open. So does an end that is still to come. Raises `BadRequest`, `NotFound`."""
        check_label(label, site)
        await self.release(project, site, number)
        row: dict[str, Value] = {"site": site, "label": label, "release": number, "at": _now()}
        row["keep_password"], row["password_hash"] = password_hash is KEEP, _given(password_hash)
        until = _given(expires_at)
        row["keep_end"] = expires_at is KEEP
        row["expires_at"] = None if until is None else until.astimezone(UTC).isoformat()

        def write(sql: Transaction) -> None:
            ((held, end),) = sql.rows(_queries["set_preview"], row)
            after = {"label": label, "release": number, "password": held is not None, "expires_at": end}
            _note(sql, "site.preview", project, site, actor, None, after)

        await self._change(write)

    async def delete_preview(self, project: str, site: str, label: str, actor: Actor) -> None:
        """Raises `NotFound`."""
        await self.get(project, site)

        def write(sql: Transaction) -> None:
            if not sql.rows(_queries["delete_preview"], {"site": site, "label": label}):
                raise NotFound(f"{site} has no preview called {label[:63]}")
            _note(sql, "site.preview_delete", project, site, actor, {"label": label})

        await self._change(write)

    # ---- domains

    async def domains(self, project: str, site: str) -> Sequence[Domain]:
        await self.get(project, site)
        key = {"site": site, "host": None}
        return [rows.domain(row) for row in await self._database.read(lambda sql: sql.rows(_queries["domains"], key))]

    async def domains_of(self, host: str) -> Sequence[Domain]:
        """The domain with this host name, whosever it is; none when there is none."""
        key = {"site": None, "host": host}
        return [rows.domain(row) for row in await self._database.read(lambda sql: sql.rows(_queries["domains"], key))]

    async def domain(self, project: str, site: str, host: str) -> Domain:
        """Raises `NotFound`."""
        for domain in await self.domains(project, site):
            if domain.host == host:
                return domain
        raise NotFound(f"{site} has no domain {host[:253]}")

    async def add_domain(self, project: str, site: str, host: str, actor: Actor) -> Domain:
        """Notes a host name; it answers once it is verified. Raises `BadRequest`, `DomainTaken`."""
        name = read_host_name(host)
        await self.get(project, site)

        def write(sql: Transaction) -> None:
            if sql.rows(_queries["domains"], {"site": None, "host": name}):
                raise DomainTaken
            row = {"host": name, "site": site, "token": secrets.token_hex(16), "at": _now()}
            sql.execute(_queries["add_domain"], row)
            _note(sql, "site.domain", project, site, actor, None, {"host": name})

        await self._change(write)
        return await self.domain(project, site, name)

    async def verify_domain(self, project: str, site: str, host: str, actor: Actor) -> Domain:
        """Lets the host answer. Whether it is the owner's was checked before."""
        await self.domain(project, site, host)

        def write(sql: Transaction) -> None:
            sql.execute(_queries["verify_domain"], {"host": host, "at": _now()})
            _note(sql, "site.domain_verify", project, site, actor, None, {"host": host})

        await self._change(write)
        return await self.domain(project, site, host)

    async def delete_domain(self, project: str, site: str, host: str, actor: Actor) -> None:
        """Raises `NotFound`."""
        await self.domain(project, site, host)

        def write(sql: Transaction) -> None:
            sql.rows(_queries["delete_domain"], {"host": host, "site": site})
            _note(sql, "site.domain_delete", project, site, actor, {"host": host})

        await self._change(write)


def _given(value: T | Keep | None) -> T | None:
    return None if isinstance(value, Keep) else value


def _go_live(
    sql: Transaction,
    project: str,
    site: str,
    number: int,
    key: str,
    change: str,
    actor: Actor,
    message: str,
    fingerprint: str | None,
) -> None:
    before = find_site(sql, project, site)
    pointer = {"site": site, "key": key, "fingerprint": fingerprint, "at": _now()}
    ((count,),) = sql.rows(_queries["go_live"], pointer)
    entry: dict[str, Any] = {"site": site, "number": count, "change": change, "release": number, "at": _now()}
    sql.execute(_queries["add_history"], {**entry, "by": actor.name, "message": message})
    sql.execute(_queries["trim_history"], {"site": site})
    was = None if before is None else {"release": before.live_number}
    _note(sql, f"site.{change}", project, site, actor, was, {"release": number, "message": message})


def _note(
    sql: Transaction, action: str, project: str, site: str, actor: Actor, before: Any = None, after: Any = None
) -> None:
    event = audit.Event(
        action=action, resource=f"site/{site}", project=project, actor=actor, before=before, after=after
    )
    audit.append(sql, event)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _at(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
