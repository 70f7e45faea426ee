// A worker's processes: what each keeps in memory, and whether it leaks.
import type { ProcessInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { messages } from "@/features/workers/inspect-messages";
import { useApiList } from "@/lib/api/queries";
import { formatBytes, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

export function Processes({ worker }: { worker: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const list = useApiList("GET /api/v1/projects/{project}/workers/{worker}/memory", { path: { project, worker } }, {
    refetchInterval: 5_000,
  });
  return (
    <Card flush title={t.processes} description={t.processesHint}>
      <Table<ProcessInfo>
        label={t.processes}
        rows={list.items}
        error={list.error}
        onRetry={() => void list.refetch()}
        more={list}
        rowKey={(each) => `${each.environment} ${each.version} ${each.age_seconds} ${each.runs}`}
        columns={[
          {
            id: "environment",
            header: t.environment,
            cell: (each) => (
              <span className="grid gap-0.5 py-1">
                <span className="flex items-center gap-1.5">
                  {each.environment}
                  {each.finding !== null && <Badge tone="bad">{t.leaks}</Badge>}
                </span>
                {each.finding !== null && (
                  <span lang="en" className="text-xs text-bad">{each.finding.replaceAll("`", "")}</span>
                )}
              </span>
            ),
          },
          { id: "state", header: t.state, from: "sm", cell: (each) => each.state },
          { id: "runs", header: t.runs, align: "right", cell: (each) => formatNumber(each.runs) },
          {
            id: "memory",
            header: t.memory,
            align: "right",
            cell: (each) => (
              <span className="grid">
                <span>{formatBytes(each.memory_bytes)} / {formatBytes(each.limit_bytes)}</span>
                <span className="text-xs text-muted">{t.most} {formatBytes(each.peak_bytes)}</span>
              </span>
            ),
          },
        ]}
        empty={<EmptyState title={t.asleep} command={`v8box memory ${worker}`} />}
      />
    </Card>
  );
}
