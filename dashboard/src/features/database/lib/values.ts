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

export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return isBlob(value) ? value.base64 : String(value);
}

const NUMERIC = /INT|REAL|FLOA|DOUB|NUM|DEC|BOOL/i;

export function isNumeric(type: string): boolean {
  return NUMERIC.test(type);
}

/** What somebody typed, as the column takes it. Long integers stay text: SQLite makes numbers of them by itself. */
export function typed(text: string, column: Pick<ColumnEntry, "type"> | undefined, before?: unknown): unknown {
  const wantsNumber = column !== undefined && isNumeric(column.type) ||
    (column === undefined || column.type === "") && typeof before === "number";
  if (!wantsNumber || text.trim() === "") return text;
  const number = Number(text);
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text;
}
