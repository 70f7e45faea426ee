/**
 * The boundary a binding's client sees: one function that sends a call over the channel on behalf of the current run.
 *
 * A client (`bindings/<name>/client.ts`) turns the API its users know into calls, validates arguments so that the stack
 * trace points into the user's code, and decides nothing else.
 */

/** What a call gives back. `body` is set when the answer carried whole bytes, `stream` when it carries a stream. */
export interface Reply {
  result: unknown;
  body?: Uint8Array<ArrayBuffer>;
  stream?: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * Sends one call. Rejects with a `BindingError` when the binding refused it, or when the run or the box is ending.
 * `args` must be JSON; bytes go into `body`, whole or as a stream that is pulled with back-pressure.
 * `signal` gives the call up, the body of its answer included: it rejects with the signal's reason, and the box is told.
 */
export type Caller = (
  operation: string,
  args: unknown,
  body?: Uint8Array | ReadableStream<Uint8Array>,
  signal?: AbortSignal,
) => Promise<Reply>;

/** A refused call. `code` is stable (`SQLITE_CONSTRAINT`, `no_such_key`, …); `details` are the binding's own. */
export class BindingError extends Error {
  override name = "BindingError";
  constructor(readonly code: string, message: string, readonly details: Readonly<Record<string, unknown>> = {}) {
    super(message);
  }
}
