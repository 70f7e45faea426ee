/** `cache.subscribe()`: messages as they come, off the lines of JSON that `messages.py` writes. */

import type { Caller } from "../../runtime/binding.ts";
import { type Message, ReplyError, type Subscription } from "./types.ts";
import { bytesOf, refusal } from "./wire.ts";

type Content = string | { b: string };
type Line = [channel: string, message: Content, pattern?: string] | { code: string; message: string };
// deno-lint-ignore no-explicit-any -- each event has listeners of its own
type Listener = (...args: any[]) => void;

const EVENTS: readonly string[] = ["message", "pmessage", "error", "end"];
const decoder = new TextDecoder();

class WorkerSubscription {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #lines = new TextDecoder();
  #rest = "";
  #raw: boolean;
  #listeners = new Map<string, Set<Listener>>();
  #taken = false;

  constructor(stream: ReadableStream<Uint8Array>, raw: boolean) {
    this.#reader = stream.getReader();
    this.#raw = raw;
  }

  [Symbol.asyncIterator](): AsyncIterator<Message<string | Uint8Array>> {
    this.#take();
    return this.#messages();
  }

  on(event: string, listener: Listener): this {
    if (!EVENTS.includes(event)) throw new TypeError(`A subscription has the events ${EVENTS.join(", ")}`);
    let listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, listeners = new Set());
    listeners.add(listener);
    if (event.endsWith("message") && !this.#taken) {
      this.#take();
      void this.#pump();
    }
    return this;
  }

  close(): Promise<void> {
    return this.#reader.cancel("closed").catch(() => {
      // it had failed already, which its reader has heard
    });
  }

  unsubscribe(): Promise<void> {
    return this.close();
  }

  #take(): void {
    if (this.#taken) throw new TypeError("The messages of this subscription are being read already");
    this.#taken = true;
  }

  async *#messages(): AsyncGenerator<Message<string | Uint8Array>, void> {
    try {
      while (true) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        const lines = (this.#rest + this.#lines.decode(value, { stream: true })).split("\n");
        this.#rest = lines.pop()!;
        for (const text of lines) {
          const line = JSON.parse(text) as Line;
          if (!Array.isArray(line)) throw new ReplyError(line.code, line.message, "subscribe");
          const [channel, content, pattern] = line;
          const message = this.#content(content);
          yield pattern === undefined ? { channel, message } : { channel, message, pattern };
        }
      }
    } catch (error) {
      throw refusal(error, "subscribe");
    } finally {
      await this.close();
    }
  }

  #content(content: Content): string | Uint8Array {
    if (typeof content === "string") return content;
    const bytes = Uint8Array.fromBase64(content.b);
    return this.#raw ? bytes : decoder.decode(bytes);
  }

  async #pump(): Promise<void> {
    try {
      for await (const { channel, message, pattern } of this.#messages()) {
        if (pattern === undefined) this.#emit("message", channel, message);
        else this.#emit("pmessage", pattern, channel, message);
      }
    } catch (error) {
      const ended = error instanceof ReplyError && error.code === "RUN_ENDED";
      if (!ended && !this.#emit("error", error)) console.error("A subscription of the cache ended:", error);
    }
    this.#emit("end");
  }

  #emit(event: string, ...args: unknown[]): boolean {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return false;
    for (const listener of listeners) listener(...args);
    return true;
  }
}

/** Resolves when the server has confirmed all of them. */
export async function openSubscription<Content>(
  call: Caller,
  kind: "c" | "p",
  names: readonly (string | readonly string[])[],
  raw: boolean,
): Promise<Subscription<Content>> {
  try {
    const answer = await call("messages.subscribe", { [kind]: names.flat().map((name) => String(name)), raw });
    const stream = answer.stream ?? ReadableStream.from([await bytesOf(answer)]);
    return new WorkerSubscription(stream, raw) as unknown as Subscription<Content>;
  } catch (error) {
    throw refusal(error, kind === "c" ? "subscribe" : "psubscribe");
  }
}
