// One file on its way: as a whole where it is small, else in parts, so that what arrived stays when the rest does not.
import { objectUrl } from "@/features/objects/lib/address";
import { type Begun, forget, recall, remember } from "@/features/objects/lib/unfinished";
import { api, ApiError, apiUrl } from "@/lib/api/client";
import { unreachable } from "@/lib/api/errors";

/** Larger files go in parts. */
export const WHOLE_BYTES = 16 * 1024 * 1024;
const PART_BYTES = 8 * 1024 * 1024;
/** S3's bound, less some. */
const MOST_PARTS = 9_000;
const PARTS_AT_ONCE = 2;
const TRIES = 6;
const LONGEST_WAIT_MS = 15_000;

export interface Target {
  project: string;
  bucket: string;
  key: string;
  file: File;
  replace: boolean;
}

/** Sends it to its end. `tell` hears how much has arrived, from 0 to 1. Throws an `ApiError`, or what `signal` says. */
export async function send(target: Target, signal: AbortSignal, tell: (sent: number) => void): Promise<void> {
  if (target.file.size <= WHOLE_BYTES) await sendWhole(target, signal, tell);
  else await sendInParts(target, signal, tell);
}

/** Gives up an upload in parts: what has arrived of it is removed. */
export async function discard(target: Pick<Target, "project" | "bucket" | "key">, id: string): Promise<void> {
  const { project, bucket, key } = target;
  try {
    await api("DELETE /admin/s3/buckets/{bucket}/uploads/{upload}", {
      path: { bucket, upload: id },
      query: { project, key },
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
  forget(project, bucket, key);
}

async function sendWhole(
  { project, bucket, key, file, replace }: Target,
  signal: AbortSignal,
  tell: (sent: number) => void,
): Promise<void> {
  const headers: Record<string, string> = { "content-type": typeOf(file) };
  if (!replace) headers["if-none-match"] = "*";
  await put(objectUrl(project, bucket, key), file, headers, signal, (bytes) => tell(bytes / Math.max(1, file.size)));
}

async function sendInParts(target: Target, signal: AbortSignal, tell: (sent: number) => void): Promise<void> {
  const { project, bucket, key, file, replace } = target;
  const { begun, etags } = await goOn(target, signal) ?? await begin(target, signal);
  const count = Math.ceil(file.size / begun.partBytes);
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !etags.has(number));
  const bytesOf = (number: number) => Math.min(begun.partBytes, file.size - (number - 1) * begun.partBytes);
  const underway = new Map<number, number>();
  const told = () => {
    let bytes = 0;
    for (const number of etags.keys()) bytes += bytesOf(number);
    for (const some of underway.values()) bytes += some;
    tell(bytes / file.size);
  };
  told();
  // The first that fails for good stops the others: what they were at is sent again when the upload goes on.
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const work = async () => {
    for (let number = missing.shift(); number !== undefined; number = missing.shift()) {
      const start = (number - 1) * begun.partBytes;
      const url = apiUrl("PUT /admin/s3/buckets/{bucket}/uploads/{upload}/parts/{number}", {
        path: { bucket, upload: begun.id, number },
        query: { project, key },
        body: file,
      });
      const part = number;
      const answer = await patiently(
        both,
        () =>
          put(url, file.slice(start, start + begun.partBytes), {}, both, (bytes) => {
            underway.set(part, bytes);
            told();
          }),
      );
      underway.delete(part);
      etags.set(part, (JSON.parse(answer) as { data: { etag: string } }).data.etag);
      told();
    }
  };
  try {
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work));
  } catch (error) {
    stop.abort();
    throw error;
  }
  await patiently(signal, () =>
    api("POST /admin/s3/buckets/{bucket}/uploads/{upload}/complete", {
      path: { bucket, upload: begun.id },
      query: { project },
      body: {
        key,
        replace,
        parts: [...etags].sort(([a], [b]) => a - b).map(([number, etag]) => ({ number, etag })),
      },
      signal,
    }));
  forget(project, bucket, key);
}

type Known = { begun: Begun; etags: Map<number, string> };

/** What has arrived already of the same file. */
async function goOn({ project, bucket, key, file }: Target, signal: AbortSignal): Promise<Known | undefined> {
  const begun = recall(project, bucket, key, file);
  if (begun === undefined) return undefined;
  try {
    const parts = await patiently(signal, () =>
      api("GET /admin/s3/buckets/{bucket}/uploads/{upload}", {
        path: { bucket, upload: begun.id },
        query: { project, key },
        signal,
      }));
    const whole = (number: number, size: number) =>
      size === Math.min(begun.partBytes, file.size - (number - 1) * begun.partBytes);
    return {
      begun,
      etags: new Map(
        parts.filter((each) => whole(each.number, each.sizeBytes)).map((each) => [each.number, each.etag]),
      ),
    };
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    forget(project, bucket, key);
    return undefined;
  }
}

async function begin({ project, bucket, key, file }: Target, signal: AbortSignal): Promise<Known> {
  const { id } = await api("POST /admin/s3/buckets/{bucket}/uploads", {
    path: { bucket },
    query: { project },
    body: { key, contentType: typeOf(file) },
    signal,
  });
  const partBytes = Math.max(PART_BYTES, Math.ceil(file.size / MOST_PARTS / 1_048_576) * 1_048_576);
  const begun = { id, size: file.size, modified: file.lastModified, partBytes };
  remember(project, bucket, key, begun);
  return { begun, etags: new Map() };
}

/** Again, a little later each time, where the connection or the box was gone; at once when the browser is online again. */
async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await work();
    } catch (error) {
      const passing = error instanceof ApiError && (error.status === 0 || error.status >= 502 || error.status === 429);
      if (signal.aborted || !passing || tries >= TRIES) throw error;
      await pause(Math.min(LONGEST_WAIT_MS, 500 * 2 ** tries), signal);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}

/** `fetch` does not tell how much it has sent; this does. */
function put(
  url: string,
  body: Blob,
  headers: Record<string, string>,
  signal: AbortSignal,
  tell: (bytes: number) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => tell(event.loaded);
    request.onload = () =>
      request.status < 300 ? resolve(request.responseText) : reject(refusal(request.status, request.responseText));
    request.onerror = () => reject(unreachable(undefined));
    request.onabort = () => reject(signal.reason as Error);
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    request.send(body);
  });
}

function refusal(status: number, text: string): ApiError {
  let told: { error?: string; detail?: string; code?: string } = {};
  try {
    told = JSON.parse(text) as typeof told;
  } catch { /* a proxy in between */ }
  return new ApiError(
    status,
    told.code ?? `http_${status}`,
    told.error ?? told.detail ?? `The box answered ${status}.`,
  );
}

function typeOf(file: File): string {
  return /^[\x20-\x7e]{1,200}$/.test(file.type) ? file.type : "application/octet-stream";
}
