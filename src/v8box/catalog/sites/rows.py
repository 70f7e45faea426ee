"""Sites as the database has them: rows read into records, and all of them into the snapshot."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from v8box.catalog.held import read_held
from v8box.catalog.sites.model import Domain, Preview, ReleaseInfo, Site, SiteRoute, SiteTable
from v8box.storage import Row, Transaction, Value, load_queries

NEWER_THAN_ALL: Final = 1 << 62
_queries: Final = load_queries("v8box.catalog.sites")


def read_table(sql: Transaction, before: SiteTable) -> SiteTable:
    """The snapshot; `before` is the last one, whose functions need not be read again."""
    found = [site(row) for row in sql.rows(_queries["sites"], {"project": None, "name": None})]
    by_name = {each.name: each for each in found}
    live = {
        each.name: SiteRoute(site=each.name, project=each.project, key=each.live)
        for each in found
        if each.live is not None
    }
    previews: dict[str, SiteRoute] = {}
    for row in sql.rows(_queries["all_releases"]):
        name, label, key = str(row[0]), str(row[1]), str(row[2])
        route = SiteRoute(site=name, project=by_name[name].project, key=key, label=label)
        previews[f"{label}--{name}"] = route
    keys = {(str(row[0]), str(row[1])): str(row[2]) for row in sql.rows(_queries["preview_releases"])}
    for row in sql.rows(_queries["previews"], {"site": None}):
        shown = preview(row)
        previews[f"{shown.label}--{shown.site}"] = SiteRoute(
            site=shown.site,
            project=by_name[shown.site].project,
            key=keys[shown.site, shown.label],
            label=shown.label,
            password_hash=shown.password_hash,
            expires_at=None if shown.expires_at is None else shown.expires_at.timestamp(),
        )
    hosts = [domain(row) for row in sql.rows(_queries["domains"], {"site": None, "host": None})]
    verified = {each.host: live[each.site] for each in hosts if each.verified_at is not None and each.site in live}
    return SiteTable(
        sites=MappingProxyType(live),
        previews=MappingProxyType(previews),
        domains=MappingProxyType(verified),
        held=MappingProxyType(read_held(sql, before.held)),
    )


def find_site(sql: Transaction, project: str, name: str) -> Site | None:
    row = sql.row(_queries["sites"], {"project": project, "name": name})
    return None if row is None else site(row)


def find_release(sql: Transaction, name: str, number: int) -> ReleaseInfo | None:
    key: dict[str, Value] = {"site": name, "number": number, "before": NEWER_THAN_ALL, "limit": 1}
    row = sql.row(_queries["releases"], key)
    return None if row is None else release(row)


def _at(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


def site(row: Row) -> Site:
    name, project, live, live_number, number, settings, fingerprint, created_at, changed_at = row
    return Site(
        name=str(name),
        project=str(project),
        live=None if live is None else str(live),
        live_number=None if live_number is None else int(str(live_number)),
        number=int(str(number)),
        settings=MappingProxyType(msgspec.json.decode(str(settings), type=dict[str, Any])),
        fingerprint=str(fingerprint),
        created_at=_at(created_at),
        changed_at=_at(changed_at),
    )


def release(row: Row) -> ReleaseInfo:
    site, number, id_, key, files, size, created_at, created_by, message, pinned, report = row
    return ReleaseInfo(
        site=str(site),
        number=int(str(number)),
        id=str(id_),
        key=str(key),
        files=int(str(files)),
        size=int(str(size)),
        created_at=_at(created_at),
        created_by=str(created_by),
        message=str(message),
        pinned=bool(pinned),
        report=MappingProxyType(msgspec.json.decode(str(report), type=dict[str, Any])),
    )


def preview(row: Row) -> Preview:
    site, label, release, password_hash, expires_at, created_at = row
    return Preview(
        site=str(site),
        label=str(label),
        release=int(str(release)),
        password_hash=None if password_hash is None else str(password_hash),
        expires_at=None if expires_at is None else _at(expires_at),
        created_at=_at(created_at),
    )


def domain(row: Row) -> Domain:
    host, site, token, verified_at, created_at = row
    return Domain(
        host=str(host),
        site=str(site),
        token=str(token),
        verified_at=None if verified_at is None else _at(verified_at),
        created_at=_at(created_at),
    )
