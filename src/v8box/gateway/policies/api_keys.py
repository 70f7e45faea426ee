"""Whether a request needs an API key, and whether it has one that opens what it asks for.

The key is in `X-API-Key`, or in `Authorization: Bearer`. It is the box's and does not reach the worker; which key it
was does, as `x-v8box-key-id`, a name that no client can send.
"""

from __future__ import annotations

from typing import Final

from v8box.catalog.model import Placement
from v8box.gateway.policies.keyring import PREFIX, Keyring
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import HeaderList, KeyExpired, KeyInvalid, KeyMissing, KeyScope

KEY_ID_HEADER: Final = "x-v8box-key-id"
_HEADER: Final = "x-api-key"
_BEARER: Final = "bearer "


class KeyCheck:
    """The step."""

    __slots__ = ("_open", "_place", "_project", "_realm", "_required")

    def __init__(self, placement: Placement, keyring: Keyring) -> None:
        self._open = keyring.open
        self._required = placement.manifest.rules.auth.api_key == "required"
        self._project = placement.project
        self._place = (placement.worker, placement.environment)
        self._realm = f'Bearer realm="{placement.worker}"'.encode()

    def ask(self, passage: Passage) -> None:
        headers = passage.headers
        text = headers.get(_HEADER)
        name = _HEADER
        if text is None:
            text = _bearer(headers.get("authorization"))
            name = "authorization"
        if text is None:
            if self._required:
                raise KeyMissing(headers=self._challenge(b""))
            return
        try:
            key = self._open(text, self._project, self._place, passage.invocation.method, passage.path, passage.client)
        except (KeyInvalid, KeyExpired) as error:
            error.headers = self._challenge(b', error="invalid_token"')
            raise
        except KeyScope as error:
            error.headers = self._challenge(b', error="insufficient_scope"')
            raise
        passage.key = key
        pairs = passage.incoming.pairs
        if len(pairs) == len(headers):
            pairs.remove((name, headers[name]))
        else:  # some header is there twice, and it may be this one
            pairs = passage.invocation.headers = [pair for pair in pairs if pair[0] != name]
        pairs.append((KEY_ID_HEADER, key.id))

    def _challenge(self, error: bytes) -> HeaderList:
        return [(b"www-authenticate", self._realm + error)]


def _bearer(value: str | None) -> str | None:
    """The key in an `Authorization` header; a token of the worker's own is none."""
    if value is None or value[: len(_BEARER)].lower() != _BEARER:
        return None
    text = value[len(_BEARER) :].strip()
    return text if text.startswith(PREFIX) else None


def compile_step(placement: Placement, keyring: Keyring) -> KeyCheck | None:
    return None if placement.manifest.rules.auth.api_key == "none" else KeyCheck(placement, keyring)
