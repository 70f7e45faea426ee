"""From a bare folder with nothing but the command: a user, a worker from staging to production, a split, a way back, a
secret, a key with a limit, and the audit log that tells it all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e.box import RunningBox

COMMAND = str(Path(sys.executable).parent / "v8box")
PASSWORD = "correct-horse-battery"
SECRET = "sk-live-0123456789abcdef"
FIRST = "export default { fetch: () => new Response('one') };\n"
SECOND = """export default function ({ env }: V8Box.Context) {
  return { word: "two", token: (env.API_TOKEN ?? "").length };
}
"""


class Ada:
    """She has an account, an address and the command; she is not in the box's folder."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.url = url
        home.mkdir()

    def says(self, *words: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("V8BOX_")}
        env = {**kept, "HOME": str(self.home), "V8BOX_URL": self.url, "NO_COLOR": "1"}
        env.pop("XDG_CONFIG_HOME", None)
        done = subprocess.run(
            [COMMAND, *words], cwd=self.home, env=env, input=given, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def gets(self, *words: str, given: str = "") -> Any:
        return json.loads(self.says(*words, "--json", given=given).stdout)


def test_the_story_of_a_worker(own_box: RunningBox, tmp_path: Path) -> None:
    own_box.wait_ready()
    operator = Ada(tmp_path / "operator", "")
    here = ("--dir", str(own_box.directory))
    ada = Ada(tmp_path / "ada", f"http://127.0.0.1:{own_box.port}")

    # a user, made by who runs the box; she signs in from elsewhere
    operator.says("user", "create", "ada", "--role", "admin", "--password", *here, given=PASSWORD)
    ada.says("list", code=4)
    ada.says("login", "--user", "ada", given=PASSWORD)
    assert ada.gets("whoami")["roles"] == {"*": "admin"}

    # a worker from a template, to staging and on
    ada.says("init", "greet")
    main = ada.home / "greet" / "main.ts"
    main.write_text(FIRST)
    assert ada.gets("deploy", "greet", "--env", "staging", "-m", "the first")["workers"][0]["number"] == 1
    assert ada.says("run", "greet", "--env", "staging").stdout == "one"
    ada.says("run", "greet", code=3)
    ada.says("promote", "greet")
    assert ada.says("run", "greet").stdout == "one"

    # the next version takes a tenth of the requests
    main.write_text(SECOND)
    ada.says("deploy", "greet", "--env", "staging", "-m", "the second")
    assert "-export default { fetch: () => new Response('one') };" in ada.says("diff", "greet", "v1", "v2").stdout
    ada.says("split", "greet", "v1=90", "v2=10")
    seen = Counter("one" if own_box.run("greet").text == "one" else "two" for _ in range(300))
    assert 0 < seen["two"] < seen["one"]
    ada.says("rollback", "greet")
    assert {own_box.run("greet").text for _ in range(50)} == {"one"}
    ada.says("promote", "greet")

    # a secret: it goes in by standard input, and only the worker sees it
    assert ada.gets("run", "greet")["body"]["data"] == {"word": "two", "token": 0}
    ada.says("secret", "set", "API_TOKEN", "--worker", "greet", given=SECRET)
    assert ada.gets("run", "greet")["body"]["data"]["token"] == len(SECRET)
    assert ada.gets("secret", "list")[0]["value"] is None

    # only who has a key may call, and not often
    (ada.home / "greet" / "v8box.toml").write_text('[auth]\napi_key = "required"\n')
    ada.says("deploy", "greet")
    ada.says("run", "greet", code=4)
    key = ada.gets("key", "create", "a customer", "--worker", "greet", "--rate", "3/h")["key"]
    for _ in range(3):
        ada.says("run", "greet", "--key", key)
    limited = ada.says("run", "greet", "--key", key, "--json", code=1)
    assert json.loads(limited.stdout)["status"] == 429

    # who did what
    ada.says("tag", "greet", "v2", "good")
    entries = ada.gets("audit", "list", "--limit", "500")
    actions = {each["action"] for each in entries if each["actor"]["kind"] == "token"}
    done = {f"deployment.{what}" for what in ("deployed", "promoted", "split", "rolled_back")}
    assert done | {"variable.set", "api_key.create", "version.describe"} <= actions, actions
    assert "user.create" in {each["action"] for each in entries if each["actor"]["kind"] == "local"}
    assert ada.gets("audit", "verify")["ok"] is True
    exported = ada.says("audit", "export").stdout
    for hidden in (SECRET, PASSWORD, key):
        assert hidden not in exported
    ada.says("logout")
    ada.says("list", code=4)
