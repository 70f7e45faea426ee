"""A worker from its template to its first answer: `v8box init`, then `v8box dev` on a box of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from tests.cli.real import COMMAND
from tests.e2e.box import RunningBox
from tests.servers.ports import free_port

from v8box.catalog import own_table


def init(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run([COMMAND, "init", *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("template", ["handler", "module", "hono"])
def test_a_template_has_what_an_editor_needs(tmp_path: Path, template: str) -> None:
    done = init("greet", "--template", template, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "v8box dev greet" in done.stderr
    names = {path.name for path in (tmp_path / "greet").iterdir()}
    assert names == {".gitignore", "deno.json", "main.ts", "v8box.d.ts", "v8box.toml"}


def test_what_the_manifest_proposes_is_a_manifest(tmp_path: Path) -> None:
    init("greet", cwd=tmp_path)
    lines = (tmp_path / "greet" / "v8box.toml").read_text().splitlines()
    proposed = "\n".join(line.removeprefix("# ") for line in lines if "=" in line or line.startswith("# ["))

    def none_is_read(name: str) -> bytes:
        raise ValueError(name)

    manifest = own_table(proposed, "v8box.toml", none_is_read).manifest("main.ts")
    assert (manifest.permissions.net, manifest.env["GREETING"]) == ("none", "Hello")
    assert manifest.rules.auth.api_key == "required"


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "deno.json").write_text("mine")
    done = init(".", cwd=tmp_path)
    assert (done.returncode, "deno.json" in done.stderr) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["deno.json"]
    assert init("--folder", cwd=tmp_path).returncode == 5


@pytest.mark.parametrize(("words", "code"), [(("x.ts",), 2), (("Bad Name",), 2), (("a", "-t", "nope"), 2)])
def test_mistakes_leave_nothing_behind(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    assert init(*words, cwd=tmp_path).returncode == code
    assert list(tmp_path.iterdir()) == []


def test_a_folder_has_the_examples(tmp_path: Path) -> None:
    assert init("box", "--folder", cwd=tmp_path).returncode == 0
    assert (tmp_path / "box" / "functions" / "hello.ts").is_file()
    assert "data/" in (tmp_path / "box" / ".gitignore").read_text()


class Dev(RunningBox):
    """`v8box dev` instead of `up`."""

    def __init__(self, path: Path, *words: str, **environ: str) -> None:
        self._words = words
        super().__init__(path, environ)

    def command(self) -> list[str]:
        return [COMMAND, "dev", str(self.directory), "--port", str(self.port), *self._words]


def test_one_worker_is_served_checked_and_deployed_again(tmp_path: Path) -> None:
    init("greet", cwd=tmp_path)
    main = tmp_path / "greet" / "main.ts"
    # Servers in the environment are for production: what is tried here must not reach them.
    dev = Dev(tmp_path / "greet", VALKEY_URL="redis://127.0.0.1:1", LIBSQL_URL="http://127.0.0.1:1")
    try:
        line = dev.wait_line("greet is live", seconds=60)
        assert line.endswith(f"http://localhost:{dev.port}/run/greet")
        dev.wait_ready()
        assert dev.run("greet", params={"name": "Ada"}).json()["data"] == {"message": "Hello, Ada!", "count": 1}
        mark = dev.mark()
        main.write_text(main.read_text().replace("const count = await", "const count: string = await"))
        dev.wait_line(r"main\.ts:\d+:\d+: Type 'number' is not assignable to type 'string'", mark, 60)
        mark = dev.mark()
        main.write_text(main.read_text().replace("const count: string = await", "const count = 10 * await"))
        dev.wait_line("greet is live", mark)
        dev.wait_line("the types are right", mark, 60)
        assert dev.run("greet").json()["data"]["count"] == 20
        found = subprocess.run([COMMAND, "db", "list", "--json"], cwd=main.parent, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        mark = dev.mark()
        (main.parent / "v8box.toml").write_text('[env]\nGREETING = "x"\nwrong = 1\n')
        dev.wait_line(r"v8box\.toml:3", mark)
    finally:
        assert dev.stop() == 0
    assert (tmp_path / "greet" / ".v8box" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / "greet" / "data").exists()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    init("greet", cwd=tmp_path)
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        words = [COMMAND, "dev", str(tmp_path / "greet"), "--port", str(port)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "another program listens" in done.stderr
