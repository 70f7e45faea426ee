// What reaches the OpenTelemetry collector, if there is one.
import { Badge } from "@/components/badge";
import { CodeBlock } from "@/components/code-block";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/health/messages";
import { useApi } from "@/lib/api/queries";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

export function Exporter() {
  const t = useMessages(messages);
  const { data, error, refetch } = useApi("GET /api/v1/box/exporter", {}, { refetchInterval: 10_000 });
  if (data?.active) {
    return (
      <Card
        title={t.exporter}
        description={`${t.exporterHint} ${t.ratio(formatNumber(data.trace_ratio, { style: "percent" }))}`}
        flush
      >
        <Table
          label={t.exporter}
          rows={data.signals}
          rowKey={(each) => each.signal}
          columns={[
            { id: "signal", header: t.signal, cell: (each) => t.signals[each.signal] },
            {
              id: "state",
              header: t.state,
              cell: (each) =>
                each.fault === ""
                  ? <Badge tone="ok" dot>{t.exporting}</Badge>
                  : <span className="text-bad">{each.fault}</span>,
            },
            { id: "sent", header: t.sent, align: "right", cell: (each) => formatNumber(each.sent) },
            { id: "dropped", header: t.dropped, align: "right", cell: (each) => formatNumber(each.dropped) },
            {
              id: "waiting",
              header: t.waiting,
              align: "right",
              from: "sm",
              cell: (each) => formatNumber(each.waiting),
            },
          ]}
        />
      </Card>
    );
  }
  return (
    <Card title={t.exporter} description={t.exporterHint}>
      {error
        ? <ErrorNote error={error} onRetry={() => void refetch()} />
        : data === undefined
        ? <Skeleton className="h-12" />
        : (
          <div className="grid gap-2 text-sm text-muted">
            <p>{t.exporterOff}</p>
            <CodeBlock code="OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318" />
          </div>
        )}
    </Card>
  );
}
