"""`v8box dev`: a box for the one who writes a worker. It serves a folder, or one worker, from data of its own, and says
what the types say.

It is the box of `up` with the servers of the settings left out: databases, cache and objects are in .v8box/dev.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from v8box.app import Box
from v8box.cli.client import DEV_DATA
from v8box.cli.exits import CommandFailed
from v8box.cli.source import Source
from v8box.cli.typecheck import TypeChecks, TypeFault
from v8box.cli.up import Terminal, printable, serve
from v8box.features.deploy import Alone, Deployed, DeployEvent
from v8box.gateway.http import AddressInUse, free_port
from v8box.sandbox.runtime import find_deno
from v8box.settings import Libsql, Settings, load

FIRST_PORT: Final = 8787
"""Tried before any other, so that an address can be kept."""


class DevTerminal(Terminal):
    """Says where each worker answers, and what the types say."""

    def __init__(self, source: Source, port: int) -> None:
        super().__init__()
        self._port = port
        data = source.root / DEV_DATA
        self._checks = TypeChecks(source.root, find_deno(), data / "cache" / "deno", self.on_types)
        self._wrong = False

    def on_deploy(self, event: DeployEvent) -> None:
        match event:
            case Deployed():
                took = f" in {event.milliseconds:.0f} ms" if event.milliseconds else ""
                self.say(f"  ✓ {event.worker} is live{took}: http://localhost:{self._port}/run/{event.worker}", "32")
                self._checks.notice(event.version.manifest.entry)
            case _:
                super().on_deploy(event)

    def on_types(self, faults: Sequence[TypeFault]) -> None:
        for fault in faults:
            self.say(f"  ✗ {printable(str(fault))}", "31")
        if not faults and self._wrong:
            self.say("  ✓ the types are right", "32")
        self._wrong = bool(faults)

    def on_password(self, password: str) -> None:
        """Nobody signs in here: the commands find the box by its folder."""

    def on_ready(self, box: Box) -> None:
        super().on_ready(box)
        self.say(
            f"  Data of this box: {box.settings.data_directory}. Ctrl-C ends it; save a file to deploy it again", "2"
        )


def run(source: Source, port: int | None) -> int:
    """Gives the exit code."""
    chosen = _a_port() if port is None else port
    alone = Alone(source.worker, source.entry) if source.alone and source.worker is not None else None
    return serve(DevTerminal(source, chosen), lambda: _settings(source, chosen), alone=alone)


def _settings(source: Source, port: int) -> Settings:
    """Those of the folder, but for where it is reached and where its data is."""
    data = source.root / DEV_DATA
    _ignored_by_git(data.parent)
    environ = {**os.environ, "V8BOX_DATA_DIR": str(data), "PORT": str(port), "DOMAIN": "localhost"}
    # A worker's own v8box.toml holds no settings of a box.
    found = load(data.parent if source.alone else source.root, environ | {"V8BOX_HOST": "127.0.0.1"})
    return replace(
        found,
        directory=source.root,
        data_directory=data,
        libsql=Libsql(),
        valkey=replace(found.valkey, url=None),
        s3=replace(found.s3, endpoint=None, access_key=None, secret_key=None, public_url=None),
    )


def _ignored_by_git(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be written: {error}. `v8box dev` keeps its data there") from error


def _a_port() -> int:
    try:
        return free_port("127.0.0.1", FIRST_PORT)
    except AddressInUse:
        return free_port("127.0.0.1", 0)
