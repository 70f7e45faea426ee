/**
 * A heap snapshot for the box, a piece at a time: `node:v8` is loaded when the first is asked for, and not before.
 */

import type { Channel } from "./channel.ts";
import { describe } from "./logs.ts";
import { encode, subarray, toJson } from "./primordials.ts";
import { Flag, Kind } from "./protocol.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const PIECE_BYTES = 1024 * 1024;

export class HeapSnapshot {
  #channel: Pick<Channel, "send">;
  #open: () => Promise<AsyncIterable<string | Bytes>>;
  #pieces: AsyncGenerator<Bytes> | null = null;

  constructor(channel: Pick<Channel, "send">, open: () => Promise<AsyncIterable<string | Bytes>> = openSnapshot) {
    this.#channel = channel;
    this.#open = open;
  }

  /** The box asks for the next piece, or wants no more. */
  async ask(end: boolean): Promise<void> {
    try {
      if (end) {
        const pieces = this.#pieces;
        this.#pieces = null;
        await pieces?.return(undefined);
        return;
      }
      this.#pieces ??= cut(this.#open);
      const { done, value } = await this.#pieces.next();
      if (done) this.#pieces = null;
      this.#channel.send(Kind.HEAP, done ? Flag.END : 0, 0, "", done ? null : value);
    } catch (error) {
      this.#pieces = null;
      this.#channel.send(Kind.HEAP, Flag.END, 0, toJson({ message: describe(error) }));
    }
  }
}

async function* cut(open: () => Promise<AsyncIterable<string | Bytes>>): AsyncGenerator<Bytes> {
  for await (const chunk of await open()) {
    const bytes = typeof chunk === "string" ? encode(chunk) : chunk;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield subarray(bytes, at, at + PIECE_BYTES);
  }
}

async function openSnapshot(): Promise<AsyncIterable<string | Bytes>> {
  const { getHeapSnapshot } = await import("node:v8");
  return getHeapSnapshot() as AsyncIterable<string | Bytes>;
}
