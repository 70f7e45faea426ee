import { useMemo } from "react";
import { Badge, type Tone } from "@/components/badge";
import { ErrorNote } from "@/components/error-note";
import { Table } from "@/components/table";
import { Bytes, Skeleton } from "@/components/values";
import { messages } from "@/features/pages/messages";
import { useApi } from "@/lib/api/queries";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

type Kind = "added" | "removed" | "changed";

interface Line {
  path: string;
  kind: Kind;
  before: number | null;
  after: number | null;
}

const TONES: Record<Kind, Tone> = { added: "ok", removed: "bad", changed: "warn" };

/** Which files came, went or have other bytes between two releases, with their sizes, and what else is not the same. */
export function ReleaseDiff({ site, older, newer, onOpen }: {
  site: string;
  older: number;
  newer: number;
  onOpen: (path: string) => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const diff = useApi("GET /api/v1/projects/{project}/sites/{site}/releases/{older}/diff/{newer}", {
    path: { project, site, older, newer },
  });
  const found = diff.data;
  const lines = useMemo(
    () =>
      found &&
      (["changed", "added", "removed"] as const).flatMap((kind) =>
        found[kind].map((path): Line => ({ path, kind, before: null, after: null, ...found.sizes[path] }))
      ),
    [found],
  );
  if (diff.error !== null) return <ErrorNote error={diff.error} onRetry={() => void diff.refetch()} />;
  if (found === undefined || lines === undefined) return <Skeleton className="h-40" />;
  return (
    <div className="grid gap-3">
      <p className="flex flex-wrap items-center gap-2 text-sm">
        <Badge tone="ok">{t.added(found.added.length)}</Badge>
        <Badge tone="bad">{t.removed(found.removed.length)}</Badge>
        <Badge tone="warn">{t.changedFiles(found.changed.length)}</Badge>
        <span className="text-muted">
          {found.bytes < 0 ? "−" : "+"}
          {formatBytes(Math.abs(found.bytes))}
        </span>
      </p>
      {found.rules.length > 0 && (
        <p className="flex flex-wrap items-center gap-2 text-sm">
          <span className="text-muted">{t.otherRules}</span>
          {found.rules.map((name) => <Badge key={name}>{t.ruleKinds[name]}</Badge>)}
        </p>
      )}
      <Table
        label={t.compare}
        rows={lines}
        rowKey={(line) => `${line.kind}${line.path}`}
        maxHeight="45vh"
        onOpen={(line) => onOpen(line.path)}
        columns={[
          {
            id: "path",
            header: t.file,
            sort: (line) => line.path,
            cell: (line) => <span className="font-mono text-xs break-all">{line.path}</span>,
          },
          { id: "kind", header: t.how, cell: (line) => <Badge tone={TONES[line.kind]}>{t.kinds[line.kind]}</Badge> },
          { id: "before", header: t.before, from: "sm", align: "right", cell: (line) => <Bytes value={line.before} /> },
          { id: "after", header: t.after, align: "right", cell: (line) => <Bytes value={line.after} /> },
        ]}
        empty={<p className="p-6 text-center text-sm text-muted">{t.noDifference}</p>}
      />
    </div>
  );
}
