/** Arguments and replies of cache commands as they travel: what `wire.py` reads and writes. */

import { BindingError, type Caller, type Reply as Answer } from "../../runtime/binding.ts";
import { type Reply, ReplyError } from "./types.ts";

export type Wire = string | { b: string };

/** Arguments beyond this go beside the head of the call, as a body. */
const LONG_CHARS = 100_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The arguments in one row, as ioredis flattens them. */
export function flatten(args: readonly unknown[], into: Wire[] = []): Wire[] {
  for (const arg of args) {
    if (typeof arg === "string") into.push(arg.toWellFormed());
    else if (arg === null || arg === undefined) into.push("");
    else if (Array.isArray(arg)) flatten(arg, into);
    else if (arg instanceof ArrayBuffer) into.push({ b: new Uint8Array(arg).toBase64() });
    else if (ArrayBuffer.isView(arg)) {
      into.push({ b: new Uint8Array(arg.buffer, arg.byteOffset, arg.byteLength).toBase64() });
    } else into.push(String(arg).toWellFormed());
  }
  return into;
}

/** Commands whose arguments from an index on may come as one object or Map. */
const FIELDS_AT: Readonly<Record<string, number>> = { mset: 0, msetnx: 0, hset: 1, hmset: 1 };

export function spread(command: string, args: unknown[]): unknown[] {
  const at = FIELDS_AT[command];
  if (at === undefined || args.length !== at + 1) return args;
  const fields = args[at];
  if (fields instanceof Map) return [...args.slice(0, at), ...[...fields].flat()];
  if (typeof fields !== "object" || fields === null || Array.isArray(fields) || ArrayBuffer.isView(fields)) return args;
  return [...args.slice(0, at), ...Object.entries(fields).flat()];
}

export function sizeOf(args: readonly Wire[]): number {
  let size = 0;
  for (const arg of args) size += typeof arg === "string" ? arg.length : arg.b.length;
  return size;
}

/** Sends a call; `size` is about how many characters its arguments have. */
export function ask(call: Caller, operation: string, args: unknown, size: number): Promise<Answer> {
  if (size <= LONG_CHARS) return call(operation, args);
  return call(operation, null, encoder.encode(JSON.stringify(args)));
}

/** The body of an answer, whole. */
export async function bytesOf(answer: Answer): Promise<Uint8Array<ArrayBuffer>> {
  if (answer.body !== undefined) return answer.body;
  return answer.stream === undefined ? new Uint8Array() : await new Response(answer.stream).bytes();
}

/** What was answered: in the head, or beside it where it is long. */
export async function resultOf(answer: Answer): Promise<unknown> {
  if (answer.body === undefined && answer.stream === undefined) return answer.result;
  const bytes = await bytesOf(answer);
  return answer.result === null ? bytes : JSON.parse(decoder.decode(bytes));
}

export function decode(reply: unknown): Reply {
  if (Array.isArray(reply)) return reply.map(decode);
  if (typeof reply !== "object" || reply === null || reply instanceof Uint8Array) return reply as Reply;
  if ("b" in reply) return Uint8Array.fromBase64(reply.b as string);
  if ("e" in reply) { // an error within a list, as a script can give it
    const [code, message] = reply.e as [string, string];
    return new ReplyError(code, message, "eval") as unknown as Reply;
  }
  return BigInt((reply as { i: string }).i);
}

/** Pairs in a row to an object, for `hgetall`. */
export function toObject(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  const pairs: [string, Reply][] = [];
  for (let index = 0; index + 1 < reply.length; index += 2) {
    const name = reply[index];
    pairs.push([name instanceof Uint8Array ? decoder.decode(name) : String(name), reply[index + 1] ?? null]);
  }
  return Object.fromEntries(pairs) as unknown as Reply;
}

/** A refused call as a `ReplyError`; any other error as it is. */
export function refusal(error: unknown, command: string, previous?: readonly ReplyError[]): unknown {
  return error instanceof BindingError ? new ReplyError(error.code, error.message, command, error, previous) : error;
}
