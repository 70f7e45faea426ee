"""E-mail, given to real SMTP servers on loopback: STARTTLS, TLS, passwords, refusals, and what must not get into a
header.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.certificates import Pem, self_signed

from v8box.features.notifications.model import (
    Channel,
    ChannelKind,
    EmailSettings,
    Message,
    MessageType,
    Secrets,
    Severity,
)
from v8box.features.notifications.senders.email import EmailSender, compose
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.settings import Notifications, ServerUrl

NOW = 1_780_000_000.0
PASSWORD = "hunter2/@:x"


@dataclass
class Mailbox:
    """What a server was given; `refuse` is answered to every mail, and `unknown` to these addresses."""

    envelopes: list[Envelope] = field(default_factory=list)
    refuse: str = ""
    unknown: tuple[str, ...] = ()
    logins: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.unknown:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        good = self.logins[-1] == ("box", PASSWORD)
        return AuthResult(success=good, handled=False)

    def mail(self) -> EmailMessage:
        """The last one. No property: the server looks at every attribute."""
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=email.policy.default)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    return self_signed(tmp_path_factory.mktemp("tls"))


def server_context(pem: Pem) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem.certificate, pem.key)
    return context


@asynccontextmanager
async def serve(
    mailbox: Mailbox, *, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Mailbox]:
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that passwords go without STARTTLS: there is TLS
            return SMTP(mailbox, hostname="mail.example.com", loop=loop, **options)

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=ssl_context)
    async with server:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox


@pytest.fixture
async def plain() -> AsyncIterator[Mailbox]:
    async with serve(Mailbox()) as mailbox:
        yield mailbox


@pytest.fixture
async def starttls(pem: Pem) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox()
    async with serve(
        mailbox,
        tls_context=server_context(pem),
        require_starttls=True,
        auth_required=True,
        authenticator=mailbox.authenticate,
    ):
        yield mailbox


@pytest.fixture
async def tls(pem: Pem) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox()
    async with serve(
        mailbox,
        ssl_context=server_context(pem),
        auth_required=True,
        auth_require_tls=False,
        authenticator=mailbox.authenticate,
    ):
        yield mailbox


def a_message(**fields: Any) -> Message:
    own: dict[str, Any] = {
        "type": MessageType.FIRING,
        "title": "shop: 12.5 % of requests fail",
        "text": "25 of 200 requests failed.",
        "severity": Severity.CRITICAL,
        "project": "default",
        "alert": "alert_1",
        "advice": "v8box logs shop",
        "facts": {"worker": "shop"},
        "since": NOW,
        "at": NOW,
    }
    return Message(**{**own, **fields})


def parcel(project: str = "", message: Message | None = None, password: str = "", **settings: Any) -> Parcel:
    own: dict[str, Any] = {"to": ("ops@example.com", "ada@example.com")}
    channel = Channel(
        id="channel_1",
        project=project,
        name="x",
        kind=ChannelKind.EMAIL,
        shows="",
        email=EmailSettings(**{**own, **settings}),
        created_at=0,
        created_by="ada",
    )
    secrets = Secrets(password=password)
    return Parcel(id="msg_1", channel=channel, secrets=secrets, message=message or a_message(), now=NOW)


def a_sender(pem: Pem | None = None, url: str | None = None, **more: Any) -> EmailSender:
    settings = Notifications(smtp_url=None if url is None else ServerUrl(url), smtp_from="box@example.com")
    cafile = None if pem is None else pem.certificate
    return EmailSender(settings, "example.com", trust=lambda: ssl.create_default_context(cafile=cafile), **more)


async def test_by_the_boxs_own_server(plain: Mailbox) -> None:
    outcome = await a_sender(url=f"smtp+plain://127.0.0.1:{plain.port}").send(parcel("acme"))
    assert outcome == Outcome(status=250)
    assert plain.envelopes[0].rcpt_tos == ["ops@example.com", "ada@example.com"]
    assert plain.envelopes[0].mail_from == "box@example.com"
    mail = plain.mail()
    assert mail["subject"] == "[V8Box] shop: 12.5 % of requests fail"
    assert (mail["from"], mail["to"]) == ("box@example.com", "ops@example.com, ada@example.com")
    assert mail["message-id"] == "<msg_1@example.com>"
    assert mail["references"] == "<alert_1@example.com>"
    assert mail["auto-submitted"] == "auto-generated"
    text = mail.get_content()
    for said in ("25 of 200 requests failed.", "What to do: v8box logs shop", "worker: shop", "severity: critical"):
        assert said in text


async def test_starttls_with_a_password(starttls: Mailbox, pem: Pem) -> None:
    settings: dict[str, Any] = {"host": "localhost", "port": starttls.port, "username": "box"}
    outcome = await a_sender(pem).send(parcel(password=PASSWORD, **settings))
    assert outcome == Outcome(status=250)
    assert starttls.logins == [("box", PASSWORD)]
    assert len(starttls.envelopes) == 1


async def test_a_password_in_the_boxs_setting_is_decoded(starttls: Mailbox, pem: Pem) -> None:
    url = f"smtp://box:hunter2%2F%40%3Ax@localhost:{starttls.port}"
    assert (await a_sender(pem, url).send(parcel())).delivered


async def test_tls_from_the_first_byte(tls: Mailbox, pem: Pem) -> None:
    settings: dict[str, Any] = {"host": "localhost", "port": tls.port, "username": "box", "security": "tls"}
    assert await a_sender(pem).send(parcel(password=PASSWORD, **settings)) == Outcome(status=250)
    assert len(tls.envelopes) == 1


async def test_a_wrong_password_is_final_and_not_told(starttls: Mailbox, pem: Pem) -> None:
    settings: dict[str, Any] = {"host": "localhost", "port": starttls.port, "username": "box"}
    outcome = await a_sender(pem).send(parcel(password="wrong-secret", **settings))
    assert (outcome.status, outcome.final) == (535, True)
    assert "wrong-secret" not in outcome.error
    assert starttls.envelopes == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_nothing_is_said_to_a_server_whose_certificate_is_not_trusted(
    starttls: Mailbox, tls: Mailbox, security: str
) -> None:
    mailbox = starttls if security == "starttls" else tls
    settings: dict[str, Any] = {"host": "localhost", "port": mailbox.port, "username": "box", "security": security}
    outcome = await a_sender().send(parcel(password=PASSWORD, **settings))
    assert "certificate is not trusted" in outcome.error
    assert not outcome.final
    assert mailbox.logins == []


async def test_a_server_without_starttls_gets_no_password(plain: Mailbox, pem: Pem) -> None:
    settings: dict[str, Any] = {"host": "localhost", "port": plain.port, "username": "box"}
    outcome = await a_sender(pem).send(parcel(password=PASSWORD, **settings))
    assert (outcome.final, "STARTTLS" in outcome.error) == (True, True)
    assert plain.envelopes == []


@pytest.mark.parametrize(("refuse", "final"), [("451 try later", False), ("554 spam", True)])
async def test_a_refusal_for_now_and_one_for_good(plain: Mailbox, refuse: str, final: bool) -> None:
    plain.refuse = refuse
    outcome = await a_sender(url=f"smtp+plain://127.0.0.1:{plain.port}").send(parcel())
    assert (outcome.status, outcome.final, outcome.error) == (
        int(refuse[:3]),
        final,
        f"SMTP {refuse[:3]}: {refuse[4:]}",
    )


async def test_unknown_addresses(plain: Mailbox) -> None:
    sender = a_sender(url=f"smtp+plain://127.0.0.1:{plain.port}")
    plain.unknown = ("ada@example.com",)
    outcome = await sender.send(parcel())
    assert (outcome.status, outcome.final) == (550, True)
    assert plain.envelopes[0].rcpt_tos == ["ops@example.com"]  # the others got it
    plain.unknown = ("ada@example.com", "ops@example.com")
    outcome = await sender.send(parcel())
    assert (outcome.status, outcome.final, "no such user" in outcome.error) == (550, True, True)


async def test_nobody_is_there() -> None:
    outcome = await a_sender(url="smtp+plain://127.0.0.1:1").send(parcel())
    assert (outcome.delivered, outcome.final, outcome.status) == (False, False, None)
    assert "refused" in outcome.error


async def test_a_box_without_a_mail_server_says_what_to_do() -> None:
    outcome = await a_sender().send(parcel())
    assert (outcome.final, "V8BOX_SMTP_URL" in outcome.error) == (True, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "::ffff:127.0.0.1"])
async def test_a_project_does_not_reach_the_boxs_own_network(plain: Mailbox, host: str) -> None:
    outcome = await a_sender().send(parcel("acme", host=host, port=plain.port, security="none"))
    assert (outcome.final, "public internet" in outcome.error) == (True, True)
    assert plain.envelopes == []


async def test_the_boxs_own_channel_does(plain: Mailbox) -> None:
    assert (await a_sender().send(parcel(host="127.0.0.1", port=plain.port, security="none"))).delivered


HOSTILE = "x\r\nBcc: victim@example.com\r\n\r\n.\r\nbody"


async def test_what_a_worker_says_does_not_become_a_header(plain: Mailbox) -> None:
    message = a_message(title=HOSTILE, text=HOSTILE, facts={"a\r\nb": HOSTILE}, advice=HOSTILE)
    outcome = await a_sender(url=f"smtp+plain://127.0.0.1:{plain.port}").send(parcel(message=message))
    assert outcome.delivered
    assert plain.mail()["bcc"] is None
    assert plain.envelopes[0].rcpt_tos == ["ops@example.com", "ada@example.com"]
    assert "x  Bcc: victim@example.com" in plain.mail()["subject"]


@given(st.text(max_size=300), st.text(max_size=2_000))
def test_any_text_makes_a_mail_that_can_be_read_again(title: str, text: str) -> None:
    made = compose(parcel(message=a_message(title=title, text=text)), ("ops@example.com",), "box@example.com", "a.b")
    again = email.message_from_bytes(made.as_bytes(), policy=email.policy.default)
    assert sorted(name.lower() for name in again.keys()) == sorted(name.lower() for name in made.keys())
    assert again["to"] == "ops@example.com"
