import { useSearchParams } from "react-router";
import type { CustomMetric, TopWorkers } from "@/api/generated/api";
import { Chart } from "@/components/chart";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { type Range, rangeOf, RangeSelect, TrafficCharts } from "@/components/traffic-charts";
import { Bytes, Skeleton } from "@/components/values";
import { messages } from "@/features/metrics/messages";
import { useApi } from "@/lib/api/queries";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const ORDERS = ["requests", "errors", "error_rate", "p95_ms", "cpu_ms", "memory_bytes"] as const;
type Order = (typeof ORDERS)[number];
const ALL = "*";

export default function MetricsPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const [search, setSearch] = useSearchParams();
  const range = rangeOf(search.get("range"));
  const order = ORDERS.find((each) => each === search.get("by")) ?? "requests";
  const worker = search.get("worker") ?? ALL;
  const set = (key: string, value: string) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (value === ALL) next.delete(key);
      else next.set(key, value);
      return next;
    }, { replace: true });
  const of = worker === ALL ? {} : { worker };
  const refetchInterval = range === "now-15m" ? 5_000 : 15_000;
  const chart = useApi("GET /api/v1/projects/{project}/metrics", { path: { project }, query: { from: range, ...of } }, {
    refetchInterval,
  });
  const top = useApi("GET /api/v1/projects/{project}/metrics/top", {
    path: { project },
    query: { from: range, by: order, limit: 20 },
  }, { refetchInterval });
  const workers = useApi("GET /api/v1/projects/{project}/workers", {
    path: { project },
    query: { limit: 200, order: "-deployed_at" },
  });
  const names = new Set(workers.data?.items.map((each) => each.name)); // of more, those that were deployed last
  if (worker !== ALL) names.add(worker);
  return (
    <Page
      wide
      title={t.title}
      description={t.description}
      actions={
        <>
          <div className="w-48">
            <Select
              label={t.worker}
              value={worker}
              onChange={(value) => set("worker", value)}
              options={[
                { value: ALL, label: t.allWorkers },
                ...[...names].sort().map((each) => ({ value: each, label: each })),
              ]}
            />
          </div>
          <RangeSelect value={range} onChange={(value) => set("range", value)} />
        </>
      }
    >
      {chart.error && chart.data === undefined
        ? <ErrorNote error={chart.error} onRetry={() => void chart.refetch()} />
        : chart.data === undefined
        ? <Skeleton className="h-96" />
        : <TrafficCharts chart={chart.data} />}
      <Top order={order} onOrder={(by) => set("by", by)} data={top.data} error={top.error} />
      <Custom range={range} of={of} />
    </Page>
  );
}

function Top({ order, onOrder, data, error }: {
  order: Order;
  onOrder: (order: Order) => void;
  data: TopWorkers | undefined;
  error: unknown;
}) {
  const t = useMessages(messages);
  const to = useProjectPath();
  return (
    <Card
      flush
      title={t.top}
      actions={
        <div className="w-40">
          <Select<Order>
            label={t.by}
            value={order}
            onChange={onOrder}
            options={ORDERS.map((each) => ({ value: each, label: t.orders[each] }))}
          />
        </div>
      }
    >
      <Table
        label={t.top}
        rows={data?.items}
        error={error}
        rowKey={(each) => `${each.worker}@${each.environment}`}
        to={(each) => to("workers", each.worker)}
        columns={[
          {
            id: "worker",
            header: t.worker,
            cell: (each) => (
              <span>
                <span className="font-medium">{each.worker}</span>{" "}
                {each.environment !== "production" && <span className="text-muted">@{each.environment}</span>}
              </span>
            ),
          },
          { id: "requests", header: t.requests, align: "right", cell: (each) => formatNumber(each.requests) },
          {
            id: "errors",
            header: t.errorRate,
            align: "right",
            cell: (each) => formatNumber(each.error_rate ?? 0, { style: "percent", maximumFractionDigits: 2 }),
          },
          {
            id: "p95",
            header: "p95",
            align: "right",
            from: "sm",
            cell: (each) => each.p95_ms === null ? "–" : formatMilliseconds(each.p95_ms),
          },
          { id: "cpu", header: t.cpu, align: "right", from: "md", cell: (each) => formatMilliseconds(each.cpu_ms) },
          {
            id: "memory",
            header: t.memory,
            align: "right",
            from: "lg",
            cell: (each) => <Bytes value={each.memory_bytes} />,
          },
        ]}
        empty={<EmptyState title={t.none} command="v8box top" />}
      />
    </Card>
  );
}

function Custom({ range, of }: { range: Range; of: { worker?: string } }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const list = useApi("GET /api/v1/projects/{project}/metrics/custom", { path: { project }, query: of });
  const items = list.data?.items ?? [];
  return (
    <Card title={t.custom}>
      {items.length === 0
        ? <p className="text-sm text-muted">{t.noCustom}</p>
        : (
          <div className="grid gap-5 lg:grid-cols-2">
            {items.slice(0, 12).map((each) => <CustomChart key={each.name} metric={each} range={range} of={of} />)}
          </div>
        )}
    </Card>
  );
}

function CustomChart({ metric, range, of }: { metric: CustomMetric; range: Range; of: { worker?: string } }) {
  const project = useProjectName();
  const chart = useApi("GET /api/v1/projects/{project}/metrics/custom/{name}", {
    path: { project, name: metric.name },
    query: { from: range, ...of },
  }, { refetchInterval: 15_000 });
  const tones = ["accent", "ok", "warn", "bad", "muted"] as const;
  if (chart.data === undefined) return <Skeleton className="h-44" />;
  const times = chart.data.times.map((each) => Date.parse(each) / 1000);
  return (
    <figure className="grid gap-1">
      <figcaption className="font-mono text-xs">{metric.name}</figcaption>
      <Chart
        label={metric.name}
        times={times}
        series={chart.data.items.slice(0, 5).map((each, index) => ({
          label: [each.worker, ...Object.entries(each.labels).map(([key, value]) => `${key}=${value}`)].join(" "),
          tone: tones[index] ?? "muted",
          values: each.kind === "histogram" ? each.p95 ?? each.values : each.values,
        }))}
      />
    </figure>
  );
}
