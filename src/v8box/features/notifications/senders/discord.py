"""A message in Discord's words, for its webhooks. Nobody is mentioned, whatever a worker's error says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import msgspec

from v8box.features.notifications.model import Message, MessageType, Severity
from v8box.features.notifications.senders.http import HttpClient
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.kit.times import rfc3339

_COLOURS: Final = {Severity.INFO: 0x439FE0, Severity.WARNING: 0xE8A317, Severity.CRITICAL: 0xD40E0D}
_GREEN: Final = 0x2EB67D
_MAX_TITLE: Final = 250
_MAX_TEXT: Final = 2_000
_MAX_NAME: Final = 250
_MAX_VALUE: Final = 1_000
_MAX_FIELDS: Final = 20
_MARKS: Final = re.compile(r"([\\*_~`|>\[\]()#])")
_MAX_RETRY_SECONDS: Final = 3_600.0


class DiscordSender:
    def __init__(self, client: HttpClient, *, private: bool) -> None:
        self._client = client
        self._private = private

    async def send(self, parcel: Parcel) -> Outcome:
        body = msgspec.json.encode(payload(parcel.message))
        private = self._private or not parcel.channel.project
        headers = {"content-type": "application/json"}
        outcome, answer = await self._client.post(parcel.secrets.url, body, headers, private=private)
        if answer is not None and answer.status == 429 and (told := _retry_after(answer.body)) is not None:
            return replace(outcome, retry_after=told)  # its header is rounded
        return outcome


def payload(message: Message) -> dict[str, Any]:
    """What is posted."""
    said = escape(message.text)
    if message.advice:
        said += f"\n*{escape(message.advice)}*"
    embed = {
        "title": escape(message.title)[:_MAX_TITLE],
        "description": said[:_MAX_TEXT],
        "color": _GREEN if message.type is MessageType.RESOLVED else _COLOURS[message.severity],
        "timestamp": rfc3339(message.at),
        "footer": {"text": f"V8Box · {message.severity}"},
        "fields": [
            {"name": escape(name)[:_MAX_NAME] or "-", "value": escape(value)[:_MAX_VALUE] or "-", "inline": True}
            for name, value in list(message.facts.items())[:_MAX_FIELDS]
        ],
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def escape(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)


def _retry_after(body: bytes) -> float | None:
    try:
        told = msgspec.json.decode(body)["retry_after"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None
    return min(max(float(told), 0.0), _MAX_RETRY_SECONDS) if isinstance(told, int | float) else None
