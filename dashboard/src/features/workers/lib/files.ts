// The files of a worker as they are on the box, and as they are being changed.
import type { DiagnosticInfo, WorkerInfo } from "@/api/generated/api";
import { api, ApiError, apiResponse, apiWithHead } from "@/lib/api/client";

export interface OpenFile {
  path: string;
  /** As the box has it; `null`: it is new. */
  saved: string | null;
  etag: string | null;
  text: string;
  /** Where the box has it still: it is to move. */
  from?: { path: string; etag: string | null };
}

const TEXT = /\.(ts|tsx|mts|js|jsx|mjs|json|jsonc|css|html|svg|xml|md|sql|toml|yaml|yml|txt|csv|env)$/i;

export function isText(path: string): boolean {
  return TEXT.test(path);
}

/** Where a file of a worker is for the editor: imports between them are found. */
export function place(project: string, worker: string, path: string): string {
  return `/${project}/${worker}/${path}`;
}

export function isDirty(file: OpenFile): boolean {
  return file.saved !== file.text || file.from !== undefined;
}

export async function readFile(project: string, worker: string, path: string, signal?: AbortSignal): Promise<OpenFile> {
  const response = await apiResponse("GET /api/v1/projects/{project}/workers/{worker}/files/{path}", {
    path: { project, worker, path },
    signal,
  });
  const text = await response.text();
  return { path, saved: text, etag: response.headers.get("etag"), text };
}

export interface Saved {
  file: OpenFile;
  number: number | null;
  fault: { message: string; file?: string | null; line?: number | null; column?: number | null } | null;
}

/** Saves a file and makes it live. Throws a 412 when somebody else saved it meanwhile. */
export async function saveFile(project: string, worker: WorkerInfo, file: OpenFile): Promise<Saved> {
  const { data, etag } = await apiWithHead("PUT /api/v1/projects/{project}/workers/{worker}/files/{path}", {
    path: { project, worker: worker.name, path: file.path },
    query: worker.source === "api" ? { environment: "production" } : {},
    body: new Blob([file.text]),
    ifMatch: file.etag,
    headers: file.saved === null ? { "if-none-match": "*" } : {},
  });
  return {
    file: { ...file, saved: file.text, etag: etag ?? `"${data.file.sha256}"` },
    number: data.version?.number ?? null,
    fault: data.error,
  };
}

/** Saves all of them as one version and makes it live. Throws a 412 with the `path` that somebody else saved meanwhile. */
export async function saveFiles(project: string, worker: WorkerInfo, files: readonly OpenFile[]) {
  const sha256 = (etag: string | null) => etag?.replaceAll('"', "") ?? "";
  const { files: written, version, error } = await api("PATCH /api/v1/projects/{project}/workers/{worker}/files", {
    path: { project, worker: worker.name },
    query: worker.source === "api" ? { environment: "production" } : {},
    body: {
      changes: files.flatMap(({ path, text, etag, from }) => [
        ...from === undefined ? [] : [{ path: from.path, text: null, base_sha256: sha256(from.etag) }],
        { path, text, base_sha256: sha256(etag) },
      ]),
    },
  });
  const tags = new Map(written.map((each) => [each.path, `"${each.sha256}"`]));
  return {
    files: files.map(({ path, text }): OpenFile => ({ path, text, saved: text, etag: tags.get(path) ?? null })),
    number: version?.number ?? null,
    fault: error,
  };
}

export interface Fault {
  message: string;
  file: string | null;
  line: number;
  column: number;
  severity: "error" | "warning";
}

/** Bundles and type-checks what is in the editor. Nothing is kept on the box. */
export async function check(
  project: string,
  worker: string,
  files: Record<string, string>,
  signal: AbortSignal,
): Promise<Fault[]> {
  try {
    const found = await api("POST /api/v1/projects/{project}/workers/{worker}/check", {
      path: { project, worker },
      body: { files },
      signal,
    });
    return found.diagnostics.map(faultOf);
  } catch (error) {
    if (error instanceof ApiError && error.status === 422 && Array.isArray(error.problem.diagnostics)) {
      return (error.problem.diagnostics as DiagnosticInfo[]).map(faultOf);
    }
    throw error;
  }
}

export function faultOf(told: DiagnosticInfo): Fault {
  return {
    message: told.message,
    file: told.file ?? null,
    line: told.line ?? 1,
    column: told.column ?? 1,
    severity: told.severity === "warning" ? "warning" : "error",
  };
}
