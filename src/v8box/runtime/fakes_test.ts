/** What the tests of the shim share: a socket in memory, a reader of frames, and a mark for bugs that are known. */

import { strict as assert } from "node:assert";
import { Channel, type OnFrame, type Socket } from "./channel.ts";
import { HEADER_BYTES } from "./protocol.ts";
import { Run } from "./run.ts";

export type Bytes = Uint8Array<ArrayBuffer>;
export type Frame = [kind: number, flags: number, stream: number, head: string, body: Bytes];

/** Lets every microtask run that can run now. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await null;
}

/** A socket whose other end is the test: it takes what is written, and gives what it is told to, in given pieces. */
export class MemorySocket implements Socket {
  written: Bytes[] = [];
  /** At most so many bytes are taken by one write, as a full socket does. */
  room = Infinity;
  #pieces: Bytes[] = [];
  #ended = false;
  #wake: (() => void) | null = null;

  give(...pieces: Bytes[]): void {
    this.#pieces.push(...pieces);
    this.#wake?.();
  }
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
  async read(into: Bytes): Promise<number | null> {
    assert.ok(into.length > 0, "a read into no room");
    while (this.#pieces.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = null;
    }
    const piece = this.#pieces[0]!;
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    if (count === piece.length) this.#pieces.shift();
    else this.#pieces[0] = piece.subarray(count);
    return count;
  }
  async write(bytes: Bytes): Promise<number> {
    await null;
    const count = Math.min(bytes.length, this.room);
    this.written.push(bytes.slice(0, count));
    return count;
  }
  get bytes(): Bytes {
    return joined(this.written);
  }
  get frames(): Frame[] {
    return parse(this.bytes);
  }
}

export function joined(parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function frame(kind: number, flags = 0, stream = 0, head = "", body: Uint8Array = new Uint8Array(0)): Bytes {
  const headBytes = new TextEncoder().encode(head);
  const bytes = new Uint8Array(HEADER_BYTES + headBytes.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - 4, true);
  view.setUint8(4, kind);
  view.setUint8(5, flags);
  view.setUint32(8, stream, true);
  view.setUint32(12, headBytes.length, true);
  bytes.set(headBytes, HEADER_BYTES);
  bytes.set(body, HEADER_BYTES + headBytes.length);
  return bytes;
}

export function parse(bytes: Bytes): Frame[] {
  const frames: Frame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at, true);
    const body = at + HEADER_BYTES + view.getUint32(at + 12, true);
    assert.equal(view.getUint16(at + 6, true), 0);
    const head = new TextDecoder().decode(bytes.subarray(at + HEADER_BYTES, body));
    frames.push([bytes[at + 4]!, bytes[at + 5]!, view.getUint32(at + 8, true), head, bytes.slice(body, end)]);
    at = end;
  }
  return frames;
}

export function connected(onFrame: OnFrame = () => {}): { channel: Channel; socket: MemorySocket } {
  const socket = new MemorySocket();
  return { channel: new Channel(socket, onFrame), socket };
}

export function aRun(channel: Channel, stream = 2, ended: (run: Run) => void = () => {}): Run {
  return new Run(channel, stream, `id-${stream}`, ended);
}

/** The same numbers on every run, so that a failure can be repeated. */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}
