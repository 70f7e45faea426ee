/** Flow control for bodies: what arrives becomes a `ReadableStream` that pays credit, what leaves waits for credit. */

import type { Channel } from "./channel.ts";
import { CHUNK_BYTES, Flag, Kind, WINDOW_BYTES } from "./protocol.ts";
import { setUint32, sliceBytes, subarray, toJson } from "./primordials.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A body that the box sends. */
export class Inbound {
  readonly stream: ReadableStream<Bytes>;
  #channel: Channel;
  #id: number;
  #chunks: Bytes[] = [];
  #ended = false;
  #fault: Error | null = null;
  #consumed = 0;
  #wake: (() => void) | null = null;

  constructor(channel: Channel, id: number) {
    this.#channel = channel;
    this.#id = id;
    this.stream = new ReadableStream<Bytes>({
      pull: (controller) => this.#pull(controller),
      cancel: (reason) => {
        if (this.#ended) return;
        this.#chunks.length = 0;
        this.#ended = true;
        channel.send(Kind.CANCEL, 0, id, toJson({ reason: String(reason ?? "cancelled") }));
      },
    }, { highWaterMark: 0 });
  }

  /** Takes a chunk off the wire; the bytes are copied. */
  feed(chunk: Bytes, end: boolean): void {
    if (this.#ended) return;
    if (chunk.length > 0) this.#chunks[this.#chunks.length] = sliceBytes(chunk, 0);
    this.#ended = end;
    this.#wake?.();
  }

  /** Ends the stream with an error, unless it is complete. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#fault = error;
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    while (this.#chunks.length === 0) {
      if (this.#fault !== null) return controller.error(this.#fault);
      if (this.#ended) return controller.close();
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = null;
    }
    const chunk = this.#chunks.shift()!;
    this.#consumed += chunk.length;
    if (this.#consumed >= WINDOW_BYTES / 2 && !this.#ended) {
      sendCredit(this.#channel, this.#id, this.#consumed);
      this.#consumed = 0;
    }
    controller.enqueue(chunk);
    if (this.#ended && this.#chunks.length === 0 && this.#fault === null) controller.close();
  }
}

function sendCredit(channel: Channel, id: number, count: number): void {
  const body = new Uint8Array(4);
  setUint32(new DataView(body.buffer), 0, count, true);
  channel.send(Kind.CREDIT, 0, id, "", body);
}

/** A body that the worker sends. */
export class Outbound {
  #channel: Channel;
  #id: number;
  #credit = WINDOW_BYTES;
  #wake: (() => void) | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  /** Set when the box wants no more; the pump stops at once. */
  cancelled: string | null = null;

  constructor(channel: Channel, id: number) {
    this.#channel = channel;
    this.#id = id;
  }

  grant(count: number): void {
    this.#credit += count;
    this.#wake?.();
  }

  cancel(reason: string): void {
    this.cancelled = reason;
    this.#wake?.();
    this.#reader?.cancel(reason).catch(() => {}); // the source's own failure while it is told to stop changes nothing
  }

  /** Takes `count` bytes of credit that were sent in a first frame. */
  spend(count: number): void {
    this.#credit -= count;
  }

  /** Sends bytes of any length in pieces as credit allows. False when the box wants no more. */
  async write(bytes: Uint8Array): Promise<boolean> {
    let at = 0;
    while (at < bytes.length) {
      while (this.#credit <= 0 && this.cancelled === null) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        this.#wake = null;
      }
      if (this.cancelled !== null) return false;
      const piece = subarray(bytes as Bytes, at, Math.min(bytes.length, at + CHUNK_BYTES, at + this.#credit));
      this.#credit -= piece.length;
      this.#channel.send(Kind.BODY, 0, this.#id, "", piece);
      at += piece.length;
    }
    return this.cancelled === null;
  }

  /** The body is complete. */
  end(flags = 0): void {
    if (this.cancelled === null) this.#channel.send(Kind.BODY, Flag.END | flags, this.#id);
  }

  /** Sends a whole stream; on cancel the source is cancelled, on a source error the error is thrown. */
  async pump(reader: ReadableStreamDefaultReader<Uint8Array>, flags = 0): Promise<void> {
    this.#reader = reader;
    while (this.cancelled === null) {
      const { done, value } = await reader.read();
      if (done) return this.end(flags);
      if (!(value instanceof Uint8Array)) throw new TypeError("a body stream must give Uint8Array chunks");
      await this.write(value);
    }
    await reader.cancel(this.cancelled);
  }
}
