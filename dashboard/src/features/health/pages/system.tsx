import { Badge, type Tone } from "@/components/badge";
import { messages as checkMessages } from "@/components/check-messages";
import { advisedBy, foundBy } from "@/components/check-phrases";
import { CopyButton } from "@/components/code-block";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { KeyValue, Skeleton } from "@/components/values";
import { Encryption } from "@/features/health/components/encryption";
import { Exporter } from "@/features/health/components/exporter";
import { Operations } from "@/features/health/components/operations";
import { messages } from "@/features/health/messages";
import { useApi } from "@/lib/api/queries";
import { formatMilliseconds } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

const TONES: Record<string, Tone> = { ok: "ok", warn: "warn", fail: "bad" };

export default function SystemPage() {
  const t = useMessages(messages);
  const { names } = useMessages(checkMessages);
  const can = useCan();
  const checks = useApi("GET /api/v1/box/health", {}, { refetchInterval: 10_000 });
  const box = useApi("GET /api/v1/box", {});
  return (
    <Page title={t.title} description={t.description}>
      <Card title={t.checks} description={t.checksHint} flush>
        <Table
          label={t.checks}
          rows={checks.data?.checks}
          error={checks.error}
          onRetry={() => void checks.refetch()}
          rowKey={(check) => check.name}
          columns={[
            {
              id: "name",
              header: t.check,
              cell: (check) => (
                <span>
                  <span className="font-medium">{names[check.name] ?? check.name}</span>
                  {names[check.name]?.toLowerCase() !== check.name && (
                    <span className="ml-2 font-mono text-xs text-muted max-sm:hidden">{check.name}</span>
                  )}
                </span>
              ),
              sort: (check) => names[check.name] ?? check.name,
            },
            {
              id: "state",
              header: t.state,
              sort: (check) => ["fail", "warn", "ok"].indexOf(check.status),
              cell: (check) => <Badge tone={TONES[check.status] ?? "neutral"} dot>{t.states[check.status]}</Badge>,
            },
            {
              id: "found",
              header: t.found,
              cell: (check) => (
                <span>
                  {foundBy(check)}
                  {check.latency_ms > 0 && (
                    <span className="ml-2 text-xs whitespace-nowrap text-muted max-sm:hidden">
                      {formatMilliseconds(check.latency_ms)}
                    </span>
                  )}
                  {check.advice && check.status !== "ok" && (
                    <span className="block text-xs text-muted">{advisedBy(check)}</span>
                  )}
                </span>
              ),
            },
          ]}
        />
      </Card>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card title={t.addresses}>
          {box.data === undefined ? <Skeleton className="h-24" /> : (
            <KeyValue
              items={[
                [t.version, box.data.version],
                [t.domain, box.data.domain],
                ...(["run", "db", "s3"] as const).map((name) =>
                  [
                    t[name],
                    <span key={name} className="flex items-center gap-1">
                      <span className="truncate font-mono text-xs">{box.data.urls[name]}</span>
                      <CopyButton text={box.data.urls[name] ?? ""} />
                    </span>,
                  ] as const
                ),
              ]}
            />
          )}
        </Card>
        {can("admin", "*") && <Encryption />}
      </div>
      <Exporter />
      <Operations />
    </Page>
  );
}
