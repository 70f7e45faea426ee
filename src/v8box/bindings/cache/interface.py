"""What a backend of the `cache` binding must do: run commands that have been confined already, each for its project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from v8box.bindings.interface import BindingError

Reply = None | int | bytes | list["Reply"]
"""A reply as RESP2 has it; a status is bytes too."""

Command = Sequence[str | bytes]
"""Name and arguments."""

Isolation = Literal["acl", "prefix"]
"""What keeps projects apart. `acl`: the server itself too, each project is a user there that may reach its own keys
only. `prefix`: the box alone, on a server that does not let it make users; scripts are refused then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """Bounds of what one project, or the box, may use."""

    project_bytes: int | None = 128_000_000
    """Memory of one project's keys, as the server measures it; None for no bound. Half of the private server's."""
    command_bytes: int = 32_000_000
    """All arguments of one command, pipeline or transaction together."""
    pipeline_commands: int = 10_000
    """Commands of one pipeline or transaction."""
    block_seconds: float = 30.0
    """How long a blocking command waits at most; `0`, for ever, means this too."""
    blocked: int = 256
    """Blocking commands of the whole box at one time; each has a connection."""
    blocked_per_project: int = 64
    open_lanes: int = 64
    """Projects with an open connection; the one that was idle longest is closed for another."""
    script_bytes: int = 65_536
    """The text of one script."""
    script_seconds: float = 0.5
    """A script that ran so long is ended."""
    stuck_seconds: float = 3.0
    """A script that cannot be ended, since it has written, costs the private server a restart after so long."""
    scan_keys: int = 1_000_000
    """Keys that one KEYS or DBSIZE may look at, those of other projects included."""
    listed_keys: int = 10_000
    """Keys that KEYS may give."""
    subscriptions_per_project: int = 256
    channels: int = 128
    """Channels and patterns of one subscription."""
    waiting_messages: int = 1_000
    waiting_bytes: int = 1_000_000
    """What may wait in the box for a subscriber that does not read."""
    lease_seconds: float = 15.0
    """How long another node's `wrap` is believed to be computing without a sign of life."""
    wrap_wait_seconds: float = 30.0
    """How long `wrap` waits for another run's result before it computes its own."""
    kv_value_bytes: int = 26_214_400
    """25 MiB, as Cloudflare's KV has it."""


class Messages(Protocol):
    """A subscription: an async iterator of (pattern or None, channel, message) that ends when it is closed.

    Raises `BindingError`: `MESSAGES_LOST` when more came than may wait, or when the connection was lost.
    """

    def __aiter__(self) -> Messages: ...
    async def __anext__(self) -> list[tuple[bytes | None, bytes, bytes]]: ...
    def close(self) -> None: ...


class CacheStore(Protocol):
    """A Valkey or Redis. Every method raises `BindingError`: the server's own error with its first word as the code, or
    `CACHE_UNAVAILABLE` within a second or so when the server is away.

    Plain commands of one project run in the order they were given.
    """

    @property
    def isolation(self) -> Isolation | None:
        """None before the server was reached for the first time."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...

    async def execute(self, project: str, command: Command) -> Reply:
        """Runs a command as the project."""

    async def execute_all(self, project: str, commands: Sequence[Command]) -> list[Reply | BindingError]:
        """Runs commands in a row, with no other command of the project between them; an error is a result."""

    async def execute_own(self, command: Command) -> Reply:
        """Runs a command as the box, which may read every key."""

    async def execute_script(self, project: str, commands: Sequence[Command]) -> list[Reply | BindingError]:
        """Like `execute_all` for commands with a worker's script among them, which is ended when it runs too long."""

    async def block(
        self, project: str, command: Command, seconds: float, undo: Callable[[Reply], list[Command]] | None
    ) -> Reply:
        """Runs a command that waits on a connection of its own. If it is cancelled and had taken something by then,
        `undo` says how to put that back."""

    async def subscribe(self, channels: Sequence[bytes], patterns: Sequence[bytes], limits: CacheLimits) -> Messages:
        """Returns when the server has confirmed all of them."""
