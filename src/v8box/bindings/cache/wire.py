"""Commands and replies as the client has them in JSON: arguments in, replies out, keys with or without their prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from v8box.bindings.cache.commands import Keys, Kind, Rule, confine
from v8box.bindings.cache.interface import CacheLimits, Reply
from v8box.bindings.cache.options import Argument, Refused
from v8box.bindings.interface import Answer, BindingError

INLINE_BYTES: Final = 1_000_000  # a longer reply goes beside the head, as a body
_MAX_SAFE_INTEGER: Final = 2**53 - 1


class Bytes(msgspec.Struct, forbid_unknown_fields=True):
    """An argument that is no text."""

    b: bytes  # base64 in JSON


class Command(msgspec.Struct, forbid_unknown_fields=True):
    """`a` are the arguments; with `raw`, strings come back as bytes: one alone as the body, more as `{"b": base64}`."""

    a: list[str | Bytes]
    raw: bool = False


class Step(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One command of a batch: [name, arguments, raw]."""

    name: str
    a: list[str | Bytes]
    raw: bool = False


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    c: list[Step]


def read(args: Any, kind: type[Any]) -> Any:
    """Arguments of a call. Raises `ARGS_INVALID`."""
    try:
        return msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise BindingError("ARGS_INVALID", str(error)) from error


async def collect(body: bytes | AsyncIterator[bytes] | None, limit: int, what: str) -> bytes:
    """A whole body. Raises `TOO_LARGE` as soon as it is."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        if len(body) > limit:
            raise BindingError("TOO_LARGE", f"{what} may have {limit} bytes")
        return body
    chunks, size = [], 0
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise BindingError("TOO_LARGE", f"{what} may have {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def long_args(body: bytes | AsyncIterator[bytes], limits: CacheLimits) -> Any:
    """Arguments that came as JSON in the body, being too long for the head."""
    # Base64 and escapes make JSON longer than what it stands for.
    raw = await collect(body, 2 * limits.command_bytes, "a command")
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise BindingError("ARGS_INVALID", str(error)) from error


def confined(
    name: str, given: list[str | Bytes], prefix: str, limits: CacheLimits
) -> tuple[list[str | bytes], Rule, int]:
    """The command with its keys in the prefix, its rule, and the size of what was given. Raises `BindingError`."""
    args: list[Argument] = [part if isinstance(part, str) else part.b for part in given]
    size = sum(map(len, args))
    if size > limits.command_bytes:
        raise BindingError("TOO_LARGE", f"a command may have {limits.command_bytes} bytes of arguments")
    try:
        inside, rule = confine(name, args, prefix)
        parts: list[str | bytes] = [name, *(part.encode() if isinstance(part, str) else part for part in inside)]
    except Refused as error:
        raise BindingError("REFUSED", str(error)) from error
    except UnicodeEncodeError as error:
        raise BindingError("ARGS_INVALID", "an argument is not valid Unicode") from error
    if rule.kind is Kind.SCRIPT:
        at = {"eval": 1, "eval_ro": 1, "script": 2}.get(name, len(parts))
        if at < len(parts) and len(parts[at]) > limits.script_bytes:
            raise BindingError("TOO_LARGE", f"a script may have {limits.script_bytes} bytes")
    return parts, rule, size


def without_prefix(prefix: bytes, name: str, rule: Rule, reply: Reply) -> Reply:
    """A reply with its keys as the worker knows them."""
    if not isinstance(reply, list):
        return reply
    if rule.reply is Keys.FIRST:
        return [_bare(prefix, reply[0]), *reply[1:]]
    if rule.reply is Keys.STREAMS:
        return [[_bare(prefix, part[0]), *part[1:]] if isinstance(part, list) else part for part in reply]
    if name == "scan" and len(reply) == 2 and isinstance(reply[1], list):
        return [reply[0], [_bare(prefix, key) for key in reply[1]]]
    if name == "keys":
        return [_bare(prefix, key) for key in reply]
    return reply


def _bare(prefix: bytes, key: Reply) -> Reply:
    return key.removeprefix(prefix) if isinstance(key, bytes) else key


def to_json(reply: Reply | BindingError, raw: bool) -> Any:
    """A reply for the client. An error within a list, which a script can give, is `{"e": [code, message]}`."""
    if isinstance(reply, BindingError):
        return {"e": [reply.code, reply.message]}
    if isinstance(reply, bytes):
        return {"b": reply} if raw else reply.decode("utf-8", "replace")
    if isinstance(reply, list):
        return [to_json(part, raw) for part in reply]
    if isinstance(reply, int) and not -_MAX_SAFE_INTEGER <= reply <= _MAX_SAFE_INTEGER:
        return {"i": str(reply)}
    return reply


def answer_of(result: Any, rows: int, written: int) -> Answer:
    """`result` as the head or, where it is long, `{"j": 1}` and its JSON as the body."""
    encoded = msgspec.json.encode(result)
    if len(encoded) > INLINE_BYTES:
        return Answer({"j": 1}, encoded, rows, written)
    return Answer(msgspec.Raw(encoded), None, rows, written)
