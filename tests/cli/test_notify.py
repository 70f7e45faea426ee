"""`v8box notify` against a real box and a real receiver: from a rule to what somebody is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook
from tests.cli.real import Shell

from v8box.cli.notify_channels import read_quiet


class Receiver:
    """A server that keeps what it is sent. `wait` gives the first that fits."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.arrived:
                    receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    receiver.arrived.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/S3CRET"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, kind: str, about: str = "") -> tuple[dict[str, str], bytes]:
        def fits(each: tuple[dict[str, str], bytes]) -> bool:
            return json.loads(each[1])["type"] == kind and about.encode() in each[1]

        with self.arrived:
            assert self.arrived.wait_for(lambda: any(map(fits, self.got)), timeout=120), self.got
            return next(filter(fits, self.got))

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def hook(shell: Shell, receiver: Receiver) -> Iterator[dict[str, Any]]:
    """A webhook of the box's own, which may lead to loopback."""
    words = ("channels", "add", "hook", "--box", "--kind", "webhook", "--url-file", "-")
    made: dict[str, Any] = shell.data("notify", *words, given=receiver.url)
    yield made
    for rule in shell.data("notify", "rules", "list", "--box"):
        if made["id"] in rule["channels"]:
            shell.call("notify", "rules", "delete", rule["id"], "--box", "--yes")
    assert shell.call("notify", "channels", "delete", "hook", "--box", "--yes").returncode == 0


def test_a_channel_is_tested_and_its_secrets_are_not_shown(
    shell: Shell, receiver: Receiver, hook: dict[str, Any]
) -> None:
    done = shell.call("notify", "test", "hook", "--box")
    assert (done.returncode, "delivered" in done.stdout) == (0, True)
    headers, body = receiver.wait("test")
    assert Webhook(hook["signing_secret"]).verify(body, headers)["data"]["severity"] == "info"
    listed = shell.call("notify", "channels", "list", "--box").stdout
    assert "http://127.0.0.1" in listed
    assert "S3CRET" not in listed
    assert "delivered" in shell.call("notify", "log", "--box", "--channel", "hook").stdout
    rotated = shell.data("notify", "channels", "rotate", "hook", "--box", "--overlap", "1h")
    shell.call("notify", "test", "hook", "--box")
    headers, body = receiver.got[-1]
    for secret in (hook["signing_secret"], rotated["signing_secret"]):
        Webhook(secret).verify(body, headers)
    receiver.stop()
    done = shell.call("notify", "test", "hook", "--box")
    assert (done.returncode, "refused" in done.stdout) == (1, True)


def test_an_error_of_a_worker_and_a_deploy_that_fails_are_told(
    shell: Shell, receiver: Receiver, hook: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    shell.data("notify", "rules", "add", "errors", "--box", "--kind", "errors", "--channel", "hook")
    shell.data("notify", "rules", "add", "deploys", "--box", "--kind", "deploy_failed", "--channel", "hook")
    folder = tmp_path_factory.mktemp("thrower") / "thrower"
    folder.mkdir()
    (folder / "main.ts").write_text("export default { fetch() { throw new TypeError('no such thing') } };\n")
    shell.data("deploy", str(folder))
    shell.call("run", "thrower")
    told = json.loads(receiver.wait("alert.event", "no such thing")[1])
    assert told["data"]["facts"]["worker"] == "thrower"
    (folder / "main.ts").write_text("export default { fetch( }\n")
    assert shell.call("deploy", str(folder)).returncode != 0
    told = json.loads(receiver.wait("alert.event", "was not deployed")[1])
    assert told["data"]["title"] == "thrower was not deployed"
    firing = shell.call("notify", "alerts", "--box").stdout
    assert "was not deployed" in firing
    alerts = shell.data("notify", "alerts", "--box")
    alert = next(each for each in alerts if each["title"] == "thrower was not deployed")
    shown = shell.call("notify", "show", alert["id"], "--box").stdout
    assert ("main.ts" in shown, "it fires" in shown) == (True, True)
    assert shell.data("notify", "ack", alert["id"], "--box")["acknowledged_by"] == "local operator"
    assert shell.data("notify", "silence", alert["id"], "--box", "--for", "2h")["silenced_until"]
    shell.call("delete", "thrower", "--yes")


def test_a_check_that_warns_fires_and_a_rule_can_be_silenced(
    shell: Shell, receiver: Receiver, hook: dict[str, Any]
) -> None:
    missing = shell.data("notify", "rules", "list", "--box")
    assert "The box is not well" in [each["name"] for each in missing]
    words = ("--kind", "error_rate", "--above", "2.5", "--window", "1m", "--worker", "shop-*", "--severity", "critical")
    made = shell.data("notify", "rules", "add", "shop", "--box", *words, "--channel", "hook", "--remind", "4h")
    assert (made["threshold"], made["window_seconds"], made["reminder_seconds"]) == (2.5, 60, 14_400)
    changed = shell.data("notify", "rules", "change", "shop", "--box", "--silence", "2h", "--for", "1m")
    assert changed["for_seconds"] == 60
    listed = shell.call("notify", "rules", "list", "--box").stdout
    assert "more than 2.5 % of shop-* in 60 s for 60 s" in listed
    assert "silent until" in listed
    assert "hook" in listed
    ends = ("--kind", "terminations", "--reason", "memory", "--reason", "cpu", "--channel", "hook")
    shell.data("notify", "rules", "add", "ends", "--box", *ends)
    none = ("--reason", "none", "--channel", "none", "--window", "1h", "--for", "none")
    changed = shell.data("notify", "rules", "change", "ends", "--box", *none)
    assert (changed["reasons"], changed["channels"], changed["window_seconds"]) == ([], [], 3_600)
    shell.call("notify", "rules", "delete", "ends", "--box", "--yes")


def test_an_email_channel_keeps_what_is_not_said(shell: Shell) -> None:
    words = ("--kind", "email", "--to", "ops@example.com", "--host", "mail.example.com", "--username", "box")
    shell.data("notify", "channels", "add", "mail", "--box", *words, "--password-file", "-", given="hunter2")
    other = ("--to", "ada@example.com", "--to", "ben@example.com", "--quiet", "22:00-07:00 Europe/Berlin sat,sun")
    changed = shell.data("notify", "channels", "change", "mail", "--box", *other)
    assert changed["email"]["to"] == ["ada@example.com", "ben@example.com"]
    assert (changed["email"]["host"], changed["email"]["username"]) == ("mail.example.com", "box")
    listed = shell.call("notify", "channels", "list", "--box").stdout
    assert "ada@example.com, ben@example.com" in listed
    assert "22:00-07:00 Europe/Berlin sat,sun" in listed
    shell.call("notify", "channels", "delete", "mail", "--box", "--yes")


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (2, ("channels", "add", "x", "--kind", "slack", "--url-file", "/nowhere"), "cannot be read"),
        (2, ("channels", "add", "x", "--kind", "slack", "--quiet", "at night"), "22:00-07:00"),
        (2, ("channels", "change", "x"), "what to change"),
        (2, ("rules", "change", "x"), "what to change"),
        (1, ("test", "nope"), "notify channels list"),
        (1, ("rules", "delete", "nope", "--yes"), "notify rules list"),
        (1, ("rules", "add", "x", "--kind", "luck"), ""),
        (1, ("rules", "add", "x", "--kind", "health"), "box"),
        (3, ("ack", "nope"), ""),
        (3, ("show", "nope"), ""),
        (3, ("redeliver", "nope"), ""),
    ],
)
def test_what_is_wrong_is_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "notify", *words)


def test_quiet_hours_as_they_are_typed() -> None:
    assert read_quiet("22:00-07:00") == {"start": "22:00", "end": "07:00"}
    assert read_quiet("22:00-07:00 Europe/Berlin sat,sun") == {
        "start": "22:00",
        "end": "07:00",
        "timezone": "Europe/Berlin",
        "days": ["sat", "sun"],
    }
    assert read_quiet("none") is None
