"""A message in Slack's words, for its incoming webhooks and for others that take the same."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from v8box.features.notifications.model import Message, MessageType, Severity
from v8box.features.notifications.senders.http import HttpClient
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.kit.times import rfc3339

_COLOURS: Final = {Severity.INFO: "#439fe0", Severity.WARNING: "#e8a317", Severity.CRITICAL: "#d40e0d"}
_GREEN: Final = "#2eb67d"
_MAX_HEADER: Final = 150
_MAX_TEXT: Final = 2_900
_MAX_FIELD: Final = 1_900
_MAX_FIELDS: Final = 10


class SlackSender:
    def __init__(self, client: HttpClient, *, private: bool) -> None:
        self._client = client
        self._private = private

    async def send(self, parcel: Parcel) -> Outcome:
        body = msgspec.json.encode(payload(parcel.message))
        private = self._private or not parcel.channel.project
        headers = {"content-type": "application/json"}
        outcome, _ = await self._client.post(parcel.secrets.url, body, headers, private=private)
        return outcome


def payload(message: Message) -> dict[str, Any]:
    """What is posted. Slack shows `text` in the notification, and the blocks in the channel."""
    said = escape(message.text)
    if message.advice:
        said += f"\n_{escape(message.advice)}_"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": message.title[:_MAX_HEADER], "emoji": False}}
    ]
    if said:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": said[:_MAX_TEXT]}})
    fields = [
        {"type": "mrkdwn", "text": f"*{escape(name)}*\n{escape(value)}"[:_MAX_FIELD]}
        for name, value in list(message.facts.items())[:_MAX_FIELDS]
    ]
    if fields:
        blocks.append({"type": "section", "fields": fields})
    context = f"V8Box · {message.severity} · since {rfc3339(message.since)}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]})
    colour = _GREEN if message.type is MessageType.RESOLVED else _COLOURS[message.severity]
    return {"text": escape(message.title), "attachments": [{"color": colour, "blocks": blocks}]}


def escape(text: str) -> str:
    """What comes from workers must not become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
