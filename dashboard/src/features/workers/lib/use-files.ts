// The open worker: its files, what has changed in them, and what came of the last check and save.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { WorkerInfo } from "@/api/generated/api";
import { toast } from "@/components/toast";
import { check, type Fault, isDirty, isText, type OpenFile, readFile, saveFile } from "@/features/workers/lib/files";
import { api, ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";

const MAX_FILES = 200;
const CHECK_AFTER_MS = 700;

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

export function useFiles(project: string, worker: WorkerInfo) {
  const client = useQueryClient();
  const [files, setFiles] = useState<readonly OpenFile[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  const [state, setState] = useState<State>({ kind: "same" });
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const latest = useRef<readonly OpenFile[]>([]);
  latest.current = files ?? [];
  const name = worker.name;

  const load = useCallback(async (signal?: AbortSignal) => {
    try {
      const { items } = await api("GET /api/v1/projects/{project}/workers/{worker}/files", {
        path: { project, worker: name },
        query: { limit: MAX_FILES },
        signal,
      });
      const texts = items.filter((each) => isText(each.path)).map((each) => readFile(project, name, each.path, signal));
      setFiles(await Promise.all(texts));
      setFaults([]);
      setState({ kind: "same" });
      setError(null);
    } catch (caught) {
      if (!signal?.aborted) setError(caught);
    }
  }, [project, name]);

  useEffect(() => {
    const stopping = new AbortController();
    void load(stopping.signal);
    return () => stopping.abort();
  }, [load]);

  const change = useCallback((path: string, text: string) => {
    setFiles((all) => all?.map((file) => file.path === path ? { ...file, text } : file) ?? null);
    setState((now) => now.kind === "saving" ? now : { kind: "draft" });
  }, []);

  const add = useCallback((path: string, text = "") => {
    setFiles((all) => [...all ?? [], { path, saved: null, etag: null, text }]);
    setState({ kind: "draft" });
  }, []);

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
  const drafts = useMemo(() => files?.filter(isDirty).map((file) => file.text).join("\0") ?? "", [files]);
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

  const save = useCallback(async () => {
    const changed = latest.current.filter(isDirty);
    if (changed.length === 0) return;
    setState({ kind: "saving" });
    const began = performance.now();
    try {
      let number: number | null = null;
      const found: Fault[] = [];
      for (const file of changed) {
        let saved;
        try {
          saved = await saveFile(project, worker, file);
        } catch (caught) {
          if (caught instanceof ApiError && caught.status === 412) {
            setConflict({ mine: file, theirs: await readFile(project, name, file.path) });
            setState({ kind: "draft" });
            return;
          }
          throw caught;
        }
        const done = saved.file;
        setFiles((all) => all?.map((each) => each.path === done.path ? { ...done, text: each.text } : each) ?? null);
        number = saved.number ?? number;
        if (saved.fault !== null) {
          found.push({
            message: saved.fault.message,
            file: saved.fault.file ?? done.path,
            line: saved.fault.line ?? 1,
            column: saved.fault.column ?? 1,
            severity: "error",
          });
        }
      }
      setFaults(found);
      setState(
        number !== null && found.length === 0
          ? { kind: "deployed", number, ms: Math.round(performance.now() - began) }
          : { kind: "not-live" },
      );
      await invalidate(client, ["GET /api/v1/projects/{project}/workers"]);
    } catch (caught) {
      setState({ kind: "draft" });
      if (caught instanceof ApiError && Array.isArray(caught.problem.diagnostics)) {
        const { faultOf } = await import("@/features/workers/lib/files");
        const found = (caught.problem.diagnostics as never[]).map(faultOf);
        setFaults(found);
        setState({ kind: "faulty", count: found.length });
      } else toast.failed(caught);
    }
  }, [project, worker, name, client]);

  const settle = useCallback((choice: "mine" | "theirs") => {
    if (conflict === null) return;
    const { mine, theirs } = conflict;
    const kept = choice === "theirs" ? theirs : { ...mine, saved: theirs.saved, etag: theirs.etag };
    setFiles((all) => all?.map((file) => file.path === mine.path ? kept : file) ?? null);
    setState({ kind: choice === "theirs" ? "same" : "draft" });
    setConflict(null);
  }, [conflict]);

  return { files, error, faults, state, conflict, dirty, change, add, save, settle, reload: load };
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
