/**
 * The `db` a worker sees: the API of `@libsql/client`, over calls to the box.
 *
 * Integers come back as `number` while that is exact and as `bigint` beyond 2^53 - 1 (the official client throws there).
 * A `number` without a fraction goes in as an integer, not as a float. Blobs come back as `ArrayBuffer`. `values.py` has
 * the other half of the encoding.
 */

import type { Caller } from "../../runtime/binding.ts";
import { inLibsqlWords, LibsqlError } from "./errors.ts";
import { decode, encodeArgs, type InArgs, type InStatement, type TransactionMode, type Value } from "./values.ts";
import type { Wire, WireArgs, WireResult } from "./values.ts";

export { LibsqlBatchError, LibsqlError } from "./errors.ts";
export type { InArgs, InStatement, InValue, TransactionMode, Value } from "./values.ts";

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
  /** A batch that writes, with foreign keys off while it runs: for statements that rebuild tables. */
  migrate(statements: InStatement[]): Promise<ResultSet[]>;
  /** Opens an interactive transaction. It is rolled back when the run ends, or when it is idle for some seconds. */
  transaction(mode?: TransactionMode): Promise<Transaction>;
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

// --- results ------------------------------------------------------------------------------------------------------

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

  protected async sendMany(
    operation: string,
    statements: Array<InStatement | [string, InArgs?]>,
    more: Record<string, unknown>,
  ): Promise<ResultSet[]> {
    if (!Array.isArray(statements)) throw new TypeError(`${operation}() takes an array of statements`);
    const encoded = statements.map((statement) => {
      const [sql, args] = readStatement(statement);
      return [sql, args ?? null];
    });
    const results = await this.send(operation, { statements: encoded, ...more }) as WireResult[];
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

  async reconnect(): Promise<void> {}

  sync(): Promise<never> {
    return Promise.reject(new LibsqlError("there is no replica to bring up to date", "SYNC_NOT_SUPPORTED"));
  }

  use(database: string): Db {
    return new WorkerDb(this.#call, String(database));
  }

  // async, so that a wrong argument rejects like a refused one
  // deno-lint-ignore require-await
  async batch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode: TransactionMode = "deferred",
  ): Promise<ResultSet[]> {
    return this.sendMany("batch", statements, { mode: readMode(mode) });
  }

  // deno-lint-ignore require-await
  async migrate(statements: InStatement[]): Promise<ResultSet[]> {
    return this.sendMany("migrate", statements, {});
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
    return this.sendMany("batch", statements, {});
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

const OVER: ReadonlySet<string> = new Set([
  "TRANSACTION_CLOSED",
  "TRANSACTION_TIMEOUT",
  "DATABASE_DELETED",
  "ENGINE_DIED",
]);

/** Makes the client of one run. */
export function createDb(call: Caller): Db {
  return new WorkerDb(call);
}
