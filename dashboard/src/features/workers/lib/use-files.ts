// The open worker: its files, what has changed in them, and what came of the last check and save.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { DiagnosticInfo, WorkerInfo } from "@/api/generated/api";
import { toast } from "@/components/toast";
import {
  check,
  type Fault,
  faultOf,
  isDirty,
  isText,
  type OpenFile,
  readFile,
  saveFiles,
} from "@/features/workers/lib/files";
import { relinked } from "@/features/workers/lib/moves";
import { keepDrafts, withDrafts } from "@/features/workers/lib/drafts";
import { type Answer, api, ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";

const PAGE = 200;
const CHECK_AFTER_MS = 700;
const KEEP_AFTER_MS = 250;

export type State =
  | { kind: "same" }
  | { kind: "draft" }
  | { kind: "checking" }
  | { kind: "checked"; ms: number }
  | { kind: "faulty"; count: number }
  | { kind: "saving" }
  | { kind: "deployed"; number: number; ms: number }
  | { kind: "not-live" };

export interface Conflict {
  mine: OpenFile;
  theirs: OpenFile;
}

/** The box's files that are texts, with their tags. */
async function listFiles(project: string, worker: string, signal?: AbortSignal) {
  const found: { path: string; etag: string }[] = [];
  let cursor: string | null = null;
  do {
    const page: Answer<"GET /api/v1/projects/{project}/workers/{worker}/files"> = await api(
      "GET /api/v1/projects/{project}/workers/{worker}/files",
      { path: { project, worker }, query: { limit: PAGE, cursor }, signal },
    );
    found.push(...page.items.map(({ path, sha256 }) => ({ path, etag: `"${sha256}"` })));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found.filter((each) => isText(each.path));
}

export function useFiles(project: string, worker: WorkerInfo) {
  const client = useQueryClient();
  const [files, setFiles] = useState<readonly OpenFile[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  const [state, setState] = useState<State>({ kind: "same" });
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [restored, setRestored] = useState(false);
  const [overtaken, setOvertaken] = useState<readonly string[]>([]);
  const [kept, setKept] = useState(true);
  const saving = useRef(false);
  const loaded = useRef(false);
  const own = useRef(new Set<string>());
  const latest = useRef<readonly OpenFile[]>([]);
  latest.current = files ?? [];
  const name = worker.name;

  /** Reads the files of the box; `drafts`: with what was typed in them before. */
  const load = useCallback(async (drafts: boolean, signal?: AbortSignal) => {
    try {
      const listed = await listFiles(project, name, signal);
      const found = await Promise.all(listed.map((each) => readFile(project, name, each.path, signal)));
      const shown = drafts ? withDrafts(project, name, found) : found;
      const restored = shown.some(isDirty);
      setFiles(shown);
      setRestored(restored);
      setOvertaken(overtakenIn(shown, found));
      setFaults([]);
      setState({ kind: restored ? "draft" : "same" });
      setError(null);
    } catch (caught) {
      if (!signal?.aborted) setError(caught);
    }
  }, [project, name]);

  useEffect(() => {
    const stopping = new AbortController();
    void load(true, stopping.signal);
    return () => stopping.abort();
  }, [load]);

  const discard = useCallback(async () => {
    keepDrafts(project, name, [], null);
    await load(false);
  }, [load, project, name]);

  // Somebody else made a version: what is not being changed here is as theirs; of the rest it is said that it differs.
  const newest = `${worker.newest?.version ?? ""} ${worker.deployed_at ?? ""}`;
  const known = useRef(newest);
  useEffect(() => {
    if (newest === known.current) return;
    known.current = newest;
    if (saving.current || latest.current.length === 0) return;
    const stopping = new AbortController();
    const { signal } = stopping;
    listFiles(project, name, signal).then(async (listed) => {
      const tags = new Map(latest.current.map((file) => [file.from?.path ?? file.path, file.from?.etag ?? file.etag]));
      const changed = listed.filter((each) => tags.get(each.path) !== each.etag);
      const theirs = await Promise.all(changed.map((each) => readFile(project, name, each.path, signal)));
      if (signal.aborted) return;
      const there = new Set(listed.map((each) => each.path));
      const mine = latest.current.filter((file) => isDirty(file) || there.has(file.path));
      const moving = new Set(mine.flatMap((file) => file.from?.path ?? []));
      const now = new Map(mine.map((file) => [file.path, file]));
      for (const file of theirs) {
        const known = now.get(file.path);
        if (known === undefined ? !moving.has(file.path) : !isDirty(known)) now.set(file.path, file);
      }
      setFiles([...now.values()]);
      setOvertaken(overtakenIn([...now.values()], theirs));
    }).catch(() => {/* a save finds out */});
    return () => stopping.abort();
  }, [newest, project, name]);

  const change = useCallback((path: string, text: string) => {
    setFiles((all) => all?.map((file) => file.path === path ? { ...file, text } : file) ?? null);
    setState((now) => now.kind === "saving" ? now : { kind: "draft" });
  }, []);

  const add = useCallback((path: string, text = "") => {
    setFiles((all) => [...all ?? [], { path, saved: null, etag: null, text }]);
    setState({ kind: "draft" });
  }, []);

  /** Moves a file, and has those that import it import it from there. The box does with the next save. */
  const move = useCallback((path: string, to: string) => {
    setFiles((all) =>
      all?.map((file) => {
        const text = relinked(file.path, file.text, path, to);
        if (file.path !== path) return text === file.text ? file : { ...file, text };
        const { from, ...here } = file;
        const was = from ?? (file.saved === null ? undefined : { path, etag: file.etag });
        if (was === undefined) return { ...here, path: to, text };
        return was.path === to
          ? { ...here, path: to, text, etag: was.etag } // back where it was
          : { ...here, path: to, text, etag: null, from: was };
      }) ?? null
    );
    setFaults((all) => all.filter((each) => each.file !== path));
    setState({ kind: "draft" });
  }, []);

  /** Deletes a file; one that is not saved yet is only forgotten. */
  const remove = useCallback(async (file: OpenFile) => {
    if (file.saved !== null) {
      await api("DELETE /api/v1/projects/{project}/workers/{worker}/files/{path}", {
        path: { project, worker: name, path: file.from?.path ?? file.path },
        query: worker.source === "api" ? { environment: "production" } : {},
        ifMatch: file.from?.etag ?? file.etag,
      });
      await invalidate(client, ["GET /api/v1/projects/{project}/workers"]);
    }
    setFiles((all) => all?.filter((each) => each.path !== file.path) ?? null);
    setFaults((all) => all.filter((each) => each.file !== file.path));
  }, [project, name, worker.source, client]);

  const runCheck = useCallback(async (signal: AbortSignal): Promise<readonly Fault[]> => {
    const began = performance.now();
    setState({ kind: "checking" });
    const { files: sent, back } = asDeployed(name, latest.current);
    const found = (await check(project, name, sent, signal)).map((fault) => ({
      ...fault,
      file: fault.file === null ? null : back(fault.file),
    }));
    if (signal.aborted) return found;
    setFaults(found);
    setState(
      found.length > 0
        ? { kind: "faulty", count: found.length }
        : { kind: "checked", ms: Math.round(performance.now() - began) },
    );
    return found;
  }, [project, name]);

  // What is typed is checked a moment after it: a check that is overtaken by typing is given up.
  const drafts = useMemo(() => files?.filter(isDirty).map((file) => `${file.path}\0${file.text}`).join("\0") ?? "", [
    files,
  ]);
  const dirty = useMemo(() => files?.some(isDirty) ?? false, [files]);
  useEffect(() => {
    if (!dirty) return;
    const stopping = new AbortController();
    const timer = setTimeout(() => {
      runCheck(stopping.signal).catch((caught) => {
        if (!stopping.signal.aborted) {
          setState({ kind: "draft" });
          if (!(caught instanceof ApiError) || caught.status !== 429) toast.failed(caught);
        }
      });
    }, CHECK_AFTER_MS);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [drafts, dirty, runCheck]);

  const keep = useCallback(() => {
    if (!loaded.current) return;
    const dirty = latest.current.filter(isDirty);
    for (const file of dirty) own.current.add(file.path);
    setKept(keepDrafts(project, name, dirty, own.current));
  }, [project, name]);
  useEffect(() => {
    loaded.current ||= files !== null;
    const timer = setTimeout(keep, KEEP_AFTER_MS);
    return () => clearTimeout(timer);
  }, [files, keep]);
  useEffect(() => {
    addEventListener("pagehide", keep);
    return () => {
      removeEventListener("pagehide", keep);
      keep(); // somebody goes to another page
    };
  }, [keep]);

  /** Tells whether what is shown is live then. */
  const save = useCallback(async (): Promise<boolean> => {
    const changed = latest.current.filter(isDirty);
    if (changed.length === 0 || saving.current) return changed.length === 0;
    saving.current = true;
    setState({ kind: "saving" });
    const began = performance.now();
    try {
      const { files: done, number, fault } = await saveFiles(project, worker, changed);
      const saved = new Map(done.map((file) => [file.path, file]));
      // What was typed meanwhile stays.
      const all = latest.current.map((each) => {
        const file = saved.get(each.path);
        return file === undefined ? each : { ...file, text: each.text };
      });
      latest.current = all;
      setFiles(all);
      setOvertaken((paths) => paths.filter((path) => !saved.has(path)));
      const found: Fault[] = fault === null ? [] : [{
        message: fault.message,
        file: fault.file ?? null,
        line: fault.line ?? 1,
        column: fault.column ?? 1,
        severity: "error",
      }];
      setRestored(false);
      setFaults(found);
      const live = number !== null && found.length === 0;
      setState(
        latest.current.some(isDirty)
          ? { kind: "draft" }
          : live && number !== null
          ? { kind: "deployed", number, ms: Math.round(performance.now() - began) }
          : { kind: "not-live" },
      );
      await invalidate(client, ["GET /api/v1/projects/{project}/workers"]);
      return live;
    } catch (caught) {
      setState({ kind: "draft" });
      const refused = caught instanceof ApiError && caught.status === 412 ? caught.problem.path : undefined;
      const mine = changed.find((file) => file.path === refused || file.from?.path === refused);
      if (mine !== undefined && typeof refused === "string") {
        try {
          setConflict({ mine, theirs: await theirsOf(project, name, refused) });
        } catch (problem) {
          toast.failed(problem);
        }
      } else if (caught instanceof ApiError && Array.isArray(caught.problem.diagnostics)) {
        const { back } = asDeployed(name, latest.current);
        const found = (caught.problem.diagnostics as DiagnosticInfo[]).map(faultOf);
        setFaults(found.map((fault) => ({ ...fault, file: fault.file === null ? null : back(fault.file) })));
        setState({ kind: "faulty", count: found.length });
      } else toast.failed(caught);
      return false;
    } finally {
      saving.current = false;
    }
  }, [project, worker, name, client]);

  /** Of two texts of a file: theirs; mine, written over theirs; or neither yet. */
  const settle = useCallback((choice: "mine" | "theirs" | "later") => {
    if (conflict === null) return;
    const { mine, theirs } = conflict;
    setConflict(null);
    if (choice === "later") return setOvertaken((paths) => [...new Set([...paths, mine.path])]);
    const taken = (file: OpenFile): OpenFile[] => {
      if (choice === "theirs") {
        if (theirs.saved === null) return []; // it is gone
        return theirs.path === file.path ? [theirs] : [{ ...file, text: theirs.text, ...seen(file, theirs) }];
      }
      return [{ ...file, ...seen(file, theirs) }];
    };
    const all = latest.current.flatMap((file) => file.path === mine.path ? taken(file) : [file]);
    latest.current = all;
    setFiles(all);
    setOvertaken((paths) => paths.filter((path) => path !== mine.path));
    if (choice === "mine") void save();
    else setState({ kind: all.some(isDirty) ? "draft" : "same" });
  }, [conflict, save]);

  return {
    files,
    error,
    faults,
    state,
    conflict,
    dirty,
    /** Whether what is not saved would survive a reload. */
    kept,
    /** What was typed in an earlier visit is here again. */
    restored,
    /** Files that somebody else saved while they were changed here. */
    overtaken,
    change,
    add,
    move,
    remove,
    save,
    settle,
    discard,
    reload: load,
  };
}

/** The files as a deploy of this worker alone has them, and the way back for what is said of them. */
export function asDeployed(worker: string, files: readonly OpenFile[]) {
  const folder = `functions/${worker}/`;
  const single = new RegExp(`^functions/${worker}\\.(ts|tsx|mts|js|jsx|mjs)$`);
  const known = new Map<string, string>();
  for (const { path } of files) {
    const ending = single.exec(path)?.[1];
    if (ending !== undefined) known.set(`main.${ending}`, path);
    else if (path.startsWith(folder)) known.set(path.slice(folder.length), path);
    else known.set(path, path);
  }
  const text = new Map(files.map((file) => [file.path, file.text]));
  return {
    files: Object.fromEntries([...known].map(([sent, path]) => [sent, text.get(path) ?? ""])),
    back: (sent: string) => known.get(sent) ?? sent,
  };
}

/** A file as the box has it now; an empty one that is not saved where it is gone. */
async function theirsOf(project: string, worker: string, path: string): Promise<OpenFile> {
  try {
    return await readFile(project, worker, path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { path, saved: null, etag: null, text: "" };
    throw error;
  }
}

/** What a file is saved over once theirs has been looked at. */
function seen(file: OpenFile, theirs: OpenFile): Partial<OpenFile> {
  if (file.from === undefined || file.path === theirs.path) return { saved: theirs.saved, etag: theirs.etag };
  return theirs.saved === null
    ? { saved: null, from: undefined }
    : { saved: theirs.saved, from: { path: theirs.path, etag: theirs.etag } };
}

/** What is changed here and on the box, too. */
function overtakenIn(files: readonly OpenFile[], theirs: readonly OpenFile[]): string[] {
  const tags = new Map(theirs.map((file) => [file.path, file.etag]));
  return files.filter((file) => {
    const there = tags.get(file.from?.path ?? file.path);
    return isDirty(file) && there !== undefined && there !== (file.from ?? file).etag;
  }).map((file) => file.path);
}
