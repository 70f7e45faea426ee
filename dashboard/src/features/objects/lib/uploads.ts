// Files on their way into a bucket: a few at a time, each with its progress; paused, stopped and tried again.
import { useCallback, useEffect, useRef, useState } from "react";
import { discard, send } from "@/features/objects/lib/sending";
import { recall } from "@/features/objects/lib/unfinished";
import { ApiError } from "@/lib/api/client";

export interface Upload {
  id: number;
  key: string;
  file: File;
  state: "waiting" | "sending" | "paused" | "done" | "failed" | "exists" | "stopped";
  /** From 0 to 1. */
  sent: number;
  message: string;
  replace: boolean;
}

export interface Dropped {
  /** With the folders that it was dropped in. */
  path: string;
  file: File;
}

const AT_ONCE = 2;

/** `onDone` is called when nothing is on its way any more. Who leaves the page may go on later with what is large. */
export function useUploads(project: string, bucket: string, onDone: () => void) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const running = useRef(new Map<number, AbortController>());
  const next = useRef(0);
  const done = useRef(onDone);
  done.current = onDone;
  const change = useCallback((id: number, to: Partial<Upload>) => {
    setUploads((all) => all.map((each) => each.id === id ? { ...each, ...to } : each));
  }, []);

  useEffect(() => {
    for (const upload of uploads) {
      if (running.current.size >= AT_ONCE) break;
      if (upload.state !== "waiting" || running.current.has(upload.id)) continue;
      const stop = new AbortController();
      running.current.set(upload.id, stop);
      change(upload.id, { state: "sending" });
      const end = (to: Partial<Upload>) => {
        running.current.delete(upload.id);
        if (!stop.signal.aborted) change(upload.id, to);
        else setUploads((all) => [...all]); // whose turn is next?
        if (running.current.size === 0) done.current();
      };
      send({ project, bucket, ...upload }, stop.signal, (sent) => stop.signal.aborted || change(upload.id, { sent }))
        .then(() => end({ state: "done", sent: 1 }), (error: unknown) =>
          end(
            error instanceof ApiError && error.status === 412
              ? { state: "exists" }
              : { state: "failed", message: error instanceof Error ? error.message : String(error) },
          ));
    }
  }, [uploads, project, bucket, change]);
  useEffect(() => {
    const all = running.current;
    return () => {
      for (const each of all.values()) each.abort();
    };
  }, []);

  const halt = (id: number, state: "paused" | "stopped") => {
    running.current.get(id)?.abort();
    change(id, { state });
  };
  return {
    uploads,
    add: (prefix: string, files: readonly Dropped[]) =>
      setUploads((all) => [
        // Chosen again: the line that it had goes on.
        ...all.filter((each) => !files.some(({ path }) => each.key === prefix + path && isOver(each))),
        ...files.map(({ path, file }): Upload => ({
          id: next.current++,
          key: prefix + path,
          file,
          state: "waiting",
          sent: 0,
          message: "",
          replace: false,
        })),
      ]),
    again: (id: number, replace: boolean) => change(id, { state: "waiting", message: "", replace }),
    pause: (id: number) => halt(id, "paused"),
    stop: (id: number) => {
      halt(id, "stopped");
      const upload = uploads.find((each) => each.id === id);
      const begun = upload && recall(project, bucket, upload.key, upload.file);
      if (!upload || !begun) return change(id, { sent: 0 });
      discard({ project, bucket, key: upload.key }, begun.id).then(
        () => {
          change(id, { sent: 0 });
          done.current();
        },
        (error: unknown) => change(id, { state: "failed", message: String((error as Error).message) }),
      );
    },
    clear: () => setUploads((all) => all.filter((each) => !isOver(each) || each.state === "paused")),
  };
}

function isOver(upload: Upload): boolean {
  return upload.state !== "waiting" && upload.state !== "sending";
}

/** What was dropped, folders with all that is in them. */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }));
  return (await Promise.all(entries.map((entry) => filesIn(entry, "")))).flat();
}

async function filesIn(entry: FileSystemEntry, folder: string): Promise<Dropped[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: folder + entry.name, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Dropped[] = [];
  while (true) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const each of some) found.push(...await filesIn(each, `${folder}${entry.name}/`));
  }
}
