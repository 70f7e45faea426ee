import { type ReactNode, useMemo } from "react";
import { useNavigate, useSearchParams } from "react-router";
import type { Chart as ChartData, CustomMetric, TopWorkers } from "@/api/generated/api";
import { Chart } from "@/components/chart";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { Bytes, Skeleton } from "@/components/values";
import { messages } from "@/features/metrics/messages";
import { useApi, useApiList } from "@/lib/api/queries";
import { formatBytes, formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const RANGES = ["now-15m", "now-1h", "now-6h", "now-24h", "now-7d", "now-30d"] as const;
const ORDERS = ["requests", "errors", "error_rate", "p95_ms", "cpu_ms", "memory_bytes"] as const;
type Range = (typeof RANGES)[number];
type Order = (typeof ORDERS)[number];
const ALL = "*";

export default function MetricsPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const [search, setSearch] = useSearchParams();
  const range = RANGES.find((each) => each === search.get("range")) ?? "now-1h";
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
  const workers = useApiList("GET /api/v1/projects/{project}/workers", { path: { project }, query: { limit: 200 } });
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
                ...(workers.items ?? []).map((each) => ({ value: each.name, label: each.name })),
              ]}
            />
          </div>
          <div className="w-36">
            <Select<Range>
              label={t.range}
              value={range}
              onChange={(value) => set("range", value)}
              options={RANGES.map((each) => ({ value: each, label: t.ranges[each] }))}
            />
          </div>
        </>
      }
    >
      {chart.error && chart.data === undefined
        ? <ErrorNote error={chart.error} onRetry={() => void chart.refetch()} />
        : chart.data === undefined
        ? <Skeleton className="h-96" />
        : <Charts chart={chart.data} />}
      <Top order={order} onOrder={(by) => set("by", by)} data={top.data} error={top.error} />
      <Custom range={range} of={of} />
    </Page>
  );
}

function Charts({ chart }: { chart: ChartData }) {
  const t = useMessages(messages);
  const navigate = useNavigate();
  const to = useProjectPath();
  const times = useMemo(() => chart.times.map((each) => Date.parse(each) / 1000), [chart.times]);
  const markers = useMemo(
    () =>
      chart.markers.map((each) => ({ time: Date.parse(each.at) / 1000, label: t.deploy(each.worker, each.change) })),
    [chart.markers, t],
  );
  const step = Math.max(1, chart.step_seconds);
  const rate = (values: readonly number[]) => values.map((each) => each / step);
  const { series, totals } = chart;
  // A click on a moment shows its runs.
  const onPick = (time: number) => {
    const from = new Date((time - step) * 1000).toISOString();
    const until = new Date((time + step) * 1000).toISOString();
    const worker = chart.worker === null ? "" : `&worker=${encodeURIComponent(chart.worker)}`;
    void navigate(`${to("logs")}?from=${encodeURIComponent(from)}&to=${encodeURIComponent(until)}${worker}`);
  };
  const shared = { times, markers, onPick };
  const numbers = totals as unknown as Record<string, number | null>;
  const bindings = Object.entries(series.bindings).slice(0, 5);
  const tones = ["accent", "ok", "warn", "bad", "muted"] as const;
  return (
    <>
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        <Figure name={t.requests} value={formatNumber(numbers.requests ?? 0)} />
        <Figure
          name={t.errorRate}
          value={formatNumber(numbers.error_rate ?? 0, { style: "percent", maximumFractionDigits: 2 })}
        />
        <Figure name="p95" value={numbers.p95_ms == null ? "–" : formatMilliseconds(numbers.p95_ms)} />
        <Figure name={t.cpu} value={formatMilliseconds(numbers.cpu_ms ?? 0)} />
      </dl>
      <div className="grid gap-5 lg:grid-cols-2">
        <Card title={t.perSecond}>
          <Chart
            {...shared}
            label={t.perSecond}
            series={[
              { label: t.requests, tone: "accent", values: rate(series.requests), fill: true },
              { label: t.errors, tone: "bad", values: rate(series.errors), fill: true },
            ]}
          />
        </Card>
        <Card title={t.latency}>
          <Chart
            {...shared}
            label={t.latency}
            format={formatMilliseconds}
            series={[
              { label: "p50", tone: "ok", values: series.p50_ms },
              { label: "p95", tone: "accent", values: series.p95_ms },
              { label: "p99", tone: "warn", values: series.p99_ms },
            ]}
          />
        </Card>
        <Card title={t.cpuPerSecond}>
          <Chart
            {...shared}
            label={t.cpuPerSecond}
            series={[{
              label: t.cpu,
              tone: "accent",
              values: rate(series.cpu_ms).map((each) => each / 1000),
              fill: true,
            }]}
          />
        </Card>
        <Card title={t.memory}>
          <Chart
            {...shared}
            label={t.memory}
            format={formatBytes}
            series={[{ label: t.memory, tone: "accent", values: series.memory_bytes, fill: true }]}
          />
        </Card>
        <Card title={t.cold}>
          <Chart
            {...shared}
            label={t.cold}
            series={[
              { label: t.cold, tone: "accent", values: series.cold_starts },
              { label: t.terminations, tone: "bad", values: series.terminations },
            ]}
          />
        </Card>
        <Card title={t.bindings}>
          <Chart
            {...shared}
            label={t.bindings}
            format={formatMilliseconds}
            series={bindings.map(([name, each], index) => ({
              label: name,
              tone: tones[index] ?? "muted",
              values: rate(each.ms),
            }))}
          />
        </Card>
      </div>
    </>
  );
}

function Figure({ name, value }: { name: string; value: ReactNode }) {
  return (
    <div className="rounded-lg border bg-surface px-4 py-3 shadow-low">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="tabular text-xl font-semibold">{value}</dd>
    </div>
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
