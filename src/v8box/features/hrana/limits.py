"""What a client from outside may use at once. What one statement, batch or transaction may use is the database's own
`DbLimits`; these bound what a client could make the gateway hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HranaLimits:
    """Sizes in bytes, times in seconds."""

    body_bytes: int = 10_000_000
    """One request body, or one WebSocket message."""
    held_bytes: int = 100_000_000
    """All request bodies that are in the gateway at one time."""
    body_seconds: float = 60.0
    """How long a request body may take to arrive."""
    requests: int = 256
    """Requests in one pipeline; on a WebSocket, requests that are not answered yet."""
    steps: int = 2_000
    """Steps of all batches of one pipeline together."""
    condition_depth: int = 16
    """How deep the conditions of a batch may nest."""
    response_bytes: int = 10_000_000
    """What one answer may have when a further statement begins. The database's cap of one result comes on top."""
    pipeline_seconds: float = 120.0
    """One pipeline, cursor or WebSocket request, from its last byte to its answer."""
    idle_seconds: float = 10.0
    """How long a stream waits for its next request before it is rolled back and forgotten."""
    streams: int = 1_000
    """Streams of all tokens together."""
    token_streams: int = 100
    """Streams of one token."""
    transactions: int = 10
    """Open transactions of one project from outside; workers have as many of their own."""
    stored_texts: int = 150
    """SQL texts stored on one stream, or on one WebSocket; the official client stores at most 100."""
    stored_bytes: int = 1_000_000
    """Their bytes together."""
    all_stored_bytes: int = 50_000_000
    """The bytes of all stored SQL texts of all clients."""
    connections: int = 500
    """WebSockets of all tokens together."""
    token_connections: int = 50
    """WebSockets of one token."""
    hello_seconds: float = 10.0
    """How long a WebSocket may be open before it says who it is."""
    connection_idle_seconds: float = 300.0
    """How long a WebSocket may be silent before it is closed; the official client connects again by itself."""
    send_seconds: float = 30.0
    """How long a client may take to read a part of an answer."""
    cursors: int = 16
    """Open cursors of one WebSocket."""
    tokens: int = 1_000
    """Tokens of one project."""
