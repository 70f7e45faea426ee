// Uploads in parts that this browser has begun: which file they were of, so that the same file goes on after a reload.

export interface Begun {
  id: string;
  size: number;
  modified: number;
  partBytes: number;
}

/** Of one bucket; the oldest are forgotten. */
const MOST = 100;

type All = Record<string, Begun>;

function place(project: string, bucket: string): string {
  return `v8box.uploads.${project}.${bucket}`;
}

function read(project: string, bucket: string): All {
  try {
    const told: unknown = JSON.parse(localStorage.getItem(place(project, bucket)) ?? "{}");
    if (typeof told !== "object" || told === null) return {};
    return Object.fromEntries(
      Object.entries(told as Record<string, Partial<Begun>>).filter((entry): entry is [string, Begun] =>
        typeof entry[1]?.id === "string" && typeof entry[1].size === "number" &&
        typeof entry[1].modified === "number" && Number(entry[1].partBytes) > 0
      ),
    );
  } catch {
    return {};
  }
}

function write(project: string, bucket: string, all: All): void {
  try {
    localStorage.setItem(place(project, bucket), JSON.stringify(Object.fromEntries(Object.entries(all).slice(-MOST))));
  } catch { /* without storage an upload does not survive a reload */ }
}

/** The upload of this very file under this key, if there is one. */
export function recall(project: string, bucket: string, key: string, file: File): Begun | undefined {
  const begun = read(project, bucket)[key];
  return begun !== undefined && begun.size === file.size && begun.modified === file.lastModified ? begun : undefined;
}

/** What is known of the file of an upload, to tell whether somebody chose the same one again. */
export function begunAs(project: string, bucket: string, key: string, id: string): Begun | undefined {
  const begun = read(project, bucket)[key];
  return begun?.id === id ? begun : undefined;
}

export function remember(project: string, bucket: string, key: string, begun: Begun): void {
  const { [key]: _, ...rest } = read(project, bucket);
  write(project, bucket, { ...rest, [key]: begun });
}

export function forget(project: string, bucket: string, key: string): void {
  const { [key]: _, ...rest } = read(project, bucket);
  write(project, bucket, rest);
}
