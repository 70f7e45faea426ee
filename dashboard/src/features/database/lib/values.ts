// What a row holds: NULL, numbers, texts and blobs, as they are shown and as they are typed.
import type { ColumnEntry } from "@/api/generated/api";

export type Row = Record<string, unknown>;

export interface Blob64 {
  base64: string;
}

export function isBlob(value: unknown): value is Blob64 {
  return typeof value === "object" && value !== null && typeof (value as Partial<Blob64>).base64 === "string";
}

export function blobSize({ base64 }: Blob64): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.max(0, base64.length * 3 / 4 - padding);
}

export function bytesOf({ base64 }: Blob64): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

export async function blobOf(file: Blob): Promise<Blob64> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { base64: btoa(text) };
}

/** As `xxd` shows it. */
export function hexOf(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = [...bytes.subarray(at, at + 16)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = line.map((byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}

export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return isBlob(value) ? value.base64 : String(value);
}

const NUMERIC = /INT|REAL|FLOA|DOUB|NUM|DEC|BOOL/i;

export function isNumeric(type: string): boolean {
  return NUMERIC.test(type);
}

const LONGEST = 80;

/** Whether a value is more than a line that fits into a cell. */
export function isLong(value: unknown): boolean {
  return isBlob(value) || (typeof value === "string" && (value.length > LONGEST || /[\r\n]/.test(value)));
}

/** Whether a value compares as the one in the row: long integers and infinities come as texts. */
export function isExact(value: unknown): boolean {
  return typeof value !== "string" || !/^(-?\d{16,}|-?Infinity|NaN)$/.test(value);
}

/** What somebody typed over a value: a number that is taken away is NULL where there may be one. */
export function entered(text: string, column: ColumnEntry | undefined, before?: unknown): unknown {
  if (text === "" && column?.nullable === true && isNumeric(column.type)) return null;
  return typed(text, column, before);
}

/** What somebody typed, as the column takes it. Long integers stay text: SQLite makes numbers of them by itself. */
export function typed(text: string, column: Pick<ColumnEntry, "type"> | undefined, before?: unknown): unknown {
  const wantsNumber = column !== undefined && isNumeric(column.type) ||
    (column === undefined || column.type === "") && typeof before === "number";
  if (!wantsNumber || text.trim() === "") return text;
  const number = Number(text);
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text;
}
