"""The wire between the box and a sandbox: one dictionary, whose other half is `runtime/protocol.ts`.

`docs/protocol.md` explains the frames; a test compares the two files name by name. A frame is a 16-byte little-endian
header, a JSON head and raw body bytes. Streams with even ids are runs (the box opens them), odd ones are binding calls
(the worker opens them).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

PROTOCOL_VERSION: Final = 1

HEADER_BYTES: Final = 16
"""u32 length of what follows this field · u8 kind · u8 flags · u16 zero · u32 stream · u32 head length."""

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""The longest frame either side accepts; longer bodies are streamed."""

CHUNK_BYTES: Final = 64 * 1024
"""The longest BODY chunk either side sends."""

WINDOW_BYTES: Final = 256 * 1024
"""How many body bytes a sender may have outstanding per stream and direction before it needs CREDIT."""

MAX_OPEN_CALLS: Final = 1024
"""How many binding calls a worker may have open at once; the shim refuses the next one."""

MAX_LOG_LINE_CHARS: Final = 10_000
"""A longer log line is cut."""

LOG_FLOOD_FACTOR: Final = 16
"""A run that writes this many times its log_kb is ended, having been warned by the cut."""

LOG_FLOOD_EXIT_CODE: Final = 213
"""The exit code by which the shim ends a process whose log floods without ever yielding to the channel."""


METRIC_TURN_VALUES: Final = 500
"""So many values of histograms leave in one frame; the next ones in another."""


class Kind(IntEnum):
    """What a frame is. The comment says who sends it, on which stream, and what is in its head and body."""

    HELLO = 1  # worker, 0: {protocol}; the process is a blank now
    LOAD = 2  # box, 0: {worker, version, environment, env, log_kb, subrequests, uses_process}; body: the module
    LOADED = 3  # worker, 0: {shape}
    LOAD_FAILED = 4  # worker, 0: {name, message, stack}
    INVOKE = 5  # box, run: [trigger, id, method, url, headers]; body: all of it, if END
    RESPONSE = 6  # worker, run: [status, headers]; body: the first bytes
    BODY = 7  # both, any: body: a chunk
    CREDIT = 8  # both, any: body: u32, bytes that the reader has consumed
    CANCEL = 9  # both, any: {reason}; the sender wants no more of this stream
    DONE = 10  # worker, run: the run is over, waitUntil included
    FAILED = 11  # worker, run: {name, message, stack, status, caller}; the run threw
    CALL = 12  # worker, call: [run, binding, operation, args]; body: the first bytes
    ANSWER = 13  # box, call: {result} or {code, message}; body: the first bytes
    LOG = 14  # worker, 0: [[run, level, time_ms, text, fields], …]
    MESSAGE = 15  # both, run: body: one WebSocket message
    CLOSE = 16  # both, run: {code, reason}; the WebSocket is closing
    PING = 17  # box, 0: is it still answering?
    PONG = 18  # worker, 0
    DRAIN = 19  # box, 0: {reason}; no new runs will come
    TRIM = 20  # box, 0: there is nothing to do; give back the memory of what was done
    FETCH = 21  # worker, run: [number, method, host, span]; the worker fetches. With END: [number, status, error]
    METRIC = 22  # worker, 0: [[kind, name, labels, value], …]; what it measured itself
    HEAP = 23  # box, 0: the next piece of a snapshot; END: no more. worker, 0: body: a piece; END: over, or {message}


class Flag(IntEnum):
    """Bits of a frame's flags."""

    END = 1  # the body is complete with this frame
    TEXT = 2  # the WebSocket message is text
    DONE = 4  # with END on RESPONSE: the run is over too
    UPGRADE = 8  # on INVOKE: the client asks for a WebSocket; on RESPONSE: the worker takes it
    BODY = 16  # on CALL and ANSWER: there is a body (it may be empty); without END it is a stream


class Level(IntEnum):
    """Log levels."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


pack_header = struct.Struct("<IBBHII").pack
unpack_header = struct.Struct("<IBBHII").unpack_from
pack_credit = struct.Struct("<I").pack
unpack_credit = struct.Struct("<I").unpack


class ProtocolError(Exception):
    """The other side wrote something that the protocol does not allow."""
