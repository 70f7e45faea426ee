"""A message as an e-mail, given to an SMTP server: STARTTLS, TLS or, on one's own network, neither; with a password.

A project's own server has to be on the public internet unless the box allows more: the address is judged after the name
is resolved, and that address is connected to. The library blocks, so it runs in a thread, within a time.
"""

from __future__ import annotations

import asyncio
import email.policy
import email.utils
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from v8box.features.notifications.model import BOX, EmailSettings, Message
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.kit.addresses import is_public
from v8box.kit.times import rfc3339
from v8box.settings import Notifications as Settings

ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SECONDS: Final = 15.0
_MAX_SUBJECT: Final = 200
_MAX_TEXT: Final = 200
_POLICY: Final = email.policy.SMTP.clone(max_line_length=998)
_SCHEMES: Final = {"smtp": "starttls", "smtps": "tls", "smtp+plain": "none"}
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


class NoMailServer(Exception):
    """There is no mail server to use."""


class _Refused(Exception):
    """The server is at an address that is not allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server, and how to speak to it."""

    host: str
    port: int
    security: str
    username: str = ""
    password: str = ""
    private: bool = False
    """Whether its address may be one that is not public."""

    @classmethod
    def of_settings(cls, settings: Settings) -> Server | None:
        """The box's own."""
        if settings.smtp_url is None:
            return None
        parts = urlsplit(settings.smtp_url.reveal())
        security = _SCHEMES[parts.scheme]
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[security],
            security=security,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            private=True,
        )


class EmailSender:
    """`trust` makes the context that a server's certificate is checked with."""

    def __init__(
        self,
        settings: Settings,
        domain: str,
        *,
        allows: Callable[[str], bool] = is_public,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._own = Server.of_settings(settings)
        self._sender = settings.smtp_from or f"v8box@{domain}"
        self._private = settings.allow_private
        self._domain = domain
        self._allows = allows
        self._trust = trust

    async def send(self, parcel: Parcel) -> Outcome:
        settings = parcel.channel.email
        if settings is None:
            return Outcome(error="the channel has no addresses", final=True)
        try:
            server = self._server(settings, parcel)
            mail = compose(parcel, settings.to, settings.sender or self._sender, self._domain)
        except (NoMailServer, ValueError) as error:
            return Outcome(error=str(error), final=True)
        return await asyncio.to_thread(self._hand_over, server, mail, list(settings.to))

    def _server(self, settings: EmailSettings, parcel: Parcel) -> Server:
        if settings.host:
            return Server(
                host=settings.host,
                port=settings.port,
                security=settings.security,
                username=settings.username,
                password=parcel.secrets.password,
                private=self._private or parcel.channel.project == BOX,
            )
        if self._own is None:
            raise NoMailServer("the box has no mail server: set V8BOX_SMTP_URL, or name one in the channel")
        return self._own

    # ---- in a thread

    def _hand_over(self, server: Server, mail: EmailMessage, to: list[str]) -> Outcome:
        try:
            with self._connect(server) as smtp:
                if server.security == "starttls":
                    smtp.starttls(context=self._trust())
                if server.username:
                    smtp.login(server.username, server.password)
                refused = smtp.send_message(mail, to_addrs=to)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            return _answered(code, text)
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:
            return Outcome(error=_printable(str(error)), final=True)
        except _Refused as error:
            return Outcome(error=str(error), final=True)
        except ssl.SSLCertVerificationError as error:
            return Outcome(error=f"its certificate is not trusted: {error.verify_message}")
        except (smtplib.SMTPException, OSError) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return Outcome(error=f"it cannot be reached: {_printable(said)}")
        if refused:
            code, text = next(iter(refused.values()))
            return _answered(code, b"some addresses were refused: " + text)
        return Outcome(status=250)

    def _connect(self, server: Server) -> smtplib.SMTP:
        allows: Callable[[str], bool] = (lambda _: True) if server.private else self._allows

        def connect(host: str, port: int, timeout: float) -> socket.socket:
            return _connect_to(host, port, timeout, allows)

        if server.security == "tls":
            context = self._trust()

            class GuardedTls(smtplib.SMTP_SSL):
                def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                    return context.wrap_socket(connect(host, port, timeout), server_hostname=server.host)

            return GuardedTls(server.host, server.port, timeout=_SECONDS, context=context)

        class Guarded(smtplib.SMTP):
            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                return connect(host, port, timeout)

        return Guarded(server.host, server.port, timeout=_SECONDS)


def _connect_to(host: str, port: int, timeout: float, allows: Callable[[str], bool]) -> socket.socket:
    """To an address that was judged, and to no other."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if any(not allows(str(address[0])) for *_, address in found):
        raise _Refused("only mail servers on the public internet are allowed here")
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def compose(parcel: Parcel, to: tuple[str, ...], sender: str, domain: str) -> EmailMessage:
    """The mail. What comes from workers stands on one line in a header, or in the body."""
    message = parcel.message
    mail = EmailMessage(policy=_POLICY)
    mail["Subject"] = _printable(f"[V8Box] {message.title}")[:_MAX_SUBJECT]
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = email.utils.formatdate(parcel.now)
    mail["Message-ID"] = f"<{parcel.id}@{domain}>"
    if message.alert:
        mail["References"] = f"<{message.alert}@{domain}>"  # so that mail programs show them together
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(body_of(message))
    return mail


def body_of(message: Message) -> str:
    lines = [message.title, "", message.text]
    if message.advice:
        lines += ["", f"What to do: {message.advice}"]
    facts = {**message.facts, "severity": message.severity, "since": rfc3339(message.since), "rule": message.rule}
    lines += ["", *(f"{name}: {value}" for name, value in facts.items() if value)]
    return "\n".join(lines) + "\n"


def _answered(code: int, text: bytes | str) -> Outcome:
    """4yz is for now, 5yz for good."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Outcome(status=code, error=f"SMTP {code}: {_printable(said)[:_MAX_TEXT]}", final=code >= 500)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
