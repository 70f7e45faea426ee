/**
 * A namespace in the shape of Cloudflare's KV (https://developers.cloudflare.com/kv/api/), for `env.<BINDING>`.
 *
 * Every read sees what was written before it, here and on every node; there are no copies that take time to follow.
 */

import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import {
  KvError,
  type KvGetOptions,
  type KvListing,
  type KvListOptions,
  type KVNamespace,
  type KvPutOptions,
  type KvType,
  type KvValue,
  type KvWithMetadata,
} from "./types.ts";
import { bytesOf } from "./wire.ts";

export { KvError, type KVNamespace } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Asked = KvType | KvGetOptions | undefined;
type Found = KvWithMetadata<unknown>;

const TYPES: readonly unknown[] = ["text", "json", "arrayBuffer", "stream"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

class WorkerKv {
  #call: Caller;
  #namespace: string;

  constructor(call: Caller, namespace: string) {
    this.#call = call;
    this.#namespace = namespace;
  }

  async get(key: string | string[], type?: Asked): Promise<unknown> {
    const found = await this.getWithMetadata(key, type);
    return found instanceof Map ? new Map(Array.from(found, ([name, { value }]) => [name, value])) : found.value;
  }

  async getWithMetadata(key: string | string[], asked?: Asked): Promise<Found | Map<string, Found>> {
    const type = readType(asked);
    if (Array.isArray(key)) return await this.#many(key.map(readName), type);
    const reply = await this.#send("GET", "kv.get", { k: readName(key) });
    if (reply.result === null) return found(null, null);
    return found(await valueOf(reply, type), (reply.result as { m: string | null }).m);
  }

  async put(key: string, value: KvValue, options: KvPutOptions = {}): Promise<void> {
    const { expiration, expirationTtl, metadata } = options;
    const args = {
      k: readName(key),
      e: optional("expiration", expiration),
      t: optional("expirationTtl", expirationTtl),
      m: metadata === undefined || metadata === null ? null : JSON.stringify(metadata) ?? null,
    };
    await this.#send("PUT", "kv.put", args, readValue(value));
  }

  async delete(key: string): Promise<void> {
    await this.#send("DELETE", "kv.delete", { k: readName(key) });
  }

  async list(options: KvListOptions = {}): Promise<KvListing> {
    const args = {
      p: String(options.prefix ?? "").toWellFormed(),
      l: optional("limit", options.limit) ?? 1000,
      c: options.cursor ? String(options.cursor).toWellFormed() : null,
    };
    const { result } = await this.#send("LIST", "kv.list", args);
    const { k, c } = result as { k: [string, number | null, string | null][]; c: string | null };
    const keys = k.map(([name, expiration, metadata]) => ({
      name,
      ...expiration === null ? {} : { expiration },
      ...metadata === null ? {} : { metadata: JSON.parse(metadata) },
    }));
    return c === null
      ? { keys, list_complete: true, cacheStatus: null }
      : { keys, list_complete: false, cursor: c, cacheStatus: null };
  }

  async #many(names: string[], type: KvType): Promise<Map<string, Found>> {
    if (type !== "text" && type !== "json") throw new TypeError("Of several keys, values are text or json");
    const reply = await this.#send("GET", "kv.many", { k: names });
    const { s, m } = reply.result as { s: number[]; m: (string | null)[] };
    const bytes = await bytesOf(reply);
    let at = 0;
    return new Map(names.map((name, index) => {
      const size = s[index]!;
      if (size < 0) return [name, found(null, null)];
      const text = decoder.decode(bytes.subarray(at, at += size));
      return [name, found(type === "json" ? JSON.parse(text) : text, m[index]!)];
    }));
  }

  async #send(
    verb: string,
    operation: string,
    args: Record<string, unknown>,
    body?: Uint8Array | ReadableStream<Uint8Array>,
  ): Promise<Reply> {
    try {
      return await this.#call(operation, { n: this.#namespace, ...args }, body);
    } catch (error) {
      throw error instanceof BindingError
        ? new KvError(error.code, `KV ${verb} failed: ${error.message}`, error)
        : error;
    }
  }
}

function found(value: unknown, metadata: string | null): Found {
  return { value, metadata: metadata === null ? null : JSON.parse(metadata), cacheStatus: null };
}

async function valueOf(reply: Reply, type: KvType): Promise<unknown> {
  if (type === "stream") return reply.stream ?? ReadableStream.from<Bytes>([await bytesOf(reply)]);
  const bytes = await bytesOf(reply);
  if (type === "arrayBuffer") {
    return bytes.length === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
  }
  const text = decoder.decode(bytes);
  return type === "json" ? JSON.parse(text) : text;
}

function readType(asked: Asked): KvType {
  const type = (typeof asked === "string" ? asked : asked?.type) ?? "text";
  if (!TYPES.includes(type)) throw new TypeError(`A value is got as ${TYPES.join(", ")}, not as ${type}`);
  return type;
}

function readName(name: unknown): string {
  if (typeof name !== "string") throw new TypeError("A key is a string");
  if (!name.isWellFormed()) throw new TypeError("A key is valid Unicode");
  return name;
}

function readValue(value: unknown): Uint8Array | ReadableStream<Uint8Array> {
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof ReadableStream) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  throw new TypeError("A value is a string, an ArrayBuffer, a view of one or a ReadableStream");
}

function optional(name: string, value: number | undefined): number | null {
  if (value === undefined || value === null) return null;
  if (!Number.isSafeInteger(value)) throw new TypeError(`${name} is an integer`);
  return value;
}

/** Makes the client of one namespace for one run. */
export function createKv(call: Caller, namespace: string): KVNamespace {
  return new WorkerKv(call, namespace) as unknown as KVNamespace;
}
