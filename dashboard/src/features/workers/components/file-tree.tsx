import { FileCode, FileJson, FileText, Folder } from "lucide-react";
import { messages } from "@/features/workers/messages";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";

interface Node {
  name: string;
  path: string;
  depth: number;
  folder: boolean;
}

/** Files by folder. What is changed or faulty says so. */
export function FileTree({ paths, dirty, faulty, shown, onShow, onMove }: {
  paths: readonly string[];
  dirty: ReadonlySet<string>;
  faulty: ReadonlySet<string>;
  shown: string | null;
  onShow: (path: string) => void;
  /** F2. */
  onMove: ((path: string) => void) | undefined;
}) {
  const t = useMessages(messages);
  return (
    <nav aria-label={t.files} className="max-h-[65vh] overflow-auto py-2 max-md:max-h-40">
      <ul>
        {nodesOf(paths).map((node) => {
          const Icon = node.folder ? Folder : iconOf(node.name);
          const inset = { paddingLeft: `${0.75 + node.depth * 0.85}rem` };
          return (
            <li key={node.path + (node.folder ? "/" : "")}>
              {node.folder
                ? (
                  <span style={inset} className="flex items-center gap-1.5 py-1 pr-2 text-xs text-muted">
                    <Icon aria-hidden className="size-3.5 shrink-0" />
                    <span className="truncate">{node.name}</span>
                  </span>
                )
                : (
                  <button
                    type="button"
                    style={inset}
                    aria-current={node.path === shown ? "true" : undefined}
                    title={node.path}
                    className={classes(
                      "flex w-full items-center gap-1.5 py-1 pr-2 text-left text-xs",
                      node.path === shown ? "bg-accent-soft text-accent" : "hover:bg-hover",
                      faulty.has(node.path) && "text-bad",
                    )}
                    onClick={() => onShow(node.path)}
                    onKeyDown={(event) => {
                      if (event.key === "F2") onMove?.(node.path);
                    }}
                  >
                    <Icon aria-hidden className="size-3.5 shrink-0" />
                    <span className="min-w-0 grow truncate">{node.name}</span>
                    {dirty.has(node.path) && <span title={t.unsaved} aria-label={t.unsaved} role="img">●</span>}
                  </button>
                )}
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

function nodesOf(paths: readonly string[]): Node[] {
  const nodes: Node[] = [];
  let open: string[] = [];
  for (const path of [...paths].sort((a, b) => a.localeCompare(b))) {
    const parts = path.split("/");
    const folders = parts.slice(0, -1);
    let same = 0;
    while (same < folders.length && folders[same] === open[same]) same++;
    for (let depth = same; depth < folders.length; depth++) {
      nodes.push({
        name: folders[depth] ?? "",
        path: folders.slice(0, depth + 1).join("/"),
        depth,
        folder: true,
      });
    }
    open = folders;
    nodes.push({ name: parts.at(-1) ?? path, path, depth: folders.length, folder: false });
  }
  return nodes;
}

function iconOf(name: string) {
  if (/\.[mc]?[tj]sx?$/.test(name)) return FileCode;
  return /\.(jsonc?|toml|ya?ml)$/.test(name) ? FileJson : FileText;
}
