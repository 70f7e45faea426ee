/**
 * The `cache` a worker sees: Redis commands under the names ioredis gives them, over calls to the box.
 *
 * Arguments may be nested arrays, numbers and bytes; `hset`, `hmset` and `mset` take an object or a Map too, `hgetall`
 * answers an object. Each method has a twin that ends in `Buffer` and answers bytes where the other answers strings.
 * Integers beyond 2^53 - 1 come back as `bigint`.
 */

import type { Caller } from "../../runtime/binding.ts";
import { addCommands } from "./commands.ts";
import { createPipeline } from "./pipeline.ts";
import { openSubscription } from "./subscription.ts";
import type { Cache, Pipeline, Reply, Subscription } from "./types.ts";
import { ask, decode, flatten, refusal, resultOf, sizeOf, spread, toObject } from "./wire.ts";
import { wrap } from "./wrap.ts";

export * from "./types.ts";

type Batch = readonly (readonly unknown[])[];
type Names = (string | readonly string[])[];

class WorkerCache {
  #call: Caller;

  constructor(call: Caller) {
    this.#call = call;
  }

  call(command: string, ...args: unknown[]): Promise<Reply> {
    return this.#send(String(command).toLowerCase(), args, false);
  }

  callBuffer(command: string, ...args: unknown[]): Promise<Reply> {
    return this.#send(String(command).toLowerCase(), args, true);
  }

  pipeline(commands?: Batch): Pipeline {
    return createPipeline(this.#call, "batch.pipeline", commands);
  }

  multi(commands?: Batch): Pipeline {
    return createPipeline(this.#call, "batch.multi", commands);
  }

  subscribe(...channels: Names): Promise<Subscription> {
    return openSubscription(this.#call, "c", channels, false);
  }

  subscribeBuffer(...channels: Names): Promise<Subscription<Uint8Array>> {
    return openSubscription(this.#call, "c", channels, true);
  }

  psubscribe(...patterns: Names): Promise<Subscription> {
    return openSubscription(this.#call, "p", patterns, false);
  }

  psubscribeBuffer(...patterns: Names): Promise<Subscription<Uint8Array>> {
    return openSubscription(this.#call, "p", patterns, true);
  }

  wrap(key: string, ttlSeconds: number, compute: () => unknown): Promise<unknown> {
    return wrap(this.#call, key, ttlSeconds, compute);
  }

  async #send(command: string, args: unknown[], raw: boolean): Promise<Reply> {
    const a = flatten(args);
    try {
      const answer = await ask(this.#call, command, raw ? { a, raw } : a, sizeOf(a));
      return decode(await resultOf(answer));
    } catch (error) {
      throw refusal(error, command);
    }
  }

  static #complete = false;

  /** A method per command and its twin for bytes: made once, when a worker first asks for a cache (it takes 6 ms). */
  static complete(): void {
    if (this.#complete) return;
    this.#complete = true;
    addCommands(this.prototype, (command, raw) => {
      const answer = command === "hgetall" ? toObject : (reply: Reply) => reply;
      return async function (this: WorkerCache, ...args: unknown[]): Promise<Reply> {
        return answer(await this.#send(command, spread(command, args), raw));
      };
    });
  }
}

/** Makes the client of one run. */
export function createCache(call: Caller): Cache {
  WorkerCache.complete();
  return new WorkerCache(call) as unknown as Cache;
}
