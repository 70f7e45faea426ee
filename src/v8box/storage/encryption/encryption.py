"""Sealing for the whole box: one data key per project and one of the box's own, each wrapped by the master key.

`sealer(project)` seals and opens. Data keys are in memory from the start on, so that opening waits for nothing. A
rotation wraps all of them anew in one transaction; it can also make new ones, and has whoever holds sealed values seal
them again. Former data keys stay, since they open what was sealed a moment ago, or comes back with a backup.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from v8box.kit.keys import KEY_BYTES
from v8box.settings.values import Secret
from v8box.storage.database import Database, Transaction, Value
from v8box.storage.encryption.choice import Choice, KeySource, choose
from v8box.storage.encryption.envelope import MasterKey, number_of, open_sealed, seal
from v8box.storage.encryption.errors import MasterKeyElsewhere, SealBroken, SealedDataDamaged
from v8box.storage.encryption.key_folder import KeyFolder
from v8box.storage.migrations import load_migrations
from v8box.storage.sql import load_queries

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.storage.encryption")
_BOX: Final = ""  # the owner of the box's own data key; no project has this name

Note = Callable[[Transaction, str], None]
"""Takes part in the transaction of a rotation; is given the id of the master key after it."""
Holder = Callable[[str | None], Awaitable[int]]
"""Seals again what it holds of a project (None: the box) that `Sealer.is_old` says is old; gives how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionStatus:
    """What may be told of the keys."""

    key_id: str
    """The fingerprint of the master key."""
    source: KeySource
    since: datetime
    """When the data keys were first wrapped by it."""
    data_keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did."""

    key_id: str
    rewrapped: int
    """Data keys that were wrapped anew."""
    new_data_keys: int
    resealed: int
    """Values that were sealed again."""


class Encryption:
    """The keys of one box. `open` it before anything is sealed."""

    def __init__(self, database: Database, folder: KeyFolder, choice: Choice) -> None:
        self._database = database
        self._folder = folder
        self._master = choice.current
        self._source = choice.source
        self._keys: dict[str, dict[int, bytes]] = {}
        """By owner and number."""
        self._holders: list[Holder] = []
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Encryption({self._master.id})"

    @classmethod
    async def open(
        cls, database: Database, folder: Path, *, master_key: Secret | None = None, previous: Secret | None = None
    ) -> Encryption:
        """Finds the master key (see `choice`) and opens the data keys. What another known key wraps is wrapped by the
        master key from now on. Raises before anything is changed when a key is missing or wrong."""
        await database.migrate("encryption", load_migrations("v8box.storage.encryption"))
        rows = await database.read(lambda sql: sql.rows(_queries["all"]))
        key_folder = KeyFolder(folder)
        needed = frozenset(str(key_id) for _, _, key_id, _ in rows)
        choice = await asyncio.to_thread(choose, key_folder, needed, _parsed(master_key), _parsed(previous))
        encryption = cls(database, key_folder, choice)
        for owner, number, key_id, wrapped in rows:
            encryption._keep(str(owner), _integer(number), _unwrap(choice, owner, number, key_id, wrapped))
        if needed - {choice.current.id}:
            count = await encryption._wrap_all(choice.current, None)
            _log.warning(
                "%d data keys are wrapped by the master key %s now; the former key opens backups from before and is "
                "not needed otherwise",
                count,
                choice.current.id,
            )
        else:
            await database.write(lambda sql: _note_master_key(sql, choice.current))
        return encryption

    def sealer(self, project: str | None) -> Sealer:
        """What seals for a project, or with None for the box itself."""
        if project == _BOX:
            raise ValueError("a project has a name")
        return Sealer(self, _BOX if project is None else project)

    def hold(self, holder: Holder) -> None:
        """`holder` seals again what it keeps, when a rotation asks it to."""
        self._holders.append(holder)

    async def status(self) -> EncryptionStatus:
        row = await self._database.read(lambda sql: sql.row(_queries["master_key"]))
        if row is None:
            raise AssertionError("opening noted the master key")
        return EncryptionStatus(
            key_id=self._master.id,
            source=self._source,
            since=datetime.fromisoformat(str(row[1])),
            data_keys=sum(len(keys) for keys in self._keys.values()),
        )

    async def rotate(self, *, master_key: bool = True, data_keys: bool = False, note: Note | None = None) -> Rotated:
        """A new master key in the key file that wraps all data keys; with `data_keys` also new data keys, and all
        values sealed again. `note` takes part in the transaction (the audit log). Raises `MasterKeyElsewhere`."""
        return await _to_its_end(self._rotate(master_key=master_key, data_keys=data_keys, note=note))

    async def forget(self, project: str) -> None:
        """Removes a removed project's data keys: what they sealed is unreadable from then on, in backups of the values
        too."""
        async with self._changing:
            await self._database.write(lambda sql: sql.execute(_queries["forget"], {"owner": project}))
            self._keys.pop(project, None)

    # ---- rotating

    async def _rotate(self, *, master_key: bool, data_keys: bool, note: Note | None) -> Rotated:
        if master_key and self._source is not KeySource.FILE:
            raise MasterKeyElsewhere(
                "The master key comes from V8BOX_MASTER_KEY. Set that to the new key and V8BOX_MASTER_KEY_PREVIOUS to "
                "the present one, and start the box again: it wraps all data keys anew at its start."
            )
        async with self._changing:
            rewrapped = await self._replace_master_key(note) if master_key else 0
            owners = sorted(self._keys) if data_keys else []
            await self._add(owners, None if master_key else note)
        resealed = sum([await holder(owner or None) for owner in owners for holder in self._holders])
        return Rotated(key_id=self._master.id, rewrapped=rewrapped, new_data_keys=len(owners), resealed=resealed)

    async def _replace_master_key(self, note: Note | None) -> int:
        rows = await self._database.read(lambda sql: sql.rows(_queries["master_keys"]))
        used = frozenset(str(key_id) for (key_id,) in rows)
        key = await asyncio.to_thread(self._folder.begin, used)
        count = await self._wrap_all(key, note)
        # From here on the data needs the new key: should the files not be put in order, the next start does it.
        self._master = key
        await asyncio.to_thread(self._folder.finish)
        return count

    async def _wrap_all(self, key: MasterKey, note: Note | None) -> int:
        def wrap(sql: Transaction) -> int:
            count = 0
            for owner, keys in self._keys.items():
                for number, data_key in keys.items():
                    wrapped = key.wrap(data_key, owner, number)
                    row: dict[str, Value] = {"owner": owner, "number": number, "master_key": key.id, "wrapped": wrapped}
                    sql.execute(_queries["rewrap"], row)
                    count += 1
            _note_master_key(sql, key)
            if note is not None:
                note(sql, key.id)
            return count

        return await self._database.write(wrap)

    # ---- data keys

    def _keep(self, owner: str, number: int, key: bytes) -> None:
        self._keys.setdefault(owner, {})[number] = key

    async def _add(self, owners: Sequence[str], note: Note | None = None) -> None:
        """A new data key for each of them, all in one transaction."""
        master = self._master
        fresh = {owner: secrets.token_bytes(KEY_BYTES) for owner in owners}

        def add(sql: Transaction) -> dict[str, int]:
            numbers: dict[str, int] = {}
            for owner, data_key in fresh.items():
                row = sql.row(_queries["newest"], {"owner": owner})
                number = numbers[owner] = 1 + _integer(row[0] if row else 0)
                wrapped = master.wrap(data_key, owner, number)
                place: dict[str, Value] = {"owner": owner, "number": number}
                sql.execute(_queries["add"], {**place, "master_key": master.id, "wrapped": wrapped, "at": _now()})
            if note is not None:
                note(sql, master.id)
            return numbers

        for owner, number in (await self._database.write(add)).items():
            self._keep(owner, number, fresh[owner])

    async def _ensure(self, owner: str) -> None:
        async with self._changing:
            if owner not in self._keys:
                await self._add((owner,))

    async def ensure(self, owner: str) -> None:
        """Makes the owner's first data key if there is none."""
        if owner not in self._keys:
            await _to_its_end(self._ensure(owner))

    def newest(self, owner: str) -> tuple[int, bytes]:
        """The data key that seals."""
        keys = self._keys[owner]
        number = max(keys)
        return number, keys[number]

    def key(self, owner: str, number: int) -> bytes:
        """Raises `SealBroken`."""
        try:
            return self._keys[owner][number]
        except KeyError:
            raise SealBroken from None

    def is_newest(self, owner: str, number: int) -> bool:
        return number == max(self._keys.get(owner, {0: b""}))


class Sealer:
    """Seals and opens for one owner. `purpose` is the kind of secret (`variables`, `totp`), `name` which of them: what
    was sealed for one opens for no other. The same value sealed twice gives different bytes."""

    __slots__ = ("_encryption", "_owner")

    def __init__(self, encryption: Encryption, owner: str) -> None:
        self._encryption = encryption
        self._owner = owner

    async def seal(self, purpose: str, name: str, plain: bytes) -> bytes:
        await self.ready()
        return self.seal_now(purpose, name, plain)

    async def ready(self) -> None:
        """So that `seal_now` can be used, e.g. inside a transaction, which cannot wait."""
        await self._encryption.ensure(self._owner)

    def seal_now(self, purpose: str, name: str, plain: bytes) -> bytes:
        """Seals without waiting, after `ready`, in any thread."""
        number, key = self._encryption.newest(self._owner)
        return seal(key, number, plain, self._owner, purpose, name)

    def open(self, purpose: str, name: str, sealed: bytes) -> bytes:
        """Raises `SealBroken`."""
        key = self._encryption.key(self._owner, number_of(sealed))
        return open_sealed(key, sealed, self._owner, purpose, name)

    def is_old(self, sealed: bytes) -> bool:
        """Whether a newer data key than the one that sealed this is there."""
        return not self._encryption.is_newest(self._owner, number_of(sealed))


async def _to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """A change that began ends, whoever stops waiting: keys in memory, files and database must not come apart."""
    return await asyncio.shield(asyncio.ensure_future(change))


def _unwrap(choice: Choice, *row: Any) -> bytes:
    owner, number, key_id, wrapped = row
    try:
        return choice.known[str(key_id)].unwrap(bytes(wrapped), str(owner), int(number))
    except SealBroken:
        whose = f"the project {owner}" if owner else "the box"
        raise SealedDataDamaged(
            f"The data key {number} of {whose} does not open with the master key {key_id} that it names: catalog.db "
            "was damaged or changed. Put it back from a backup; nothing was changed."
        ) from None


def _note_master_key(sql: Transaction, key: MasterKey) -> None:
    sql.execute(_queries["set_master_key"], {"id": key.id, "at": _now()})


def _parsed(key: Secret | None) -> MasterKey | None:
    return None if key is None else MasterKey.parse(key.reveal())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise AssertionError("the column is an integer")
    return value
