// Long work: what goes on, with its progress and a way to stop it, and how the last ones ended.
import { ListChecks } from "lucide-react";
import type { OperationInfo } from "@/api/generated/api";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Progress } from "@/components/progress";
import { RelativeTime, Skeleton } from "@/components/values";
import { messages as workMessages } from "@/components/work-messages";
import { messages } from "@/features/inbox/messages";
import { failure } from "@/lib/api/operations";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const TONES: Record<string, Tone> = { running: "accent", succeeded: "ok", failed: "bad", cancelled: "warn" };

export function LongWork() {
  const t = useMessages(messages);
  const operations = useApi("GET /api/v1/operations", { query: { limit: 25 } }, { refetchInterval: 2_000 });
  if (operations.error) return <ErrorNote error={operations.error} onRetry={() => void operations.refetch()} />;
  if (operations.data === undefined) return <Skeleton className="h-40" />;
  const { items } = operations.data;
  if (items.length === 0) return <EmptyState icon={ListChecks} title={t.noWork}>{t.noWorkHint}</EmptyState>;
  const running = items.filter(({ state }) => state === "running");
  const ended = items.filter(({ state }) => state !== "running");
  return (
    <div className="grid gap-4">
      {running.length > 0 && <Part title={t.running} operations={running} />}
      {ended.length > 0 && <Part title={t.recent} operations={ended} />}
    </div>
  );
}

function Part({ title, operations }: { title: string; operations: readonly OperationInfo[] }) {
  return (
    <section>
      <h3 className="pb-1.5 text-xs font-medium text-muted">{title}</h3>
      <ul className="-mx-4 border-t">
        {operations.map((each) => (
          <li key={each.id} className="border-b px-4 py-2.5">
            <Line operation={each} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Line({ operation }: { operation: OperationInfo }) {
  const t = useMessages(messages);
  const { works } = useMessages(workMessages);
  const stop = useChange("DELETE /api/v1/operations/{operation_id}", {
    invalidates: ["GET /api/v1/operations", "GET /api/v1/inbox"],
  });
  const { step, done, total } = operation.progress;
  const name = works[operation.kind] ?? operation.kind;
  const running = operation.state === "running";
  return (
    <div className="grid gap-1 text-sm">
      <div className="flex items-center justify-between gap-3">
        <span className="min-w-0 font-medium">{name}</span>
        {running
          ? (
            <Button
              size="sm"
              busy={stop.isPending}
              aria-label={`${t.cancel}: ${name}`}
              onClick={() => stop.mutate({ path: { operation_id: operation.id } })}
            >
              {t.cancel}
            </Button>
          )
          : <Badge tone={TONES[operation.state] ?? "neutral"} dot>{t.states[operation.state]}</Badge>}
      </div>
      {running && (
        <>
          <Progress label={name} value={total ? (done ?? 0) / total : undefined} />
          {step && <span className="text-xs text-muted">{step}{total ? ` · ${done ?? 0}/${total}` : ""}</span>}
        </>
      )}
      {operation.state === "failed" && (
        <span className="break-words text-xs text-bad">{failure(operation)?.message}</span>
      )}
      {stop.error && <span className="text-xs text-bad" role="alert">{stop.error.message}</span>}
      <span className="text-xs text-muted">
        {operation.project ?? t.ofBox} · <RelativeTime time={operation.started_at} /> ·{" "}
        {t.startedBy(operation.started_by.name)}
      </span>
    </div>
  );
}
