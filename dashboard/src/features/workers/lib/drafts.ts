// What was typed and not saved, kept in this browser: a reload or a crash loses nothing.
import type { OpenFile } from "@/features/workers/lib/files";

/** `etag`: of the file as it was when the typing began, so that somebody else's save meanwhile is noticed. */
interface Draft {
  path: string;
  text: string;
  etag: string | null;
  /** Of a file that is to move: where it was. */
  from?: { path: string; etag: string | null } | undefined;
}

const MOST_CHARACTERS = 1_000_000;

const keyOf = (project: string, worker: string) => `v8box.drafts.${project}.${worker}`;

function isTag(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isDraft(value: unknown): value is Draft {
  const draft = value as Draft | null;
  return typeof draft === "object" && draft !== null && typeof draft.path === "string" &&
    typeof draft.text === "string" && isTag(draft.etag) &&
    (draft.from === undefined || (typeof draft.from?.path === "string" && isTag(draft.from.etag)));
}

/**
 * Keeps the files that differ from the box's. Tells whether they are kept: they may be too long, or there is no storage.
 * `own` are the paths that this page has changed: what another tab keeps of others stays. Without it, all are forgotten.
 */
export function keepDrafts(
  project: string,
  worker: string,
  dirty: readonly OpenFile[],
  own: ReadonlySet<string> | null,
): boolean {
  try {
    const others = own === null ? [] : read(project, worker).filter((each) => !own.has(each.path));
    const drafts = [...others, ...dirty.map(({ path, text, etag, from }): Draft => ({ path, text, etag, from }))];
    if (drafts.length === 0) {
      localStorage.removeItem(keyOf(project, worker));
      return true;
    }
    const text = JSON.stringify(drafts);
    if (text.length > MOST_CHARACTERS) return false;
    localStorage.setItem(keyOf(project, worker), text);
    return true;
  } catch {
    return false;
  }
}

/** The box's files with what was typed in them. */
export function withDrafts(project: string, worker: string, files: readonly OpenFile[]): readonly OpenFile[] {
  const drafts = read(project, worker);
  if (drafts.length === 0) return files;
  const known = new Map(files.map((file) => [file.path, file]));
  for (const { path, text, etag, from } of drafts) {
    const file = known.get(path);
    const before = from && known.get(from.path);
    if (from !== undefined && before !== undefined && file === undefined) {
      known.delete(from.path);
      known.set(path, { path, saved: before.saved, etag: null, text, from });
    } else if (file === undefined) known.set(path, { path, saved: null, etag: null, text });
    // With the older tag, so that saving over what somebody else saved meanwhile is refused.
    else if (file.saved !== text) known.set(path, { ...file, text, etag });
  }
  return [...known.values()];
}

function read(project: string, worker: string): Draft[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(project, worker)) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isDraft) : [];
  } catch {
    return [];
  }
}
