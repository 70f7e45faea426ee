"""`v8box profile` and `v8box heap`: where a worker spends its time and memory, as files for Chrome's DevTools."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import fail, printable, size
from v8box.cli.workers import PRODUCTION, Environment, Worker

app = typer.Typer()

_NOT_CODE: Final = frozenset({"(root)", "(idle)", "(program)"})

Target = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="<worker>.<kind> here")
]


@app.command("profile")
@on_box
def profile(
    command: Command,
    worker: Worker,
    seconds: Annotated[float, typer.Option("--seconds", "-s", min=0.1, max=60.0, help="For how long.")] = 5.0,
    environment: Environment = PRODUCTION,
    target: Target = None,
) -> None:
    """Take a CPU profile of a worker while it is called: a file for Chrome's DevTools (Performance, Load profile)."""
    command.say(f"Profiling {worker} for {seconds:g} s: call it meanwhile")
    order = {"seconds": seconds, "environment": environment}
    operation = command.api.post(command.at("workers", worker, "profile"), order)
    capture = command.api.wait(operation, lambda _: None)["result"]
    file = target or Path(f"{worker}.cpuprofile")
    _download(command, capture, file)
    if command.as_json:
        command.show({**capture, "saved_as": str(file)})
        return
    command.show(capture, ("self", "function", "where"), hottest(json.loads(file.read_bytes())))
    command.say(printable(f"{capture['note']}. The whole of it is in {file}: open it in Chrome's DevTools"))


@app.command("heap")
@on_box
def heap(command: Command, worker: Worker, environment: Environment = PRODUCTION, target: Target = None) -> None:
    """Take a heap snapshot of a worker's live process: what is kept, and by whom (DevTools, Memory, Load profile)."""
    command.say(f"Taking a heap snapshot of {worker}: its process answers nobody meanwhile, and is replaced then")
    operation = command.api.post(command.at("workers", worker, "heap-snapshot"), {"environment": environment})
    capture = command.api.wait(operation, lambda _: None)["result"]
    file = target or Path(f"{worker}.heapsnapshot")
    _download(command, capture, file)
    if command.as_json:
        command.show({**capture, "saved_as": str(file)})
        return
    command.say(f"It holds the worker's secrets: delete it when you are done. Open {file} in Chrome's DevTools")


def _download(command: Command, capture: Any, file: Path) -> None:
    try:
        with command.api.download(command.at("captures", capture["id"], "file")) as chunks, file.open("wb") as opened:
            for chunk in chunks:
                opened.write(chunk)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror or error}")
    command.say(f"{size(capture['bytes'])} written to {file}")


def hottest(profile: Any, most: int = 10) -> Sequence[tuple[str, str, str]]:
    """The functions that code was in most often, and the line that it was at most."""
    own: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for node in profile["nodes"]:
        frame = node["callFrame"]
        if frame["functionName"] in _NOT_CODE or not node["hitCount"]:
            continue
        which = (frame["functionName"] or "(anonymous)", frame["url"])
        own[which] += node["hitCount"]
        for tick in node.get("positionTicks", ()):
            lines[which][tick["line"]] += tick["ticks"]
    total = sum(own.values())
    rows = []
    for (name, url), hits in own.most_common(most):
        line = lines[name, url].most_common(1)
        where = f"{url}:{line[0][0]}" if line else url
        rows.append((f"{hits / total * 100:.1f} %", name, where))
    return rows
