"""Lists in pages: `?limit=&cursor=`, answered as `{"items": […], "next_cursor": null | "…"}`.

A cursor is the position of the last item that was shown, not a number of items to skip: what is added or removed
meanwhile makes nobody see an item twice or miss one. It is opaque to clients and opens nothing: rights are checked at
each request, and its checksum covers the list and the filters it came from, so that one that was made up, cut or taken
from elsewhere is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from v8box.errors import BadRequest

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50
_CHECK_BYTES: Final = 8

T = TypeVar("T")
Position = tuple[str | int | float, ...]
"""What a list is ordered by, for one item, unique in the list: `(name,)`, `(created_at, id)`."""


class Page(BaseModel, Generic[T]):
    """For the OpenAPI document: one page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="For `?cursor=`: the page that follows. `null`: this is the last one.")


@dataclass(frozen=True, slots=True)
class Paging:
    """The page that a request asks for. `fetch` one item more than it shows, to know whether another page follows."""

    limit: int
    cursor: str | None
    about: bytes
    """The list and its filters; a cursor of another one does not fit."""

    @property
    def fetch(self) -> int:
        return self.limit + 1

    def after(self, *kinds: type) -> Position | None:
        """The position of the last item of the page before, its parts of these types (`after(str, int)`); None: from
        the beginning. Raises `BadRequest`."""
        if self.cursor is None:
            return None
        position = self._decode(self.cursor)
        if len(position) != len(kinds) or any(
            type(part) is not kind for part, kind in zip(position, kinds, strict=True)
        ):
            raise _refused()
        return position

    def page(
        self, fetched: Sequence[T], position: Callable[[T], Position], show: Callable[[T], Any] | None = None
    ) -> dict[str, Any]:
        """The answer, of up to `fetch` items that come after the cursor."""
        shown = fetched[: self.limit]
        more = len(fetched) > self.limit
        return {
            "items": list(shown) if show is None else [show(item) for item in shown],
            "next_cursor": self._encode(position(shown[-1])) if more else None,
        }

    def page_up_to(self, shown: Sequence[Any], last: Position | None) -> dict[str, Any]:
        """The answer, of a list that was looked through up to a position; None: to its end. The page may be short, or
        empty, though others follow."""
        return {"items": list(shown), "next_cursor": None if last is None else self._encode(last)}

    def page_of_all(
        self,
        items: Sequence[T],
        position: Callable[[T], Position],
        show: Callable[[T], Any] | None = None,
        *,
        newest_first: bool = False,
    ) -> dict[str, Any]:
        """The answer, of a list that is in memory as a whole, whatever its order."""
        ordered = sorted(items, key=position, reverse=newest_first)
        if self.cursor is not None:
            kinds = [type(part) for part in position(ordered[0])] if ordered else []
            last = self.after(*kinds) if ordered else self._decode(self.cursor)
            ordered = [item for item in ordered if _is_after(position(item), last, newest_first)]
        return self.page(ordered[: self.fetch], position, show)

    def _encode(self, position: Position) -> str:
        body = msgspec.json.encode(position)
        return base64.urlsafe_b64encode(self._check(body) + body).rstrip(b"=").decode()

    def _decode(self, cursor: str) -> Position:
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            body = data[_CHECK_BYTES:]
            if data[:_CHECK_BYTES] != self._check(body):
                raise _refused()
            return msgspec.json.decode(body, type=tuple[str | int | float, ...])
        except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
            raise _refused() from error

    def _check(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_CHECK_BYTES, key=b"v8box cursor", person=self.about).digest()


def _is_after(position: Position, last: Position | None, newest_first: bool) -> bool:
    if last is None:
        return True
    return position < last if newest_first else position > last


def _refused() -> BadRequest:
    return BadRequest("cursor: take `next_cursor` of the page before as it is, with the same filters.")


def _paging(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items a page has at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=1_000, description="`next_cursor` of the page before.")] = None,
) -> Paging:
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _OWN)
    about = hashlib.blake2b(msgspec.json.encode([request.url.path, filters]), digest_size=16).digest()
    return Paging(limit, cursor, about)


_OWN: Final = frozenset({"limit", "cursor"})

Paged = Annotated[Paging, Depends(_paging)]
"""A parameter of a route that lists."""
