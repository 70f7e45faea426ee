"""What sandboxes tell, as records: stacks in the user's own terms, in the order they were told; deaths."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator

import pytest
from tests.fakes.clock import settle
from tests.fakes.versions import a_version

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.kit.sourcemap import Segment, encode_mappings
from v8box.pool import journal as module
from v8box.pool import source_maps
from v8box.pool.journal import Journal
from v8box.pool.source_maps import SourceMaps
from v8box.sandbox.interface import Death, LogLine, RunningRun
from v8box.sandbox.protocol import Level
from v8box.telemetry.audit import MASK
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import CurvePoint, DeathRecord, LineRecord, MeasureRecord, RunningRecord
from v8box.telemetry.redactor import Redactor

STACK = "Error: no\n    at f (blob:null/1:1:1)\n    at g (file:///x/shim.js:9:9)"
MAPPED = "Error: no\n    at f (functions/hello.ts:5:3)"
MAP = json.dumps(
    {
        "version": 3,
        "sources": ["functions/hello.ts"],
        "names": [],
        "mappings": encode_mappings([[Segment(0, 0, 4, 2)]]),
    }
).encode()


class Lines(Feed):
    """Keeps the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LineRecord] = []

    def line(self, record: LineRecord) -> None:
        self.lines.append(record)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


class Maps:
    """Gives out source maps, when the test lets it, and counts."""

    def __init__(self) -> None:
        self.data: bytes | None = MAP
        self.fault: Exception | None = None
        self.loads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, version: Placement) -> bytes | None:
        self.loads.append(version.id)
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.data


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def maps() -> Maps:
    return Maps()


@pytest.fixture
async def journal(lines: Lines, maps: Maps) -> AsyncIterator[Journal]:
    journal = Journal(lines, SourceMaps(maps.load), lambda record: None)
    yield journal
    await journal.stop()


def mapped_version(worker: str = "hello", number: int = 1) -> Placement:
    return dataclasses.replace(a_version(worker, number), source_map_hash="1" * 64)


def say(journal: Journal, *texts: str, version: Placement | None = None) -> None:
    journal.logged(version or mapped_version(), [LogLine("r1", Level.ERROR, 1000.0, text) for text in texts])


async def test_a_line_is_written_and_echoed_at_once(lines: Lines, maps: Maps) -> None:
    echoed: list[LineRecord] = []
    say(Journal(lines, SourceMaps(maps.load), echoed.append), "hello")
    assert lines.lines == echoed
    (line,) = echoed
    assert (line.time, line.run, line.worker, line.version, line.level) == (1.0, "r1", "hello", "hello-1", "error")


async def test_a_stack_is_told_in_the_users_own_terms(journal: Journal, lines: Lines) -> None:
    say(journal, STACK)
    await settle()
    assert lines.texts == [MAPPED]


async def test_a_line_that_was_thrown_says_so(journal: Journal, lines: Lines) -> None:
    thrown = LogLine("r1", Level.ERROR, 1000.0, STACK, thrown=True)
    journal.logged(mapped_version(), [thrown, LogLine("r1", Level.ERROR, 1000.0, "printed")])
    await settle()
    assert [line.thrown for line in lines.lines] == [True, False]


async def test_a_version_without_a_map_keeps_its_stacks_but_not_the_platforms_frames(
    journal: Journal, lines: Lines, maps: Maps
) -> None:
    say(journal, STACK, version=a_version())
    assert lines.texts == ["Error: no\n    at f (blob:null/1:1:1)"]
    assert not maps.loads


async def test_lines_keep_their_order_while_a_map_is_read(journal: Journal, lines: Lines, maps: Maps) -> None:
    maps.gate.clear()
    say(journal, "one", STACK, "two")
    say(journal, STACK, "three")
    say(journal, "somebody else's", version=mapped_version("other"))
    await settle()
    assert lines.texts == ["one", "somebody else's"]
    maps.gate.set()
    await settle()
    assert lines.texts == ["one", "somebody else's", MAPPED, "two", MAPPED, "three"]
    assert maps.loads == ["hello-1"]
    say(journal, "four")
    assert lines.texts[-1] == "four"


@pytest.mark.parametrize("data", [b"{", b'{"version": 2}', None])
async def test_a_broken_map_leaves_the_stack_and_is_read_once(
    journal: Journal, lines: Lines, maps: Maps, data: bytes | None
) -> None:
    maps.data = data
    for _ in range(3):
        say(journal, STACK)
        await settle()
    assert lines.texts == ["Error: no\n    at f (blob:null/1:1:1)"] * 3
    assert len(maps.loads) == 1


async def test_a_map_that_cannot_be_read_now_is_read_later(journal: Journal, lines: Lines, maps: Maps) -> None:
    maps.fault = OSError("the disk")
    say(journal, STACK)
    await settle()
    assert "blob:" in lines.texts[0]
    maps.fault = None
    say(journal, STACK)
    await settle()
    assert lines.texts[1] == MAPPED


async def test_few_maps_are_kept(journal: Journal, lines: Lines, maps: Maps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_maps, "MAX_MAPS", 2)
    for number in (1, 2, 1, 3, 1, 2):
        say(journal, STACK, version=mapped_version(number=number))
        await settle()
    assert maps.loads == ["hello-1", "hello-2", "hello-3", "hello-2"]  # the one used last stays
    assert len(journal._maps._maps) == 2
    assert lines.texts == [MAPPED] * 6


async def test_few_lines_wait_for_a_map(
    journal: Journal, lines: Lines, maps: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_HELD", 2)
    maps.gate.clear()
    say(journal, STACK, "held", STACK, "free")
    await settle()
    assert lines.texts == ["Error: no\n    at f (blob:null/1:1:1)", "free"]
    maps.gate.set()
    await settle()
    assert lines.texts[2:] == [MAPPED, "held"]
    assert (journal._held_count, journal._held) == (0, {})


async def test_a_journal_that_stops_writes_what_it_holds(journal: Journal, lines: Lines, maps: Maps) -> None:
    maps.gate.clear()
    say(journal, STACK, "last words")
    await settle()
    await journal.stop()
    assert lines.texts == ["Error: no\n    at f (blob:null/1:1:1)", "last words"]


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (StopReason.MEMORY, "error"),
        (StopReason.CRASH, "error"),
        (StopReason.RECYCLED, "warn"),  # for its memory
        (StopReason.EVICTED, "info"),
        (StopReason.IDLE, None),
        (StopReason.REPLACED, None),
        (StopReason.REMOVED, None),
        (StopReason.SHUTDOWN, None),
    ],
)
async def test_a_death_is_told_if_it_says_something(
    journal: Journal, lines: Lines, reason: StopReason, level: str | None
) -> None:
    journal.died(a_version(), Death(reason=reason, detail="why", limit=1, used=2, last_output="x" * 2000))
    assert [line.level for line in lines.lines] == ([level] if level else [])
    for line in lines.lines:
        assert line.text == f"stopped ({reason}): why"
        assert line.fields["limit"] == 1
        assert len(line.fields["last_output"]) == 1000


async def test_the_end_of_a_process_says_more_than_that_of_its_run(journal: Journal, lines: Lines) -> None:
    journal.died(a_version(), Death(reason=StopReason.WALL, detail="the run took longer than limits.wall_ms (30)"))
    assert "limits.wall_ms (30); its process" in lines.texts[0]


async def test_the_death_of_a_blank_is_the_boxs_own_business(
    journal: Journal, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        journal.died(None, Death(reason=StopReason.SHUTDOWN, detail="quiet"))
        journal.died(None, Death(reason=StopReason.CRASH, detail="loud"))
    assert not lines.lines
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "loud" in caplog.text


async def test_a_secret_of_the_worker_is_in_no_line(lines: Lines, maps: Maps) -> None:
    secret = "hunter2!hunter2!"
    redactor = Redactor([secret])
    journal = Journal(lines, SourceMaps(maps.load), lambda record: None, lambda placement: redactor)
    journal.logged(a_version(), [LogLine("r1", Level.INFO, 1000.0, f"the token is {secret}", {"token": [secret]})])
    say(journal, f"{STACK} {secret}")
    await settle()
    last = f"{'x' * 10}{secret}{'y' * 995}"  # it would be cut in the middle
    journal.died(a_version(), Death(reason=StopReason.CRASH, detail=f"it said {secret}", last_output=last))
    await journal.stop()
    assert len(lines.lines) == 3
    assert lines.lines[0].text == f"the token is {MASK}"
    assert not [line for line in lines.lines if "hunter2" in repr(line) or "unter2" in repr(line)]


async def test_a_death_tells_what_was_seen_before_without_secrets(maps: Maps) -> None:
    feed = Feed()
    deaths: list[DeathRecord] = []
    feed.on_death(deaths.append)
    redactor = Redactor(["hunter2hunter2"])
    journal = Journal(feed, SourceMaps(maps.load), lambda record: None, lambda placement: redactor)
    run = RunningRun(id="r1", method="GET", path="/a/hunter2hunter2", elapsed_seconds=1.5, cpu_seconds=0.25)
    death = Death(
        reason=StopReason.WALL, detail="too long", runs=(run,), run_count=1, curve=(CurvePoint(-50, 0.5, 7, 1),)
    )
    journal.stopped(a_version(), death)
    journal.died(a_version(), death)
    stopped, died = deaths
    assert (stopped.whole, died.whole) == (False, True)
    assert stopped.id != died.id
    assert died.runs == [RunningRecord("r1", "GET", f"/a/{MASK}", 1500.0, 250.0)]
    assert (died.run_count, died.curve) == (1, [CurvePoint(-50, 0.5, 7, 1)])


async def test_what_a_worker_measures_is_told_without_its_secrets(maps: Maps) -> None:
    feed = Feed()
    told: list[MeasureRecord] = []
    feed.on_measure(told.append)
    journal = Journal(feed, SourceMaps(maps.load), lambda record: None, redactor=lambda _: Redactor(["hunter2-secret"]))
    version = a_version("hello", 1)
    journal.measured(version, [(0, "a", {"key": "hunter2-secret"}, 1.0), (1, "b", None, 2.0)], lost=True)
    (record,) = told
    assert (record.worker, record.version, record.lost) == (version.worker, version.id, True)
    assert "hunter2" not in str(record.entries)
    assert record.entries[1] == (1, "b", None, 2.0)
    await journal.stop()
