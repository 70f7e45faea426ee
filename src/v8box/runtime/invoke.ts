/** One invocation: from the INVOKE frame to the handler and from what it gives back to the RESPONSE frame. */

import type { Calls } from "./calls.ts";
import type { Channel } from "./channel.ts";
import { Context, type WorkerInfo } from "./context.ts";
import { current, type Kept } from "./globals.ts";
import { describe, type Logs } from "./logs.ts";
import type { Metrics } from "./metrics.ts";
import { BadParams, bodyKind, formParams, jsonParams, queryParams, readWhole } from "./params.ts";
import { encode, sliceBytes, toJson } from "./primordials.ts";
import { CHUNK_BYTES, Flag, Kind, Level } from "./protocol.ts";
import { requestClass } from "./request.ts";
import type { Run } from "./run.ts";
import { Inbound, Outbound } from "./streams.ts";
import { isWhole, socketOf } from "./websocket.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Headers2 = [string, string][];

/** The head of INVOKE. */
export type InvokeHead = [trigger: "http", id: string, method: string, url: string, headers: Headers2];

// deno-lint-ignore no-explicit-any
type Any = any;

/** What the worker's module offers. `handler`: a V8Box function; `module`: an object with `fetch`. */
export interface Loaded {
  shape: "handler" | "module";
  // deno-lint-ignore ban-types
  call: Function;
  self: unknown;
}

/** Finds the handler of an imported module. Throws when there is none. */
export function findHandler(module: Any, kept: Kept): Loaded {
  const entry = module.default;
  if (typeof entry === "function" && typeof entry.fetch !== "function") {
    return { shape: "handler", call: entry, self: undefined };
  }
  if (entry !== null && entry !== undefined && typeof entry.fetch === "function") {
    return { shape: "module", call: entry.fetch, self: entry };
  }
  if (kept.served !== null) return { shape: "module", call: kept.served, self: undefined };
  throw new TypeError(
    "this module has no handler: export default async function (ctx, params) { … } or export default { fetch(request, env, ctx) { … } }",
  );
}

const JSON_HEADERS: Headers2 = [["content-type", "application/json; charset=utf-8"]];

function findHeader(headers: Headers2, name: string): string | null {
  for (const [key, value] of headers) if (key === name) return value;
  return null;
}

/** Numbers beyond 2^53 have no JSON; they go out as strings. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : `${value}`;
}

export class Invoker {
  #channel: Channel;
  #calls: Calls;
  #logs: Logs;
  #metrics: Metrics;
  #kept: Kept;
  #info: WorkerInfo;
  #loaded: Loaded;

  constructor(
    channel: Channel,
    calls: Calls,
    logs: Logs,
    metrics: Metrics,
    kept: Kept,
    info: WorkerInfo,
    loaded: Loaded,
  ) {
    this.#channel = channel;
    this.#calls = calls;
    this.#logs = logs;
    this.#metrics = metrics;
    this.#kept = kept;
    this.#info = info;
    this.#loaded = loaded;
  }

  /** Answers one run. Never rejects. */
  async invoke(run: Run, flags: number, head: InvokeHead, body: Bytes): Promise<void> {
    if ((flags & Flag.END) === 0) {
      run.requestBody = new Inbound(this.#channel, run.stream);
      if (body.length > 0) run.requestBody.feed(body, false);
    }
    const whole = body.length > 0 && flags & Flag.END ? sliceBytes(body, 0) : null;
    try {
      await current.run(run, () => this.#handle(run, head, whole));
    } catch (error) {
      this.#fail(run, error);
    }
  }

  async #handle(run: Run, head: InvokeHead, whole: Bytes | null): Promise<void> {
    const [, , method, url, headers] = head;
    const bodyless = method === "GET" || method === "HEAD";
    let request: Request | null = null;
    const getRequest = () =>
      request ??= new (requestClass())(
        run,
        method,
        url,
        headers,
        () => bodyless ? null : whole ?? run.requestBody?.stream ?? null,
      );
    const ctx = new Context(run, this.#calls, this.#logs, this.#metrics, this.#info, getRequest);
    const { shape, call, self } = this.#loaded;
    if (shape === "module") {
      const result = await call.call(self, getRequest(), ctx.env, ctx);
      return await this.#respond(run, method, result, shape);
    }
    let params;
    const contentType = bodyless || call.length === 0 ? null : findHeader(headers, "content-type");
    const kind = bodyKind(contentType);
    if (kind === null) {
      params = queryParams(url);
    } else {
      // The bytes are kept, so that the handler may read `request` as well.
      whole ??= run.requestBody === null ? new Uint8Array(0) : await readWhole(run.requestBody.stream);
      params = kind === "json" ? jsonParams(url, whole) : await formParams(url, whole, contentType!);
    }
    ctx.params = params;
    const result = await call.call(self, ctx, params);
    await this.#respond(run, method, result, shape);
  }

  async #respond(run: Run, method: string, result: unknown, shape: Loaded["shape"]): Promise<void> {
    if (run.cancelled !== null) {
      if (this.#isResponse(result)) await result.body?.cancel(run.cancelled);
      return run.finish(false);
    }
    if (this.#isResponse(result)) return await this.#sendResponse(run, method, result);
    if (shape === "module") {
      throw new TypeError(`fetch() must return a Response; it returned ${describe(result).slice(0, 100)}`);
    }
    if (result === undefined) {
      throw new TypeError("the handler returned nothing; return a value (null will do) or a Response");
    }
    let text: string;
    const envelope = { success: true, data: result, timestamp: new Date().toISOString() };
    try {
      text = toJson(envelope);
    } catch {
      text = toJson(envelope, plain); // bigint, or a fault that now throws for good
    }
    await this.#sendWhole(run, method, 200, JSON_HEADERS, encode(text));
  }

  #isResponse(value: unknown): value is Response {
    return this.#kept.Response !== null && value instanceof this.#kept.Response;
  }

  async #sendWhole(run: Run, method: string, status: number, headers: Headers2, bytes: Bytes): Promise<void> {
    if (method === "HEAD" || bytes.length <= CHUNK_BYTES) {
      const last = run.isLast;
      const head = toJson([status, headers]);
      this.#channel.send(
        Kind.RESPONSE,
        Flag.END | (last ? Flag.DONE : 0),
        run.stream,
        head,
        method === "HEAD" ? null : bytes,
      );
      return run.finish(last);
    }
    const sink = run.responseBody = new Outbound(this.#channel, run.stream);
    this.#channel.send(
      Kind.RESPONSE,
      0,
      run.stream,
      toJson([status, [...headers, ["content-length", `${bytes.length}`]]]),
    );
    await sink.write(bytes);
    sink.end();
    run.finish(false);
  }

  async #sendResponse(run: Run, method: string, response: Response): Promise<void> {
    const status = response.status;
    const headers: Headers2 = [];
    response.headers.forEach((value, name) => headers[headers.length] = [name, value]);
    const socket = socketOf(response);
    if (socket !== undefined) {
      if (!run.mayUpgrade) throw new TypeError("the worker answered with a WebSocket, but the client asked for none");
      run.socket = socket;
      this.#channel.send(Kind.RESPONSE, Flag.UPGRADE, run.stream, toJson([101, headers]));
      return socket.attach(this.#channel, run); // the run is over when the socket closes
    }
    if (status < 200 || status > 599) throw new RangeError(`${status} is not a status that a response can have`);
    if (response.bodyUsed) throw new TypeError("the body of the returned Response has been read already");
    if (isWhole(response) && method !== "HEAD") {
      return await this.#sendWhole(run, method, status, headers, new Uint8Array(await response.arrayBuffer()));
    }
    const body = response.body;
    if (body === null || method === "HEAD") {
      await body?.cancel();
      const last = run.isLast;
      this.#channel.send(Kind.RESPONSE, Flag.END | (last ? Flag.DONE : 0), run.stream, toJson([status, headers]));
      return run.finish(last);
    }
    const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const first = await reader.read();
    if (run.cancelled !== null) {
      await reader.cancel(run.cancelled);
      return run.finish(false);
    }
    if (first.done) return await this.#sendWhole(run, method, status, headers, new Uint8Array(0));
    if (!(first.value instanceof Uint8Array)) throw new TypeError("a body stream must give Uint8Array chunks");
    // A body that was whole from the start ends within a few microtasks, and then one frame carries all of it.
    let ended = false;
    const second = reader.read().then((next) => {
      ended = next.done;
      return next;
    });
    second.catch(() => {}); // reported below, where it is awaited
    for (let turn = 0; turn < 4 && !ended; turn++) await null;
    if (ended) return await this.#sendWhole(run, method, status, headers, first.value as Bytes);

    const sink = run.responseBody = new Outbound(this.#channel, run.stream);
    this.#channel.send(Kind.RESPONSE, 0, run.stream, toJson([status, headers]));
    try {
      if (await sink.write(first.value)) {
        const next = await second;
        if (next.done) sink.end();
        else if (await sink.write(next.value)) await sink.pump(reader);
      } else {
        await reader.cancel(sink.cancelled);
      }
    } catch (error) {
      if (run.cancelled === null) return this.#fail(run, error);
    }
    run.finish(false);
  }

  #fail(run: Run, error: unknown): void {
    if (run.cancelled !== null) return run.finish(false);
    let name = "Error", message: string, stack: string | null = null, status: unknown = null;
    try {
      if (error instanceof Error) {
        name = String(error.name);
        message = String(error.message);
        stack = describe(error);
        status = error instanceof BadParams ? error.status : (error as Any).status;
      } else {
        message = describe(error);
      }
    } catch {
      message = "an error that cannot be described";
    }
    const head = toJson({
      name: name.slice(0, 200),
      message: message.slice(0, 2000),
      stack: stack?.slice(0, 20_000) ?? null,
      status: Number.isInteger(status) ? status : null,
      caller: error instanceof BadParams,
    });
    this.#channel.send(Kind.FAILED, 0, run.stream, head);
    run.finish(false);
  }

  /** For what fails outside of any run. */
  report(error: unknown): void {
    this.#logs.write(this.#logs.outside, Level.ERROR, describe(error));
  }
}
