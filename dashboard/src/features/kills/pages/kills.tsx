import { Gauge } from "lucide-react";
import { Link } from "react-router";
import type { SlowInfo, StopReason } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { EmptyState } from "@/components/empty-state";
import { Field, Input, Select } from "@/components/field";
import { repeatedSaid } from "@/components/finding-phrases";
import { whyKilled } from "@/components/kill-phrases";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { usedOf } from "@/features/kills/lib/used";
import { messages } from "@/features/kills/messages";
import { useApiList } from "@/lib/api/queries";
import { useFilters } from "@/lib/filters";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const ANY = "*";
/** Those that reports are written for. */
const REASONS: readonly StopReason[] = [
  "cpu",
  "memory",
  "wall",
  "log_bytes",
  "response_bytes",
  "subrequests",
  "startup",
  "crash",
  "exit",
  "protocol",
];

export default function KillsPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const [filters, set] = useFilters(["worker", "reason"]);
  const worker = filters.worker || null;
  const kills = useApiList("GET /api/v1/projects/{project}/kills", {
    path: { project },
    query: { worker, reason: REASONS.find((each) => each === filters.reason) ?? null },
  }, { refetchInterval: 5_000 });
  const slow = useApiList("GET /api/v1/projects/{project}/slow", { path: { project }, query: { worker } }, {
    refetchInterval: 15_000,
  });
  return (
    <Page
      title={t.title}
      description={t.description}
      wide
      actions={
        <Field label={t.worker} hideLabel className="w-44">
          <Input
            placeholder={t.worker}
            value={filters.worker ?? ""}
            onChange={(event) => set({ worker: event.target.value })}
          />
        </Field>
      }
    >
      <Card
        flush
        title={t.kills}
        actions={
          <div className="w-40">
            <Select
              label={t.reason}
              value={filters.reason || ANY}
              onChange={(reason) => set({ reason: reason === ANY ? "" : reason })}
              options={[
                { value: ANY, label: t.anyReason },
                ...REASONS.map((each) => ({ value: each, label: each })),
              ]}
            />
          </div>
        }
      >
        <Table
          label={t.kills}
          rows={kills.items}
          error={kills.error}
          onRetry={() => void kills.refetch()}
          more={kills}
          rowKey={(each) => each.id}
          to={(each) => to("kills", each.id)}
          columns={[
            {
              id: "worker",
              header: t.worker,
              cell: (each) => (
                <span>
                  <span className="font-medium">{each.worker}</span>
                  {each.environment !== "production" && <span className="text-muted">@{each.environment}</span>}
                </span>
              ),
            },
            { id: "reason", header: t.reason, cell: (each) => <Badge tone="bad">{each.reason}</Badge> },
            {
              id: "detail",
              header: t.detail,
              from: "lg",
              cell: (each) => <span className="line-clamp-2 text-muted">{whyKilled(each)}</span>,
            },
            {
              id: "used",
              header: t.used,
              from: "md",
              cell: (each) => <span className="whitespace-nowrap">{usedOf(each)}</span>,
            },
            { id: "count", header: t.count, align: "right", from: "sm", cell: (each) => formatNumber(each.count) },
            { id: "when", header: t.when, align: "right", cell: (each) => <RelativeTime time={each.at} /> },
          ]}
          empty={<EmptyState icon={Gauge} title={t.noKills} command="v8box kills">{t.noKillsHint}</EmptyState>}
        />
      </Card>
      <Card flush title={t.slow}>
        <Table
          label={t.slow}
          rows={slow.items}
          error={slow.error}
          more={slow}
          rowKey={(each) => `${each.worker}@${each.environment} ${each.method} ${each.pattern}`}
          columns={[
            {
              id: "address",
              header: t.address,
              cell: (each) => (
                <span className="grid gap-1 py-1">
                  <span>
                    <span className="font-medium">{each.worker}</span>{" "}
                    <span className="font-mono text-xs">{each.method} {each.pattern}</span>
                  </span>
                  {each.repeated.map((one, index) => (
                    <span key={index} className="flex flex-wrap items-center gap-1.5 text-xs text-muted">
                      <Badge tone="warn">{t.repeated}</Badge>
                      {repeatedSaid({
                        ...one,
                        count: Math.round(one.calls / one.runs),
                        duration_ms: one.duration_ms / one.runs,
                      })}
                    </span>
                  ))}
                </span>
              ),
            },
            { id: "split", header: t.split, from: "md", cell: (each) => <Split info={each} /> },
            { id: "runs", header: t.runs, align: "right", from: "sm", cell: (each) => formatNumber(each.slow) },
            { id: "p95", header: t.p95, align: "right", from: "sm", cell: (each) => formatMilliseconds(each.p95_ms) },
            {
              id: "worst",
              header: t.worst,
              align: "right",
              cell: (each) => (
                <Link className="text-accent hover:underline" to={to("runs", each.worst.id)}>
                  {formatMilliseconds(each.worst.duration_ms)}
                </Link>
              ),
            },
          ]}
          empty={<EmptyState title={t.noSlow} command="v8box slow">{t.noSlowHint}</EmptyState>}
        />
      </Card>
    </Page>
  );
}

function Split({ info }: { info: SlowInfo }) {
  const t = useMessages(messages);
  const parts = Object.entries(info.split).filter(([, ms]) => ms > 0).sort(([, a], [, b]) => b - a).slice(0, 4);
  const whole = parts.reduce((sum, [, ms]) => sum + ms, 0) || 1;
  return (
    <span className="text-xs text-muted">
      {parts.map(([name, ms]) => `${t.parts[name] ?? name} ${formatNumber(ms / whole, { style: "percent" })}`).join(
        " · ",
      ) || "–"}
    </span>
  );
}
