"""What the folder does about changes that people make beside it: a rollback holds until a file is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from v8box.catalog import Version
from v8box.features.deploy import Deployed, DeployFailed, DeployStarted
from v8box.telemetry.actors import BOX

if TYPE_CHECKING:
    from tests.deploy.conftest import Box


def handler(answer: str) -> str:
    return f'export default () => "{answer}";\n'


async def outcome(box: Box, worker: str) -> Version | DeployFailed | None:
    return await box.deploys.outcome(worker)


async def test_a_rollback_holds_though_manifest_and_files_of_the_older_version_are_others(box: Box) -> None:
    box.write("functions/a.ts", handler("one"))
    await box.start()
    first = (await box.next(Deployed, "a")).version
    box.write("lib/text.ts", 'export const text = "two";')
    box.write("functions/a.ts", 'import { text } from "../lib/text.ts"; export default () => text;')
    box.write("v8box.toml", "[workers.a.limits]\nwall_ms = 500\n")
    second = await outcome(box, "a")
    assert isinstance(second, Version)
    assert second.manifest.limits.wall_ms == 500
    box.told()
    await box.catalog.roll_back("a", actor=BOX)
    assert await outcome(box, "a") == box.catalog.routes.live("a")
    await box.stop()
    await box.start()
    live = box.catalog.routes.live("a")
    assert live is not None
    assert live.id == first.id
    assert [event for event in box.told() if isinstance(event, DeployStarted)] == []
    box.write("lib/text.ts", 'export const text = "three";')
    third = await outcome(box, "a")
    assert isinstance(third, Version)
    assert '"three"' in await box.bundle("a")


async def test_the_outcome_of_a_save_is_told_to_who_saved(box: Box) -> None:
    await box.start()
    assert await outcome(box, "a") is None
    box.write("functions/a.ts", handler("one"))
    made = await outcome(box, "a")
    assert isinstance(made, Version)
    assert '"one"' in await box.bundle("a")
    box.write("functions/a.ts", "export default (")
    failed = await outcome(box, "a")
    assert isinstance(failed, DeployFailed)
    assert failed.place is not None
    assert failed.place.file == "functions/a.ts"
    for number in range(5):  # saved again while it is being deployed
        box.write("functions/a.ts", handler(f"answer {number}"))
        box.deploys.notice()
    made = await outcome(box, "a")
    assert isinstance(made, Version)
    assert '"answer 4"' in await box.bundle("a")
