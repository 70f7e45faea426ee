// The workers that are called most, or that take longest.
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import type { Period } from "@/features/overview/components/traffic";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

export function TopWorkers({ by, period }: { by: "requests" | "p95_ms"; period: Period }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const top = useApi("GET /api/v1/projects/{project}/metrics/top", {
    path: { project },
    query: { from: `now-${period}`, by, limit: 5 },
  }, { refetchInterval: 15_000 });
  const title = by === "requests" ? t.top : t.slow;
  return (
    <Card title={title} flush>
      <Table
        label={title}
        rows={top.data?.items}
        error={top.error}
        onRetry={() => void top.refetch()}
        rowKey={(each) => `${each.worker}@${each.environment}`}
        to={(each) => to("workers", each.worker)}
        columns={[
          {
            id: "worker",
            header: t.worker,
            cell: (each) => each.environment === "production" ? each.worker : `${each.worker} @${each.environment}`,
          },
          { id: "requests", header: t.requests, align: "right", cell: (each) => formatNumber(each.requests) },
          {
            id: "errors",
            header: t.errors,
            align: "right",
            cell: (each) => (
              <span className={each.errors > 0 ? "text-bad" : "text-muted"}>{formatNumber(each.errors)}</span>
            ),
          },
          {
            id: "p95",
            header: t.p95,
            align: "right",
            cell: (each) => (each.p95_ms === null ? "–" : formatMilliseconds(each.p95_ms)),
          },
        ]}
        empty={<p className="p-8 text-center text-sm text-muted">{t.noTraffic}</p>}
      />
    </Card>
  );
}
