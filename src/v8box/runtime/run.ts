/** One run inside the sandbox: its request's body, its response's body, its calls, its end. */

import type { Channel } from "./channel.ts";
import type { LogBudget } from "./logs.ts";
import type { Inbound, Outbound } from "./streams.ts";
import type { WorkerSocket } from "./websocket.ts";
import { Kind } from "./protocol.ts";

/** The run was ended by the box: its caller went away, or it took too long. */
export class RunCancelled extends Error {
  override name = "AbortError";
}

export class Run implements LogBudget {
  readonly stream: number;
  readonly id: string;
  /** The client asked for a WebSocket. */
  readonly mayUpgrade: boolean;
  logged = 0;
  subrequests = 0;
  /** Outgoing requests that the box was told of. */
  fetches = 0;
  /** The request's, with names in lower case. */
  headers: readonly [string, string][] = [];
  /** Set when the box ended the run. */
  cancelled: string | null = null;
  requestBody: Inbound | null = null;
  responseBody: Outbound | null = null;
  socket: WorkerSocket | null = null;
  #channel: Channel;
  #controller: AbortController | null = null;
  #pending = 1; // the handler itself
  #ended = false;
  #onEnd: (run: Run) => void;

  constructor(channel: Channel, stream: number, id: string, onEnd: (run: Run) => void, mayUpgrade = false) {
    this.#channel = channel;
    this.mayUpgrade = mayUpgrade;
    this.stream = stream;
    this.id = id;
    this.#onEnd = onEnd;
  }

  /** This run's place in its trace, as what it calls is told; null where there is none. */
  get traceparent(): string | null {
    return this.#header("traceparent");
  }

  get tracestate(): string | null {
    return this.#header("tracestate");
  }

  #header(name: string): string | null {
    for (let at = this.headers.length - 1; at >= 0; at--) {
      if (this.headers[at]![0] === name) return this.headers[at]![1];
    }
    return null;
  }

  /** Tells the box of an outgoing request, unless the run is over. */
  report(flags: number, head: string): void {
    if (!this.#ended) this.#channel.send(Kind.FETCH, flags, this.stream, head);
  }

  /** Made when first asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancelled !== null) this.#controller.abort(new RunCancelled(this.cancelled));
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.cancelled !== null;
  }

  cancel(reason: string): void {
    if (this.cancelled !== null) return;
    this.cancelled = reason;
    this.requestBody?.fail(new RunCancelled(reason));
    this.responseBody?.cancel(reason);
    this.socket?.lost(reason);
    this.#controller?.abort(new RunCancelled(reason));
  }

  /** Whether `finish` would end the run now, so that its last frame may say so. */
  get isLast(): boolean {
    return this.#pending === 1;
  }

  /** Keeps the run alive until the promise settles. */
  waitUntil(promise: unknown, failed: (error: unknown) => void): void {
    if (this.#ended) {
      Promise.resolve(promise).catch(failed); // too late to keep the run alive, but not to say what went wrong
      return;
    }
    this.#pending++;
    Promise.resolve(promise).catch(failed).finally(() => this.finish(false));
  }

  /** One of the things that keep the run alive is over. `said`: its last frame already carried DONE. */
  finish(said: boolean): void {
    if (--this.#pending > 0 || this.#ended) return;
    this.#ended = true;
    if (!said) this.#channel.send(Kind.DONE, 0, this.stream);
    this.#onEnd(this);
  }
}
