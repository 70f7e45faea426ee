"""`v8box doctor`: only what keeps the box from running is a failure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.servers import RedisServer, SqldServer, SwiftServer

from v8box.cli import doctor
from v8box.cli.checks import Check, Mark
from v8box.errors import V8BoxError
from v8box.sandbox.rungs import Rungs
from v8box.sandbox.spawner import Spawner


async def look(directory: Path, environ: Mapping[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in await doctor.look(directory, environ or {})}


def fail(*_: object) -> str:
    raise V8BoxError("it is not there")


async def test_a_machine_that_can_run_the_box_passes(tmp_path: Path) -> None:
    checks = await look(tmp_path)
    needed = ("settings", "disk", "deno", "valkey", "sandbox")
    assert {name: checks[name].mark for name in needed} == dict.fromkeys(needed, Mark.GOOD)
    assert "runs confined" in checks["sandbox"].found


def test_a_missing_rung_is_a_warning_and_the_exit_code_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Rungs.active
    monkeypatch.setattr(Rungs, "active", lambda self, step: step not in ("uid", "landlock") and real(self, step))
    monkeypatch.setenv("COLUMNS", "200")
    assert doctor.run(tmp_path) == 0
    rows = {row.split("│")[2].strip(): row.split("│")[1].strip() for row in _rows(capsys)}
    assert rows["own uid"] == rows["Landlock"] == "!"


@pytest.mark.parametrize(("name", "function"), [("deno", "find_deno"), ("valkey", "find_binary")])
def test_a_missing_program_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    function: str,
) -> None:
    monkeypatch.setattr(doctor, function, fail)
    assert doctor.run(tmp_path) == 1
    assert any(row.split("│")[1:3] == [" ✗ ", f" {name:<19} "] for row in _rows(capsys))


async def test_servers_that_are_down_are_warnings_and_their_secrets_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "find_binary", fail)  # the box needs none of its own then
    environ = {
        "VALKEY_URL": "redis://me:hunter2@127.0.0.1:1",
        "LIBSQL_URL": "http://127.0.0.1:1",
        "LIBSQL_AUTH_TOKEN": "hunter2",
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "S3_ACCESS_KEY": "hunter2",
        "S3_SECRET_KEY": "hunter2",
    }
    checks = await look(tmp_path, environ)
    for name in ("valkey", "libsql", "s3"):
        assert (checks[name].mark, "127.0.0.1:1" in checks[name].found) == (Mark.WARNING, True), checks[name]
        assert "hunter2" not in str(checks[name])


async def test_servers_that_answer_are_good(
    tmp_path: Path, sqld_server: SqldServer, redis_server: RedisServer, swift_server: SwiftServer
) -> None:
    environ = {
        "VALKEY_URL": redis_server.url,
        "LIBSQL_URL": sqld_server.url,
        "S3_ENDPOINT": swift_server.endpoint,
        "S3_ACCESS_KEY": swift_server.access_key,
        "S3_SECRET_KEY": swift_server.secret_key,
    }
    checks = await look(tmp_path, environ)
    assert {name: checks[name].mark for name in ("valkey", "libsql", "s3")} == dict.fromkeys(
        ("valkey", "libsql", "s3"), Mark.GOOD
    )


async def test_faults_of_the_settings_are_a_failure_shown_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "v8box.toml").write_text("[bx]\n")
    check = (await look(tmp_path))["settings"]
    assert (check.mark, check.found) == (Mark.FAILED, "v8box.toml:1: [bx] is not known; did you mean box?")


async def test_what_does_nothing_is_a_warning(tmp_path: Path) -> None:
    checks = await doctor.look(tmp_path, {"CLOUDFLARE_TOKEN": "hunter2-hunter2"})
    told = [check.found for check in checks if check.mark is Mark.WARNING and check.name == "settings"]
    assert told == ["CLOUDFLARE_TOKEN is set, but this version makes no DNS records and no certificates"]


@pytest.mark.parametrize(
    ("setting", "mark"), [("V8BOX_DISK_CRITICAL_MB", Mark.FAILED), ("V8BOX_DISK_WARN_MB", Mark.WARNING)]
)
async def test_a_disk_with_less_than_is_wanted(tmp_path: Path, setting: str, mark: Mark) -> None:
    check = (await look(tmp_path, {setting: "1073741824"}))["disk"]
    assert (check.mark, "make room" in check.advice) == (mark, True)


async def test_a_box_that_is_said_to_run_and_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "address").write_text("http://127.0.0.1:1\n")
    check = (await look(tmp_path))["box"]
    assert (check.mark, check.found) == (Mark.WARNING, "http://127.0.0.1:1 does not answer: ConnectError")


async def test_a_data_directory_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"V8BOX_DATA_DIR": str(tmp_path / "file" / "data")}
    assert (await look(tmp_path, environ))["disk"].mark is Mark.FAILED


async def test_a_deno_that_does_not_run_confined_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_deno", lambda: os.path.realpath("/bin/false"))
    check = (await look(tmp_path))["sandbox"]
    assert check.mark is Mark.FAILED
    assert check.found.startswith("exit code 1: ")


async def test_no_sandbox_at_all_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start() -> None:
        fail()

    monkeypatch.setattr(Spawner, "start", start)
    assert (await look(tmp_path))["sandbox"].mark is Mark.FAILED


def _rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [row for row in capsys.readouterr().out.splitlines() if row.startswith("│")]
