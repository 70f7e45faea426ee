/**
 * WebSockets that reach a worker, in the two shapes its author may know: `Deno.upgradeWebSocket(request)` and
 * `new WebSocketPair()` with a 101 response. The gateway holds the connection; messages are frames on the run's stream.
 */

import type { Channel } from "./channel.ts";
import type { Run } from "./run.ts";
import { Flag, Kind, WINDOW_BYTES } from "./protocol.ts";
import { decode, encode, setUint32, sliceBytes, toJson } from "./primordials.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Handler = ((event: Event) => unknown) | null;

const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
/** As the gateway has it in both directions. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_QUEUED_MESSAGES = 1024;

/** The server's end of an accepted WebSocket. Has the members of the web's `WebSocket`. */
export class WorkerSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readyState = 0;
  protocol = "";
  extensions = "";
  url = "";
  binaryType: BinaryType = "arraybuffer";
  bufferedAmount = 0;
  #channel: Channel | null = null;
  #run: Run | null = null;
  #credit = WINDOW_BYTES;
  #queue: [number, Bytes][] = [];
  #handlers: Record<string, Handler> = {};

  /** Cloudflare's name for "messages may come now"; here they may from the start. */
  accept(): void {}

  /** The 101 response went out: from here on messages flow. */
  attach(channel: Channel, run: Run): void {
    this.#channel = channel;
    this.#run = run;
    this.readyState = WorkerSocket.OPEN;
    this.dispatchEvent(new Event("open"));
    this.#drain();
  }

  send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void {
    if (this.readyState > WorkerSocket.OPEN) return;
    if (data instanceof Blob) {
      data.arrayBuffer().then((bytes) => this.send(bytes));
      return;
    }
    const text = typeof data === "string";
    const bytes = text ? encode(data) : sliceBytes(
      ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data as ArrayBuffer),
      0,
    );
    if (bytes.length > MAX_MESSAGE_BYTES) {
      throw new DOMException("a WebSocket message may have 1 MB", "DataError");
    }
    if (this.bufferedAmount + bytes.length > MAX_QUEUED_BYTES || this.#queue.length >= MAX_QUEUED_MESSAGES) {
      this.close(1013, "the client reads too slowly");
      return;
    }
    this.bufferedAmount += bytes.length;
    this.#queue.push([text ? Flag.TEXT : 0, bytes]);
    this.#drain();
  }

  #drain(): void {
    if (this.#channel === null || this.#run === null) return;
    while (this.#queue.length > 0 && this.#credit > 0) {
      const [flags, bytes] = this.#queue.shift()!;
      this.#credit -= bytes.length;
      this.bufferedAmount -= bytes.length;
      this.#channel.send(Kind.MESSAGE, flags, this.#run.stream, "", bytes);
    }
    if (this.readyState === WorkerSocket.CLOSING && this.#queue.length === 0 && this.#closing !== null) {
      this.#channel.send(Kind.CLOSE, 0, this.#run.stream, toJson(this.#closing));
      this.#closing = null;
    }
  }

  #closing: { code: number; reason: string } | null = null;

  close(code = 1000, reason = ""): void {
    if (this.readyState >= WorkerSocket.CLOSING) return;
    if (code !== 1000 && !(code >= 1001 && code <= 4999)) {
      throw new DOMException("not a close code", "InvalidAccessError");
    }
    this.readyState = WorkerSocket.CLOSING;
    this.#closing = { code, reason: String(reason).slice(0, 123) };
    this.#drain();
  }

  grant(count: number): void {
    this.#credit += count;
    this.#drain();
  }

  received(text: boolean, body: Bytes): void {
    const channel = this.#channel!;
    const credit = new Uint8Array(4);
    setUint32(new DataView(credit.buffer), 0, body.length, true);
    const data = text
      ? decode(body)
      : this.binaryType === "blob"
      ? new Blob([sliceBytes(body, 0)])
      : sliceBytes(body, 0).buffer;
    this.dispatchEvent(new MessageEvent("message", { data }));
    channel.send(Kind.CREDIT, 0, this.#run!.stream, "", credit);
  }

  /** The connection is closed: by the client, or after our own close. */
  closed(code: number, reason: string): void {
    if (this.readyState === WorkerSocket.CLOSED) return;
    this.readyState = WorkerSocket.CLOSED;
    this.#queue.length = 0;
    this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean: code === 1000 || code === 1001 }));
    this.#run?.finish(false);
  }

  lost(reason: string): void {
    if (this.#run === null) return;
    this.closed(1006, reason);
  }

  #on(type: string, handler: Handler): void {
    const old = this.#handlers[type];
    if (old) this.removeEventListener(type, old);
    this.#handlers[type] = typeof handler === "function" ? handler : null;
    if (this.#handlers[type]) this.addEventListener(type, this.#handlers[type]!);
  }
  get onopen(): Handler {
    return this.#handlers.open ?? null;
  }
  set onopen(handler: Handler) {
    this.#on("open", handler);
  }
  get onmessage(): Handler {
    return this.#handlers.message ?? null;
  }
  set onmessage(handler: Handler) {
    this.#on("message", handler);
  }
  get onclose(): Handler {
    return this.#handlers.close ?? null;
  }
  set onclose(handler: Handler) {
    this.#on("close", handler);
  }
  get onerror(): Handler {
    return this.#handlers.error ?? null;
  }
  set onerror(handler: Handler) {
    this.#on("error", handler);
  }
}

const sockets = new WeakMap<object, WorkerSocket>();

/** The WebSocket that a response hands over, if it is an upgrade. */
export function socketOf(response: Response): WorkerSocket | undefined {
  return sockets.get(response);
}

function upgradeResponse(Native: typeof Response, socket: WorkerSocket, headers?: HeadersInit): Response {
  const response = new Native(null, { status: 200, headers });
  Object.defineProperty(response, "status", { value: 101 });
  sockets.set(response, socket);
  return response;
}

/** `Deno.upgradeWebSocket`, for a request that came through the gateway. */
export function createUpgrade(Native: typeof Response) {
  return (request: Request, options: { protocol?: string } = {}) => {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new TypeError("this request does not ask for a WebSocket (no 'Upgrade: websocket' header)");
    }
    const socket = new WorkerSocket();
    socket.protocol = options.protocol ?? "";
    socket.url = request.url;
    const headers: HeadersInit = options.protocol ? { "sec-websocket-protocol": options.protocol } : {};
    return { socket, response: upgradeResponse(Native, socket, headers) };
  };
}

/** Cloudflare's pair: `[client, server]`; the client goes into a 101 response, the server is talked to. */
export class WebSocketPair {
  readonly 0: object;
  readonly 1: WorkerSocket;
  constructor() {
    this[1] = new WorkerSocket();
    this[0] = {};
    sockets.set(this[0], this[1]);
    Object.defineProperty(this, "length", { value: 2 });
    Object.defineProperty(this, Symbol.iterator, { value: Array.prototype[Symbol.iterator] });
  }
}

const WHOLE = Symbol("whole body");

/** Whether a response was made of a string or bytes, so that reading it whole never waits for anything. */
export function isWhole(response: Response): boolean {
  return (response as { [WHOLE]?: boolean })[WHOLE] === true;
}

function markWhole(response: Response): Response {
  Object.defineProperty(response, WHOLE, { value: true });
  return response;
}

/** The global `Response`: it also takes Cloudflare's `{status: 101, webSocket}`, and remembers which bodies are whole. */
export function wrapResponse(Native: typeof Response): typeof Response {
  const json = (data: unknown, init?: ResponseInit) => markWhole(Native.json(data, init));
  return new Proxy(Native, {
    get: (target, name, receiver) => name === "json" ? json : Reflect.get(target, name, receiver),
    construct(target, args, newTarget) {
      const init = args[1];
      if (init?.status === 101 && init.webSocket) {
        const socket = sockets.get(init.webSocket);
        if (socket === undefined) throw new TypeError("webSocket must be the first of a WebSocketPair");
        return upgradeResponse(Native, socket, init.headers);
      }
      const response = Reflect.construct(target, args, newTarget);
      return typeof args[0] === "string" ? markWhole(response) : response;
    },
  });
}
