"""`v8box init`: a new worker, or a new folder of workers, ready for an editor. Nothing that is there is overwritten."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from v8box.cli.console import Json, fail, say, show, told
from v8box.cli.exits import Exit
from v8box.cli.source import find_source

app = typer.Typer()

TEMPLATES: Final = ("handler", "module", "hono")
_DENO_JSON: Final = """{
  "imports": {},
  "compilerOptions": {
    "strict": true,
    "lib": ["deno.window"],
    "types": ["./v8box.d.ts"]
  },
  "fmt": {
    "lineWidth": 120
  }
}
"""
_MANIFEST: Final = """# The manifest of this worker, all of it optional. It belongs to the version deployed with it.

# [permissions]
# net = "none"                    # "public" (any public address), "none", or hosts: ["api.example.com"]

# [limits]
# wall_ms = 30000                 # a run may take this long
# cpu_ms = 10000                  # … of which on the processor
# memory_mb = 128                 # heap and buffers

# [auth]
# api_key = "required"            # callers need one: v8box key create

# [[rate_limit]]
# limit = 100
# window_seconds = 60             # for each address; by = "key" for each key

# [env]
# GREETING = "Hello"
"""
_IGNORED: Final = ".v8box/\nnode_modules/\n.env\n"


@app.command("init")
def init(
    path: Annotated[
        Path, typer.Argument(help="A new folder. The worker is called like it.", show_default="the current folder")
    ] = Path(),
    template: Annotated[
        str, typer.Option("--template", "-t", help="handler (params in, data out), module (Request, Response) or hono.")
    ] = "handler",
    folder: Annotated[
        bool, typer.Option("--folder", help="A folder of workers for `v8box up`, with the examples, instead of one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a worker from a template, with its manifest and what an editor needs: deno.json and the types."""
    if template not in TEMPLATES:
        fail(f"There is no template {template}. There are {', '.join(TEMPLATES)}", Exit.USAGE)
    with told():
        try:
            written = _folder(path) if folder else _worker(path, template)
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror or error}")
    data: dict[str, Any] = {"path": str(path.resolve()), "written": written}
    show(data, as_json=as_json, columns=("written",), rows=[(name,) for name in written])
    where = "" if path.resolve() == Path.cwd() else f" {path}"
    if folder:
        say(f"Serve it with: v8box up{where}")
    else:
        say(f"Serve it here with: v8box dev{where}   Put it on a box with: v8box deploy{where}")


def _worker(path: Path, template: str) -> list[str]:
    if path.suffix in (".ts", ".js"):
        fail(f"{path} looks like a file. `init` makes a folder, which is called like the worker", Exit.USAGE)
    types = files("v8box") / "runtime" / "types" / "v8box.d.ts"
    main = files("v8box.cli") / "templates" / template / "main.ts"
    contents = {
        "main.ts": main.read_bytes(),
        "v8box.toml": _MANIFEST.encode(),
        "deno.json": _DENO_JSON.encode(),
        "v8box.d.ts": types.read_bytes(),
        ".gitignore": _IGNORED.encode(),
    }
    there = [name for name in contents if (path / name).exists() and name != ".gitignore"]
    if there:
        fail(f"{path} has {', '.join(there)} already: nothing was written", Exit.CONFLICT)
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        (path / "main.ts").write_bytes(contents["main.ts"])
        find_source(path)  # the folder's name has to be one of a worker
    except Exception:
        (path / "main.ts").unlink(missing_ok=True)
        if made:
            path.rmdir()
        raise
    return sorted(["main.ts", *_write(path, contents)])


def _folder(path: Path) -> list[str]:
    from v8box.features.deploy import scaffold

    written = scaffold(path, path / "data")
    if not written:
        fail(f"{path} is not empty: nothing was written", Exit.CONFLICT)
    return [*written, *_write(path, {".gitignore": f"data/\n{_IGNORED}".encode()})]


def _write(path: Path, contents: dict[str, bytes]) -> list[str]:
    written = []
    for name, content in contents.items():
        try:
            descriptor = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        with open(descriptor, "wb") as file:
            file.write(content)
        written.append(name)
    return written
