/** SQLite values in JavaScript and on the wire, both ways, exactly. `values.py` has the other half. */

export type Value = null | string | number | bigint | ArrayBuffer;
export type InValue = Value | boolean | Uint8Array | Date;
export type InArgs = InValue[] | Record<string, InValue>;
export type InStatement = string | { sql: string; args?: InArgs };
export type TransactionMode = "write" | "read" | "deferred";

export type Wire = null | string | number | { i: string } | { f: number | string } | { b: string };
export type WireArgs = Wire[] | Record<string, Wire>;

/** An encoded result: columns, declared types, rows, rows changed, last row id. */
export interface WireResult {
  c: string[];
  t: string[];
  r: Wire[][];
  n: number;
  i: string | null;
}

const LEAST_INTEGER = -(2n ** 63n);
const LARGEST_INTEGER = 2n ** 63n - 1n;

/** One argument. Throws what the official client throws for what SQLite has no place for. */
export function encode(value: InValue): Wire {
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

/** The arguments of a statement, by position or by name. */
export function encodeArgs(args: InArgs | undefined): WireArgs | undefined {
  if (args === undefined || args === null) return undefined;
  if (Array.isArray(args)) return args.map(encode);
  const named: Record<string, Wire> = {};
  for (const [name, value] of Object.entries(args)) named[name] = encode(value);
  return named;
}

/** One value of a row. */
export function decode(value: Wire): Value {
  if (typeof value !== "object" || value === null) return value;
  if ("i" in value) return BigInt(value.i);
  if ("b" in value) return Uint8Array.fromBase64(value.b).buffer;
  return value.f === "-inf" ? -Infinity : Infinity;
}
