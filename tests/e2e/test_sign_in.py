"""Sign-in at a real box: the first owner, the cookie, the local operator, a domain, what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
from tests.e2e.box import WAIT_SECONDS, RunningBox

COMMAND = str(Path(sys.executable).parent / "v8box")


def test_the_first_start_prints_a_password_once_and_it_signs_in(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    box = RunningBox(directory)
    try:
        box.wait_ready()
        [password] = re.findall(r"user admin, password (\S+)", "\n".join(box.lines))
        assert box.client.get("/api/v1/session").status_code == 401
        signed_in = box.client.post("/admin/login", data={"password": password})
        assert signed_in.status_code == 200, signed_in.text
        assert box.client.get("/api/v1/session").json()["roles"] == {"*": "owner"}
        cookie = dict(box.client.cookies)
        token = (directory / "data" / "keys" / "local.token").read_text().strip()
    finally:
        box.stop()
    assert not (directory / "data" / "keys" / "local.token").exists()
    again = RunningBox(directory, {"ADMIN_PASSWORD": "hunter2hunter2"})
    try:
        again.wait_ready()
        assert "password" not in "\n".join(again.lines)
        base = f"http://localhost:{again.port}/api/v1/session"
        assert httpx.get(base, cookies=cookie, trust_env=False, timeout=WAIT_SECONDS).json()["code"] == "session_ended"
        refused = httpx.get(base, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=WAIT_SECONDS)
        assert (refused.status_code, refused.json()["code"]) == (401, "token_refused")
        assert again.client.post("/admin/login", data={"password": password}).status_code == 401
        assert again.client.post("/admin/login", json={"password": "hunter2hunter2"}).status_code == 200
        secrets = (password, "hunter2hunter2", token)
        kept = b"".join(path.read_bytes() for path in (directory / "data").rglob("*") if path.is_file())
        assert [secret for secret in secrets if secret.encode() in kept] == []
    finally:
        again.stop()


def test_with_a_domain_the_commands_on_the_machine_still_find_the_box(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    box = RunningBox(directory, {"DOMAIN": "example.com"})
    try:
        box.wait_ready()
        environ = {"DOMAIN": "example.com", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [COMMAND, "db", "list", "--json"], cwd=directory, env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        headers = {"host": "admin.example.com", "origin": "https://site.example.com", "sec-fetch-site": "same-site"}
        refused = box.client.post("/admin/login", data={"password": "x"}, headers=headers)
        assert refused.status_code == 403
    finally:
        box.stop()
