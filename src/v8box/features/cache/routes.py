"""`/api/v1/projects/{project}/cache/…`: spaces, keys, what a key holds, and changes.

Names of keys and figures are for every member of the project. What keys hold may be secrets, sessions above all, so
values are for developers and up. The audit log gets the name of a key that was changed, never a value.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project
from v8box.api.operations import Operations, Progress
from v8box.api.v1 import OperationInfo, accepted, answer, no_content, router_v1
from v8box.bindings.cache.binding import CacheKeys
from v8box.bindings.cache.browser import Value, tag_of
from v8box.bindings.cache.editor import ABSENT, ANY, Change, If
from v8box.bindings.cache.spaces import MAX_KEY_BYTES, KeyNotFound, Space
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest
from v8box.features.cache import schemas
from v8box.telemetry.audit import Event

Record = Callable[[Event], Awaitable[None]]

_FIGURES: Final = [needs(Role.VIEWER)]
_VALUES: Final = [needs(Role.DEVELOPER)]
Viewer = Annotated[Principal, needs(Role.VIEWER)]
Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DATA)]
_FILE: Final = {"type": "string", "format": "binary"}
_SHOWN_KEY: Final = 200
_TAG: Final = re.compile(r'"([0-9a-f]{40})"')


@dataclass(frozen=True, slots=True)
class _Named:
    """A key that an address names."""

    space: Space
    key: bytes


def _space(
    project: Project,
    space: Annotated[
        str, Query(pattern=schemas.SPACE, description="`cache`, or `kv:` and the name of a KV namespace.")
    ] = "cache",
) -> Space:
    return space_of(project, space)


Here = Annotated[Space, Depends(_space)]


def _bytes(text: str | None, base64: str | None, what: str) -> bytes:
    """What the query names: a text, or in base64url what is none. Raises `BadRequest`."""
    if text is not None and base64 is not None:
        raise BadRequest(f"Say {what} or {what}_base64, not both.")
    try:
        if base64 is not None:
            return b64decode(base64 + "=" * (-len(base64) % 4), b"-_", validate=True)
        return (text or "").encode()
    except ValueError as error:
        raise BadRequest(f"{what}_base64 is base64 of the URL's alphabet; {what} is UTF-8 text.") from error


def _named(
    space: Here,
    key: Annotated[str | None, Query(max_length=MAX_KEY_BYTES, description="The key.")] = None,
    key_base64: Annotated[
        str | None, Query(max_length=2 * MAX_KEY_BYTES, description="The key, where it is no text: base64url.")
    ] = None,
) -> _Named:
    return _Named(space, _bytes(key, key_base64, "key"))


Named = Annotated[_Named, Depends(_named)]
Type = Annotated[
    str | None, Query(pattern="^[a-zA-Z0-9_-]{1,40}$", description="Only keys of this type; not in a namespace.")
]


def build_router(keys: CacheKeys, operations: Operations, record: Record) -> APIRouter:
    """The routes on what a project's workers keep. `record` writes into the audit log."""
    routes = router_v1("/projects/{project}/cache", "cache")
    browser, editor = keys.browser, keys.editor

    async def note(action: str, named: _Named, who: Principal, **after: Any) -> None:
        space = named.space
        event = Event(
            action=f"cache.{action}",
            resource=f"cache/{name_of(space)}",
            project=space.project,
            actor=who.actor,
            after={"key": named.key.decode("utf-8", "backslashreplace")[:_SHOWN_KEY], **after},
        )
        await record(event)

    async def described(named: _Named) -> schemas.CacheKeyInfo | None:
        try:
            return schemas.CacheKeyInfo.of(await browser.key(named.space, named.key), MAX_KEY_BYTES)
        except KeyNotFound:
            return None

    async def seen(named: _Named) -> schemas.CacheKeyInfo:
        found = await described(named)
        if found is None:
            raise KeyNotFound("it was done, but the key has expired by now")
        return found

    @routes.get("/spaces", response_model=schemas.CacheSpaces)
    async def list_cache_spaces(project: Project, who: Viewer) -> Response:
        """What the project keeps: by `cache` itself, and in each KV namespace."""
        measured = await browser.measured(project)
        known = measured.bytes is not None
        spaces = {None: None, **dict(sorted(measured.spaces.items(), key=lambda each: each[0] or ""))}
        items = [
            schemas.CacheSpace(
                space=name_of(Space(project, name)),
                keys=use.keys if use else 0 if known else None,
                bytes=use.bytes if use else 0 if known else None,
            )
            for name, use in spaces.items()
        ]
        age = measured.age_seconds
        return answer(
            schemas.CacheSpaces(
                items=items,
                bytes=measured.bytes,
                quota_bytes=measured.quota,
                measured_at=None if age is None else datetime.fromtimestamp(time.time() - age, UTC),
                measuring=measured.measuring,
                measurable=measured.able,
                server=await _server(keys) if who.role(None) >= Role.VIEWER else None,
            )
        )

    @routes.get("/keys", response_model=schemas.CacheKeyPage, dependencies=_FIGURES)
    async def list_cache_keys(
        space: Here,
        prefix: Annotated[str | None, Query(max_length=MAX_KEY_BYTES, description="What keys begin with.")] = None,
        prefix_base64: Annotated[str | None, Query(max_length=2 * MAX_KEY_BYTES, description="In base64url.")] = None,
        folders: Annotated[
            bool, Query(description="Puts keys together that have a `:` or a `/` behind the prefix.")
        ] = False,
        type: Type = None,
        limit: Annotated[int, Query(ge=1, le=500, description="About how many keys a page has.")] = 100,
        cursor: Annotated[str | None, Query(max_length=1_000, description="`next_cursor` of the page before.")] = None,
    ) -> Response:
        """Keys below a prefix, a stretch of the server at a time: in the order of names in a namespace, in none else.
        A key that is there all the time is on one of the pages; it may be on two."""
        start = _bytes(prefix, prefix_base64, "prefix")
        page = await browser.list_keys(space, start, folders=folders, kind=type, cursor=cursor, limit=limit)
        found = [schemas.CacheFolder(prefix=name.decode(), keys=count) for name, count in sorted(page.folders.items())]
        items = [schemas.CacheKeyInfo.of(key, MAX_KEY_BYTES) for key in page.keys]
        return answer(schemas.CacheKeyPage(items=items, folders=found, next_cursor=page.cursor))

    @routes.get("/value", response_model=schemas.CacheValue, dependencies=_VALUES)
    async def read_cache_value(
        named: Named,
        field: Annotated[str | None, Query(max_length=MAX_KEY_BYTES, description="One field of a hash.")] = None,
        field_base64: Annotated[str | None, Query(max_length=2 * MAX_KEY_BYTES, description="In base64url.")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="How many items a page has at most, or about.")] = 100,
        cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
    ) -> Response:
        """What a key holds. A string and a KV value have an ETag, for `If-Match`. An item is shown up to 16 KiB, alone
        on its page up to 1 MiB."""
        item = _bytes(field, field_base64, "field") if field is not None or field_base64 is not None else None
        value = await browser.read(named.space, named.key, cursor=cursor, limit=limit, item=item)
        return answer(_shown(value), headers={} if value.tag is None else {"etag": f'"{value.tag}"'})

    @routes.get(
        "/value/file",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {"schema": _FILE}}}},
        dependencies=_VALUES,
    )
    async def download_cache_value(named: Named) -> Response:
        """A string or a KV value as a file, however long it is."""
        headers = {"content-disposition": 'attachment; filename="value"', "cache-control": "no-store"}
        pieces = await browser.pieces(named.space, named.key)
        return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers)

    @routes.put("/value", response_model=schemas.CacheKeyInfo, responses={201: {"model": schemas.CacheKeyInfo}})
    async def put_cache_value(
        named: Named,
        body: schemas.CacheValueBody,
        request: Request,
        who: Writer,
        if_match: Annotated[str | None, Header(description="The ETag of the value that was seen.")] = None,
        if_none_match: Annotated[str | None, Header(description="`*`: only where there is nothing yet.")] = None,
    ) -> Response:
        """Sets a string, or a value of a namespace. What is of another type is never written over. The ETag is that of
        the new value."""
        only_if = _condition(if_match, if_none_match)
        value = schemas.to_bytes(body.value)
        metadata = None if body.metadata is None else msgspec.json.encode(body.metadata)
        await editor.put(named.space, named.key, value, metadata=metadata, ttl=body.ttl_seconds, only_if=only_if)
        await note("set", named, who, bytes=len(value))
        tag = tag_of(value if named.space.namespace is None else value + b"\0" + (metadata or b""))
        return answer(await seen(named), 201 if only_if == ABSENT else 200, {"etag": f'"{tag}"'})

    @routes.post("/items", response_model=schemas.CacheItemChanged)
    async def change_cache_items(named: Named, body: schemas.CacheItemBody, who: Writer) -> Response:
        """Changes one item of a hash, list, set, zset or stream, or makes one with its first item."""
        made = await editor.change(named.space, named.key, _change(body), _item_condition(body))
        await note(f"item.{body.action}", named, who, type=body.type)
        return answer(schemas.CacheItemChanged(key=await described(named), id=made))

    @routes.put("/ttl", response_model=schemas.CacheKeyInfo)
    async def set_cache_ttl(named: Named, body: schemas.CacheTtlBody, who: Writer) -> Response:
        """Sets when a key expires, or that it does not."""
        await editor.expire(named.space, named.key, body.ttl_seconds)
        await note("ttl", named, who, ttl_seconds=body.ttl_seconds)
        return answer(await seen(named))

    @routes.post("/rename", response_model=schemas.CacheKeyInfo)
    async def rename_cache_key(named: Named, body: schemas.CacheRenameBody, who: Writer) -> Response:
        """Gives a key another name, unless that is taken. Not in a namespace."""
        to = _Named(named.space, schemas.to_bytes(body.to))
        await editor.rename(named.space, named.key, to.key)
        await note("rename", named, who, to=to.key.decode("utf-8", "backslashreplace")[:_SHOWN_KEY])
        return answer(await seen(to))

    @routes.delete("/keys", status_code=204, response_model=None)
    async def delete_cache_key(
        named: Named,
        who: Writer,
        if_match: Annotated[str | None, Header(description="The ETag of the value that was seen.")] = None,
    ) -> Response:
        """Deletes one key."""
        await editor.delete(named.space, named.key, _condition(if_match, None))
        await note("delete", named, who)
        return no_content()

    @routes.post("/delete", response_model=OperationInfo, status_code=202)
    async def delete_cache_keys(project: Project, body: schemas.CacheDeleteBody, who: Writer) -> Response:
        """Deletes all keys that begin with a prefix, or counts them. The operation's result is how many:
        `{"keys": 12}`. Cancelled it leaves what it has not come to."""
        space, prefix = space_of(project, body.space), schemas.to_bytes(body.prefix)
        below = prefix.decode("utf-8", "backslashreplace")[:_SHOWN_KEY]

        async def work(progress: Progress) -> Any:
            def told(found: int, done: int, total: int) -> None:
                progress.step(f"{found} keys {'found' if body.dry_run else 'deleted'}")
                progress.count(done, total)

            return {"keys": await editor.remove_below(space, prefix, dry=body.dry_run, told=told)}

        kind = "cache.count" if body.dry_run else "cache.delete"
        if not body.dry_run:
            event = Event(
                action="cache.delete",
                resource=f"cache/{body.space}",
                project=project,
                actor=who.actor,
                after={"prefix": below, "everything": body.everything},
            )
            await record(event)
        return accepted(await operations.start(kind, project, who.actor, work))

    return routes


def space_of(project: str, name: str) -> Space:
    """The space with this name."""
    return Space(project, name.removeprefix("kv:") if name.startswith("kv:") else None)


def name_of(space: Space) -> str:
    """Its name in the API."""
    return "cache" if space.namespace is None else f"kv:{space.namespace}"


async def _server(keys: CacheKeys) -> schemas.CacheServer | None:
    try:
        counts = await keys.browser.server_counts()
    except BindingError:
        return None  # it does not tell, and nothing else depends on it
    return schemas.CacheServer(
        hits=counts.get("keyspace_hits"),
        misses=counts.get("keyspace_misses"),
        evicted=counts.get("evicted_keys"),
        expired=counts.get("expired_keys"),
        memory_bytes=counts.get("used_memory"),
        memory_limit_bytes=counts.get("maxmemory") or None,
    )


def _shown(value: Value) -> schemas.CacheValue:
    known = schemas.CacheKeyInfo.of(value.key, MAX_KEY_BYTES)
    return schemas.CacheValue(
        **dict(known),
        value=None if value.text is None else schemas.shown_start(value.text),
        cut=value.text is not None and value.text.cut,
        metadata=_metadata(value.metadata),
        items=[schemas.CacheItem.of(item) for item in value.items],
        next_cursor=value.cursor,
    )


def _metadata(encoded: bytes | None) -> Any:
    if encoded is None:
        return None
    try:
        return msgspec.json.decode(encoded)
    except msgspec.DecodeError:
        return encoded.decode("utf-8", "replace")  # not what the binding wrote


def _condition(if_match: str | None, if_none_match: str | None) -> If:
    if if_none_match is not None:
        if if_none_match.strip() != "*" or if_match is not None:
            raise BadRequest("If-None-Match takes * here, and stands without If-Match.")
        return ABSENT
    if if_match is None:
        return ANY
    if not (tag := _TAG.fullmatch(if_match.strip())):
        raise BadRequest('If-Match takes one tag here, as the ETag header of the value has it: "…".')
    return If("was", tag[1])


def _item_condition(body: schemas.CacheItemBody) -> If:
    if body.was is not None:
        was = schemas.to_bytes(body.was)
        if body.type == "zset":
            _number(was)
        return If("was", was)
    return ABSENT if body.new else ANY


def _number(text: bytes) -> None:
    try:
        float(text)
    except ValueError as error:
        raise BadRequest("was: the score of a zset's member is a number.") from error


def _change(body: schemas.CacheItemBody) -> Change:
    match body.type:
        case "list":
            at = b"" if body.index is None else str(body.index).encode()
        case "stream":
            at = (body.id or "*").encode()
        case _:
            at = b"" if body.name is None else schemas.to_bytes(body.name)
    value = b"" if body.value is None else schemas.to_bytes(body.value)
    if body.type == "zset" and body.score is not None:
        value = str(body.score).encode()
    more = [schemas.to_bytes(part) for pair in body.entry or () for part in pair]
    return Change(kind=body.type, what=body.action, at=at, value=value, more=more)
