// What workers did, over time: requests, errors, speed, processor, memory, cold starts. Deploys are lines; a click on a
// moment shows its runs.
import { type ReactNode, useMemo } from "react";
import { useNavigate } from "react-router";
import type { Chart as ChartData } from "@/api/generated/api";
import { Chart } from "@/components/chart";
import { Select } from "@/components/field";
import { Card } from "@/components/layout";
import { messages } from "@/components/traffic-messages";
import { formatBytes, formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

export const RANGES = ["now-15m", "now-1h", "now-6h", "now-24h", "now-7d", "now-30d"] as const;
export type Range = (typeof RANGES)[number];

export function rangeOf(text: string | null | undefined): Range {
  return RANGES.find((each) => each === text) ?? "now-1h";
}

export function RangeSelect({ value, onChange }: { value: Range; onChange: (value: Range) => void }) {
  const t = useMessages(messages);
  return (
    <div className="w-36">
      <Select<Range>
        label={t.range}
        value={value}
        onChange={onChange}
        options={RANGES.map((each) => ({ value: each, label: t.ranges[each] }))}
      />
    </div>
  );
}

export function TrafficCharts({ chart }: { chart: ChartData }) {
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
    const of = { worker: chart.worker, environment: chart.environment };
    const where = Object.entries(of).flatMap(([name, value]) => value === null ? [] : [[name, value]]);
    void navigate(`${to("logs")}?${new URLSearchParams([["from", from], ["to", until], ...where])}`);
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
