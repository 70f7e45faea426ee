"""Memory and disk: bounds, fairness, what moves between them, files that are not whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from v8box.gateway.cache import disk as disk_module
from v8box.gateway.cache.directives import Freshness
from v8box.gateway.cache.disk import DiskTier
from v8box.gateway.cache.entries import Belongs, Entry, Owner
from v8box.gateway.cache.keys import Key
from v8box.gateway.cache.memory import MemoryTier
from v8box.gateway.cache.purges import Purges
from v8box.gateway.cache.store import Store

HELLO = Owner("default", "worker", "hello")
OTHER = Owner("default", "worker", "other")
MIB = 1_048_576


def a_key(number: int = 0, owner: Owner = HELLO) -> Key:
    return Key(owner.name, "localhost", f"/{number}", "")


def an_entry(body: bytes = b"one", owner: Owner = HELLO, *, tags: tuple[str, ...] = (), born: int = 1) -> Entry:
    return Entry(
        200,
        [(b"content-type", b"text/plain")],
        body,
        Freshness(600.0, while_revalidating=5.0, shared=True),
        Belongs(owner, "g", "/x", tags),
        stored_at=asyncio.get_running_loop().time(),
        born=born,
    )


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[DiskTier]:
    tier = DiskTier(tmp_path / "responses", 4 * MIB)
    await tier.open()
    yield tier
    await asyncio.to_thread(tier.stop)


async def written(tier: DiskTier) -> None:
    while tier._tasks:
        await asyncio.gather(*tier._tasks)


def files(folder: Path) -> list[Path]:
    return [each for each in (folder / "responses").rglob("*") if each.is_file()]


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def quiet(tier: DiskTier) -> None:
    """What was begun on disk is done."""
    await written(tier)
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(tier._threads, lambda: None) for _ in range(8)))


# ---- memory


async def test_memory_holds_no_more_than_it_may() -> None:
    evicted: list[Key] = []
    memory = MemoryTier(MIB, lambda key, _: evicted.append(key))
    for number in range(200):
        memory.put(a_key(number), an_entry(b"x" * 10_000))
        assert memory.bytes <= MIB
    assert evicted == [a_key(number) for number in range(len(evicted))], "the oldest go"
    assert memory.get(HELLO, a_key(199)) is not None
    assert memory.held(HELLO) == (200 - len(evicted), memory.bytes)


async def test_what_was_used_stays() -> None:
    memory = MemoryTier(MIB, lambda *_: None)
    memory.put(a_key(0), an_entry(b"x" * 10_000))
    for number in range(1, 200):
        memory.put(a_key(number), an_entry(b"x" * 10_000))
        assert memory.get(HELLO, a_key(0)) is not None


async def test_one_workers_flood_drives_out_its_own() -> None:
    memory = MemoryTier(MIB, lambda *_: None)
    for number in range(5):
        memory.put(a_key(number, OTHER), an_entry(b"x" * 10_000, OTHER))
    for number in range(1_000):
        memory.put(a_key(number), an_entry(b"x" * 1_000))
    assert memory.held(OTHER)[0] == 5


async def test_long_keys_and_many_tags_count() -> None:
    memory = MemoryTier(MIB, lambda *_: None)
    for number in range(200):
        memory.put(Key("s", "h", "/" + "p" * 16_000 + str(number), ""), an_entry(b""))
    assert memory.held(HELLO)[0] < 70
    memory = MemoryTier(MIB, lambda *_: None)
    for number in range(50):
        memory.put(a_key(number), an_entry(b"", tags=tuple("t" * 1_000 + str(each) for each in range(100))))
    assert memory.held(HELLO)[0] < 12


async def test_an_entry_replaces_its_like() -> None:
    memory = MemoryTier(MIB, lambda *_: None)
    for _ in range(10):
        memory.put(a_key(), an_entry(b"x" * 1_000))
    assert memory.held(HELLO)[0] == 1
    memory.remove(HELLO, a_key())
    assert memory.bytes == 0
    assert memory.held(HELLO) == (0, 0)


async def test_a_sweep_gives_back_what_is_useless() -> None:
    memory = MemoryTier(64 * MIB, lambda *_: None)
    for number in range(1_000):
        memory.put(a_key(number), an_entry(b"", tags=("old",) if number % 2 else ()))
    await memory.sweep(lambda entry: entry.belongs.tags == ("old",))
    assert memory.held(HELLO)[0] == 500


# ---- disk


async def test_what_memory_has_no_room_for_is_on_disk(disk: DiskTier, tmp_path: Path) -> None:
    store = Store(MIB, disk, Purges())
    entries = {a_key(number): an_entry(bytes([number]) * 100_000, tags=("t",)) for number in range(20)}
    for key, entry in entries.items():
        store.put(key, (), entry)
    await written(disk)
    now = asyncio.get_running_loop().time()
    assert store.find(HELLO, a_key(0), now) is None
    assert disk.has(a_key(0))
    loaded = await store.load(HELLO, a_key(0), now)
    assert loaded is not None
    kept = entries[a_key(0)]
    for name in Entry.__slots__:
        if name not in ("checked", "retry_at"):
            assert getattr(loaded, name) == getattr(kept, name), name
    assert store.find(HELLO, a_key(0), now) is loaded
    before = len(files(tmp_path))
    for number in range(5, 15):
        await store.load(HELLO, a_key(number), now)
    await quiet(disk)
    assert len(files(tmp_path)) <= before + 12


async def test_disk_holds_no_more_than_it_may(disk: DiskTier, tmp_path: Path) -> None:
    for number in range(30):
        disk.put(a_key(number), an_entry(b"x" * 400_000))
        await written(disk)
        assert disk.bytes <= 4 * MIB
    await quiet(disk)
    assert sum(each.stat().st_size for each in files(tmp_path)) <= 4 * MIB
    assert not disk.has(a_key(0))
    assert disk.has(a_key(29))


async def test_what_waits_to_be_written_is_bounded(disk: DiskTier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "_MAX_WAITING_BYTES", 300_000)
    for number in range(10):
        disk.put(a_key(number), an_entry(b"x" * 100_000))
    await written(disk)
    assert sum(disk.has(a_key(number)) for number in range(10)) == 2


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:],
        lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
        lambda data: b"x" + data[1:],
        lambda data: b"",
        lambda data: data[:10],
    ],
)
async def test_a_file_that_is_not_whole_is_a_miss(disk: DiskTier, tmp_path: Path, harm: object) -> None:
    disk.put(a_key(), an_entry(b"one" * 100))
    await written(disk)
    (file,) = files(tmp_path)
    file.write_bytes(harm(file.read_bytes()))  # type: ignore[operator]
    assert await disk.load(a_key()) is None
    assert not disk.has(a_key())
    await quiet(disk)
    assert files(tmp_path) == []


async def test_a_file_that_is_another_ones_is_a_miss(disk: DiskTier, tmp_path: Path) -> None:
    disk.put(a_key(1), an_entry(b"one"))
    await written(disk)
    (one,) = files(tmp_path)
    disk.put(a_key(2), an_entry(b"two"))
    await written(disk)
    (two,) = set(files(tmp_path)) - {one}
    two.write_bytes(one.read_bytes())
    assert await disk.load(a_key(2)) is None
    one.unlink()
    assert await disk.load(a_key(1)) is None


async def test_what_is_forgotten_while_it_is_written_does_not_come_back(disk: DiskTier, tmp_path: Path) -> None:
    disk.put(a_key(), an_entry())
    disk.remove(a_key())
    await quiet(disk)
    assert not disk.has(a_key())
    assert files(tmp_path) == []
    assert disk.bytes == 0


async def test_a_newer_entry_takes_the_files_place(disk: DiskTier) -> None:
    store = Store(MIB, disk, Purges())
    disk.put(a_key(), an_entry(b"old"))
    await written(disk)
    store.put(a_key(), (), an_entry(b"new"))
    assert not disk.has(a_key())


async def test_what_was_purged_is_not_read(disk: DiskTier) -> None:
    store = Store(MIB, disk, Purges())
    disk.put(a_key(), an_entry(tags=("t",)))
    await written(disk)
    store.purges.tag("default", None, "t")
    assert await store.load(HELLO, a_key(), asyncio.get_running_loop().time()) is None
    assert not disk.has(a_key())


async def test_several_that_ask_read_once(disk: DiskTier, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put(a_key(), an_entry())
    await written(disk)
    reads: list[Path] = []
    read = disk_module._read_file

    def counted(path: Path, digest: bytes) -> Entry | None:
        reads.append(path)
        return read(path, digest)

    monkeypatch.setattr(disk_module, "_read_file", counted)
    found = await asyncio.gather(*(disk.load(a_key()) for _ in range(20)))
    assert len({id(each) for each in found}) == 1
    assert len(reads) == 1


async def test_a_full_disk_costs_the_entry_only(disk: DiskTier, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_module, "_write_file", fail)
    disk.put(a_key(), an_entry())
    await written(disk)
    assert not disk.has(a_key())
    monkeypatch.undo()
    disk.put(a_key(), an_entry())
    await written(disk)
    assert disk.has(a_key())


async def test_the_folder_is_empty_after_a_start(tmp_path: Path) -> None:
    first = DiskTier(tmp_path / "responses", MIB)
    await first.open()
    first.put(a_key(), an_entry())
    await written(first)
    assert len(files(tmp_path)) == 1
    again = DiskTier(tmp_path / "responses", MIB)
    await again.open()
    await quiet(again)
    for tier in (first, again):
        await asyncio.to_thread(tier.stop)
    assert files(tmp_path) == []
    assert names(tmp_path) == ["responses"]


async def test_no_disk_is_no_disk(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path / "responses", 0)
    await tier.open()
    tier.put(a_key(), an_entry())
    assert names(tmp_path) == []
    assert not tier.has(a_key())
    tier.stop()
