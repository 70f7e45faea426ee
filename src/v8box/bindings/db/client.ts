/**
 * The `db` a worker sees: the API of `@libsql/client`, over calls to the box.
 *
 * Integers come back as `number` while that is exact and as `bigint` beyond 2^53 - 1 (the official client throws there).
 * A `number` without a fraction goes in as an integer, not as a float. Blobs come back as `ArrayBuffer`. `values.py` has
 * the other half of the encoding.
 */

import { BindingError, type Caller } from "../../runtime/binding.ts";

export type Value = null | string | number | bigint | ArrayBuffer;
export type InValue = Value | boolean | Uint8Array | Date;
export type InArgs = InValue[] | Record<string, InValue>;
export type InStatement = string | { sql: string; args?: InArgs };
export type TransactionMode = "write" | "read" | "deferred";

/** One row: by index, by column name, and with a `length`. Only the names are enumerable. */
export interface Row {
  length: number;
  [index: number]: Value;
  [name: string]: Value;
}

export interface ResultSet {
  columns: string[];
  /** The declared types (`INTEGER`, `TEXT`, …), empty for expressions. */
  columnTypes: string[];
  rows: Row[];
  rowsAffected: number;
  lastInsertRowid: bigint | undefined;
  toJSON(): unknown;
}

export interface Queries {
  execute(statement: InStatement): Promise<ResultSet>;
  execute(sql: string, args?: InArgs): Promise<ResultSet>;
  /** Runs the statements of a script that are separated by semicolons; their rows are dropped. */
  executeMultiple(sql: string): Promise<void>;
}

export interface Transaction extends Queries {
  batch(statements: Array<InStatement | [string, InArgs?]>): Promise<ResultSet[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Rolls back unless the transaction is over already. Does not wait. */
  close(): void;
  readonly closed: boolean;
}

export interface Db extends Queries {
  /** Runs all statements in one transaction: all of them or none. */
  batch(statements: Array<InStatement | [string, InArgs?]>, mode?: TransactionMode): Promise<ResultSet[]>;
  /** Opens an interactive transaction. It is rolled back when the run ends, or when it is idle for some seconds. */
  transaction(mode?: TransactionMode): Promise<Transaction>;
  /** Another database of the project, one that the worker's manifest grants. */
  use(database: string): Db;
  /** Always false: there is no connection to close. */
  readonly closed: boolean;
  readonly protocol: "http";
  close(): void;
}

/** SQLite's result codes by name (https://www.sqlite.org/rescode.html); an extended code adds its number times 256. */
const RAW: Readonly<Record<string, number>> = {
  SQLITE_ERROR: 1,
  SQLITE_PERM: 3,
  SQLITE_ABORT: 4,
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_NOMEM: 7,
  SQLITE_READONLY: 8,
  SQLITE_INTERRUPT: 9,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_SCHEMA: 17,
  SQLITE_TOOBIG: 18,
  SQLITE_CONSTRAINT: 19,
  SQLITE_MISMATCH: 20,
  SQLITE_MISUSE: 21,
  SQLITE_AUTH: 23,
  SQLITE_RANGE: 25,
  SQLITE_NOTADB: 26,
};
const CONSTRAINTS: readonly string[] =
  "CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED DATATYPE".split(" ");

/** A refused statement. `code` is SQLite's primary code word, or one of LibSQL's or the box's own. */
export class LibsqlError extends Error {
  override name = "LibsqlError";
  readonly code: string;
  /** The extended code word, e.g. `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly extendedCode?: string;
  /** SQLite's number for it, where it is known. */
  readonly rawCode?: number;

  constructor(message: string, code: string, extendedCode?: string, rawCode?: number, cause?: Error) {
    super(`${code}: ${message}`, { cause });
    this.code = code;
    this.extendedCode = extendedCode;
    this.rawCode = rawCode;
  }
}

function inLibsqlWords(error: unknown): unknown {
  if (!(error instanceof BindingError)) return error;
  const word = error.code;
  if (!word.startsWith("SQLITE_")) return new LibsqlError(error.message, word, word, undefined, error);
  const primary = word.split("_", 2).join("_");
  const detail = word.slice(primary.length + 1);
  const constraint = primary === "SQLITE_CONSTRAINT" ? CONSTRAINTS.indexOf(detail) + 1 : 0;
  const raw = RAW[primary] === undefined || (detail && !constraint) ? undefined : RAW[primary] + 256 * constraint;
  return new LibsqlError(error.message, primary, word, raw, error);
}

// --- values -------------------------------------------------------------------------------------------------------

type Wire = null | string | number | { i: string } | { f: number | string } | { b: string };
type WireArgs = Wire[] | Record<string, Wire>;

interface WireResult {
  c: string[];
  t: string[];
  r: Wire[][];
  n: number;
  i: string | null;
}

const LEAST_INTEGER = -(2n ** 63n);
const LARGEST_INTEGER = 2n ** 63n - 1n;

function encode(value: InValue): Wire {
  switch (typeof value) {
    case "string":
      return value.toWellFormed(); // a lone surrogate has no UTF-8
    case "number":
      if (!Number.isFinite(value)) throw new RangeError("Only finite numbers can be passed as arguments");
      // JSON would write a large whole number like an integer, which SQLite may not be able to hold.
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? { f: value } : value;
    case "bigint":
      if (value < LEAST_INTEGER || value > LARGEST_INTEGER) {
        throw new RangeError("bigint is too large to be represented as a 64-bit integer and passed as argument");
      }
      return { i: value.toString() };
    case "boolean":
      return value ? 1 : 0;
    case "object":
      if (value === null) return null;
      if (value instanceof Date) return encode(value.valueOf());
      if (value instanceof Uint8Array) return { b: value.toBase64() };
      if (value instanceof ArrayBuffer) return { b: new Uint8Array(value).toBase64() };
      if (ArrayBuffer.isView(value)) {
        const view = value as ArrayBufferView;
        return { b: new Uint8Array(view.buffer, view.byteOffset, view.byteLength).toBase64() };
      }
  }
  throw new TypeError("Unsupported type of argument: pass null, string, number, bigint, boolean, Date or bytes");
}

function encodeArgs(args: InArgs | undefined): WireArgs | undefined {
  if (args === undefined || args === null) return undefined;
  if (Array.isArray(args)) return args.map(encode);
  const named: Record<string, Wire> = {};
  for (const [name, value] of Object.entries(args)) named[name] = encode(value);
  return named;
}

function decode(value: Wire): Value {
  if (typeof value !== "object" || value === null) return value;
  if ("i" in value) return BigInt(value.i);
  if ("b" in value) return Uint8Array.fromBase64(value.b).buffer;
  return value.f === "-inf" ? -Infinity : Infinity;
}

function hidden(value: unknown): PropertyDescriptor {
  return { value, enumerable: false, writable: true, configurable: true };
}

function toRow(columns: string[], values: Wire[]): Row {
  const row = {} as Row;
  Object.defineProperty(row, "length", hidden(values.length));
  for (const [index, name] of columns.entries()) {
    const value = decode(values[index] ?? null);
    Object.defineProperty(row, index, hidden(value));
    // The first of two columns with one name wins; by index both are there.
    if (!Object.hasOwn(row, name)) Object.defineProperty(row, name, { ...hidden(value), enumerable: true });
  }
  return row;
}

class Result implements ResultSet {
  columns: string[];
  columnTypes: string[];
  rows: Row[];
  rowsAffected: number;
  lastInsertRowid: bigint | undefined;

  constructor(wire: WireResult) {
    this.columns = wire.c;
    this.columnTypes = wire.t;
    this.rows = wire.r.map((values) => toRow(wire.c, values));
    this.rowsAffected = wire.n;
    this.lastInsertRowid = wire.i === null ? undefined : BigInt(wire.i);
  }

  toJSON(): unknown {
    return {
      columns: this.columns,
      columnTypes: this.columnTypes,
      rows: this.rows.map((row) => Array.from({ length: row.length }, (_, index) => plain(row[index] ?? null))),
      rowsAffected: this.rowsAffected,
      lastInsertRowid: this.lastInsertRowid === undefined ? null : String(this.lastInsertRowid),
    };
  }
}

function plain(value: Value): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof ArrayBuffer ? new Uint8Array(value).toBase64() : value;
}

// --- calls --------------------------------------------------------------------------------------------------------

function readStatement(statement: InStatement | [string, InArgs?], args?: InArgs): [string, WireArgs?] {
  let sql: unknown = statement;
  let given = args;
  if (Array.isArray(statement)) [sql, given] = statement;
  else if (typeof statement === "object" && statement !== null) {
    sql = statement.sql;
    given = statement.args;
  }
  if (typeof sql !== "string") throw new TypeError("A statement is a string, or an object with `sql` and `args`");
  return [sql.toWellFormed(), encodeArgs(given)];
}

function readMode(mode: TransactionMode): TransactionMode {
  if (mode !== "write" && mode !== "read" && mode !== "deferred") {
    throw new RangeError('Unknown transaction mode, supported values are "write", "read" and "deferred"');
  }
  return mode;
}

/** What a database and a transaction share. `where` says which of the two a call is for. */
abstract class Connection implements Queries {
  protected abstract send(operation: string, args: Record<string, unknown>): Promise<unknown>;

  async execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    const [sql, given] = readStatement(statement, args);
    return new Result(await this.send("execute", { sql, args: given }) as WireResult);
  }

  async executeMultiple(sql: string): Promise<void> {
    await this.send("executeMultiple", { sql: readStatement(sql)[0] });
  }

  protected async sendBatch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode: TransactionMode,
  ): Promise<ResultSet[]> {
    if (!Array.isArray(statements)) throw new TypeError("batch() takes an array of statements");
    const encoded = statements.map((statement) => {
      const [sql, args] = readStatement(statement);
      return [sql, args ?? null];
    });
    const results = await this.send("batch", { statements: encoded, mode }) as WireResult[];
    return results.map((result) => new Result(result));
  }
}

class WorkerDb extends Connection implements Db {
  #call: Caller;
  #name: string | undefined;

  constructor(call: Caller, name?: string) {
    super();
    this.#call = call;
    this.#name = name;
  }

  get closed(): boolean {
    return false;
  }

  get protocol(): "http" {
    return "http";
  }

  close(): void {}

  use(database: string): Db {
    return new WorkerDb(this.#call, String(database));
  }

  // async, so that a wrong argument rejects like a refused one
  // deno-lint-ignore require-await
  async batch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode: TransactionMode = "deferred",
  ): Promise<ResultSet[]> {
    return this.sendBatch(statements, readMode(mode));
  }

  async transaction(mode: TransactionMode = "write"): Promise<Transaction> {
    const number = await this.send("begin", { mode: readMode(mode) }) as number;
    return new WorkerTransaction(this.#call, number);
  }

  protected async send(operation: string, args: Record<string, unknown>): Promise<unknown> {
    if (this.#name !== undefined) args.db = this.#name;
    try {
      return (await this.#call(operation, args)).result;
    } catch (error) {
      throw inLibsqlWords(error);
    }
  }
}

class WorkerTransaction extends Connection implements Transaction {
  #call: Caller;
  #number: number;
  #closed = false;

  constructor(call: Caller, number: number) {
    super();
    this.#call = call;
    this.#number = number;
  }

  get closed(): boolean {
    return this.#closed;
  }

  // deno-lint-ignore require-await
  async batch(statements: Array<InStatement | [string, InArgs?]>): Promise<ResultSet[]> {
    return this.sendBatch(statements, "deferred");
  }

  async commit(): Promise<void> {
    const sent = this.send("commit", {});
    this.#closed = true;
    await sent;
  }

  async rollback(): Promise<void> {
    if (this.#closed) return;
    const sent = this.send("rollback", {});
    this.#closed = true;
    await sent;
  }

  close(): void {
    // Nobody waits for it; the box rolls back by itself should the call not arrive.
    this.rollback().catch(() => {});
  }

  protected async send(operation: string, args: Record<string, unknown>): Promise<unknown> {
    if (this.#closed) throw new LibsqlError("The transaction is closed", "TRANSACTION_CLOSED");
    args.tx = this.#number;
    try {
      return (await this.#call(operation, args)).result;
    } catch (error) {
      const refused = inLibsqlWords(error);
      if (refused instanceof LibsqlError && OVER.has(refused.code)) this.#closed = true;
      throw refused;
    }
  }
}

const OVER: ReadonlySet<string> = new Set(["TRANSACTION_CLOSED", "TRANSACTION_TIMEOUT", "ENGINE_DIED"]);

/** Makes the client of one run. */
export function createDb(call: Caller): Db {
  return new WorkerDb(call);
}
