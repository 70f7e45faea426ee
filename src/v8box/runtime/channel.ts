/**
 * The sandbox's end of its one socket: frames out, batched per turn; frames in, handed to `onFrame`.
 *
 * `body` in `onFrame` is a view of the read buffer: a handler that keeps it takes a copy.
 */

import { HEADER_BYTES, MAX_FRAME_BYTES } from "./protocol.ts";
import { copyWithin, decode, encodeInto, getUint32, queueTask, setBytes, setUint32, subarray } from "./primordials.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What the channel needs of a connection; `Deno.Conn` has it. */
export interface Socket {
  read(into: Bytes): Promise<number | null>;
  write(bytes: Bytes): Promise<number>;
}

export type OnFrame = (kind: number, flags: number, stream: number, head: string, body: Bytes) => void;

const FIRST_BUFFER_BYTES = 32 * 1024;
/** A full window and its frames fit: smaller, a stream would throw the buffer away and grow it anew all the time. */
const KEPT_BUFFER_BYTES = 1024 * 1024;

export class Channel {
  #read: (into: Bytes) => Promise<number | null>;
  #write: (bytes: Bytes) => Promise<number>;
  #onFrame: OnFrame;
  #out: Bytes = new Uint8Array(FIRST_BUFFER_BYTES);
  #outView = new DataView(this.#out.buffer);
  #spare: Bytes | null = null;
  #used = 0;
  #flushing = false;

  constructor(socket: Socket, onFrame: OnFrame) {
    this.#read = socket.read.bind(socket);
    this.#write = socket.write.bind(socket);
    this.#onFrame = onFrame;
  }

  /** Queues one frame; it leaves when the current task is done. */
  send(kind: number, flags: number, stream: number, head = "", body: Uint8Array | null = null): void {
    const bodyLength = body === null ? 0 : body.length;
    const most = this.#used + HEADER_BYTES + head.length * 3 + bodyLength;
    if (most > this.#out.length) this.#grow(most);
    const start = this.#used;
    let at = start + HEADER_BYTES;
    if (head.length > 0) at += encodeInto(head, subarray(this.#out, at)).written;
    const headLength = at - start - HEADER_BYTES;
    if (body !== null) {
      setBytes(this.#out, body, at);
      at += bodyLength;
    }
    if (at - start - 4 > MAX_FRAME_BYTES) throw new RangeError("too large for one message; send it as a stream");
    setUint32(this.#outView, start, at - start - 4, true);
    setUint32(this.#outView, start + 4, kind | (flags << 8), true);
    setUint32(this.#outView, start + 8, stream, true);
    setUint32(this.#outView, start + 12, headLength, true);
    this.#used = at;
    if (!this.#flushing) {
      this.#flushing = true;
      queueTask(this.#flush);
    }
  }

  #grow(needed: number): void {
    let size = this.#out.length;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    setBytes(grown, subarray(this.#out, 0, this.#used), 0);
    this.#out = grown;
    this.#outView = new DataView(grown.buffer);
  }

  #flush = async (): Promise<void> => {
    while (this.#used > 0) {
      const batch = this.#out;
      const length = this.#used;
      this.#out = this.#spare ?? new Uint8Array(FIRST_BUFFER_BYTES);
      this.#outView = new DataView(this.#out.buffer);
      this.#spare = null;
      this.#used = 0;
      let sent = 0;
      while (sent < length) sent += await this.#write(subarray(batch, sent, length));
      if (batch.length <= KEPT_BUFFER_BYTES) this.#spare = batch;
    }
    this.#flushing = false;
  };

  /** Reads until the box closes the socket. */
  async run(): Promise<void> {
    let buffer: Bytes = new Uint8Array(FIRST_BUFFER_BYTES);
    let view = new DataView(buffer.buffer);
    let have = 0;
    while (true) {
      const count = await this.#read(have === 0 ? buffer : subarray(buffer, have));
      if (count === null) return;
      have += count;
      let at = 0;
      let needed = HEADER_BYTES;
      while (have - at >= HEADER_BYTES) {
        const end = at + 4 + getUint32(view, at, true);
        if (end > have) {
          needed = end - at;
          break;
        }
        const word = getUint32(view, at + 4, true);
        const headStart = at + HEADER_BYTES;
        const bodyStart = headStart + getUint32(view, at + 12, true);
        const head = bodyStart === headStart ? "" : decode(subarray(buffer, headStart, bodyStart));
        this.#onFrame(
          word & 0xff,
          (word >> 8) & 0xff,
          getUint32(view, at + 8, true),
          head,
          subarray(buffer, bodyStart, end),
        );
        at = end;
        needed = HEADER_BYTES;
      }
      if (needed > buffer.length || (at === have && buffer.length > KEPT_BUFFER_BYTES)) {
        const size = Math.max(FIRST_BUFFER_BYTES, needed);
        const resized = new Uint8Array(size);
        setBytes(resized, subarray(buffer, at, have), 0);
        buffer = resized;
        view = new DataView(buffer.buffer);
      } else if (at > 0 && at < have) {
        copyWithin(buffer, 0, at, have);
      }
      have -= at;
    }
  }
}
