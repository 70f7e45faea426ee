/**
 * A database in the shape of Cloudflare's D1 (https://developers.cloudflare.com/d1/worker-api/), for `env.<BINDING>`.
 *
 * Values follow D1's rules: booleans go in as 0 and 1, `undefined` is refused, blobs come back as arrays of numbers. A
 * bigint is taken too, and an integer that no number holds comes back as one.
 */

import { BindingError, type Caller } from "../../runtime/binding.ts";
import { primary } from "./errors.ts";
import { decode, encode, type Wire, type WireResult } from "./values.ts";

/** What a query cost. `rows_read` are the rows that came back, `duration` the milliseconds until they were there. */
export interface D1Meta {
  served_by: string;
  duration: number;
  changes: number;
  last_row_id: number;
  changed_db: boolean;
  size_after: number;
  rows_read: number;
  rows_written: number;
}

export interface D1Response {
  success: true;
  meta: D1Meta & Record<string, unknown>;
  error?: never;
}

export interface D1Result<T = unknown> extends D1Response {
  results: T[];
}

export interface D1ExecResult {
  count: number;
  /** Milliseconds. */
  duration: number;
}

export interface D1PreparedStatement {
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

export interface D1DatabaseSession {
  prepare(query: string): D1PreparedStatement;
  /** Runs all statements in one transaction: all of them or none. */
  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
  /** Always null: every query sees all that was written before it, so there is no place to go on from. */
  getBookmark(): string | null;
}

export interface D1Database {
  prepare(query: string): D1PreparedStatement;
  /** Runs all statements in one transaction: all of them or none. */
  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
  /** Runs a script line by line, each line by itself. What ran before a failing line stays. */
  exec(query: string): Promise<D1ExecResult>;
  withSession(constraintOrBookmark?: string): D1DatabaseSession;
  /** Always rejects: back the database up with the box's own means. */
  dump(): Promise<ArrayBuffer>;
}

type Send = (operation: string, args: Record<string, unknown>) => Promise<unknown>;
type Pair = [sql: string, args: Wire[]];

const SIZE_QUERY: Pair = ["SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", []];
const NO_ROW_ID = 0;

function d1Error(kind: string, message: string, cause?: unknown): Error {
  return new Error(`${kind}: ${message}`, { cause: cause ?? new Error(message) });
}

/** SQLite's words as D1 passes them on: the message, then the code. */
function words(error: unknown): string {
  if (!(error instanceof BindingError)) return error instanceof Error ? error.message : String(error);
  const code = primary(error.code);
  return `${error.message}: ${code}${code === error.code ? "" : ` (extended: ${error.code})`}`;
}

function bindable(value: unknown): Wire {
  switch (typeof value) {
    case "string":
    case "bigint":
    case "boolean":
      return encode(value);
    case "number":
      return Number.isFinite(value) ? encode(value) : null; // as D1, whose JSON has no word for these
    case "object":
      if (value === null) return null;
      if (value instanceof ArrayBuffer) return encode(value);
      if (ArrayBuffer.isView(value)) {
        return encode(new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength));
      }
      if (Array.isArray(value) && value.every((each) => Number.isInteger(each) && each >= 0 && each < 256)) {
        return encode(new Uint8Array(value));
      }
  }
  throw d1Error("D1_TYPE_ERROR", `Type '${typeof value}' not supported for value '${String(value)}'`);
}

function fromWire(value: Wire): unknown {
  const decoded = decode(value);
  return decoded instanceof ArrayBuffer ? Array.from(new Uint8Array(decoded)) : decoded;
}

/** A row as an object; the last of two columns with one name wins, as in D1. */
function toObject(columns: string[], row: Wire[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((name, index) => [name, fromWire(row[index] ?? null)]));
}

function toResult<T>(result: WireResult, duration: number, size: number): D1Result<T> {
  return {
    success: true,
    meta: {
      served_by: "v8box",
      duration,
      changes: result.n,
      last_row_id: result.i === null ? NO_ROW_ID : Number(result.i),
      changed_db: result.n > 0,
      size_after: size,
      rows_read: result.r.length,
      rows_written: result.n,
    },
    results: result.r.map((row) => toObject(result.c, row) as T),
  };
}

class Statement implements D1PreparedStatement {
  #database: Database;
  readonly statement: string;
  readonly params: unknown[];
  #args: Wire[];

  constructor(database: Database, statement: string, params: unknown[] = []) {
    this.#database = database;
    this.statement = statement;
    this.params = params;
    this.#args = params.map(bindable);
  }

  get pair(): Pair {
    return [this.statement, this.#args];
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new Statement(this.#database, this.statement, values);
  }

  async first<T>(column?: string): Promise<T | null> {
    const result = await this.#database.query(this.pair);
    const [row] = result.r;
    if (row === undefined) return null;
    const object = toObject(result.c, row);
    if (column === undefined) return object as T;
    if (!Object.hasOwn(object, column)) throw d1Error("D1_COLUMN_NOTFOUND", `Column not found (${column})`);
    return object[column] as T;
  }

  run<T>(): Promise<D1Result<T>> {
    return this.all<T>();
  }

  async all<T>(): Promise<D1Result<T>> {
    const [result] = await this.#database.together<T>([this.pair]);
    return result!;
  }

  // deno-lint-ignore no-explicit-any
  async raw(options?: { columnNames?: boolean }): Promise<any> {
    const result = await this.#database.query(this.pair);
    const rows = result.r.map((row) => row.map(fromWire));
    return options?.columnNames ? [result.c, ...rows] : rows;
  }
}

class Database implements D1Database, D1DatabaseSession {
  #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  prepare(query: string): D1PreparedStatement {
    if (typeof query !== "string") throw new TypeError("prepare() takes the text of a query");
    return new Statement(this, query.toWellFormed());
  }

  // deno-lint-ignore require-await
  async batch<T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    if (!Array.isArray(statements) || !statements.every((each) => each instanceof Statement)) {
      throw new TypeError("batch() takes an array of prepared statements");
    }
    return this.together<T>((statements as Statement[]).map((statement) => statement.pair));
  }

  async exec(query: string): Promise<D1ExecResult> {
    const started = performance.now();
    const lines = query.trim().split("\n");
    let count = 0;
    for (const [index, line] of lines.entries()) {
      if (line.trim() === "") continue;
      try {
        await this.#send("executeMultiple", { sql: line.toWellFormed() });
      } catch (error) {
        throw d1Error("D1_EXEC_ERROR", `Error in line ${index + 1}: ${line}: ${words(error)}`);
      }
      count++;
    }
    return { count, duration: performance.now() - started };
  }

  withSession(_constraintOrBookmark?: string): D1DatabaseSession {
    return this;
  }

  getBookmark(): string | null {
    return null;
  }

  dump(): Promise<ArrayBuffer> {
    return Promise.reject(d1Error("D1_DUMP_ERROR", "dump() is not available: back the database up with the box"));
  }

  /** One statement whose costs nobody asks for. */
  async query([sql, args]: Pair): Promise<WireResult> {
    try {
      return await this.#send("execute", { sql, args }) as WireResult;
    } catch (error) {
      throw d1Error("D1_ERROR", words(error));
    }
  }

  /** Statements in one transaction, and how large the database is then. */
  async together<T>(pairs: Pair[]): Promise<D1Result<T>[]> {
    const started = performance.now();
    let results: WireResult[];
    try {
      results = await this.#send("batch", { statements: [...pairs, SIZE_QUERY] }) as WireResult[];
    } catch (error) {
      throw d1Error("D1_ERROR", words(error));
    }
    const duration = performance.now() - started;
    const size = Number(results.pop()!.r[0]?.[0] ?? 0);
    return results.map((result) => toResult<T>(result, duration, size));
  }
}

/** Makes the D1-shaped handle on one database of the project, one that the worker's manifest grants. */
export function createD1(call: Caller, database: string): D1Database {
  const send: Send = async (operation, args) => (await call(operation, { ...args, db: database })).result;
  return new Database(send);
}
