// Files on their way into a bucket: a few at a time, each with its progress, stopped and tried again.
import { useCallback, useEffect, useRef, useState } from "react";
import { objectUrl } from "@/features/objects/lib/address";

export interface Upload {
  id: number;
  key: string;
  file: File;
  state: "waiting" | "sending" | "done" | "failed" | "exists" | "stopped";
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

const AT_ONCE = 3;

/** `onDone` is called when nothing is on its way any more. */
export function useUploads(project: string, bucket: string, onDone: () => void) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const requests = useRef(new Map<number, XMLHttpRequest>());
  const next = useRef(0);
  const done = useRef(onDone);
  done.current = onDone;
  const change = useCallback((id: number, to: Partial<Upload>) => {
    setUploads((all) => all.map((each) => each.id === id ? { ...each, ...to } : each));
  }, []);

  useEffect(() => {
    const running = requests.current;
    for (const upload of uploads) {
      if (running.size >= AT_ONCE) break;
      if (upload.state !== "waiting" || running.has(upload.id)) continue;
      const request = send(project, bucket, upload, (to) => {
        if (to.state !== undefined && to.state !== "sending") {
          running.delete(upload.id);
          if (running.size === 0) done.current();
        }
        change(upload.id, to);
      });
      running.set(upload.id, request);
      change(upload.id, { state: "sending" });
    }
  }, [uploads, project, bucket, change]);
  useEffect(() => () => {
    for (const request of requests.current.values()) request.abort();
  }, []);

  return {
    uploads,
    add: (prefix: string, files: readonly Dropped[]) =>
      setUploads((all) => [
        ...all,
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
    again: (id: number, replace: boolean) => change(id, { state: "waiting", sent: 0, message: "", replace }),
    stop: (id: number) => {
      requests.current.get(id)?.abort();
      change(id, { state: "stopped" });
    },
    clear: () => setUploads((all) => all.filter((each) => each.state === "waiting" || each.state === "sending")),
  };
}

/** `fetch` does not tell how much it has sent; this does. */
function send(project: string, bucket: string, upload: Upload, tell: (to: Partial<Upload>) => void): XMLHttpRequest {
  const request = new XMLHttpRequest();
  request.open("PUT", objectUrl(project, bucket, upload.key));
  request.setRequestHeader("content-type", upload.file.type || "application/octet-stream");
  if (!upload.replace) request.setRequestHeader("if-none-match", "*");
  request.upload.onprogress = (event) => tell({ sent: event.total > 0 ? event.loaded / event.total : 0 });
  request.onload = () => {
    if (request.status < 300) tell({ state: "done", sent: 1 });
    else if (request.status === 412) tell({ state: "exists" });
    else tell({ state: "failed", message: reason(request) });
  };
  request.onerror = () => tell({ state: "failed", message: "" });
  request.onabort = () => tell({ state: "stopped" });
  request.send(upload.file);
  return request;
}

function reason(request: XMLHttpRequest): string {
  try {
    const told = JSON.parse(request.responseText) as { error?: string; detail?: string };
    return told.error ?? told.detail ?? String(request.status);
  } catch {
    return String(request.status);
  }
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
