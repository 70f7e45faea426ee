"""Real saves of real files, bundled for real. Each test waits for what it expects to be told."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from v8box.features.deploy import Deployed, DeployFailed, DeployStarted, Problem, Removed
from v8box.features.deploy import folder as module
from v8box.kit import watch as watching

if TYPE_CHECKING:
    from tests.deploy.conftest import Box


def handler(answer: str) -> str:
    return f'export default () => "{answer}";\n'


async def test_every_save_goes_live(box: Box) -> None:
    box.write("functions/a.ts", handler("zero"))
    await box.start()
    assert '"zero"' in await box.bundle("a")
    for i in range(3):
        box.told()
        box.write("functions/a.ts", handler(f"answer {i}"))
        deployed = await box.next(Deployed, "a")
        assert f'"answer {i}"' in await box.bundle("a")
        assert deployed.version.id == box.catalog.routes.workers["a"].newest.id


async def test_a_new_file_is_a_new_route_and_a_removed_one_is_none(box: Box) -> None:
    await box.start()
    box.write("functions/a.ts", handler("a"))
    box.write("functions/b/main.ts", 'import { b } from "./b.ts"; export default b;')
    box.write("functions/b/b.ts", 'export const b = () => "b";')
    await box.next(Deployed)
    await box.next(Deployed)
    assert sorted(box.catalog.routes.workers) == ["a", "b"]
    (box.folder / "functions" / "a.ts").unlink()
    assert await box.next(Removed) == Removed("a")
    shutil.rmtree(box.folder / "functions" / "b")
    assert await box.next(Removed) == Removed("b")
    assert box.catalog.routes.workers == {}


async def test_only_what_is_made_of_a_file_is_deployed_when_it_changes(box: Box) -> None:
    box.write("lib/shared.ts", 'export { text } from "./deep.ts";')
    box.write("lib/deep.ts", 'export const text = "one";')
    box.write("functions/a.ts", 'import { text } from "../lib/shared.ts"; export default () => text;')
    box.write("functions/b.ts", handler("b"))
    await box.start()
    before = box.catalog.routes.workers
    box.told()
    box.write("lib/deep.ts", 'export const text = "two";')
    await box.next(Deployed, "a")
    assert '"two"' in await box.bundle("a")
    assert box.catalog.routes.workers["b"] is before["b"]
    box.write("lib/nobodys.ts", "export {}")
    box.write("functions/c.ts", handler("c"))
    await box.next(Deployed, "c")
    started = [event for event in box.told() if isinstance(event, DeployStarted)]
    assert started == []


async def test_a_broken_save_leaves_the_running_version_and_says_where(box: Box) -> None:
    box.write("functions/a.ts", handler("good"))
    await box.start()
    live = box.catalog.routes.workers["a"]
    box.write("functions/a.ts", "export default () => {\n  return (;\n};\n")
    failed = await box.next(DeployFailed, "a")
    assert str(failed).startswith("functions/a.ts:2:11: SyntaxError")
    assert box.deploys.last_errors == {"a": failed}
    assert box.catalog.routes.workers["a"] is live
    box.write("functions/a.ts", "export default () => {\n  return (;\n};\n// still\n")
    assert await box.next(DeployFailed, "a") == failed  # it was saved again, so it is told again
    box.write("functions/a.ts", handler("better"))
    await box.next(Deployed, "a")
    assert box.deploys.last_errors == {}
    assert '"better"' in await box.bundle("a")


async def test_a_broken_file_that_is_changed_back_is_well_again(box: Box) -> None:
    box.write("functions/a.ts", handler("good"))
    await box.start()
    live = box.catalog.routes.workers["a"]
    box.write("functions/a.ts", "export default (")
    await box.next(DeployFailed, "a")
    box.write("functions/a.ts", handler("good"))
    assert (await box.next(Deployed, "a")).version is live.newest
    assert box.deploys.last_errors == {}


async def test_a_worker_that_misses_a_file_goes_live_when_the_file_comes(box: Box) -> None:
    box.write("functions/a.ts", 'import { x } from "../lib/x.ts"; export default () => x;')
    await box.start()
    assert "Module not found" in box.deploys.last_errors["a"].message
    box.told()
    box.write("lib/x.ts", "export const x = 1;")
    await box.next(Deployed, "a")
    (box.folder / "lib" / "x.ts").unlink()
    assert "Module not found" in (await box.next(DeployFailed, "a")).message
    assert list(box.catalog.routes.workers) == ["a"]


async def test_an_error_is_not_repeated_for_every_other_save(box: Box) -> None:
    box.write("functions/bad.ts", "export default (")
    box.write("functions/good.ts", handler("0"))
    await box.start()
    box.told()
    for i in range(3):
        box.write("functions/good.ts", handler(str(i + 1)))
        await box.next(Deployed, "good")
    assert [event for event in box.told() if getattr(event, "worker", "") == "bad"] == []
    assert list(box.deploys.last_errors) == ["bad"]


async def test_a_restart_bundles_nothing_that_is_unchanged(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        box.write(f"functions/w{i}.ts", handler(str(i)))
    await box.start()
    await box.stop()
    live = box.catalog.routes
    box.told()
    box.write("functions/w1.ts", handler("changed while it was down"))
    os.utime(box.folder / "functions" / "w2.ts")
    await box.start()
    assert [event.worker for event in box.told() if isinstance(event, DeployStarted)] == ["w1"]
    assert box.catalog.routes.workers["w0"] is live.workers["w0"]
    assert "while it was down" in await box.bundle("w1")


async def test_a_restart_removes_what_is_gone(box: Box) -> None:
    box.write("functions/a.ts", handler("a"))
    await box.start()
    await box.stop()
    (box.folder / "functions" / "a.ts").unlink()
    await box.start()
    assert await box.next(Removed) == Removed("a")


async def test_manifest_and_configuration_count_as_changes(box: Box) -> None:
    box.write("functions/a.ts", 'import { x } from "x"; export default () => x;')
    box.write("lib/one.ts", "export const x = 1;")
    box.write("lib/two.ts", "export const x = 2;")
    box.write("deno.json", '{"imports": {"x": "./lib/one.ts"}}')
    await box.start()
    assert "x = 1" in await box.bundle("a")
    box.told()
    box.write("deno.json", '{"imports": {"x": "./lib/two.ts"}}')
    await box.next(Deployed, "a")
    assert "x = 2" in await box.bundle("a")
    box.write("v8box.toml", "[workers.a.limits]\nwall_ms = 7\n")
    assert (await box.next(Deployed, "a")).version.manifest.limits.wall_ms == 7
    box.write("v8box.toml", "[workers.a.limits]\nwall_ms = 0\n")
    assert str(await box.next(DeployFailed, "a")).startswith("v8box.toml:2: limits.wall_ms")
    assert box.catalog.routes.workers["a"].newest.manifest.limits.wall_ms == 7
    box.write("v8box.toml", "[workers.a")
    assert (await box.next(Problem)).place.file == "v8box.toml"
    box.write("v8box.toml", "[workers.a.limits]\nwall_ms = 8\n")
    assert (await box.next(Deployed, "a")).version.manifest.limits.wall_ms == 8
    assert box.deploys.problems == ()


async def test_editors_that_write_beside_and_move_into_place(box: Box) -> None:
    path = box.folder / "functions" / "a.ts"
    box.write("functions/a.ts", handler("0"))
    await box.start()
    for i in range(1, 4):
        box.write("functions/.a.ts.tmp", handler(str(i)))
        os.replace(box.folder / "functions" / ".a.ts.tmp", path)
        await box.next(Deployed, "a")
        os.rename(path, f"{path}~")  # another habit: the old one goes away first
        box.write("functions/a.ts", handler(f"{i} again"))
        await box.next(Deployed, "a")
        assert f'"{i} again"' in await box.bundle("a")
    assert not any(isinstance(event, Removed) for event in box.told())


async def test_a_file_that_is_written_bit_by_bit_ends_up_whole(box: Box) -> None:
    box.write("functions/a.ts", handler("old"))
    await box.start()
    text = handler("new")
    with open(box.folder / "functions" / "a.ts", "w", encoding="utf-8") as file:  # noqa: ASYNC230
        for piece in ("", text[:8], text[8:20]):
            file.write(piece)
            file.flush()
            failed = await box.next(DeployFailed, "a") if piece != text[8:20] else None
            assert failed is None or '"old"' in await box.bundle("a")
        file.write(text[20:])
    await box.next(Deployed, "a")
    assert '"new"' in await box.bundle("a")


async def test_many_saves_at_once_end_with_the_last(box: Box) -> None:
    await box.start()
    for i in range(30):
        box.write("functions/a.ts", handler(f"number {i}"))
        await asyncio.sleep(0)
    while '"number 29"' not in (await box.bundle((await box.next(Deployed, "a")).worker)):
        continue
    assert box.deploys.last_errors == {}


async def test_folders_that_vanish_and_come_back(box: Box) -> None:
    box.write("functions/a.ts", handler("one"))
    await box.start()
    functions, aside = box.folder / "functions", box.folder / "aside"
    os.rename(functions, aside)
    await box.next(Removed, "a")
    os.rename(aside, functions)
    await box.next(Deployed, "a")
    box.write("functions/a.ts", handler("two"))  # the folder is watched again
    await box.next(Deployed, "a")
    assert '"two"' in await box.bundle("a")


async def test_a_served_folder_that_is_gone_keeps_its_workers(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLIND_COMPARE_SECONDS", 0.05)
    box.write("functions/a.ts", handler("one"))
    await box.start()
    away = box.folder.with_name("away")
    os.rename(box.folder, away)
    box.deploys.notice()
    while box.deploys._watches:  # noqa: ASYNC110 - the one sign that it was noticed
        await asyncio.sleep(0)
    assert list(box.catalog.routes.workers) == ["a"]
    os.rename(away, box.folder)
    box.write("functions/b.ts", handler("b"))
    await box.next(Deployed, "b")
    assert sorted(box.catalog.routes.workers) == ["a", "b"]


async def test_what_the_watcher_misses_is_found_by_looking(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_watches_left(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watching.Watch, "__init__", no_watches_left)
    monkeypatch.setattr(module, "_BLIND_COMPARE_SECONDS", 0.05)
    await box.start()
    box.write("functions/a.ts", handler("one"))
    await box.next(Deployed, "a")
    (box.folder / "functions" / "a.ts").unlink()
    await box.next(Removed, "a")


async def test_a_periodic_look_finds_what_no_event_told(box: Box) -> None:
    box.compare_seconds = 0.05
    await box.start()
    box.deploys._unwatch()
    box.write("functions/a.ts", handler("one"))
    await box.next(Deployed, "a")


async def test_bad_names_are_told_once(box: Box) -> None:
    box.write("functions/Bad Name.ts", handler("x"))
    await box.start()
    for i in range(2):
        box.write("functions/a.ts", handler(str(i)))
        await box.next(Deployed, "a")
    assert [problem.place.file for problem in box.deploys.problems] == ["functions/Bad Name.ts"]
    (box.folder / "functions" / "Bad Name.ts").unlink()
    box.write("functions/a.ts", handler("last"))
    await box.next(Deployed, "a")
    assert box.deploys.problems == ()


async def test_a_listener_that_fails_stops_nothing(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    box.write("functions/a.ts", handler("x"))
    told = box.events.put_nowait

    def failing(event: object) -> None:
        told(event)  # type: ignore[arg-type]
        raise RuntimeError("mine")

    box.events.put_nowait = failing  # type: ignore[method-assign, assignment]
    await box.start()
    assert list(box.catalog.routes.workers) == ["a"]
    assert "the listener for deploys failed" in caplog.text


async def test_stopping_in_the_middle_of_a_deploy_leaves_the_catalog_whole(box: Box) -> None:
    box.write("functions/a.ts", handler("one"))
    await box.start()
    box.write("functions/a.ts", handler("two"))
    await box.next(DeployStarted, "a")
    await box.stop()
    live = box.catalog.routes
    await box.catalog.reload()
    assert box.catalog.routes == live
    await box.start()
    assert '"two"' in await box.bundle("a")


async def test_a_deploy_says_what_is_missing_and_what_is_not_run_yet(box: Box) -> None:
    box.write("functions/a.ts", "export default () => 1;")
    box.write("v8box.toml", '[workers.a]\nenv_required = ["KEY"]\nschedules = [{ cron = "@daily" }]\n')
    await box.start()
    missing, schedules = (await box.next(Deployed, "a")).warnings
    assert missing.startswith("KEY is not set in production")
    assert "does not run them yet" in schedules


async def test_a_changed_error_page_is_a_new_version(box: Box) -> None:
    box.write("functions/a.ts", "export default () => 1;")
    box.write("functions/page.html", "one")
    box.write("v8box.toml", '[workers.a.errors]\n404 = "functions/page.html"\n')
    await box.start()
    assert box.catalog.routes.workers["a"].newest.manifest.rules.error_pages["404"].text == "one"
    box.told()
    box.write("functions/page.html", "two")
    version = (await box.next(Deployed, "a")).version
    assert version.manifest.rules.error_pages["404"].text == "two"
