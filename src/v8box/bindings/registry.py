"""Which bindings there are, and how each is built from what the box has. A new binding is a folder and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import Launch
from v8box.bindings.interface import Binding
from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What bindings are built from."""

    data_dir: Path
    """The box's state: databases and objects go beneath."""
    valkey_url: str
    """`VALKEY_URL`, or the `url` of the private Valkey."""
    launch: Launch
    """Starts the database engines, so that they end with the box."""


def _db(resources: Resources) -> Binding:
    return DbBinding(EmbeddedDatabases(resources.data_dir / "databases", resources.launch))


def _cache(resources: Resources) -> Binding:
    return CacheBinding(ValkeyStore(resources.valkey_url))


def _s3(resources: Resources) -> Binding:
    return S3Binding(EmbeddedObjects(resources.data_dir / "objects"))


_BUILDERS: Final[tuple[Callable[[Resources], Binding], ...]] = (_db, _cache, _s3)


def build(resources: Resources) -> Mapping[str, Binding]:
    """All bindings by name, not started yet."""
    return {binding.name: binding for binding in (make(resources) for make in _BUILDERS)}
