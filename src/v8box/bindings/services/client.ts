/**
 * Another worker of the project in the shape of Cloudflare's service bindings, for `env.<BINDING>`.
 *
 * A request goes through the box, never over a network; bodies stream both ways. What the other worker answers is a
 * `Response` whatever its status; only when it did not answer does `fetch` reject.
 */

import { BindingError, type Caller } from "../../runtime/binding.ts";

/** Of `env.<BINDING>`, where the manifest has `<BINDING> = { service = "name" }`. */
export interface Service {
  /**
   * Runs the other worker. It sees the URL as it is given, and nothing of its host leads anywhere; a path alone will do.
   * Redirects are answers like others. Rejects with a `ServiceError` when the worker did not answer.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/**
 * What `fetch` throws. `code`: `service_not_found`, `service_not_granted`, `service_threw`, `service_killed`,
 * `service_unavailable`, `service_overloaded`, `service_loop`, `invalid_argument` ….
 */
export class ServiceError extends Error {
  override name = "ServiceError";
  /** Why the other worker was killed, if it was: `wall`, `cpu`, `memory` …. */
  readonly reason?: string;
  constructor(readonly code: string, message: string, cause?: unknown, reason?: unknown) {
    super(message, { cause });
    if (typeof reason === "string") this.reason = reason;
  }
}

interface Head {
  status: number;
  headers: [string, string][];
}

const NO_BODY: readonly number[] = [101, 204, 205, 304];
/** A body up to this long is read before it is sent, so that one frame carries it. */
const WHOLE_BYTES = 64 * 1024;

/** Whether a body is in memory as it is, and not long. */
function isShort(body: BodyInit | null | undefined): boolean {
  if (typeof body === "string") return body.length <= WHOLE_BYTES / 3;
  if (body instanceof Uint8Array || body instanceof ArrayBuffer) return body.byteLength <= WHOLE_BYTES;
  return body instanceof URLSearchParams;
}

class WorkerService implements Service {
  #call: Caller;
  #name: string;

  constructor(call: Caller, name: string) {
    this.#call = call;
    this.#name = name;
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const asked = input instanceof Request ? input : new URL(String(input), `http://${this.#name}/`);
    const request = new Request(asked, init);
    const { protocol } = new URL(request.url);
    if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`${protocol} is no web address`);
    const { method, headers } = request;
    if (headers.has("upgrade")) throw new TypeError("a WebSocket to another worker is not possible");
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    let body: Uint8Array | ReadableStream<Uint8Array> | undefined;
    let length: number | null = null;
    if (request.body !== null) {
      if (isShort(init?.body)) {
        body = new Uint8Array(await request.arrayBuffer());
      } else {
        body = request.body;
        // Believed where it came with this body: headers alone may have been taken from another request.
        const declared = init instanceof Request || init?.body === undefined ? headers.get("content-length") : null;
        if (declared !== null && /^[0-9]{1,15}$/.test(declared)) length = Number(declared);
      }
    }
    const args = { service: this.#name, url: request.url.split("#", 1)[0], method, headers: [...headers], length };
    let reply;
    try {
      reply = await this.#call("fetch", args, body, signal ?? undefined);
    } catch (error) {
      if (!(error instanceof BindingError)) throw error;
      throw new ServiceError(error.code, error.message, error, error.details.reason);
    }
    const { status, headers: answered } = reply.result as Head;
    const bare = method === "HEAD" || NO_BODY.includes(status);
    return new Response(bare ? null : reply.body ?? reply.stream ?? null, { status, headers: answered });
  }
}

/** Makes the binding of one run. */
export function createService(call: Caller, name: string): Service {
  return new WorkerService(call, name);
}
