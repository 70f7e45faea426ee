"""What `v8box up` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from v8box import settings
from v8box.cli.up import Terminal, addresses
from v8box.telemetry.records import LineRecord


def line(text: str, worker: str = "w", run: str | None = "r", fields: Any = None, level: str = "info") -> LineRecord:
    return LineRecord(0.0, run, worker, "v", level, text, fields)


class Now:
    """A clock that tests set."""

    value = 5.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def terminal(now: Now) -> Terminal:
    return Terminal(Path("/srv/state/logs"), now)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_fields_are_compact_json(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.on_line(line("greeted", fields={"name": "Åda", "ok": True, "none": None}))
    terminal.on_line(line("bare", fields={}))
    terminal.on_line(line("list", fields=[1, "two"]))
    assert printed(capsys) == ['w | greeted {"name":"Åda","ok":true,"none":null}', "w | bare", 'w | list [1,"two"]']


def test_what_a_worker_prints_does_not_steer_the_terminal(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.on_line(line("\x1b[2J\r\u202ex\x9b", fields={"a": "\x1b\u2066\x7f"}))
    told = capsys.readouterr().err
    assert not set(told) & set("\x1b\r\u202e\u2066\x9b\x7f")


def test_a_flood_hides_no_other_worker_and_not_its_own_end(
    terminal: Terminal, now: Now, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(250):
        terminal.on_line(line(f"n{number}"))
    terminal.on_line(line("quiet", worker="other"))
    terminal.on_line(line("stopped (cpu): too much", run=None, fields={"reason": "cpu"}, level="error"))
    told = printed(capsys)
    assert told[:100] == [f"w | n{number}" for number in range(100)]
    assert told[100:] == ["other | quiet", 'w | stopped (cpu): too much {"reason":"cpu"}']
    now.value += 1
    terminal.on_line(line("later"))
    assert printed(capsys) == ["  … 150 more lines of w; /srv/state/logs has them", "w | later"]


def test_a_worker_cannot_flood_by_imitating_its_end(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(250):
        terminal.on_line(line("stopped (cpu): not really", run=None))
    terminal.on_stopping("now")
    told = printed(capsys)
    assert len(told) == 102
    assert told[100:] == ["  … 150 more lines of w; /srv/state/logs has them", "stopping: now"]


@pytest.mark.parametrize(
    ("environ", "workers", "health"),
    [
        ({}, "http://localhost:8000/run/<worker>", "http://localhost:8000/health"),
        ({"V8BOX_HOST": "0.0.0.0"}, "http://localhost:8000/run/<worker>", "http://localhost:8000/health"),
        ({"V8BOX_HOST": "::1"}, "http://localhost:8000/run/<worker>", "http://localhost:8000/health"),
        ({"V8BOX_HOST": "192.0.2.7"}, "http://192.0.2.7:8000/run/<worker>", "http://192.0.2.7:8000/health"),
        ({"V8BOX_HOST": "2001:db8::7"}, "http://[2001:db8::7]:8000/run/<worker>", "http://[2001:db8::7]:8000/health"),
        (
            {"DOMAIN": "example.com", "V8BOX_HOST": "0.0.0.0"},
            "http://api.example.com:8000/run/<worker>",
            "http://admin.example.com:8000/health",
        ),
    ],
)
def test_the_addresses_are_those_that_answer(
    tmp_path: Path, environ: dict[str, str], workers: str, health: str
) -> None:
    dashboard = health.removesuffix("health") + ("" if "DOMAIN" in environ else "admin")
    assert addresses(settings.load(tmp_path, environ), 8000) == (workers, health, dashboard)
