// A file of rows on its way into a table: its beginning for a preview, then all of it, with the bytes that are sent.
import type { OperationInfo, Preview } from "@/api/generated/api";
import { api, ApiError, apiUrl } from "@/lib/api/client";
import { unreachable } from "@/lib/api/errors";

export type Format = "csv" | "json" | "jsonl" | "sql";

const SAMPLE_BYTES = 1024 * 1024;
const ENDINGS: Record<string, Format> = {
  csv: "csv",
  tsv: "csv",
  txt: "csv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  sql: "sql",
};

export function formatOf(name: string): Format {
  return ENDINGS[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] ?? "csv";
}

/** A name for a table, made of the file's. */
export function tableName(file: string): string {
  const plain = file.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_]+/gu, "_").replace(/^_+|_+$/g, "");
  return (plain || "rows").slice(0, 100);
}

export interface Reading {
  format: Format;
  /** `undefined`: guessed. */
  delimiter?: string | undefined;
  header: boolean;
}

export async function preview(
  project: string,
  database: string,
  file: File,
  reading: Reading,
  signal: AbortSignal,
): Promise<Preview> {
  return await api("POST /admin/database/databases/{database}/import/preview", {
    path: { database },
    query: {
      project,
      format: reading.format,
      header: reading.header,
      whole: file.size <= SAMPLE_BYTES,
      ...(reading.delimiter === undefined ? {} : { delimiter: reading.delimiter }),
    },
    body: file.slice(0, SAMPLE_BYTES),
    headers: { "content-type": "application/octet-stream" },
    signal,
  });
}

/** Sends the file. Gives the operation that imports it. */
export function sendImport(
  project: string,
  database: string,
  file: File,
  options: object,
  signal: AbortSignal,
  tell: (sent: number) => void,
): Promise<OperationInfo> {
  const form = new FormData();
  form.append("options", JSON.stringify(options));
  form.append("file", file);
  const url = apiUrl("POST /admin/database/databases/{database}/import", {
    path: { database },
    query: { project },
    body: form,
  });
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.onprogress = (event) => tell(event.total > 0 ? event.loaded / event.total : 0);
    request.onload = () => {
      let told: { data?: OperationInfo; error?: string; code?: string } = {};
      try {
        told = JSON.parse(request.responseText) as typeof told;
      } catch { /* a proxy in between */ }
      if (request.status < 300 && told.data) resolve(told.data);
      else {
        const message = told.error ?? `The box answered ${request.status}.`;
        reject(new ApiError(request.status, told.code ?? `http_${request.status}`, message));
      }
    };
    request.onerror = () => reject(unreachable(undefined));
    request.onabort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
