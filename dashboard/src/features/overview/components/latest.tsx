// What was deployed last; and, for admins, what else has changed.
import { Rocket } from "lucide-react";
import { Link } from "react-router";
import { Action } from "@/components/action";
import { Badge } from "@/components/badge";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table, TableSkeleton } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

export function LatestDeployments() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const workers = useApi("GET /api/v1/projects/{project}/workers", {
    path: { project },
    query: { order: "-deployed_at", limit: 6 },
  }, { refetchInterval: 15_000 });
  const latest = workers.data?.items.filter((worker) => worker.deployed_at !== null);
  return (
    <Card title={t.deployments} flush>
      <Table
        label={t.deployments}
        rows={latest}
        error={workers.error}
        onRetry={() => void workers.refetch()}
        rowKey={(worker) => worker.name}
        to={(worker) => to("workers", worker.name)}
        columns={[
          { id: "worker", header: t.worker, cell: (worker) => worker.name },
          {
            id: "version",
            header: t.newest,
            cell: (worker) => worker.newest && <Badge>v{worker.newest.number}</Badge>,
          },
          {
            id: "at",
            header: t.deployments,
            hideHeader: true,
            align: "right",
            cell: (worker) => (
              <span className="text-muted">
                <RelativeTime time={worker.deployed_at} />
              </span>
            ),
          },
        ]}
        empty={<EmptyState icon={Rocket} title={t.noWorkers} command="v8box init hello">{t.noWorkersHint}</EmptyState>}
      />
    </Card>
  );
}

export function Activity() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const audit = useApi("GET /api/v1/audit", { query: { project, limit: 8 } }, { refetchInterval: 15_000 });
  return (
    <Card
      title={t.activity}
      actions={<Link to={to("audit")} className="rounded-sm text-sm text-accent hover:underline">{t.all}</Link>}
      flush
    >
      {audit.data === undefined
        ? <TableSkeleton />
        : audit.data.items.length === 0
        ? <p className="p-8 text-center text-sm text-muted">{t.noActivity}</p>
        : (
          <ul>
            {audit.data.items.map((entry) => (
              <li
                key={entry.number}
                className="flex items-baseline justify-between gap-4 border-b px-4 py-2 text-sm last:border-b-0"
              >
                <span className="min-w-0 truncate">
                  <span className="font-medium">{entry.actor.name}</span> <Action action={entry.action} />{" "}
                  <span className="font-mono text-xs text-muted">{entry.resource}</span>
                </span>
                <span className="shrink-0 text-xs text-muted">
                  <RelativeTime time={entry.at} />
                </span>
              </li>
            ))}
          </ul>
        )}
    </Card>
  );
}
