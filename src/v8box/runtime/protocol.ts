/**
 * The wire between the box and a sandbox: one dictionary, whose other half is `sandbox/protocol.py`.
 *
 * `docs/protocol.md` explains the frames; a test compares the two files name by name.
 */

export const PROTOCOL_VERSION = 1;

/** u32 length of what follows this field · u8 kind · u8 flags · u16 zero · u32 stream · u32 head length. */
export const HEADER_BYTES = 16;
/** The longest frame either side accepts; longer bodies are streamed. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** The longest BODY chunk either side sends. */
export const CHUNK_BYTES = 64 * 1024;
/** How many body bytes a sender may have outstanding per stream and direction before it needs CREDIT. */
export const WINDOW_BYTES = 256 * 1024;
/** How many binding calls a worker may have open at once; the shim refuses the next one. */
export const MAX_OPEN_CALLS = 1024;
/** A longer log line is cut. */
export const MAX_LOG_LINE_CHARS = 10_000;
/** A run that writes this many times its log_kb is ended, having been warned by the cut. */
export const LOG_FLOOD_FACTOR = 16;
/** The exit code by which the shim ends a process whose log floods without ever yielding to the channel. */
export const LOG_FLOOD_EXIT_CODE = 213;

/** So many values of histograms leave in one frame; the next ones in another. */
export const METRIC_TURN_VALUES = 500;

/** What a frame is; `sandbox/protocol.py` says who sends it and what is in it. */
export const Kind = {
  HELLO: 1,
  LOAD: 2,
  LOADED: 3,
  LOAD_FAILED: 4,
  INVOKE: 5,
  RESPONSE: 6,
  BODY: 7,
  CREDIT: 8,
  CANCEL: 9,
  DONE: 10,
  FAILED: 11,
  CALL: 12,
  ANSWER: 13,
  LOG: 14,
  MESSAGE: 15,
  CLOSE: 16,
  PING: 17,
  PONG: 18,
  DRAIN: 19,
  TRIM: 20,
  FETCH: 21,
  METRIC: 22,
  HEAP: 23,
} as const;

/** Bits of a frame's flags. */
export const Flag = {
  END: 1,
  TEXT: 2,
  DONE: 4,
  UPGRADE: 8,
  BODY: 16,
} as const;

/** Log levels. */
export const Level = {
  DEBUG: 0,
  INFO: 1,
  WARN: 2,
  ERROR: 3,
} as const;
