// Long work of all projects, the newest first; what runs can be stopped.
import { ListChecks } from "lucide-react";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { messages as workMessages } from "@/components/work-messages";
import { messages } from "@/features/health/messages";
import { failure } from "@/lib/api/operations";
import { useApiList, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const TONES: Record<string, Tone> = { running: "accent", succeeded: "ok", failed: "bad", cancelled: "warn" };

export function Operations() {
  const t = useMessages(messages);
  const { works } = useMessages(workMessages);
  const operations = useApiList("GET /api/v1/operations", { query: { limit: 25 } }, { refetchInterval: 3_000 });
  const stop = useChange("DELETE /api/v1/operations/{operation_id}", { invalidates: ["GET /api/v1/operations"] });
  return (
    <Card title={t.operations} description={t.operationsHint} flush>
      <Table
        label={t.operations}
        rows={operations.items}
        error={operations.error}
        onRetry={() => void operations.refetch()}
        more={operations}
        rowKey={(each) => each.id}
        columns={[
          {
            id: "kind",
            header: t.kind,
            cell: (each) => works[each.kind] ?? <span className="font-mono text-xs">{each.kind}</span>,
          },
          { id: "project", header: t.project, from: "md", cell: (each) => each.project ?? "–" },
          {
            id: "state",
            header: t.state,
            cell: (each) => (
              <div className="grid max-w-64 gap-1">
                <span>
                  <Badge tone={TONES[each.state] ?? "neutral"} dot>{t.running[each.state]}</Badge>
                </span>
                {each.state === "running" && (
                  <>
                    <span className="text-xs text-muted">{each.progress.step}</span>
                    <Progress
                      label={works[each.kind] ?? each.kind}
                      value={each.progress.total ? (each.progress.done ?? 0) / each.progress.total : undefined}
                    />
                  </>
                )}
                {each.state === "failed" && <span className="text-xs text-bad">{failure(each)?.message}</span>}
              </div>
            ),
          },
          { id: "by", header: t.by, from: "md", cell: (each) => each.started_by.name },
          { id: "started", header: t.started, from: "sm", cell: (each) => <RelativeTime time={each.started_at} /> },
          {
            id: "stop",
            header: t.stop,
            hideHeader: true,
            align: "right",
            cell: (each) =>
              each.state === "running" && (
                <Button
                  size="sm"
                  busy={stop.isPending}
                  onClick={() => stop.mutate({ path: { operation_id: each.id } }, { onError: toast.failed })}
                >
                  {t.stop}
                </Button>
              ),
          },
        ]}
        empty={<EmptyState icon={ListChecks} title={t.none}>{t.noneHint}</EmptyState>}
      />
    </Card>
  );
}
