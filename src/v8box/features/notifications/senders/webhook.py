"""A signed webhook, as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`, and `webhook-signature` over both
and the body. While a secret is rotated there are two signatures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from typing import Any, Final

import msgspec

from v8box.features.notifications.model import Message, Secrets
from v8box.features.notifications.senders.http import HttpClient
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.kit.times import rfc3339

PREFIX: Final = "whsec_"
_NEW_BYTES: Final = 32
_LENGTHS: Final = range(24, 65)


class WebhookSender:
    def __init__(self, client: HttpClient, *, private: bool) -> None:
        self._client = client
        self._private = private

    async def send(self, parcel: Parcel) -> Outcome:
        body = msgspec.json.encode(payload(parcel.message))
        at = int(parcel.now)
        headers = {
            "content-type": "application/json",
            "webhook-id": parcel.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signatures(parcel.secrets, parcel.id, at, body),
        }
        private = self._private or not parcel.channel.project
        outcome, _ = await self._client.post(parcel.secrets.url, body, headers, private=private)
        return outcome


def payload(message: Message) -> dict[str, Any]:
    """The body, before it is JSON."""
    data = {
        "title": message.title,
        "text": message.text,
        "advice": message.advice,
        "severity": message.severity,
        "project": message.project or None,
        "rule": message.rule or None,
        "alert": message.alert or None,
        "subject": message.subject or None,
        "value": message.value,
        "threshold": message.threshold,
        "facts": message.facts,
        "since": rfc3339(message.since),
    }
    return {"type": message.type, "timestamp": rfc3339(message.at), "data": data}


def signatures(secrets: Secrets, message_id: str, at: int, body: bytes) -> str:
    """The header, of the secret that is good now and the one before while that still is."""
    keys = [secrets.signing]
    if secrets.previous_signing and at < secrets.previous_until:
        keys.append(secrets.previous_signing)
    signed = b"%s.%d.%s" % (message_id.encode(), at, body)
    made = (hmac.digest(key_of(secret), signed, hashlib.sha256) for secret in keys)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


def make_secret() -> str:
    return PREFIX + base64.b64encode(random.token_bytes(_NEW_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a `whsec_` secret. Raises `ValueError`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:  # also of what is no ASCII
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64") from error
    if not secret.startswith(PREFIX) or len(key) not in _LENGTHS:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return key
