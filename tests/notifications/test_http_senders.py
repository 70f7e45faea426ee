"""Slack, Discord and signed webhooks against real HTTP servers on loopback; the official library checks signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from v8box.features.notifications.model import Channel, ChannelKind, Message, MessageType, Secrets, Severity
from v8box.features.notifications.senders import discord, slack, webhook
from v8box.features.notifications.senders.discord import DiscordSender
from v8box.features.notifications.senders.http import HttpClient, retry_after
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.features.notifications.senders.slack import SlackSender
from v8box.features.notifications.senders.webhook import WebhookSender, key_of, make_secret

OLD, NEW = make_secret(), make_secret()


@dataclass
class Receiver:
    """A server that keeps what it is sent, and answers what it is told to."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[], web.Response] = lambda: web.Response(text="ok")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return self.answer()

    @property
    def body(self) -> Any:
        return json.loads(self.got[-1][1])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/T0/S3CRET"
    yield made
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.stop()


def a_message(**fields: Any) -> Message:
    own: dict[str, Any] = {
        "type": MessageType.FIRING,
        "title": "shop: 12.5 % of requests fail",
        "text": "25 of 200 <!channel> @everyone *requests* failed",
        "severity": Severity.CRITICAL,
        "project": "default",
        "alert": "alert_1",
        "facts": {"worker": "shop & co", "environment": "production"},
        "value": 12.5,
        "since": datetime.now(UTC).timestamp(),
        "at": datetime.now(UTC).timestamp(),
    }
    return Message(**{**own, **fields})


def parcel(url: str, *, project: str = "", message: Message | None = None, **secrets: Any) -> Parcel:
    channel = Channel(
        id="channel_1", project=project, name="x", kind=ChannelKind.WEBHOOK, shows="", created_at=0, created_by="ada"
    )
    return Parcel(
        id="msg_1",
        channel=channel,
        secrets=Secrets(url=url, **{"signing": NEW, **secrets}),
        message=message or a_message(),
        now=datetime.now(UTC).timestamp(),
    )


# ---- webhooks


async def test_the_official_library_takes_a_signature(receiver: Receiver, client: HttpClient) -> None:
    outcome = await WebhookSender(client, private=False).send(parcel(receiver.url))
    assert outcome == Outcome(status=200)
    headers, body = receiver.got[0]
    told = Webhook(NEW).verify(body, headers)
    assert told["type"] == "alert.firing"
    assert told["data"]["value"] == 12.5
    assert headers["webhook-id"] == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body.replace(b"12.5", b"99.5"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, {**headers, "webhook-id": "msg_2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers)


async def test_while_a_secret_is_rotated_both_open(receiver: Receiver, client: HttpClient) -> None:
    sender = WebhookSender(client, private=False)
    await sender.send(parcel(receiver.url, previous_signing=OLD, previous_until=datetime.now(UTC).timestamp() + 60))
    headers, body = receiver.got[0]
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body, headers)["type"] == "alert.firing"
    await sender.send(parcel(receiver.url, previous_signing=OLD, previous_until=datetime.now(UTC).timestamp() - 1))
    headers, body = receiver.got[1]
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200))
def test_any_secret_and_body_are_signed_as_the_library_does(key: bytes, body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    text = base64.b64encode(body).decode()
    at = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()), UTC)
    made = webhook.signatures(Secrets(signing=secret), "msg_x", int(at.timestamp()), text.encode())
    assert made == Webhook(secret).sign("msg_x", at, text)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_" + "A" * 200,
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!!!",
        "whsec_\u00e9" * 8,
    ],
)
def test_bad_secrets(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        key_of(secret)


# ---- what the other side answers


@pytest.mark.parametrize(
    ("answer", "final", "gone"),
    [
        (web.Response, None, False),
        (lambda: web.Response(status=204), None, False),
        (lambda: web.Response(status=500, text="oops\nsecond line"), False, False),
        (lambda: web.Response(status=503, headers={"retry-after": "30"}), False, False),
        (lambda: web.Response(status=429), False, False),
        (lambda: web.Response(status=404, text="no_service"), True, False),
        (lambda: web.Response(status=410), True, True),
        (lambda: web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}), True, False),
    ],
)
async def test_an_answer_is_judged(
    receiver: Receiver, client: HttpClient, answer: Callable[[], web.Response], final: bool | None, gone: bool
) -> None:
    receiver.answer = answer
    outcome = await SlackSender(client, private=False).send(parcel(receiver.url))
    assert outcome.delivered is (final is None)
    assert (outcome.final, outcome.gone) == (bool(final), gone)
    assert len(receiver.got) == 1  # a redirect is not followed
    assert "\n" not in outcome.error
    assert outcome.retry_after == (30.0 if outcome.status == 503 else None)


async def test_nobody_is_there_and_the_secret_is_not_in_the_error(client: HttpClient) -> None:
    outcome = await SlackSender(client, private=True).send(parcel("http://127.0.0.1:1/T0/S3CRET"))
    assert not outcome.delivered
    assert not outcome.final
    assert "S3CRET" not in outcome.error
    assert "efused" in outcome.error


async def test_slack_says_how_long_to_wait(receiver: Receiver, client: HttpClient) -> None:
    receiver.answer = lambda: web.Response(status=429, headers={"Retry-After": "7"}, text="rate_limited")
    outcome = await SlackSender(client, private=False).send(parcel(receiver.url))
    assert (outcome.status, outcome.retry_after, outcome.final) == (429, 7.0, False)


async def test_discord_says_it_more_exactly_in_its_body(receiver: Receiver, client: HttpClient) -> None:
    limited = {"message": "You are being rate limited.", "retry_after": 0.65, "global": False}
    receiver.answer = lambda: web.json_response(limited, status=429, headers={"Retry-After": "1"})
    outcome = await DiscordSender(client, private=False).send(parcel(receiver.url))
    assert (outcome.status, outcome.retry_after) == (429, 0.65)
    receiver.answer = lambda: web.Response(status=429, text="not json", headers={"Retry-After": "3"})
    outcome = await DiscordSender(client, private=False).send(parcel(receiver.url))
    assert outcome.retry_after == 3.0


def test_retry_after_as_a_date_and_as_nonsense() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    found = retry_after(soon)
    assert found is not None
    assert 1_500 < found <= 1_800
    assert retry_after("1000000") == 3_600
    assert retry_after("-5") == 0.0
    for nonsense in ("", "soon", "nan"):
        assert retry_after(nonsense) is None


# ---- whom it may ask

Send = Callable[[Parcel], Awaitable[Outcome]]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "https://localhost:{port}/"])
async def test_a_project_does_not_reach_the_boxs_own_network(receiver: Receiver, client: HttpClient, url: str) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    for sender in (SlackSender, DiscordSender, WebhookSender):
        outcome = await sender(client, private=False).send(parcel(url.format(port=port), project="acme"))
        assert not outcome.delivered
    assert receiver.got == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1", "0", "[::1]", "[::]"])
async def test_other_spellings_of_it_neither(receiver: Receiver, client: HttpClient, host: str) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    outcome = await SlackSender(client, private=False).send(parcel(f"https://{host}:{port}/", project="acme"))
    assert not outcome.delivered
    assert receiver.got == []


async def test_a_name_that_leads_there_is_refused_where_it_is_resolved(receiver: Receiver) -> None:
    """The names are allowed, and the addresses are not."""
    seen: list[str] = []

    def allows(address: str) -> bool:
        seen.append(address)
        return False

    client = HttpClient(allows)
    port = receiver.url.split(":")[2].split("/")[0]
    outcome = await SlackSender(client, private=False).send(parcel(f"https://localhost:{port}/", project="acme"))
    await client.stop()
    assert not outcome.delivered
    assert "127.0.0.1" in seen or "::1" in seen
    assert receiver.got == []


async def test_where_the_box_allows_it_a_project_does(receiver: Receiver, client: HttpClient) -> None:
    assert (await SlackSender(client, private=True).send(parcel(receiver.url, project="acme"))).delivered


# ---- what is said


async def test_slack_gets_blocks_and_nobody_is_mentioned(receiver: Receiver, client: HttpClient) -> None:
    await SlackSender(client, private=False).send(parcel(receiver.url, message=a_message(advice="v8box logs shop")))
    body = receiver.body
    assert body["text"] == "shop: 12.5 % of requests fail"
    blocks = body["attachments"][0]["blocks"]
    assert [each["type"] for each in blocks] == ["header", "section", "section", "context"]
    assert "<!channel>" not in receiver.got[0][1].decode()
    assert "&lt;!channel&gt;" in blocks[1]["text"]["text"]
    assert "v8box logs shop" in blocks[1]["text"]["text"]
    assert "shop &amp; co" in blocks[2]["fields"][0]["text"]


async def test_discord_gets_an_embed_and_nobody_is_mentioned(receiver: Receiver, client: HttpClient) -> None:
    await DiscordSender(client, private=False).send(parcel(receiver.url))
    body = receiver.body
    assert body["allowed_mentions"] == {"parse": []}
    (embed,) = body["embeds"]
    assert "\\*requests\\*" in embed["description"]
    assert embed["fields"][0] == {"name": "worker", "value": "shop & co", "inline": True}


@pytest.mark.parametrize("build", [slack.payload, discord.payload])
def test_the_end_is_green(build: Callable[[Message], dict[str, Any]]) -> None:
    assert json.dumps(build(a_message())) != json.dumps(build(a_message(type=MessageType.RESOLVED)))
    told = json.dumps(build(a_message(type=MessageType.RESOLVED)))
    assert "#2eb67d" in told or str(0x2EB67D) in told


@given(st.text(max_size=5_000), st.dictionaries(st.text(max_size=300), st.text(max_size=3_000), max_size=40))
def test_whatever_is_said_keeps_to_their_bounds(text: str, facts: dict[str, str]) -> None:
    message = a_message(title=text or "x", text=text, facts=facts)
    for block in slack.payload(message)["attachments"][0]["blocks"]:
        if "text" in block:
            assert len(block["text"]["text"]) <= (150 if block["type"] == "header" else 3_000)
        assert len(block.get("fields", ())) <= 10
        assert all(len(each["text"]) <= 2_000 for each in block.get("fields", ()))
    (embed,) = discord.payload(message)["embeds"]
    assert len(embed["title"]) <= 256
    assert len(embed["description"]) <= 4_096
    assert len(embed["fields"]) <= 25
    assert all(0 < len(each["name"]) <= 256 and 0 < len(each["value"]) <= 1_024 for each in embed["fields"])
