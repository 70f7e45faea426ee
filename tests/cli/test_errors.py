"""`v8box errors` against a real box: a worker throws at a known line, is mended, and breaks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.real import Shell

BROKEN = """interface Item {
  name: string;
}
function find(items: Item[], name: string): Item {
  const found = items.find((each) => each.name === name);
  if (!found) throw new RangeError(`there is no ${name}`);
  return found;
}
export default {
  fetch(request: Request, env: { TOKEN?: string }, ctx: { waitUntil(promise: unknown): void }) {
    const path = new URL(request.url).pathname;
    if (path === "/later") ctx.waitUntil(Promise.reject(new TypeError("later")));
    if (path === "/said") console.error("it failed:", new SyntaxError("said"));
    if (path === "/secret") throw new URIError(`the token is ${env.TOKEN}`);
    if (path === "/item") return Response.json(find([], "pear"));
    if (path === "/stop") Deno.exit(3);
    return new Response("fine");
  },
};
"""
MENDED = BROKEN.replace("throw new RangeError(`there is no ${name}`)", "return { name }")
BROKEN_AGAIN = BROKEN.replace("interface Item {", "// another line\ninterface Item {")


def errors_of(shell: Shell, *words: str, worker: str = "fruit") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shell.data("errors", "list", worker, *words)
    return found


def until(shell: Shell, name: str, state: str = "open") -> dict[str, Any]:
    """The error of this name, once it is there in this state."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [each for each in errors_of(shell, "--state", state) if each["name"] == name]
        return bool(found)

    shell.box.until(there)
    return found[0]


def deploy(shell: Shell, folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "main.ts").write_text(text)
    shell.data("deploy", str(folder))


@pytest.fixture
def fruit(shell: Shell, tmp_path: Path) -> Shell:
    deploy(shell, tmp_path / "fruit", BROKEN)
    return shell


def test_from_a_throw_to_its_return(fruit: Shell, tmp_path: Path) -> None:
    shell = fruit
    assert shell.box.run("fruit/item").status_code == 500
    error = until(shell, "RangeError")
    assert error["message"] == "there is no pear"
    assert (error["top"]["function"], error["top"]["file"].split("/")[-1], error["top"]["line"]) == (
        "find",
        "main.ts",
        6,
    )
    shown = shell.call("errors", "show", error["id"]).stdout
    assert ">     6 |   if (!found) throw new RangeError" in shown
    assert "there is no pear" in shown
    detail = shell.data("errors", "show", error["id"])
    (sample,) = detail["samples"]
    runs = shell.data("logs", "fruit", "--run", sample["run"])
    assert any(each["kind"] == "run" for each in runs)
    assert "RangeError: there is no pear" in shell.call("errors", "fruit").stdout

    deploy(shell, tmp_path / "fruit", MENDED)
    assert shell.box.run("fruit/item").json() == {"name": "pear"}
    assert shell.data("errors", "resolve", error["id"]) == {"changed": 1}
    assert [each for each in errors_of(shell) if each["id"] == error["id"]] == []

    deploy(shell, tmp_path / "fruit", BROKEN_AGAIN)
    assert shell.box.run("fruit/item").status_code == 500
    back = until(shell, "RangeError", "regressed")
    assert back["id"] == error["id"], "it is the same, though its line has moved"
    assert (back["top"]["line"], back["count"]) == (7, 2)
    assert (back["new_in"]["number"], back["last_version"]["number"]) == (1, 3)


def test_what_is_not_thrown_at_the_caller_is_an_error_too(fruit: Shell) -> None:
    assert fruit.box.run("fruit/later").status_code == 200
    assert fruit.box.run("fruit/said").status_code == 200
    later, said = until(fruit, "TypeError"), until(fruit, "SyntaxError")
    assert (later["kind"], later["message"]) == ("wait_until", "later")
    assert (said["kind"], said["message"], said["top"]["line"]) == ("log", "said", 13)
    assert fruit.box.run("fruit/stop").status_code == 502
    stopped = until(fruit, "exit")
    assert stopped["kind"] == "kill"
    assert "v8box kills --worker fruit --reason exit" in fruit.call("errors", "show", stopped["id"]).stderr
    assert "fruit" in fruit.call("kills", "--worker", "fruit", "--reason", "exit").stdout


def test_a_secret_is_in_no_error(fruit: Shell) -> None:
    fruit.call("secret", "set", "TOKEN", "--worker", "fruit", given="hunter2-hunter2\n")
    assert fruit.box.run("fruit/secret").status_code == 500
    error = until(fruit, "URIError")
    detail = fruit.call("errors", "show", error["id"], "--json").stdout
    assert "the token is ••" in error["message"]
    assert "hunter2" not in detail


def test_a_module_that_throws_while_it_loads(shell: Shell, tmp_path: Path) -> None:
    deploy(shell, tmp_path / "early", "throw new EvalError('too early');\nexport default () => null;\n")
    assert shell.box.run("early").status_code == 502
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = errors_of(shell, worker="early")
        return bool(found)

    shell.box.until(there)
    (error,) = found
    assert (error["kind"], error["name"], error["message"]) == ("startup", "EvalError", "too early")
    assert error["top"]["line"] == 1
    assert shell.call("delete", "early", "--yes").returncode == 0
    assert errors_of(shell, "--state", "all", worker="early") == []


def test_ignoring_and_opening_again(fruit: Shell) -> None:
    fruit.box.run("fruit/later")
    error = until(fruit, "TypeError")
    assert fruit.data("errors", "ignore", error["id"], "--for", "1h") == {"changed": 1}
    assert fruit.data("errors", "show", error["id"])["ignored_until"] is not None
    assert "ignored until" in fruit.call("errors", "show", error["id"]).stdout
    assert fruit.data("errors", "reopen", error["id"]) == {"changed": 1}
    assert fruit.data("errors", "ignore", "--worker", "fruit")["changed"] >= 1
    assert errors_of(fruit) == []
    assert "--state all" in fruit.call("errors", "fruit").stderr
    assert {each["state"] for each in errors_of(fruit, "--state", "all", "--sort", "count")} <= {"ignored", "resolved"}


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (3, ("show", "0" * 16), "no such error"),
        (3, ("resolve", "0" * 16), ""),
        (2, ("resolve",), "--worker"),
        (2, ("reopen",), "ids"),
        (2, ("resolve", "0" * 16, "--worker", "fruit"), "one of the two"),
        (2, ("list", "--state", "gone"), "regressed"),
        (2, ("--sort", "name"), "last_seen"),
        (2, ("ignore", "0" * 16, "--for", "ever"), "30d"),
    ],
)
def test_what_cannot_be_done(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "errors", *words)
