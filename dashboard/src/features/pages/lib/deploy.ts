// One deploy: an archive as it is, or of a folder only what the box does not have. It tells how far it is, and can be
// stopped at every point.
import type { OperationInfo, Release } from "@/api/generated/api";
import type { Chosen, SiteFiles } from "@/features/pages/lib/chosen";
import { api, ApiError, apiUrl } from "@/lib/api/client";
import { problemOf, unreachable } from "@/lib/api/errors";
import { failure } from "@/lib/api/operations";

export interface Where {
  project: string;
  site: string;
  message: string;
  live: boolean;
}

export type Stage =
  | { step: "reading"; done: number; total: number }
  | { step: "sending"; done: number; total: number; files?: number; kept?: number }
  | { step: "making"; told: string | null; done: number; total: number | null };

type Tell = (stage: Stage) => void;

const RELEASES = "POST /api/v1/projects/{project}/sites/{site}/releases";
const SENT_AT_ONCE = 4;

export function deploy(where: Where, chosen: Chosen, tell: Tell, signal: AbortSignal): Promise<Release> {
  return chosen.kind === "archive"
    ? deployArchive(where, chosen.file, chosen.type, tell, signal)
    : deployFiles(where, chosen, tell, signal);
}

async function deployArchive(
  { project, site, message, live }: Where,
  file: File,
  type: string,
  tell: Tell,
  signal: AbortSignal,
): Promise<Release> {
  const url = apiUrl(RELEASES, { path: { project, site }, query: { live, message }, body: file });
  const headers = { "content-type": type, prefer: "respond-async" };
  const told = (done: number) => tell({ step: "sending", done, total: file.size });
  told(0);
  const answer = await send("POST", url, file, headers, told, signal);
  return await finished(answer as Release | OperationInfo, tell, signal);
}

async function deployFiles(
  { project, site, message, live }: Where,
  chosen: SiteFiles,
  tell: Tell,
  signal: AbortSignal,
) {
  const hashes: Record<string, string> = {};
  const byHash = new Map<string, File>();
  let done = 0;
  for (const [path, file] of chosen.files) {
    tell({ step: "reading", done: done++, total: chosen.files.size });
    const hash = await sha256(file);
    signal.throwIfAborted();
    hashes[path] = hash;
    byHash.set(hash, file);
  }
  const path = { project, site };
  const { missing } = await api("POST /api/v1/projects/{project}/sites/{site}/missing", {
    path,
    body: { files: hashes },
    signal,
  }).catch((error: unknown) => {
    // A site that is not there yet has nothing.
    if (error instanceof ApiError && error.status === 404) return { missing: [...byHash.keys()] };
    throw error;
  });
  await sendAll(path, missing, byHash, tell, signal);
  const answer = await api(RELEASES, {
    path,
    body: { files: hashes, message, live },
    headers: { prefer: "respond-async" },
    signal,
  });
  return await finished(answer, tell, signal);
}

async function sendAll(
  path: { project: string; site: string },
  hashes: readonly string[],
  byHash: ReadonlyMap<string, File>,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...new Set(hashes)];
  const files = waiting.length;
  const total = waiting.reduce((sum, hash) => sum + (byHash.get(hash)?.size ?? 0), 0);
  const sent = new Map<string, number>();
  const told = () =>
    tell({
      step: "sending",
      done: [...sent.values()].reduce((sum, each) => sum + each, 0),
      total,
      files,
      kept: byHash.size - files,
    });
  told();
  // The first that fails stops the others.
  const all = new AbortController();
  const both = AbortSignal.any([signal, all.signal]);
  const worker = async () => {
    for (let hash = waiting.pop(); hash !== undefined; hash = waiting.pop()) {
      const file = byHash.get(hash);
      if (file === undefined) continue;
      const sha256 = hash;
      const call = { path: { ...path, sha256 }, body: file };
      const url = apiUrl("PUT /api/v1/projects/{project}/sites/{site}/files/{sha256}", call);
      await send("PUT", url, file, { "content-type": "application/octet-stream" }, (bytes) => {
        sent.set(sha256, bytes);
        told();
      }, both);
      sent.set(sha256, file.size);
      told();
    }
  };
  try {
    await Promise.all(Array.from({ length: SENT_AT_ONCE }, worker));
  } catch (error) {
    all.abort();
    throw error;
  }
}

/** Follows the operation that makes the release; stopped, it stops that, too. */
async function finished(answer: Release | OperationInfo, tell: Tell, signal: AbortSignal): Promise<Release> {
  if ("number" in answer) return answer;
  const path = { operation_id: answer.id };
  for (let now: OperationInfo = answer;;) {
    if (now.state === "succeeded") return now.result as Release;
    if (now.state !== "running") throw failure(now) ?? new DOMException("stopped", "AbortError");
    const { step, done, total } = now.progress;
    tell({ step: "making", told: step, done: done ?? 0, total });
    try {
      now = await api("GET /api/v1/operations/{operation_id}", { path, query: { wait: 1 }, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      // It may have ended just before: then there is a release, and that is what is told.
      await api("DELETE /api/v1/operations/{operation_id}", { path }).catch(() => undefined);
      const end = await api("GET /api/v1/operations/{operation_id}", { path, query: { wait: 5 } });
      if (end.state !== "succeeded") throw error;
      return end.result as Release;
    }
  }
}

async function sha256(file: File): Promise<string> {
  if (!globalThis.isSecureContext) {
    throw new ApiError(0, "insecure", "Browsers hash files on https:// and on localhost only.");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends bytes by XMLHttpRequest: `fetch` does not tell how many have gone. */
function send(
  method: "POST" | "PUT",
  url: string,
  body: Blob,
  headers: Record<string, string>,
  told: (bytes: number) => void,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open(method, url);
    request.setRequestHeader("accept", "application/json");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => told(event.loaded);
    request.onerror = () => reject(unreachable(new Error(`${method} ${url}`)));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => {
      if (request.status < 300) resolve(request.responseText === "" ? undefined : JSON.parse(request.responseText));
      else {
        const after = request.getResponseHeader("retry-after");
        const head = new Headers(after === null ? [] : [["retry-after", after]]);
        problemOf(new Response(request.responseText, { status: request.status, headers: head })).then(reject, reject);
      }
    };
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) reject(new DOMException("stopped", "AbortError"));
    else request.send(body);
  });
}
