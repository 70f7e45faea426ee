/**
 * The `cache` a worker sees: Redis commands under the names ioredis gives them, over calls to the box.
 *
 * Arguments may be nested arrays, numbers and bytes; `hset`, `hmset` and `mset` take an object or a Map too, `hgetall`
 * answers an object. Each method has a twin that ends in `Buffer` and answers bytes where the other answers strings.
 * Integers beyond 2^53 - 1 come back as `bigint`.
 */

import { BindingError, type Caller } from "../../runtime/binding.ts";

export type Scalar = string | number | bigint | boolean | Uint8Array | ArrayBuffer | null | undefined;
export type Arg = Scalar | readonly Arg[];
export type Fields = Record<string, Scalar> | Map<string, Scalar>;
export type Reply = null | string | number | bigint | Uint8Array | Reply[];

type Status = Promise<"OK">;
type Text = Promise<string | null>;
type Texts = Promise<string[]>;
type Count = Promise<number>;
type Bytes = Promise<Uint8Array | null>;

export interface Cache {
  /** Any command that is allowed, by name: `call("SET", "k", "v", "EX", 60)`. */
  call(command: string, ...args: Arg[]): Promise<Reply>;
  callBuffer(command: string, ...args: Arg[]): Promise<Reply>;

  // strings
  get(key: string): Text;
  getBuffer(key: string): Bytes;
  set(key: string, value: Scalar, ...options: Arg[]): Promise<string | null>;
  setex(key: string, seconds: number, value: Scalar): Status;
  psetex(key: string, milliseconds: number, value: Scalar): Status;
  setnx(key: string, value: Scalar): Count;
  getset(key: string, value: Scalar): Text;
  getdel(key: string): Text;
  getdelBuffer(key: string): Bytes;
  getex(key: string, ...options: Arg[]): Text;
  mget(...keys: Arg[]): Promise<(string | null)[]>;
  mgetBuffer(...keys: Arg[]): Promise<(Uint8Array | null)[]>;
  mset(values: Fields): Status;
  mset(...pairs: Arg[]): Status;
  msetnx(values: Fields): Count;
  msetnx(...pairs: Arg[]): Count;
  append(key: string, value: Scalar): Count;
  strlen(key: string): Count;
  getrange(key: string, start: number, end: number): Promise<string>;
  setrange(key: string, offset: number, value: Scalar): Count;
  incr(key: string): Count;
  incrby(key: string, by: number | bigint): Count;
  incrbyfloat(key: string, by: number): Promise<string>;
  decr(key: string): Count;
  decrby(key: string, by: number | bigint): Count;
  setbit(key: string, offset: number, value: 0 | 1): Count;
  getbit(key: string, offset: number): Count;
  bitcount(key: string, ...range: Arg[]): Count;

  // any key
  del(...keys: Arg[]): Count;
  unlink(...keys: Arg[]): Count;
  exists(...keys: Arg[]): Count;
  touch(...keys: Arg[]): Count;
  expire(key: string, seconds: number, ...options: Arg[]): Count;
  pexpire(key: string, milliseconds: number, ...options: Arg[]): Count;
  expireat(key: string, unixSeconds: number, ...options: Arg[]): Count;
  pexpireat(key: string, unixMilliseconds: number, ...options: Arg[]): Count;
  expiretime(key: string): Count;
  ttl(key: string): Count;
  pttl(key: string): Count;
  persist(key: string): Count;
  type(key: string): Promise<string>;
  rename(from: string, to: string): Status;
  renamenx(from: string, to: string): Count;
  copy(from: string, to: string, ...options: Arg[]): Count;
  /** One page of the project's keys; go on with the cursor until it is "0". */
  scan(cursor: string | number, ...options: Arg[]): Promise<[cursor: string, keys: string[]]>;

  // hashes
  hset(key: string, fields: Fields): Count;
  hset(key: string, ...fieldsAndValues: Arg[]): Count;
  hmset(key: string, fields: Fields): Status;
  hmset(key: string, ...fieldsAndValues: Arg[]): Status;
  hsetnx(key: string, field: string, value: Scalar): Count;
  hget(key: string, field: string): Text;
  hgetBuffer(key: string, field: string): Bytes;
  hmget(key: string, ...fields: Arg[]): Promise<(string | null)[]>;
  hgetall(key: string): Promise<Record<string, string>>;
  hgetallBuffer(key: string): Promise<Record<string, Uint8Array>>;
  hdel(key: string, ...fields: Arg[]): Count;
  hexists(key: string, field: string): Count;
  hincrby(key: string, field: string, by: number | bigint): Count;
  hincrbyfloat(key: string, field: string, by: number): Promise<string>;
  hkeys(key: string): Texts;
  hvals(key: string): Texts;
  hlen(key: string): Count;
  hstrlen(key: string, field: string): Count;
  hscan(key: string, cursor: string | number, ...options: Arg[]): Promise<[cursor: string, pairs: string[]]>;

  // lists
  lpush(key: string, ...values: Arg[]): Count;
  rpush(key: string, ...values: Arg[]): Count;
  lpushx(key: string, ...values: Arg[]): Count;
  rpushx(key: string, ...values: Arg[]): Count;
  lpop(key: string): Text;
  lpop(key: string, count: number): Promise<string[] | null>;
  rpop(key: string): Text;
  rpop(key: string, count: number): Promise<string[] | null>;
  lrange(key: string, start: number, stop: number): Texts;
  llen(key: string): Count;
  lindex(key: string, index: number): Text;
  linsert(key: string, where: "BEFORE" | "AFTER", pivot: Scalar, value: Scalar): Count;
  lrem(key: string, count: number, value: Scalar): Count;
  lset(key: string, index: number, value: Scalar): Status;
  ltrim(key: string, start: number, stop: number): Status;
  lpos(key: string, value: Scalar, ...options: Arg[]): Promise<number | number[] | null>;
  lmove(from: string, to: string, fromEnd: "LEFT" | "RIGHT", toEnd: "LEFT" | "RIGHT"): Text;
  rpoplpush(from: string, to: string): Text;

  // sets
  sadd(key: string, ...members: Arg[]): Count;
  srem(key: string, ...members: Arg[]): Count;
  smembers(key: string): Texts;
  sismember(key: string, member: Scalar): Count;
  smismember(key: string, ...members: Arg[]): Promise<number[]>;
  scard(key: string): Count;
  spop(key: string): Text;
  spop(key: string, count: number): Texts;
  srandmember(key: string): Text;
  srandmember(key: string, count: number): Texts;
  smove(from: string, to: string, member: Scalar): Count;
  sinter(...keys: Arg[]): Texts;
  sunion(...keys: Arg[]): Texts;
  sdiff(...keys: Arg[]): Texts;
  sinterstore(to: string, ...keys: Arg[]): Count;
  sunionstore(to: string, ...keys: Arg[]): Count;
  sdiffstore(to: string, ...keys: Arg[]): Count;
  sscan(key: string, cursor: string | number, ...options: Arg[]): Promise<[cursor: string, members: string[]]>;

  // sorted sets
  zadd(key: string, ...optionsScoresAndMembers: Arg[]): Promise<number | string | null>;
  zrem(key: string, ...members: Arg[]): Count;
  zscore(key: string, member: Scalar): Text;
  zmscore(key: string, ...members: Arg[]): Promise<(string | null)[]>;
  zincrby(key: string, by: number, member: Scalar): Promise<string>;
  zcard(key: string): Count;
  zcount(key: string, min: number | string, max: number | string): Count;
  zrank(key: string, member: Scalar): Promise<number | null>;
  zrevrank(key: string, member: Scalar): Promise<number | null>;
  zrange(key: string, start: number | string, stop: number | string, ...options: Arg[]): Texts;
  zrevrange(key: string, start: number, stop: number, ...options: Arg[]): Texts;
  zrangebyscore(key: string, min: number | string, max: number | string, ...options: Arg[]): Texts;
  zrevrangebyscore(key: string, max: number | string, min: number | string, ...options: Arg[]): Texts;
  zremrangebyscore(key: string, min: number | string, max: number | string): Count;
  zremrangebyrank(key: string, start: number, stop: number): Count;
  zpopmin(key: string, count?: number): Texts;
  zpopmax(key: string, count?: number): Texts;
  zscan(key: string, cursor: string | number, ...options: Arg[]): Promise<[cursor: string, pairs: string[]]>;

  // the rest
  pfadd(key: string, ...elements: Arg[]): Count;
  pfcount(...keys: Arg[]): Count;
  pfmerge(to: string, ...keys: Arg[]): Status;
  geoadd(key: string, ...optionsAndPlaces: Arg[]): Count;
  geodist(key: string, one: string, two: string, unit?: string): Text;
  xadd(key: string, ...optionsIdAndFields: Arg[]): Text;
  xlen(key: string): Count;
  xrange(key: string, start: string, end: string, ...options: Arg[]): Promise<[id: string, fields: string[]][]>;
  xrevrange(key: string, end: string, start: string, ...options: Arg[]): Promise<[id: string, fields: string[]][]>;
  xdel(key: string, ...ids: Arg[]): Count;
  xtrim(key: string, ...options: Arg[]): Count;
  /** Answers how many received it. Channels are the project's own. */
  publish(channel: string, message: Scalar): Count;
  echo(message: Scalar): Promise<string>;
  ping(message?: Scalar): Promise<string>;
}

/** Every command with a method of its own; `commands.py` has the same list, and a test compares them. */
export const COMMANDS: readonly string[] = (
  "append bitcount bitfield bitfield_ro bitop bitpos copy decr decrby del echo exists expire expireat expiretime geoadd " +
  "geodist geohash geopos geosearch geosearchstore get getbit getdel getex getrange getset hdel hexists hexpire hexpireat " +
  "hexpiretime hget hgetall hgetex hincrby hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime " +
  "hpttl hrandfield hscan hset hsetex hsetnx hstrlen httl hvals incr incrby incrbyfloat lcs lindex linsert llen lmove " +
  "lmpop lpop lpos lpush lpushx lrange lrem lset ltrim mget mset msetnx object persist pexpire pexpireat pexpiretime pfadd " +
  "pfcount pfmerge ping psetex pttl publish rename renamenx rpop rpoplpush rpush rpushx sadd scan scard sdiff sdiffstore " +
  "set setbit setex setnx setrange sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem " +
  "sscan strlen substr sunion sunionstore time touch ttl type unlink xack xadd xautoclaim xclaim xdel xgroup xinfo xlen " +
  "xpending xrange xrevrange xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount " +
  "zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex " +
  "zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore"
).split(" ");

/** A command that the server or the box refused, named as ioredis names it. */
export class ReplyError extends Error {
  override name = "ReplyError";
  readonly code: string;
  readonly command: { name: string };

  constructor(code: string, message: string, command: string, cause?: Error) {
    super(message, { cause });
    this.code = code;
    this.command = { name: command };
  }
}

type Wire = string | { b: string };

function flatten(args: readonly unknown[], into: Wire[]): Wire[] {
  for (const arg of args) {
    if (typeof arg === "string") into.push(arg.toWellFormed());
    else if (arg === null || arg === undefined) into.push("");
    else if (Array.isArray(arg)) flatten(arg, into);
    else if (arg instanceof Uint8Array) into.push({ b: arg.toBase64() });
    else if (arg instanceof ArrayBuffer) into.push({ b: new Uint8Array(arg).toBase64() });
    else into.push(String(arg).toWellFormed());
  }
  return into;
}

/** Commands whose arguments from an index on may come as one object or Map. */
const FIELDS_AT: Readonly<Record<string, number>> = { mset: 0, msetnx: 0, hset: 1, hmset: 1 };

function spread(command: string, args: unknown[]): unknown[] {
  const at = FIELDS_AT[command];
  if (at === undefined || args.length !== at + 1) return args;
  const fields = args[at];
  if (fields instanceof Map) return [...args.slice(0, at), ...[...fields].flat()];
  if (typeof fields !== "object" || fields === null || Array.isArray(fields) || ArrayBuffer.isView(fields)) return args;
  return [...args.slice(0, at), ...Object.entries(fields).flat()];
}

function decode(reply: unknown): Reply {
  if (Array.isArray(reply)) return reply.map(decode);
  if (typeof reply !== "object" || reply === null) return reply as Reply;
  if ("b" in reply) return Uint8Array.fromBase64(reply.b as string);
  return BigInt((reply as { i: string }).i);
}

const text = new TextDecoder();

/** Pairs in a row to an object, for `hgetall`. */
function toObject(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  const pairs: [string, Reply][] = [];
  for (let index = 0; index + 1 < reply.length; index += 2) {
    const name = reply[index];
    pairs.push([name instanceof Uint8Array ? text.decode(name) : String(name), reply[index + 1] ?? null]);
  }
  return Object.fromEntries(pairs) as unknown as Reply;
}

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

  async #send(command: string, args: unknown[], raw: boolean): Promise<Reply> {
    const a = flatten(args, []);
    try {
      const reply = await this.#call(command, raw ? { a, raw } : a);
      return reply.body ??
        (reply.stream ? new Uint8Array(await new Response(reply.stream).arrayBuffer()) : decode(reply.result));
    } catch (error) {
      throw error instanceof BindingError ? new ReplyError(error.code, error.message, command, error) : error;
    }
  }

  static #complete = false;

  /** A method per command and its twin for bytes: made once, when a worker first asks for a cache (it takes 6 ms). */
  static complete(): void {
    if (this.#complete) return;
    this.#complete = true;
    const method = (command: string, raw: boolean) => {
      const answer = command === "hgetall" ? toObject : (reply: Reply) => reply;
      return async function (this: WorkerCache, ...args: unknown[]): Promise<Reply> {
        return answer(await this.#send(command, spread(command, args), raw));
      };
    };
    for (const command of COMMANDS) {
      for (const [name, raw] of [[command, false], [`${command}Buffer`, true]] as const) {
        Object.defineProperty(this.prototype, name, {
          value: method(command, raw),
          writable: true,
          configurable: true,
        });
      }
    }
  }
}

/** Makes the client of one run. */
export function createCache(call: Caller): Cache {
  WorkerCache.complete();
  return new WorkerCache(call) as unknown as Cache;
}
