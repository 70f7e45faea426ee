"""The box's side of the optimiser process: started for the first file, ended when there is no more, killed and replaced
when a file takes it too long or down.

It is spoken to from a thread, with a blocking socket, so that its answers pass no event loop that serves requests.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from v8box.errors import V8BoxError
from v8box.features.pages.optimise.wire import MAX_MESSAGE_BYTES, PREFIX, Reply, Request, frame

_MODULE: Final = "v8box.features.pages.optimise.worker"
_CPU_SECONDS: Final = 60.0
"""Of the process's own time: on a busy machine it waits long for a turn, which is no fault of the file's."""
_WALL_SECONDS: Final = 1_800.0
_LOOK_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 5.0
_ENVIRON: Final = {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "GOMAXPROCS": "1"}
_log: Final = logging.getLogger(__name__)


class Child(Protocol):
    """The started process."""

    @property
    def pid(self) -> int: ...
    @property
    def cpu_seconds(self) -> float: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


Launch = Callable[[Sequence[str], int, Mapping[str, str]], Awaitable[Child]]
"""Starts `argv` at the lowest priority, with a socket as standard input and exactly the given environment."""


class Unfinished(V8BoxError):
    """The optimiser process ended at this file."""

    code = "optimiser_ended"


class OptimiserProcess:
    """At most one process, and one file at a time."""

    def __init__(
        self, launch: Launch, store: Path, *, cpu_seconds: float = _CPU_SECONDS, wall_seconds: float = _WALL_SECONDS
    ) -> None:
        self._launch = launch
        self._store = store
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._child: Child | None = None
        self._socket: socket.socket | None = None

    async def work(self, request: Request) -> Reply:
        """Raises `Unfinished` when the process dies at the file or has to be killed, `V8BoxError` when there can be
        none."""
        connection, child = await self._running()
        answer = asyncio.ensure_future(asyncio.to_thread(_ask, connection, frame(request)))
        try:
            await self._watch(answer, child)
            return answer.result()
        except (OSError, EOFError, msgspec.DecodeError) as error:
            code = await self._end(kill=True)
            raise Unfinished(f"the optimiser ended at it ({_in_words(code)})") from error
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._end(kill=True)))
            raise
        finally:
            if not answer.done():
                await asyncio.wait([answer])  # the socket is shut: its thread ends
            answer.cancelled() or answer.exception()  # nobody asks any more

    async def stop(self) -> None:
        """Ends the process, if there is one."""
        await self._end(kill=False)

    async def _watch(self, answer: asyncio.Future[Reply], child: Child) -> None:
        began, used = asyncio.get_running_loop().time(), child.cpu_seconds
        while not answer.done():
            await asyncio.wait([answer], timeout=_LOOK_SECONDS)
            if answer.done():
                return
            spent = child.cpu_seconds - used
            if spent > self._cpu_seconds or asyncio.get_running_loop().time() - began > self._wall_seconds:
                raise Unfinished(f"it took longer than {self._cpu_seconds:g} seconds")

    async def _running(self) -> tuple[socket.socket, Child]:
        if self._socket is None or self._child is None:
            ours, theirs = socket.socketpair()
            try:
                argv = [sys.executable, "-m", _MODULE, str(self._store)]
                self._child = await self._launch(argv, theirs.fileno(), _ENVIRON)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            self._socket = ours
        return self._socket, self._child

    async def _end(self, *, kill: bool) -> int:
        connection, child = self._socket, self._child
        self._socket = self._child = None
        if connection is not None:
            _shut(connection)
        if child is None:
            return 0
        if kill:
            child.kill()
        waiting = asyncio.ensure_future(child.wait())
        await asyncio.wait([waiting], timeout=_STOP_SECONDS)
        if not waiting.done():
            child.kill()
        code = await waiting
        if connection is not None:
            connection.close()
        return code


def _ask(connection: socket.socket, request: bytes) -> Reply:
    connection.sendall(request)
    (size,) = PREFIX.unpack(_read(connection, PREFIX.size))
    if size > MAX_MESSAGE_BYTES:
        raise EOFError
    return msgspec.msgpack.decode(_read(connection, size), type=Reply)


def _read(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        got = connection.recv_into(view[done:])
        if not got:
            raise EOFError
        done += got
    return data


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other end is gone


def _in_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
