/** What a worker can do with `cache` and with a KV namespace in `env`: the types of the clients. */

export type Scalar = string | number | bigint | boolean | Uint8Array | ArrayBuffer | null | undefined;
export type Arg = Scalar | readonly Arg[];
export type Fields = Record<string, Scalar> | Map<string, Scalar>;
export type Reply = null | string | number | bigint | Uint8Array | Reply[];

type Status = Promise<"OK">;
type Text = Promise<string | null>;
type Texts = Promise<string[]>;
type Count = Promise<number>;
type Bytes = Promise<Uint8Array | null>;

/** The commands, under the names that ioredis gives them. */
export interface Commands {
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
  delifeq(key: string, value: Scalar): Count;
  mget(...keys: Arg[]): Promise<(string | null)[]>;
  mgetBuffer(...keys: Arg[]): Promise<(Uint8Array | null)[]>;
  mset(values: Fields): Status;
  mset(...pairs: Arg[]): Status;
  msetnx(values: Fields): Count;
  msetnx(...pairs: Arg[]): Count;
  msetex(count: number, ...pairsAndOptions: Arg[]): Count;
  append(key: string, value: Scalar): Count;
  strlen(key: string): Count;
  getrange(key: string, start: number, end: number): Promise<string>;
  substr(key: string, start: number, end: number): Promise<string>;
  setrange(key: string, offset: number, value: Scalar): Count;
  incr(key: string): Count;
  incrby(key: string, by: number | bigint): Count;
  incrbyfloat(key: string, by: number): Promise<string>;
  decr(key: string): Count;
  decrby(key: string, by: number | bigint): Count;
  lcs(one: string, other: string, ...options: Arg[]): Promise<Reply>;
  setbit(key: string, offset: number, value: 0 | 1): Count;
  getbit(key: string, offset: number): Count;
  bitcount(key: string, ...range: Arg[]): Count;
  bitpos(key: string, bit: 0 | 1, ...range: Arg[]): Count;
  bitop(operation: string, to: string, ...keys: Arg[]): Count;
  bitfield(key: string, ...operations: Arg[]): Promise<(number | null)[]>;
  bitfield_ro(key: string, ...operations: Arg[]): Promise<number[]>;

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
  pexpiretime(key: string): Count;
  ttl(key: string): Count;
  pttl(key: string): Count;
  persist(key: string): Count;
  type(key: string): Promise<string>;
  rename(from: string, to: string): Status;
  renamenx(from: string, to: string): Count;
  copy(from: string, to: string, ...options: Arg[]): Count;
  /** One page of the project's keys; go on with the cursor until it is "0". */
  scan(cursor: string | number, ...options: Arg[]): Promise<[cursor: string, keys: string[]]>;
  /** All keys that the pattern matches: 10,000 at most, and not in a project of very many keys. */
  keys(pattern: string): Texts;
  /** How many keys the project has. */
  dbsize(): Count;
  object(subcommand: "ENCODING" | "FREQ" | "IDLETIME" | "REFCOUNT", key: string): Promise<string | number | null>;
  memory(subcommand: "USAGE", key: string, ...options: Arg[]): Promise<number | null>;
  sort(key: string, ...options: Arg[]): Promise<(string | null)[] | number>;
  sort_ro(key: string, ...options: Arg[]): Promise<(string | null)[]>;

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
  hrandfield(key: string, ...countAndOptions: Arg[]): Promise<string | string[] | null>;
  hsetex(key: string, ...optionsAndFields: Arg[]): Count;
  hgetex(key: string, ...optionsAndFields: Arg[]): Promise<(string | null)[]>;
  hgetdel(key: string, ...fields: Arg[]): Promise<(string | null)[]>;
  hexpire(key: string, seconds: number, ...options: Arg[]): Promise<number[]>;
  hpexpire(key: string, milliseconds: number, ...options: Arg[]): Promise<number[]>;
  hexpireat(key: string, unixSeconds: number, ...options: Arg[]): Promise<number[]>;
  hpexpireat(key: string, unixMilliseconds: number, ...options: Arg[]): Promise<number[]>;
  hexpiretime(key: string, ...fields: Arg[]): Promise<number[]>;
  hpexpiretime(key: string, ...fields: Arg[]): Promise<number[]>;
  httl(key: string, ...fields: Arg[]): Promise<number[]>;
  hpttl(key: string, ...fields: Arg[]): Promise<number[]>;
  hpersist(key: string, ...fields: Arg[]): Promise<number[]>;

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
  lmpop(count: number, ...keysAndOptions: Arg[]): Promise<[key: string, values: string[]] | null>;
  /** Waits until one of the lists has an entry, at most so many seconds; then null. */
  blpop(...keysAndSeconds: Arg[]): Promise<[key: string, value: string] | null>;
  brpop(...keysAndSeconds: Arg[]): Promise<[key: string, value: string] | null>;
  blmove(from: string, to: string, fromEnd: "LEFT" | "RIGHT", toEnd: "LEFT" | "RIGHT", seconds: number): Text;
  brpoplpush(from: string, to: string, seconds: number): Text;
  blmpop(seconds: number, count: number, ...keysAndOptions: Arg[]): Promise<[key: string, values: string[]] | null>;

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
  sintercard(count: number, ...keysAndOptions: Arg[]): Count;
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
  zrangebylex(key: string, min: string, max: string, ...options: Arg[]): Texts;
  zrevrangebylex(key: string, max: string, min: string, ...options: Arg[]): Texts;
  zremrangebylex(key: string, min: string, max: string): Count;
  zlexcount(key: string, min: string, max: string): Count;
  zrangestore(to: string, key: string, start: number | string, stop: number | string, ...options: Arg[]): Count;
  zrandmember(key: string, ...countAndOptions: Arg[]): Promise<string | string[] | null>;
  zunion(count: number, ...keysAndOptions: Arg[]): Texts;
  zinter(count: number, ...keysAndOptions: Arg[]): Texts;
  zdiff(count: number, ...keysAndOptions: Arg[]): Texts;
  zintercard(count: number, ...keysAndOptions: Arg[]): Count;
  zunionstore(to: string, count: number, ...keysAndOptions: Arg[]): Count;
  zinterstore(to: string, count: number, ...keysAndOptions: Arg[]): Count;
  zdiffstore(to: string, count: number, ...keys: Arg[]): Count;
  zmpop(count: number, ...keysAndOptions: Arg[]): Promise<[key: string, pairs: [string, string][]] | null>;
  bzpopmin(...keysAndSeconds: Arg[]): Promise<[key: string, member: string, score: string] | null>;
  bzpopmax(...keysAndSeconds: Arg[]): Promise<[key: string, member: string, score: string] | null>;
  bzmpop(seconds: number, count: number, ...keysAndOptions: Arg[]): Promise<[string, [string, string][]] | null>;

  // places, cardinality
  geoadd(key: string, ...optionsAndPlaces: Arg[]): Count;
  geodist(key: string, one: string, two: string, unit?: string): Text;
  geohash(key: string, ...members: Arg[]): Promise<(string | null)[]>;
  geopos(key: string, ...members: Arg[]): Promise<([longitude: string, latitude: string] | null)[]>;
  geosearch(key: string, ...options: Arg[]): Promise<Reply[]>;
  geosearchstore(to: string, from: string, ...options: Arg[]): Count;
  georadius(key: string, ...options: Arg[]): Promise<Reply>;
  georadius_ro(key: string, ...options: Arg[]): Promise<Reply[]>;
  georadiusbymember(key: string, member: string, ...options: Arg[]): Promise<Reply>;
  georadiusbymember_ro(key: string, member: string, ...options: Arg[]): Promise<Reply[]>;
  pfadd(key: string, ...elements: Arg[]): Count;
  pfcount(...keys: Arg[]): Count;
  pfmerge(to: string, ...keys: Arg[]): Status;

  // streams
  xadd(key: string, ...optionsIdAndFields: Arg[]): Text;
  xlen(key: string): Count;
  xrange(key: string, start: string, end: string, ...options: Arg[]): Promise<[id: string, fields: string[]][]>;
  xrevrange(key: string, end: string, start: string, ...options: Arg[]): Promise<[id: string, fields: string[]][]>;
  /** With `BLOCK milliseconds` it waits for entries. */
  xread(...optionsStreamsAndIds: Arg[]): Promise<[key: string, entries: [id: string, fields: string[]][]][] | null>;
  xreadgroup(
    ...optionsStreamsAndIds: Arg[]
  ): Promise<[key: string, entries: [id: string, fields: string[]][]][] | null>;
  xgroup(subcommand: string, key: string, group: string, ...options: Arg[]): Promise<"OK" | number>;
  xack(key: string, group: string, ...ids: Arg[]): Count;
  xpending(key: string, group: string, ...options: Arg[]): Promise<Reply[]>;
  xclaim(key: string, group: string, consumer: string, ...options: Arg[]): Promise<Reply[]>;
  xautoclaim(key: string, group: string, consumer: string, ...options: Arg[]): Promise<Reply[]>;
  xinfo(subcommand: string, key: string, ...options: Arg[]): Promise<Reply[]>;
  xdel(key: string, ...ids: Arg[]): Count;
  xtrim(key: string, ...options: Arg[]): Count;
  xsetid(key: string, id: string, ...options: Arg[]): Status;

  // scripts: half a second each; keys that a script names itself must be among `keys`
  eval(script: string, keys: number, ...keysAndArgs: Arg[]): Promise<Reply>;
  eval_ro(script: string, keys: number, ...keysAndArgs: Arg[]): Promise<Reply>;
  evalsha(sha1: string, keys: number, ...keysAndArgs: Arg[]): Promise<Reply>;
  evalsha_ro(sha1: string, keys: number, ...keysAndArgs: Arg[]): Promise<Reply>;
  script(subcommand: "LOAD", script: string): Promise<string>;
  script(subcommand: "EXISTS", ...sha1s: Arg[]): Promise<(0 | 1)[]>;

  // the rest
  /** Answers how many connections heard it: one per box that listens, 0 when nobody does. */
  publish(channel: string, message: Scalar): Count;
  echo(message: Scalar): Promise<string>;
  ping(message?: Scalar): Promise<string>;
  time(): Promise<[seconds: string, microseconds: string]>;
}

/** A command of a pipeline: the pipeline itself, so that the next can follow. */
export type Chained = (...args: (Arg | Fields)[]) => Pipeline;

/** Every command is a method here too; nothing is sent before `exec`. */
export interface Pipeline extends Readonly<Record<keyof Commands, Chained>> {
  /** How many commands there are. */
  readonly length: number;
  /** Sends them, once: `[error, reply]` of each, in their order. */
  exec(): Promise<[error: Error | null, reply: Reply][]>;
}

export interface Message<Content = string> {
  channel: string;
  message: Content;
  /** Which pattern it came by. */
  pattern?: string;
}

/** Messages as they come: by iterating, or to listeners. It ends with its run, or when it is closed. */
export interface Subscription<Content = string> extends AsyncIterable<Message<Content>> {
  /** A message on one of the channels. */
  on(event: "message", listener: (channel: string, message: Content) => void): this;
  /** A message that a pattern matched. */
  on(event: "pmessage", listener: (pattern: string, channel: string, message: Content) => void): this;
  /** The subscription is lost: `MESSAGES_LOST`, or `RUN_ENDED`. */
  on(event: "error", listener: (error: Error) => void): this;
  /** It was closed, here or by the box. */
  on(event: "end", listener: () => void): this;
  /** Ends it. May be called again. */
  close(): Promise<void>;
  /** The same as `close`: all of its channels at once. */
  unsubscribe(): Promise<void>;
}

export interface Cache extends Commands {
  /** Several commands in one call: each succeeds or fails alone. */
  pipeline(commands?: readonly (readonly [command: string, ...args: Arg[]])[]): Pipeline;
  /** A transaction: all commands at once, with none of others between them, or none (`EXECABORT`). */
  multi(commands?: readonly (readonly [command: string, ...args: Arg[]])[]): Pipeline;
  /** Resolves when the server has confirmed all channels. */
  subscribe(...channels: (string | readonly string[])[]): Promise<Subscription>;
  subscribeBuffer(...channels: (string | readonly string[])[]): Promise<Subscription<Uint8Array>>;
  /** Patterns as in `keys`: `news.*`. */
  psubscribe(...patterns: (string | readonly string[])[]): Promise<Subscription>;
  psubscribeBuffer(...patterns: (string | readonly string[])[]): Promise<Subscription<Uint8Array>>;
  /**
   * What is kept under the key; else what `compute` gives, kept as JSON for so many seconds. Of all runs that ask at one
   * time only one computes, the others wait for its result. `undefined` is not kept.
   */
  wrap<Value>(key: string, ttlSeconds: number, compute: () => Value | Promise<Value>): Promise<Value>;
}

/** A command that the server or the box refused, named as ioredis names it. */
export class ReplyError extends Error {
  override name = "ReplyError";
  readonly code: string;
  readonly command: { name: string };
  /** Why a transaction was not run, where `code` is `EXECABORT`: an error for each command that was refused. */
  readonly previousErrors?: readonly ReplyError[];

  constructor(code: string, message: string, command: string, cause?: Error, previous?: readonly ReplyError[]) {
    super(message, { cause });
    this.code = code;
    this.command = { name: command };
    if (previous !== undefined) this.previousErrors = previous;
  }
}

/** A call that a KV namespace refused; `code` is stable. */
export class KvError extends Error {
  override name = "KvError";
  readonly code: string;

  constructor(code: string, message: string, cause?: Error) {
    super(message, { cause });
    this.code = code;
  }
}

export type KvType = "text" | "json" | "arrayBuffer" | "stream";

/** `cacheTtl` is taken and does nothing: there is no copy elsewhere that could be stale. */
export interface KvGetOptions<Type extends KvType = KvType> {
  type?: Type;
  cacheTtl?: number;
}

export interface KvPutOptions {
  /** When it expires, in seconds since 1970. */
  expiration?: number;
  /** In how many seconds it expires: 1 or more. */
  expirationTtl?: number;
  /** Anything that is JSON, 1024 bytes of it at most. */
  metadata?: unknown;
}

export interface KvListOptions {
  prefix?: string | null;
  /** At most 1000, which is the default. */
  limit?: number;
  cursor?: string | null;
}

export interface KvListKey<Metadata = unknown> {
  name: string;
  /** In seconds since 1970. */
  expiration?: number;
  metadata?: Metadata;
}

/** One page, in the order of the names' UTF-8. */
export type KvListing<Metadata = unknown> =
  & { keys: KvListKey<Metadata>[]; cacheStatus: null }
  & ({ list_complete: false; cursor: string } | { list_complete: true });

export interface KvWithMetadata<Value, Metadata = unknown> {
  value: Value | null;
  metadata: Metadata | null;
  cacheStatus: null;
}

export type KvValue = string | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array>;
export type KvStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A KV namespace in `env`, in the shape of Cloudflare's (https://developers.cloudflare.com/kv/api/). */
export interface KVNamespace {
  get(key: string, type?: "text" | KvGetOptions<"text">): Promise<string | null>;
  get<Value = unknown>(key: string, type: "json" | KvGetOptions<"json">): Promise<Value | null>;
  get(key: string, type: "arrayBuffer" | KvGetOptions<"arrayBuffer">): Promise<ArrayBuffer | null>;
  get(key: string, type: "stream" | KvGetOptions<"stream">): Promise<KvStream | null>;
  /** Up to 100 keys in one call; each is in the Map, with null where there is no value. */
  get(keys: string[], type?: "text" | KvGetOptions<"text">): Promise<Map<string, string | null>>;
  get<Value = unknown>(keys: string[], type: "json" | KvGetOptions<"json">): Promise<Map<string, Value | null>>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    type?: "text" | KvGetOptions<"text">,
  ): Promise<KvWithMetadata<string, Metadata>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    key: string,
    type: "json" | KvGetOptions<"json">,
  ): Promise<KvWithMetadata<Value, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    type: "arrayBuffer" | KvGetOptions<"arrayBuffer">,
  ): Promise<KvWithMetadata<ArrayBuffer, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    type: "stream" | KvGetOptions<"stream">,
  ): Promise<KvWithMetadata<KvStream, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    keys: string[],
    type?: "text" | KvGetOptions<"text">,
  ): Promise<Map<string, KvWithMetadata<string, Metadata>>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    keys: string[],
    type: "json" | KvGetOptions<"json">,
  ): Promise<Map<string, KvWithMetadata<Value, Metadata>>>;
  put(key: string, value: KvValue, options?: KvPutOptions): Promise<void>;
  /** A key without a value is no error. */
  delete(key: string): Promise<void>;
  list<Metadata = unknown>(options?: KvListOptions): Promise<KvListing<Metadata>>;
}
