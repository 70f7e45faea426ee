// A file that moves takes the imports along: its own, and those of the files that import it.

const IMPORT = /(\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(["'])(\.{1,2}\/[^"'\n]+)\2/g;

/** The text of the file at `path` once `from` has become `to`; `path` is where that file was before. */
export function relinked(path: string, text: string, from: string, to: string): string {
  const now = path === from ? to : path;
  return text.replace(IMPORT, (whole, before: string, quote: string, specifier: string) => {
    const meant = resolved(folderOf(path), specifier);
    if (meant === null || (meant !== from && now === path)) return whole;
    return `${before}${quote}${relative(folderOf(now), meant === from ? to : meant)}${quote}`;
  });
}

function folderOf(path: string): string[] {
  return path.split("/").slice(0, -1);
}

/** `null`: it leads out of the worker. */
function resolved(folder: readonly string[], specifier: string): string | null {
  const parts = [...folder];
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return null;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function relative(folder: readonly string[], path: string): string {
  const parts = path.split("/");
  let same = 0;
  while (same < folder.length && same < parts.length - 1 && folder[same] === parts[same]) same++;
  const up = folder.slice(same).map(() => "..");
  return [...(up.length > 0 ? up : ["."]), ...parts.slice(same)].join("/");
}
