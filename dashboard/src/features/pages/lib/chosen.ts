// What somebody drops or chooses: one archive, or the files of a folder with their paths in the site.

export interface SiteFiles {
  kind: "files";
  name: string;
  /** By path: `/docs/index.html`. */
  files: ReadonlyMap<string, File>;
  bytes: number;
}

export interface Archive {
  kind: "archive";
  name: string;
  file: File;
  type: "application/zip" | "application/gzip";
  bytes: number;
}

export type Chosen = SiteFiles | Archive;

const MOST = 100_000;

/** From an `<input>`: `webkitdirectory` gives every file its path. */
export function fromList(list: Iterable<File>): Chosen | null {
  return chosen([...list].map((file) => [file.webkitRelativePath || file.name, file]));
}

/** From a drop, with the folders in it. Has to be called while the event is handled. */
export async function fromDrop(data: DataTransfer): Promise<Chosen | null> {
  const found: [string, File][] = [];
  const folders: FileSystemDirectoryEntry[] = [];
  // All entries have to be asked for before the first wait: afterwards the browser has forgotten them.
  for (const item of data.items) {
    const entry = item.webkitGetAsEntry();
    const file = item.getAsFile();
    if (entry?.isDirectory) folders.push(entry as FileSystemDirectoryEntry);
    else if (file) found.push([file.name, file]);
  }
  for (const folder of folders) await walk(folder, `${folder.name}/`, found);
  return chosen(found);
}

async function walk(folder: FileSystemDirectoryEntry, prefix: string, found: [string, File][]): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (entries.length === 0) return; // it gives a hundred at a time
    for (const entry of entries) {
      if (left(entry.name)) continue;
      if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, `${prefix}${entry.name}/`, found);
      else {
        const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
        if (found.length < MOST + 1) found.push([prefix + entry.name, file]);
      }
    }
  }
}

function chosen(found: [string, File][]): Chosen | null {
  const only = found.length === 1 ? found[0] : undefined;
  if (only) {
    const type = archiveType(only[1].name);
    if (type) return { kind: "archive", name: stem(only[1].name), file: only[1], type, bytes: only[1].size };
  }
  const kept = found.filter(([path]) => !path.split("/").some(left));
  if (kept.length === 0) return null;
  // A single folder at the top is taken off, as it is of an archive.
  const top = kept[0]?.[0].split("/")[0] ?? "";
  const within = kept.every(([path]) => path.startsWith(`${top}/`));
  const files = new Map(kept.map(([path, file]) => [within ? path.slice(top.length) : `/${path}`, file]));
  return { kind: "files", name: within ? top : "", files, bytes: kept.reduce((sum, [, file]) => sum + file.size, 0) };
}

/** What no site serves. */
function left(name: string): boolean {
  return name === "node_modules" || (name.startsWith(".") && name !== ".well-known");
}

function archiveType(name: string): Archive["type"] | null {
  if (/\.zip$/i.test(name)) return "application/zip";
  return /\.(tar\.gz|tgz)$/i.test(name) ? "application/gzip" : null;
}

function stem(name: string): string {
  return name.replace(/\.(zip|tar\.gz|tgz)$/i, "");
}

/** A name that a site may have, made of one that a folder has. */
export function siteName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40).replace(/-+$/, "");
}
