/**
 * What a V8Box worker sees: the context of its handler, the services, and the globals that are not the web's own.
 *
 * Add `/// <reference path="./v8box.d.ts" />` to a worker, or name the file under `compilerOptions.types`; nothing is
 * imported. The interfaces of the services are those of the clients in `bindings/`, and a test keeps them the same.
 */

declare namespace V8Box {
  // --- handlers ---------------------------------------------------------------------------------------------------

  /**
   * A V8Box handler. What it returns is sent as JSON in an envelope `{success, data, timestamp}`; a `Response` passes
   * through as it is.
   *
   * ```ts
   * export default (async ({ db }, { id }) => {
   *   const { rows } = await db.execute({ sql: "SELECT * FROM users WHERE id = ?", args: [String(id)] });
   *   return rows[0] ?? null;
   * }) satisfies V8Box.Handler;
   * ```
   */
  type Handler<E = Env> = (context: Context<E>, params: Params) => unknown;

  /** The query's parameters; on other methods than GET and HEAD with the fields of a JSON object or form over them. */
  // deno-lint-ignore no-explicit-any
  type Params = Record<string, any>;

  /** A worker in module syntax, as Cloudflare has it: `export default { fetch(request, env, ctx) { … } }`. */
  interface Module<E = Env> {
    fetch(request: Request, env: E, ctx: Context<E>): Response | Promise<Response>;
  }

  /**
   * The worker's variables and secrets; `Deno.env.get` and `process.env` see the same and nothing else. Services that the
   * manifest binds are in `env` only, so a worker that has some names its own type:
   *
   * ```ts
   * interface Env { DB: V8Box.D1Database; SESSIONS: V8Box.KVNamespace; FILES: V8Box.S3 }
   * export default { fetch: (request, env) => … } satisfies V8Box.Module<Env>;
   * ```
   */
  type Env = Record<string, string>;

  /** What a handler is given; the third argument of `fetch` too. It may be taken apart. */
  interface Context<E = Env> {
    /** The project's SQL database. */
    readonly db: Db;
    /** The project's part of the Redis-compatible cache. */
    readonly cache: Cache;
    /** The project's object store. */
    readonly s3: S3;
    readonly env: E;
    readonly log: Log;
    /** What the worker counts itself, for `/metrics` and charts. */
    readonly metrics: Metrics;
    /** The HTTP request. Its `signal` aborts when the run ends early. */
    readonly request: Request;
    /** What a V8Box handler gets as its second argument. */
    readonly params: Params | undefined;
    /** The worker's name. */
    readonly worker: string;
    /** The id of the version that runs. */
    readonly version: string;
    /** The trace that this run belongs to (W3C trace context), 32 hex digits. What the run fetches carries it on. */
    readonly traceId: string;
    /** Lets a promise finish after the response has been sent. What it throws is logged. */
    readonly waitUntil: (promise: unknown) => void;
    /** Part of the module syntax; there is no origin to pass through to. */
    readonly passThroughOnException: () => void;
  }

  /** Writes a line to the run's log; `fields` go with it as they are. Called itself, it logs at level `info`. */
  interface Log {
    (message: unknown, fields?: Record<string, unknown>): void;
    debug(message: unknown, fields?: Record<string, unknown>): void;
    info(message: unknown, fields?: Record<string, unknown>): void;
    warn(message: unknown, fields?: Record<string, unknown>): void;
    error(message: unknown, fields?: Record<string, unknown>): void;
  }

  /** At most 10, with names as `[a-zA-Z_][a-zA-Z0-9_]*`; values of 100 characters at most. */
  type MetricLabels = Record<string, string | number | boolean>;

  /**
   * Names are 1 to 63 of a-z, 0-9 and _; a name that is none throws. A worker has 1,000 time series at most (a name with one
   * set of labels is one); what comes beyond is dropped, and so is a value that is no number.
   */
  interface Metrics {
    /** Only grows. */
    counter(name: string, labels?: MetricLabels): { add(value?: number): void };
    /** Has the value that was set last, by whichever process of the worker. */
    gauge(name: string, labels?: MetricLabels): { set(value: number): void };
    /** How values are distributed, from 0.001 to 5,000,000 of whatever unit: name it, `_seconds`, `_bytes`. */
    histogram(name: string, labels?: MetricLabels): { record(value: number): void };
  }

  /** What a service throws when it refuses a call. `code` is stable, the message is for people. */
  interface ServiceError extends Error {
    /**
     * db (`LibsqlError`): `SQLITE_CONSTRAINT` …, `RESPONSE_TOO_LARGE`, `TRANSACTION_TIMEOUT`, `ENGINE_DIED`.
     * cache (`ReplyError`): `WRONGTYPE`, `ERR` …, `REFUSED`, `CACHE_UNAVAILABLE`.
     * services (`ServiceError`): `service_not_found`, `service_threw`, `service_killed`, `service_overloaded` ….
     * assets (`AssetsError`): `site_not_granted`, `invalid_argument`.
     * s3 (`S3Error`): `bad_digest`, `object_too_large`, `invalid_key`, `invalid_range`, `no_such_key`, `no_space` ….
     */
    readonly code: string;
    /** SQLite's extended code word (`SQLITE_CONSTRAINT_UNIQUE`); db only. */
    readonly extendedCode?: string;
    /** SQLite's number for it; db only. */
    readonly rawCode?: number;
    /** Which statement of a batch it was, counted from 0; db only (`LibsqlBatchError`). */
    readonly statementIndex?: number;
  }

  // --- db: the API of @libsql/client ------------------------------------------------------------------------------
  //
  // Integers come back as `number` while that is exact and as `bigint` beyond 2^53 - 1. Blobs come back as ArrayBuffer.
  // A `number` without a fraction goes in as an integer, a boolean as 0 or 1, a Date as milliseconds since 1970.

  type DbValue = null | string | number | bigint | ArrayBuffer;

  type DbInValue = DbValue | boolean | Uint8Array | Date;

  type DbArgs = DbInValue[] | Record<string, DbInValue>;

  type DbStatement = string | { sql: string; args?: DbArgs };

  type DbTransactionMode = "write" | "read" | "deferred";

  /** One row: by index, by column name, and with a `length`. Only the names are enumerable. */
  interface DbRow {
    length: number;
    [index: number]: DbValue;
    [name: string]: DbValue;
  }

  interface ResultSet {
    columns: string[];
    /** The declared types (`INTEGER`, `TEXT`, …), empty for expressions. */
    columnTypes: string[];
    rows: DbRow[];
    rowsAffected: number;
    lastInsertRowid: bigint | undefined;
    toJSON(): unknown;
  }

  interface DbQueries {
    execute(statement: DbStatement): Promise<ResultSet>;
    execute(sql: string, args?: DbArgs): Promise<ResultSet>;
    /** Runs the statements of a script that are separated by semicolons; their rows are dropped. */
    executeMultiple(sql: string): Promise<void>;
  }

  interface DbTransaction extends DbQueries {
    batch(statements: Array<DbStatement | [string, DbArgs?]>): Promise<ResultSet[]>;
    commit(): Promise<void>;
    rollback(): Promise<void>;
    /** Rolls back unless the transaction is over already. Does not wait. */
    close(): void;
    readonly closed: boolean;
  }

  interface Db extends DbQueries {
    /** Runs all statements in one transaction: all of them or none. */
    batch(statements: Array<DbStatement | [string, DbArgs?]>, mode?: DbTransactionMode): Promise<ResultSet[]>;
    /** A batch that writes, with foreign keys off while it runs: for statements that rebuild tables. */
    migrate(statements: DbStatement[]): Promise<ResultSet[]>;
    /** Opens an interactive transaction. It is rolled back when the run ends, or when it is idle for some seconds. */
    transaction(mode?: DbTransactionMode): Promise<DbTransaction>;
    /** Another database of the project, one that the worker's manifest grants. */
    use(database: string): Db;
    /** Always false: there is no connection to close. */
    readonly closed: boolean;
    readonly protocol: "http";
    close(): void;
    /** Does nothing: there is no connection to open again. */
    reconnect(): Promise<void>;
    /** Always rejects (`SYNC_NOT_SUPPORTED`): there is no replica in the worker. */
    sync(): Promise<never>;
  }

  /** What `db` throws when it refuses a call: a `ServiceError`, whose `code` is SQLite's primary code word. */
  interface LibsqlError extends Error {
    readonly code: string;
    /** The extended code word, e.g. `SQLITE_CONSTRAINT_UNIQUE`. */
    readonly extendedCode?: string;
    /** SQLite's number for it, where it is known. */
    readonly rawCode?: number;
  }

  /** A statement of a batch was refused: the one at `statementIndex`, counted from 0. */
  interface LibsqlBatchError extends LibsqlError {
    readonly statementIndex: number;
  }

  // --- env.<BINDING> of a database: Cloudflare's D1 ---------------------------------------------------------------
  //
  // Booleans go in as 0 and 1, `undefined` is refused, blobs come back as arrays of numbers.

  /** What a query cost. `rows_read` are the rows that came back, `duration` the milliseconds until they were there. */
  interface D1Meta {
    served_by: string;
    duration: number;
    changes: number;
    last_row_id: number;
    changed_db: boolean;
    size_after: number;
    rows_read: number;
    rows_written: number;
  }

  interface D1Response {
    success: true;
    meta: D1Meta & Record<string, unknown>;
    error?: never;
  }

  interface D1Result<T = unknown> extends D1Response {
    results: T[];
  }

  interface D1ExecResult {
    count: number;
    /** Milliseconds. */
    duration: number;
  }

  interface D1PreparedStatement {
    /** The statement with values for its `?` or `?NNN`, in their order. */
    bind(...values: unknown[]): D1PreparedStatement;
    /** One column of the first row; null without a row. */
    first<T = unknown>(column: string): Promise<T | null>;
    /** The first row; null without one. */
    first<T = Record<string, unknown>>(): Promise<T | null>;
    run<T = Record<string, unknown>>(): Promise<D1Result<T>>;
    all<T = Record<string, unknown>>(): Promise<D1Result<T>>;
    /** The rows as arrays. */
    raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
    raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
  }

  interface D1DatabaseSession {
    prepare(query: string): D1PreparedStatement;
    /** Runs all statements in one transaction: all of them or none. */
    batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
    /** Always null: every query sees all that was written before it, so there is no place to go on from. */
    getBookmark(): string | null;
  }

  interface D1Database {
    prepare(query: string): D1PreparedStatement;
    /** Runs all statements in one transaction: all of them or none. */
    batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
    /** Runs a script line by line, each line by itself. What ran before a failing line stays. */
    exec(query: string): Promise<D1ExecResult>;
    withSession(constraintOrBookmark?: string): D1DatabaseSession;
    /** Always rejects: back the database up with the box's own means. */
    dump(): Promise<ArrayBuffer>;
  }

  // --- cache: Redis commands under ioredis' names -----------------------------------------------------------------
  //
  // Every command also has a twin that ends in `Buffer` and answers bytes; those not named here go by `callBuffer`.
  // Keys, channels and SCAN are confined to the project. Admin commands are refused.

  type CacheScalar = string | number | bigint | boolean | Uint8Array | ArrayBuffer | null | undefined;
  type CacheArg = CacheScalar | readonly CacheArg[];
  type CacheFields = Record<string, CacheScalar> | Map<string, CacheScalar>;
  type CacheReply = null | string | number | bigint | Uint8Array | CacheReply[];

  type CacheStatus = Promise<"OK">;
  type CacheText = Promise<string | null>;
  type CacheTexts = Promise<string[]>;
  type CacheCount = Promise<number>;
  type CacheBytes = Promise<Uint8Array | null>;

  /** The commands, under the names that ioredis gives them. */
  interface CacheCommands {
    /** Any command that is allowed, by name: `call("SET", "k", "v", "EX", 60)`. */
    call(command: string, ...args: CacheArg[]): Promise<CacheReply>;
    callBuffer(command: string, ...args: CacheArg[]): Promise<CacheReply>;

    // strings
    get(key: string): CacheText;
    getBuffer(key: string): CacheBytes;
    set(key: string, value: CacheScalar, ...options: CacheArg[]): Promise<string | null>;
    setex(key: string, seconds: number, value: CacheScalar): CacheStatus;
    psetex(key: string, milliseconds: number, value: CacheScalar): CacheStatus;
    setnx(key: string, value: CacheScalar): CacheCount;
    getset(key: string, value: CacheScalar): CacheText;
    getdel(key: string): CacheText;
    getdelBuffer(key: string): CacheBytes;
    getex(key: string, ...options: CacheArg[]): CacheText;
    delifeq(key: string, value: CacheScalar): CacheCount;
    mget(...keys: CacheArg[]): Promise<(string | null)[]>;
    mgetBuffer(...keys: CacheArg[]): Promise<(Uint8Array | null)[]>;
    mset(values: CacheFields): CacheStatus;
    mset(...pairs: CacheArg[]): CacheStatus;
    msetnx(values: CacheFields): CacheCount;
    msetnx(...pairs: CacheArg[]): CacheCount;
    msetex(count: number, ...pairsAndOptions: CacheArg[]): CacheCount;
    append(key: string, value: CacheScalar): CacheCount;
    strlen(key: string): CacheCount;
    getrange(key: string, start: number, end: number): Promise<string>;
    substr(key: string, start: number, end: number): Promise<string>;
    setrange(key: string, offset: number, value: CacheScalar): CacheCount;
    incr(key: string): CacheCount;
    incrby(key: string, by: number | bigint): CacheCount;
    incrbyfloat(key: string, by: number): Promise<string>;
    decr(key: string): CacheCount;
    decrby(key: string, by: number | bigint): CacheCount;
    lcs(one: string, other: string, ...options: CacheArg[]): Promise<CacheReply>;
    setbit(key: string, offset: number, value: 0 | 1): CacheCount;
    getbit(key: string, offset: number): CacheCount;
    bitcount(key: string, ...range: CacheArg[]): CacheCount;
    bitpos(key: string, bit: 0 | 1, ...range: CacheArg[]): CacheCount;
    bitop(operation: string, to: string, ...keys: CacheArg[]): CacheCount;
    bitfield(key: string, ...operations: CacheArg[]): Promise<(number | null)[]>;
    bitfield_ro(key: string, ...operations: CacheArg[]): Promise<number[]>;

    // any key
    del(...keys: CacheArg[]): CacheCount;
    unlink(...keys: CacheArg[]): CacheCount;
    exists(...keys: CacheArg[]): CacheCount;
    touch(...keys: CacheArg[]): CacheCount;
    expire(key: string, seconds: number, ...options: CacheArg[]): CacheCount;
    pexpire(key: string, milliseconds: number, ...options: CacheArg[]): CacheCount;
    expireat(key: string, unixSeconds: number, ...options: CacheArg[]): CacheCount;
    pexpireat(key: string, unixMilliseconds: number, ...options: CacheArg[]): CacheCount;
    expiretime(key: string): CacheCount;
    pexpiretime(key: string): CacheCount;
    ttl(key: string): CacheCount;
    pttl(key: string): CacheCount;
    persist(key: string): CacheCount;
    type(key: string): Promise<string>;
    rename(from: string, to: string): CacheStatus;
    renamenx(from: string, to: string): CacheCount;
    copy(from: string, to: string, ...options: CacheArg[]): CacheCount;
    /** One page of the project's keys; go on with the cursor until it is "0". */
    scan(cursor: string | number, ...options: CacheArg[]): Promise<[cursor: string, keys: string[]]>;
    /** All keys that the pattern matches: 10,000 at most, and not in a project of very many keys. */
    keys(pattern: string): CacheTexts;
    /** How many keys the project has. */
    dbsize(): CacheCount;
    object(subcommand: "ENCODING" | "FREQ" | "IDLETIME" | "REFCOUNT", key: string): Promise<string | number | null>;
    memory(subcommand: "USAGE", key: string, ...options: CacheArg[]): Promise<number | null>;
    sort(key: string, ...options: CacheArg[]): Promise<(string | null)[] | number>;
    sort_ro(key: string, ...options: CacheArg[]): Promise<(string | null)[]>;

    // hashes
    hset(key: string, fields: CacheFields): CacheCount;
    hset(key: string, ...fieldsAndValues: CacheArg[]): CacheCount;
    hmset(key: string, fields: CacheFields): CacheStatus;
    hmset(key: string, ...fieldsAndValues: CacheArg[]): CacheStatus;
    hsetnx(key: string, field: string, value: CacheScalar): CacheCount;
    hget(key: string, field: string): CacheText;
    hgetBuffer(key: string, field: string): CacheBytes;
    hmget(key: string, ...fields: CacheArg[]): Promise<(string | null)[]>;
    hgetall(key: string): Promise<Record<string, string>>;
    hgetallBuffer(key: string): Promise<Record<string, Uint8Array>>;
    hdel(key: string, ...fields: CacheArg[]): CacheCount;
    hexists(key: string, field: string): CacheCount;
    hincrby(key: string, field: string, by: number | bigint): CacheCount;
    hincrbyfloat(key: string, field: string, by: number): Promise<string>;
    hkeys(key: string): CacheTexts;
    hvals(key: string): CacheTexts;
    hlen(key: string): CacheCount;
    hstrlen(key: string, field: string): CacheCount;
    hscan(key: string, cursor: string | number, ...options: CacheArg[]): Promise<[cursor: string, pairs: string[]]>;
    hrandfield(key: string, ...countAndOptions: CacheArg[]): Promise<string | string[] | null>;
    hsetex(key: string, ...optionsAndFields: CacheArg[]): CacheCount;
    hgetex(key: string, ...optionsAndFields: CacheArg[]): Promise<(string | null)[]>;
    hgetdel(key: string, ...fields: CacheArg[]): Promise<(string | null)[]>;
    hexpire(key: string, seconds: number, ...options: CacheArg[]): Promise<number[]>;
    hpexpire(key: string, milliseconds: number, ...options: CacheArg[]): Promise<number[]>;
    hexpireat(key: string, unixSeconds: number, ...options: CacheArg[]): Promise<number[]>;
    hpexpireat(key: string, unixMilliseconds: number, ...options: CacheArg[]): Promise<number[]>;
    hexpiretime(key: string, ...fields: CacheArg[]): Promise<number[]>;
    hpexpiretime(key: string, ...fields: CacheArg[]): Promise<number[]>;
    httl(key: string, ...fields: CacheArg[]): Promise<number[]>;
    hpttl(key: string, ...fields: CacheArg[]): Promise<number[]>;
    hpersist(key: string, ...fields: CacheArg[]): Promise<number[]>;

    // lists
    lpush(key: string, ...values: CacheArg[]): CacheCount;
    rpush(key: string, ...values: CacheArg[]): CacheCount;
    lpushx(key: string, ...values: CacheArg[]): CacheCount;
    rpushx(key: string, ...values: CacheArg[]): CacheCount;
    lpop(key: string): CacheText;
    lpop(key: string, count: number): Promise<string[] | null>;
    rpop(key: string): CacheText;
    rpop(key: string, count: number): Promise<string[] | null>;
    lrange(key: string, start: number, stop: number): CacheTexts;
    llen(key: string): CacheCount;
    lindex(key: string, index: number): CacheText;
    linsert(key: string, where: "BEFORE" | "AFTER", pivot: CacheScalar, value: CacheScalar): CacheCount;
    lrem(key: string, count: number, value: CacheScalar): CacheCount;
    lset(key: string, index: number, value: CacheScalar): CacheStatus;
    ltrim(key: string, start: number, stop: number): CacheStatus;
    lpos(key: string, value: CacheScalar, ...options: CacheArg[]): Promise<number | number[] | null>;
    lmove(from: string, to: string, fromEnd: "LEFT" | "RIGHT", toEnd: "LEFT" | "RIGHT"): CacheText;
    rpoplpush(from: string, to: string): CacheText;
    lmpop(count: number, ...keysAndOptions: CacheArg[]): Promise<[key: string, values: string[]] | null>;
    /** Waits until one of the lists has an entry, at most so many seconds; then null. */
    blpop(...keysAndSeconds: CacheArg[]): Promise<[key: string, value: string] | null>;
    brpop(...keysAndSeconds: CacheArg[]): Promise<[key: string, value: string] | null>;
    blmove(from: string, to: string, fromEnd: "LEFT" | "RIGHT", toEnd: "LEFT" | "RIGHT", seconds: number): CacheText;
    brpoplpush(from: string, to: string, seconds: number): CacheText;
    blmpop(
      seconds: number,
      count: number,
      ...keysAndOptions: CacheArg[]
    ): Promise<[key: string, values: string[]] | null>;

    // sets
    sadd(key: string, ...members: CacheArg[]): CacheCount;
    srem(key: string, ...members: CacheArg[]): CacheCount;
    smembers(key: string): CacheTexts;
    sismember(key: string, member: CacheScalar): CacheCount;
    smismember(key: string, ...members: CacheArg[]): Promise<number[]>;
    scard(key: string): CacheCount;
    spop(key: string): CacheText;
    spop(key: string, count: number): CacheTexts;
    srandmember(key: string): CacheText;
    srandmember(key: string, count: number): CacheTexts;
    smove(from: string, to: string, member: CacheScalar): CacheCount;
    sinter(...keys: CacheArg[]): CacheTexts;
    sunion(...keys: CacheArg[]): CacheTexts;
    sdiff(...keys: CacheArg[]): CacheTexts;
    sinterstore(to: string, ...keys: CacheArg[]): CacheCount;
    sunionstore(to: string, ...keys: CacheArg[]): CacheCount;
    sdiffstore(to: string, ...keys: CacheArg[]): CacheCount;
    sintercard(count: number, ...keysAndOptions: CacheArg[]): CacheCount;
    sscan(key: string, cursor: string | number, ...options: CacheArg[]): Promise<[cursor: string, members: string[]]>;

    // sorted sets
    zadd(key: string, ...optionsScoresAndMembers: CacheArg[]): Promise<number | string | null>;
    zrem(key: string, ...members: CacheArg[]): CacheCount;
    zscore(key: string, member: CacheScalar): CacheText;
    zmscore(key: string, ...members: CacheArg[]): Promise<(string | null)[]>;
    zincrby(key: string, by: number, member: CacheScalar): Promise<string>;
    zcard(key: string): CacheCount;
    zcount(key: string, min: number | string, max: number | string): CacheCount;
    zrank(key: string, member: CacheScalar): Promise<number | null>;
    zrevrank(key: string, member: CacheScalar): Promise<number | null>;
    zrange(key: string, start: number | string, stop: number | string, ...options: CacheArg[]): CacheTexts;
    zrevrange(key: string, start: number, stop: number, ...options: CacheArg[]): CacheTexts;
    zrangebyscore(key: string, min: number | string, max: number | string, ...options: CacheArg[]): CacheTexts;
    zrevrangebyscore(key: string, max: number | string, min: number | string, ...options: CacheArg[]): CacheTexts;
    zremrangebyscore(key: string, min: number | string, max: number | string): CacheCount;
    zremrangebyrank(key: string, start: number, stop: number): CacheCount;
    zpopmin(key: string, count?: number): CacheTexts;
    zpopmax(key: string, count?: number): CacheTexts;
    zscan(key: string, cursor: string | number, ...options: CacheArg[]): Promise<[cursor: string, pairs: string[]]>;
    zrangebylex(key: string, min: string, max: string, ...options: CacheArg[]): CacheTexts;
    zrevrangebylex(key: string, max: string, min: string, ...options: CacheArg[]): CacheTexts;
    zremrangebylex(key: string, min: string, max: string): CacheCount;
    zlexcount(key: string, min: string, max: string): CacheCount;
    zrangestore(
      to: string,
      key: string,
      start: number | string,
      stop: number | string,
      ...options: CacheArg[]
    ): CacheCount;
    zrandmember(key: string, ...countAndOptions: CacheArg[]): Promise<string | string[] | null>;
    zunion(count: number, ...keysAndOptions: CacheArg[]): CacheTexts;
    zinter(count: number, ...keysAndOptions: CacheArg[]): CacheTexts;
    zdiff(count: number, ...keysAndOptions: CacheArg[]): CacheTexts;
    zintercard(count: number, ...keysAndOptions: CacheArg[]): CacheCount;
    zunionstore(to: string, count: number, ...keysAndOptions: CacheArg[]): CacheCount;
    zinterstore(to: string, count: number, ...keysAndOptions: CacheArg[]): CacheCount;
    zdiffstore(to: string, count: number, ...keys: CacheArg[]): CacheCount;
    zmpop(count: number, ...keysAndOptions: CacheArg[]): Promise<[key: string, pairs: [string, string][]] | null>;
    bzpopmin(...keysAndSeconds: CacheArg[]): Promise<[key: string, member: string, score: string] | null>;
    bzpopmax(...keysAndSeconds: CacheArg[]): Promise<[key: string, member: string, score: string] | null>;
    bzmpop(seconds: number, count: number, ...keysAndOptions: CacheArg[]): Promise<[string, [string, string][]] | null>;

    // places, cardinality
    geoadd(key: string, ...optionsAndPlaces: CacheArg[]): CacheCount;
    geodist(key: string, one: string, two: string, unit?: string): CacheText;
    geohash(key: string, ...members: CacheArg[]): Promise<(string | null)[]>;
    geopos(key: string, ...members: CacheArg[]): Promise<([longitude: string, latitude: string] | null)[]>;
    geosearch(key: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    geosearchstore(to: string, from: string, ...options: CacheArg[]): CacheCount;
    georadius(key: string, ...options: CacheArg[]): Promise<CacheReply>;
    georadius_ro(key: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    georadiusbymember(key: string, member: string, ...options: CacheArg[]): Promise<CacheReply>;
    georadiusbymember_ro(key: string, member: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    pfadd(key: string, ...elements: CacheArg[]): CacheCount;
    pfcount(...keys: CacheArg[]): CacheCount;
    pfmerge(to: string, ...keys: CacheArg[]): CacheStatus;

    // streams
    xadd(key: string, ...optionsIdAndFields: CacheArg[]): CacheText;
    xlen(key: string): CacheCount;
    xrange(key: string, start: string, end: string, ...options: CacheArg[]): Promise<[id: string, fields: string[]][]>;
    xrevrange(
      key: string,
      end: string,
      start: string,
      ...options: CacheArg[]
    ): Promise<[id: string, fields: string[]][]>;
    /** With `BLOCK milliseconds` it waits for entries. */
    xread(
      ...optionsStreamsAndIds: CacheArg[]
    ): Promise<[key: string, entries: [id: string, fields: string[]][]][] | null>;
    xreadgroup(
      ...optionsStreamsAndIds: CacheArg[]
    ): Promise<[key: string, entries: [id: string, fields: string[]][]][] | null>;
    xgroup(subcommand: string, key: string, group: string, ...options: CacheArg[]): Promise<"OK" | number>;
    xack(key: string, group: string, ...ids: CacheArg[]): CacheCount;
    xpending(key: string, group: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    xclaim(key: string, group: string, consumer: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    xautoclaim(key: string, group: string, consumer: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    xinfo(subcommand: string, key: string, ...options: CacheArg[]): Promise<CacheReply[]>;
    xdel(key: string, ...ids: CacheArg[]): CacheCount;
    xtrim(key: string, ...options: CacheArg[]): CacheCount;
    xsetid(key: string, id: string, ...options: CacheArg[]): CacheStatus;

    // scripts: half a second each; keys that a script names itself must be among `keys`
    eval(script: string, keys: number, ...keysAndArgs: CacheArg[]): Promise<CacheReply>;
    eval_ro(script: string, keys: number, ...keysAndArgs: CacheArg[]): Promise<CacheReply>;
    evalsha(sha1: string, keys: number, ...keysAndArgs: CacheArg[]): Promise<CacheReply>;
    evalsha_ro(sha1: string, keys: number, ...keysAndArgs: CacheArg[]): Promise<CacheReply>;
    script(subcommand: "LOAD", script: string): Promise<string>;
    script(subcommand: "EXISTS", ...sha1s: CacheArg[]): Promise<(0 | 1)[]>;

    // the rest
    /** Answers how many connections heard it: one per box that listens, 0 when nobody does. */
    publish(channel: string, message: CacheScalar): CacheCount;
    echo(message: CacheScalar): Promise<string>;
    ping(message?: CacheScalar): Promise<string>;
    time(): Promise<[seconds: string, microseconds: string]>;
  }

  /** A command of a pipeline: the pipeline itself, so that the next can follow. */
  type CacheChained = (...args: (CacheArg | CacheFields)[]) => CachePipeline;

  /** Every command is a method here too; nothing is sent before `exec`. */
  interface CachePipeline extends Readonly<Record<keyof CacheCommands, CacheChained>> {
    /** How many commands there are. */
    readonly length: number;
    /** Sends them, once: `[error, reply]` of each, in their order. */
    exec(): Promise<[error: Error | null, reply: CacheReply][]>;
  }

  interface CacheMessage<Content = string> {
    channel: string;
    message: Content;
    /** Which pattern it came by. */
    pattern?: string;
  }

  /** Messages as they come: by iterating, or to listeners. It ends with its run, or when it is closed. */
  interface CacheSubscription<Content = string> extends AsyncIterable<CacheMessage<Content>> {
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

  interface Cache extends CacheCommands {
    /** Several commands in one call: each succeeds or fails alone. */
    pipeline(commands?: readonly (readonly [command: string, ...args: CacheArg[]])[]): CachePipeline;
    /** A transaction: all commands at once, with none of others between them, or none (`EXECABORT`). */
    multi(commands?: readonly (readonly [command: string, ...args: CacheArg[]])[]): CachePipeline;
    /** Resolves when the server has confirmed all channels. */
    subscribe(...channels: (string | readonly string[])[]): Promise<CacheSubscription>;
    subscribeBuffer(...channels: (string | readonly string[])[]): Promise<CacheSubscription<Uint8Array>>;
    /** Patterns as in `keys`: `news.*`. */
    psubscribe(...patterns: (string | readonly string[])[]): Promise<CacheSubscription>;
    psubscribeBuffer(...patterns: (string | readonly string[])[]): Promise<CacheSubscription<Uint8Array>>;
    /**
     * What is kept under the key; else what `compute` gives, kept as JSON for so many seconds. Of all runs that ask at one
     * time only one computes, the others wait for its result. `undefined` is not kept.
     */
    wrap<Value>(key: string, ttlSeconds: number, compute: () => Value | Promise<Value>): Promise<Value>;
  }

  // --- a KV namespace in `env`, in the shape of Cloudflare's -----------------------------------------------------------

  type KvType = "text" | "json" | "arrayBuffer" | "stream";

  /** `cacheTtl` is taken and does nothing: there is no copy elsewhere that could be stale. */
  interface KvGetOptions<Type extends KvType = KvType> {
    type?: Type;
    cacheTtl?: number;
  }

  interface KvPutOptions {
    /** When it expires, in seconds since 1970. */
    expiration?: number;
    /** In how many seconds it expires: 1 or more. */
    expirationTtl?: number;
    /** Anything that is JSON, 1024 bytes of it at most. */
    metadata?: unknown;
  }

  interface KvListOptions {
    prefix?: string | null;
    /** At most 1000, which is the default. */
    limit?: number;
    cursor?: string | null;
  }

  interface KvListKey<Metadata = unknown> {
    name: string;
    /** In seconds since 1970. */
    expiration?: number;
    metadata?: Metadata;
  }

  /** One page, in the order of the names' UTF-8. */
  type KvListing<Metadata = unknown> =
    & { keys: KvListKey<Metadata>[]; cacheStatus: null }
    & ({ list_complete: false; cursor: string } | { list_complete: true });

  interface KvWithMetadata<Value, Metadata = unknown> {
    value: Value | null;
    metadata: Metadata | null;
    cacheStatus: null;
  }

  type KvValue = string | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array>;
  type KvStream = ReadableStream<Uint8Array<ArrayBuffer>>;

  /** A KV namespace in `env`, in the shape of Cloudflare's (https://developers.cloudflare.com/kv/api/). */
  interface KVNamespace {
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

  // --- s3: objects in the shape of R2 -----------------------------------------------------------------------------

  interface S3HttpMetadata {
    contentType?: string;
    contentLanguage?: string;
    contentDisposition?: string;
    contentEncoding?: string;
    cacheControl?: string;
    cacheExpiry?: Date;
  }

  /** Where an operation may go ahead; all that is given must hold. */
  interface S3Conditional {
    etagMatches?: string | string[];
    etagDoesNotMatch?: string | string[];
    uploadedBefore?: Date;
    uploadedAfter?: Date;
  }

  type S3Range = { offset?: number; length?: number } | { suffix: number };
  type S3Digest = string | ArrayBuffer | ArrayBufferView;
  type S3PutValue = string | ArrayBuffer | ArrayBufferView | Blob | ReadableStream<Uint8Array> | null;

  interface S3GetOptions {
    range?: S3Range | Headers;
    onlyIf?: S3Conditional | Headers;
  }

  interface S3PutOptions {
    httpMetadata?: S3HttpMetadata | Headers;
    customMetadata?: Record<string, string>;
    onlyIf?: S3Conditional | Headers;
    /** The content's digest, hexadecimal or as bytes: another content is refused. */
    md5?: S3Digest;
    sha1?: S3Digest;
    sha256?: S3Digest;
    sha384?: S3Digest;
    sha512?: S3Digest;
  }

  interface S3ListOptions {
    prefix?: string;
    /** Keys with this after the prefix come as one of `delimitedPrefixes`, like folders. */
    delimiter?: string;
    cursor?: string;
    startAfter?: string;
    /** At most 1000, which is the default. */
    limit?: number;
    include?: ("httpMetadata" | "customMetadata")[];
  }

  interface S3Object {
    readonly key: string;
    readonly version: string;
    readonly size: number;
    readonly etag: string;
    /** The etag in quotes, for a header. */
    readonly httpEtag: string;
    readonly uploaded: Date;
    readonly httpMetadata: S3HttpMetadata;
    readonly customMetadata: Record<string, string>;
    /** The part that was read. */
    readonly range?: { offset: number; length: number };
    /** No `md5` for an object that was uploaded in parts. */
    readonly checksums: { md5?: ArrayBuffer; toJSON(): { md5?: string } };
    readonly storageClass: "Standard";
    writeHttpMetadata(headers: Headers): void;
  }

  interface S3ObjectBody extends S3Object {
    readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
    readonly bodyUsed: boolean;
    arrayBuffer(): Promise<ArrayBuffer>;
    bytes(): Promise<Uint8Array<ArrayBuffer>>;
    text(): Promise<string>;
    json<T = unknown>(): Promise<T>;
    blob(): Promise<Blob>;
  }

  type S3Listing =
    & { objects: S3Object[]; delimitedPrefixes: string[] }
    & (
      | { truncated: true; cursor: string }
      | { truncated: false }
    );

  interface S3PresignOptions {
    /** GET, the default, PUT, HEAD or DELETE: what the URL may be used for. */
    method?: "GET" | "PUT" | "HEAD" | "DELETE";
    /** Seconds, 1 to 604,800 (a week); an hour is the default. */
    expiresIn?: number;
    /** The content type that a PUT must send. */
    contentType?: string;
    /** The content-disposition that a GET is answered with. */
    responseContentDisposition?: string;
  }

  interface S3MultipartOptions {
    httpMetadata?: S3HttpMetadata | Headers;
    customMetadata?: Record<string, string>;
  }

  /** Metadata given replaces what the source has; `onlyIf` is about the source. */
  interface S3CopyOptions extends S3MultipartOptions {
    onlyIf?: S3Conditional | Headers;
  }

  type S3Digests = Pick<S3PutOptions, "md5" | "sha1" | "sha256" | "sha384" | "sha512">;

  interface S3UploadedPart {
    readonly partNumber: number;
    readonly etag: string;
  }

  /** An upload of one object in parts: each of 5 MiB or more but the last, 10,000 at most, in any order. */
  interface S3MultipartUpload {
    readonly key: string;
    readonly uploadId: string;
    /** Uploads part 1 to 10,000; a second one of the same number takes its place. */
    uploadPart(partNumber: number, value: S3PutValue, options?: S3Digests): Promise<S3UploadedPart>;
    /** Makes the object of these parts. */
    complete(parts: readonly S3UploadedPart[]): Promise<S3Object>;
    /** Gives the upload up, its parts with it. */
    abort(): Promise<void>;
  }

  /** A command of `@aws-sdk/client-s3`, by the members that matter here. */
  interface S3Command<Output> {
    readonly input: object;
    // deno-lint-ignore no-explicit-any -- the SDK's own types are not known here
    resolveMiddleware(stack: any, configuration: any, options: any): (args: any) => Promise<{ output: Output }>;
  }

  interface S3SendOptions {
    abortSignal?: AbortSignal;
  }

  interface S3 {
    head(key: string): Promise<S3Object | null>;
    get(key: string, options?: S3GetOptions & { onlyIf?: undefined }): Promise<S3ObjectBody | null>;
    get(key: string, options: S3GetOptions): Promise<S3ObjectBody | S3Object | null>;
    /** With `onlyIf`, null where it does not hold; otherwise never null. */
    put(key: string, value: S3PutValue, options?: S3PutOptions & { onlyIf?: undefined }): Promise<S3Object>;
    put(key: string, value: S3PutValue, options: S3PutOptions): Promise<S3Object | null>;
    /** A key without an object is no error. */
    delete(keys: string | string[]): Promise<void>;
    list(options?: S3ListOptions): Promise<S3Listing>;
    /** Within the box: the content does not pass through the worker. With `onlyIf`, null where it does not hold. */
    copy(
      from: string | { bucket?: string; key: string },
      to: string,
      options?: S3CopyOptions & { onlyIf?: undefined },
    ): Promise<S3Object>;
    copy(
      from: string | { bucket?: string; key: string },
      to: string,
      options: S3CopyOptions,
    ): Promise<S3Object | null>;
    createMultipartUpload(key: string, options?: S3MultipartOptions): Promise<S3MultipartUpload>;
    /** An upload that was begun elsewhere. Asks nothing: one that does not exist fails at its first call. */
    resumeMultipartUpload(key: string, uploadId: string): S3MultipartUpload;
    /** Another bucket of the project, one that the worker's manifest grants. */
    use(bucket: string): S3;
    /** A URL that gives whoever has it this one right to this one key. */
    createPresignedUrl(key: string, options?: S3PresignOptions): Promise<string>;
    /** Runs a command of `@aws-sdk/client-s3` here, without a network or a credential. */
    send<Output>(command: S3Command<Output>, options?: S3SendOptions): Promise<Output>;
    /** What `Upload` of `@aws-sdk/lib-storage` asks of its client. */
    readonly config: Readonly<Record<string, unknown>>;
  }

  // --- the files of a site in `env`, in the shape of Cloudflare's assets ----------------------------------------------

  /** Of `env.<BINDING>`, where the manifest has `<BINDING> = { service = "name" }`: another worker of the project. */
  interface Service {
    /**
     * Runs the other worker. It sees the URL as it is given, and nothing of its host leads anywhere; a path alone will do.
     * Redirects are answers like others. Rejects with a `ServiceError` when the worker did not answer.
     */
    fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  }

  /** Of `env.<BINDING>`, where the manifest has `<BINDING> = { site = "name" }`. */
  interface Assets {
    /**
     * The site's file at the path of a URL; its host says nothing. Rejects for what is no request at all; a file that is
     * not there is a `Response`, too.
     */
    fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  }

  // --- functions of a site, as Cloudflare Pages has them --------------------------------------------------------------

  /** What `onRequest…` in a site's `functions/` is given. `env.ASSETS` has the site's files. */
  interface FunctionContext<
    E = Env,
    P extends string = string,
    D extends Record<string, unknown> = Record<string, unknown>,
  > extends Omit<Context<E & { ASSETS: Assets }>, "params"> {
    /** What the placeholders of the file's path stand for: a text, or a list for `[[name]]`. */
    // deno-lint-ignore no-explicit-any
    readonly params: Record<P, any>;
    /** The same object for all that answers one request: middleware puts things there. */
    readonly data: D;
    /** The path that was asked for; for middleware, its folder. */
    readonly functionPath: string;
    /** What comes next: the next function, else the site's file. With arguments, another request is passed on. */
    readonly next: (input?: string | URL | Request, init?: RequestInit) => Promise<Response>;
  }
}

/** A function of a site: `export const onRequestGet: PagesFunction = ({ params }) => …`. */
declare type PagesFunction<
  E = V8Box.Env,
  P extends string = string,
  D extends Record<string, unknown> = Record<string, unknown>,
> = (context: V8Box.FunctionContext<E, P, D>) => Response | Promise<Response>;

/** Two ends of a WebSocket, as Cloudflare has it: answer `new Response(null, {status: 101, webSocket: pair[0]})`. */
declare class WebSocketPair {
  readonly 0: object;
  readonly 1: WebSocket & { accept(): void };
}

interface ResponseInit {
  webSocket?: object;
}
