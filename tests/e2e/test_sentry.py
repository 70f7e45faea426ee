"""A real box that forwards what its workers throw to something that speaks Sentry's protocol."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.e2e.box import RunningBox
from tests.errors.sentry_server import sentry_server

WORKER = """type Price = { cents: number };
export default {
  fetch(request: Request) {
    const price: Price | undefined = undefined as Price | undefined;
    if (new URL(request.url).pathname === "/fine") return new Response("fine");
    return Response.json(price!.cents);
  },
};
"""


async def test_an_error_reaches_the_boxs_sentry_and_then_the_workers_own(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "price.ts").write_text(WORKER)
    async with sentry_server() as sentry:
        environ = {"SENTRY_DSN": sentry.dsn("1"), "V8BOX_SENTRY_PRIVATE": "true"}
        box = await asyncio.to_thread(lambda: RunningBox(tmp_path, environ).wait_ready())
        try:
            await asyncio.to_thread(box.run, "price/fine")
            await asyncio.to_thread(box.run, "price/buy")
            event = await sentry.next()
            assert event["_project"] == "1"
            assert (event["transaction"], event["release"], event["environment"]) == ("/buy", "price@1", "production")
            (exception,) = event["exception"]["values"]
            assert exception["type"] == "TypeError"
            frame = exception["stacktrace"]["frames"][-1]
            assert (frame["filename"], frame["lineno"], frame["in_app"]) == ("functions/price.ts", 6, True)
            assert frame["context_line"] == "    return Response.json(price!.cents);"

            variables = "/api/v1/projects/default/variables/SENTRY_DSN?worker=price"
            body = {"value": sentry.dsn("2"), "secret": True}
            set_to = await asyncio.to_thread(lambda: box.admin.put(variables, json=body))
            assert set_to.status_code in (200, 201), set_to.text
            await asyncio.to_thread(box.run, "price/buy")
            assert (await sentry.next())["_project"] == "2"
            forwarding = await asyncio.to_thread(box.admin.get, "/api/v1/projects/default/errors/forwarding")
            (found,) = forwarding.json()["items"]
            assert (found["worker"], found["to"].endswith(f":{sentry.port}/2")) == ("price", True)
            assert sentry.refusals == []
        finally:
            await asyncio.to_thread(box.stop)
