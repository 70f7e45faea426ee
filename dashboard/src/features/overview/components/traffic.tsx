// Requests and errors of the project over time, and what they come to.
import { useMemo } from "react";
import type { Totals } from "@/api/generated/api";
import { Chart } from "@/components/chart";
import { ErrorNote } from "@/components/error-note";
import { Select } from "@/components/field";
import { Card } from "@/components/layout";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/overview/messages";
import { useApi } from "@/lib/api/queries";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

export const PERIODS = ["1h", "24h", "7d", "30d"] as const;
export type Period = (typeof PERIODS)[number];

export function Traffic({ period, onPeriod }: { period: Period; onPeriod: (period: Period) => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const metrics = useApi("GET /api/v1/projects/{project}/metrics", {
    path: { project },
    query: { from: `now-${period}` },
  }, {
    refetchInterval: 15_000,
  });
  const { data } = metrics;
  const times = useMemo(() => data?.times.map((time) => Date.parse(time) / 1000) ?? [], [data]);
  const series = useMemo(() => [
    { label: t.requests, tone: "accent" as const, values: data?.series.requests ?? [], fill: true },
    { label: t.errors, tone: "bad" as const, values: data?.series.errors ?? [], fill: true },
  ], [data, t]);
  const markers = useMemo(
    () => data?.markers.map((each) => ({ time: Date.parse(each.at) / 1000, label: each.worker })) ?? [],
    [data],
  );
  return (
    <Card
      title={t.traffic}
      actions={
        <Select
          label={t.period}
          value={period}
          onChange={onPeriod}
          className="w-40"
          options={PERIODS.map((value) => ({ value, label: t.periods[value] }))}
        />
      }
    >
      {metrics.error && data === undefined
        ? <ErrorNote error={metrics.error} onRetry={() => void metrics.refetch()} />
        : data === undefined
        ? <Skeleton className="h-60" />
        : (
          <>
            <Figures totals={data.totals} />
            {data.totals.requests === 0
              ? (
                <div className="grid h-40 place-content-center gap-1 text-center text-sm">
                  <p className="font-medium">{t.noTraffic}</p>
                  <p className="text-muted">{t.noTrafficHint}</p>
                </div>
              )
              : <Chart label={t.traffic} times={times} series={series} markers={markers} height={200} />}
          </>
        )}
    </Card>
  );
}

function Figures({ totals }: { totals: Totals }) {
  const t = useMessages(messages);
  const ms = (value: number | null) => (value === null ? "–" : formatMilliseconds(value));
  const figures: [string, string][] = [
    [t.requests, formatNumber(totals.requests)],
    [
      t.errorRate,
      totals.error_rate === null
        ? "–"
        : formatNumber(totals.error_rate, { style: "percent", maximumFractionDigits: 1 }),
    ],
    [t.median, ms(totals.p50_ms)],
    [t.slowest, ms(totals.p95_ms)],
    [t.cold, formatNumber(totals.cold_starts)],
    [t.cpu, ms(totals.cpu_ms)],
  ];
  return (
    <dl className="mb-4 grid grid-cols-3 gap-x-6 gap-y-3 lg:grid-cols-6">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="text-lg font-semibold tabular">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
