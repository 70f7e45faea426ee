// What a project has and has used today, against its quotas; admins of the box change those.
import { useState } from "react";
import type { QuotaChanges, UsageInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { Sparkline } from "@/components/sparkline";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/projects/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { formatNumber, formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const QUOTAS = [
  "workers",
  "sites",
  "databases",
  "buckets",
  "variables",
  "storage_mb",
  "requests_per_day",
  "cpu_seconds_per_day",
] as const;

export function Usage({ project }: { project: string }) {
  const t = useMessages(messages);
  const usage = useApi("GET /api/v1/projects/{project}/usage", { path: { project }, query: { days: 30 } });
  const [editing, setEditing] = useState(false);
  const time = usage.data && formatTime(usage.data.resets_at, { timeStyle: "short" });
  return (
    <Card
      title={t.usage}
      {...(time ? { description: t.usageHint(time) } : {})}
      actions={
        <Button
          size="sm"
          needs={{ role: "admin", project: "*" }}
          disabled={usage.data === undefined}
          onClick={() => setEditing(true)}
        >
          {t.edit}
        </Button>
      }
    >
      {usage.error
        ? <ErrorNote error={usage.error} onRetry={() => void usage.refetch()} />
        : usage.data === undefined
        ? <Skeleton className="h-40" />
        : (
          <div className="grid gap-x-10 gap-y-4 sm:grid-cols-2">
            {QUOTAS.map((quota) => <Line key={quota} quota={quota} usage={usage.data} />)}
          </div>
        )}
      {(usage.data?.days.length ?? 0) > 1 && (
        <div className="mt-5 flex items-center gap-3 border-t pt-4 text-xs text-muted">
          {t.requests}
          <Sparkline label={t.requests} values={usage.data?.days.map((day) => day.requests) ?? []} width={240} />
        </div>
      )}
      {usage.data && editing && <EditQuotas usage={usage.data} onClose={() => setEditing(false)} />}
    </Card>
  );
}

function Line({ quota, usage }: { quota: (typeof QUOTAS)[number]; usage: UsageInfo }) {
  const t = useMessages(messages);
  const { used, limit } = usage[quota];
  const share = limit ? used / limit : 0;
  return (
    <div className="grid content-start gap-1.5">
      <div className="flex justify-between gap-3 text-sm">
        <span>{t.quotas[quota]}</span>
        <span className="tabular text-muted">
          <span className="text-text">{formatNumber(used, { maximumFractionDigits: 1 })}</span> /{" "}
          {limit === null ? t.noLimit : formatNumber(limit)}
        </span>
      </div>
      {limit !== null && (
        <Progress label={t.quotas[quota]} value={share} tone={share >= 1 ? "bad" : share >= 0.8 ? "warn" : "accent"} />
      )}
    </div>
  );
}

function EditQuotas({ usage, onClose }: { usage: UsageInfo; onClose: () => void }) {
  const t = useMessages(messages);
  const [draft, setDraft] = useState(() =>
    new Map(QUOTAS.map((quota) => [quota, usage[quota].limit?.toString() ?? ""]))
  );
  const change = useChange("PATCH /api/v1/projects/{project}", { invalidates: ["GET /api/v1/projects"] });
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.edit}
      description={t.editHint}
      submit={t.save}
      onSubmit={async () => {
        const quotas: QuotaChanges = {};
        for (const quota of QUOTAS) {
          const typed = draft.get(quota)?.trim() ?? "";
          const wanted = typed === "" ? null : Number(typed);
          if (wanted !== usage[quota].limit) quotas[quota] = wanted; // what is left alone follows the settings
        }
        await change.mutateAsync({ path: { project: usage.project }, body: { quotas } });
        toast.done(t.saved);
        onClose();
      }}
    >
      <div className="grid grid-cols-2 gap-4">
        {QUOTAS.map((quota) => (
          <Field key={quota} label={t.quotas[quota]} error={change.error?.field(`quotas.${quota}`)}>
            <Input
              type="number"
              min={0}
              placeholder={t.unlimited}
              value={draft.get(quota) ?? ""}
              onChange={(event) =>
                setDraft((before) =>
                  new Map(before).set(quota, event.target.value)
                )}
            />
          </Field>
        ))}
      </div>
    </FormDialog>
  );
}
