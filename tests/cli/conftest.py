"""A served admin API for the commands: the real stores behind the real server, without sandboxes and workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.testing
from tests.cli.real import Shell
from tests.e2e.box import RunningBox
from tests.fakes.sign_in import NoSealer, quick_passwords
from tests.servers.asgi import serving
from tests.servers.fixtures import redis_server, sqld_server, swift_server
from tests.servers.ports import free_port

from v8box.api import Guard, LazyApp
from v8box.api.asgi import ASGIApp
from v8box.api.auth import Auth
from v8box.api.operations import Operations
from v8box.api.staging import Staging
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.cli.credentials import LOCAL_TOKEN
from v8box.cli.main import app
from v8box.features.hrana import Tokens
from v8box.features.s3_api import AccessKeys, UrlPresigner
from v8box.features.saved_queries import SavedQueries
from v8box.settings import Box, SignIn
from v8box.storage import Database
from v8box.telemetry.audit import open_audit

WORKERS = {
    "echo.ts": """export default { async fetch(request: Request) {
      const url = new URL(request.url);
      if (url.pathname === "/fails") return new Response("no\\n", { status: 418 });
      if (url.pathname === "/steers") return new Response("\\x1b[2J\\u202egone");
      const seen = { method: request.method, path: url.pathname + url.search, body: await request.text(),
        type: request.headers.get("content-type"), custom: request.headers.get("x-custom") };
      return Response.json(seen);
    } };
""",
    "shows.ts": """export default function ({ env }: V8Box.Context) {
      return { greeting: env.GREETING ?? null, token: env.TOKEN ?? null };
    }
""",
}

__all__ = ["redis_server", "sqld_server", "swift_server"]


async def _launch(argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*argv, stdin=stdin, env=dict(env))


@dataclass
class Served:
    """What the commands talk to. `run` runs one of them, as if typed."""

    directory: Path
    port: int
    run: Callable[..., typer.testing.Result]

    @property
    def headers(self) -> dict[str, str]:
        """Those of the local operator."""
        return {"authorization": f"Bearer {(self.directory / 'data' / LOCAL_TOKEN).read_text().strip()}"}


async def _room(_project: str, _more: int) -> None:
    """There is."""


async def _serve(directory: Path, port: int, ready: threading.Event, stop: threading.Event) -> None:
    databases = EmbeddedDatabases(directory / "databases", _launch, engines=1)
    objects = EmbeddedObjects(directory / "objects")

    def build() -> ASGIApp:
        from v8box.api.app import build_api
        from v8box.features.database.imports.routes import build_router as import_router
        from v8box.features.database.routes import build_router as database_router
        from v8box.features.hrana.routes import build_router as tokens_router
        from v8box.features.objects import uploads
        from v8box.features.objects.links import build_router as links_router
        from v8box.features.objects.routes import build_router as objects_router
        from v8box.features.operations.routes import build_router as operation_router
        from v8box.features.s3_api.routes import build_router as keys_router
        from v8box.features.saved_queries.routes import build_router as saved_router

        return build_api(
            [
                database_router(databases, deleted=saved.forget_database),
                saved_router(saved, databases),
                import_router(databases, staging, operations, _room),
                operation_router(operations),
                tokens_router(tokens, databases, lambda: f"http://127.0.0.1:{port}/db"),
                objects_router(objects),
                uploads.build_router(objects),
                links_router(objects, UrlPresigner(keys.box_key, f"http://127.0.0.1:{port}/s3")),
                keys_router(keys, lambda: f"http://127.0.0.1:{port}/s3"),
            ]
        )

    await databases.start()
    await objects.start()
    state = await Database.open(directory / "catalog.db")
    tokens = await Tokens.open(state)
    keys = await AccessKeys.open(state, directory / "keys" / "s3.key")
    await open_audit(state)
    saved = await SavedQueries.open(state)
    operations = await Operations.open(state)
    staging = Staging(directory / "staged")
    await staging.open()
    box = Box()
    auth = await Auth.open(state, directory, box, SignIn(), NoSealer(), passwords=quick_passwords())
    served = Guard(LazyApp(build), identities=auth.identities, box=box)
    async with serving(served, port):
        ready.set()
        await asyncio.to_thread(stop.wait)
    await operations.close()
    await auth.stop()
    await keys.stop()
    await tokens.close()
    await state.close()
    await objects.stop()
    await databases.stop()


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One real box for all tests that do not stop it."""
    directory = tmp_path_factory.mktemp("cli") / "box"
    (directory / "functions").mkdir(parents=True)
    for name, text in WORKERS.items():
        (directory / "functions" / name).write_text(text)
    running = RunningBox(directory)
    try:
        yield Shell(running.wait_ready(), directory.parent / "home")
    finally:
        running.stop()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server in a thread of its own, and its address where `v8box up` writes it."""
    for name in ("V8BOX_URL", "V8BOX_DATA_DIR", "V8BOX_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")
    directory = tmp_path / "box"
    data = directory / "data"
    data.mkdir(parents=True)
    port = free_port()
    (data / "address").write_text(f"http://127.0.0.1:{port}\n")
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(data, port, ready, stop)), name="served")
    thread.start()
    assert ready.wait(60)
    monkeypatch.chdir(directory)
    runner = typer.testing.CliRunner()

    def run(*words: str, given: str | bytes | None = None) -> typer.testing.Result:
        return runner.invoke(app, list(words), input=given)

    yield Served(directory, port, run)
    stop.set()
    thread.join(60)
