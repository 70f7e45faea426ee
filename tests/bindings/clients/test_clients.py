"""The TypeScript clients in Deno against the real bindings, and their declarations against `v8box.d.ts`."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.db.binding import DbBinding
from v8box.bindings.interface import Binding, BindingError, Call, Scope
from v8box.bindings.s3.binding import S3Binding

HERE = Path(__file__).parent
DENO = str(Path(sys.executable).with_name("deno"))


async def test_clients_and_bindings_understand_each_other(db: DbBinding, cache: CacheBinding, s3: S3Binding) -> None:
    bindings: dict[str, Binding] = {"db": db, "cache": cache, "s3": s3}
    scope = Scope("one", "worker", "version", "production", "run-1")
    deno = await asyncio.create_subprocess_exec(
        *(DENO, "run", "--no-remote", "--quiet", str(HERE / "clients_e2e.ts")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    assert deno.stdin is not None
    assert deno.stdout is not None
    calls = 0
    async for line in deno.stdout:
        message = msgspec.json.decode(line)
        if message["id"] == 0:
            break
        calls += 1
        body: Any = None if message["body"] is None else b64decode(message["body"])
        if message["streamed"]:
            body = _in_chunks(body)
        try:
            answer = await bindings[message["binding"]].call(Call(scope, message["operation"], message["args"], body))
        except BindingError as error:
            details = dict(error.details or {})
            reply = {"id": message["id"], "code": error.code, "message": error.message, "details": details}
        else:
            stream = not isinstance(answer.body, bytes | None)
            whole = b"".join([chunk async for chunk in answer.body]) if stream else answer.body  # type: ignore[union-attr]
            reply = {"id": message["id"], "result": answer.result, "body": whole, "stream": stream}
        deno.stdin.write(msgspec.json.encode(reply) + b"\n")
    deno.stdin.close()
    assert await deno.wait() == 0
    assert calls > 100


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4):
        yield body[start : start + 4]


async def test_declarations_are_those_of_the_clients() -> None:
    check = await asyncio.create_subprocess_exec(
        *(DENO, "check", "--quiet", "--no-remote", str(HERE.parent / "types" / "sample_worker.ts")),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await check.communicate()
    assert check.returncode == 0, errors.decode()
