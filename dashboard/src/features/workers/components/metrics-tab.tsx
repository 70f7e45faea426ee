// What this worker did over time, as the charts of the whole project show it.
import { useSearchParams } from "react-router";
import type { WorkerInfo } from "@/api/generated/api";
import { ErrorNote } from "@/components/error-note";
import { ButtonLink } from "@/components/button";
import { Select } from "@/components/field";
import { rangeOf, RangeSelect, TrafficCharts } from "@/components/traffic-charts";
import { Skeleton } from "@/components/values";
import { Captures } from "@/features/workers/components/captures";
import { Processes } from "@/features/workers/components/processes";
import { messages } from "@/features/workers/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const EVERY = "*";

export default function MetricsTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const [search, setSearch] = useSearchParams();
  const range = rangeOf(search.get("range"));
  const environment = search.get("environment") ?? EVERY;
  const set = (key: string, value: string) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (value === EVERY) next.delete(key);
      else next.set(key, value);
      return next;
    }, { replace: true });
  const chart = useApi("GET /api/v1/projects/{project}/metrics", {
    path: { project },
    query: { from: range, worker: worker.name, ...(environment !== EVERY && { environment }) },
  }, { refetchInterval: range === "now-15m" ? 5_000 : 15_000 });
  const places = worker.environments.map((each) => each.environment);
  return (
    <div className="grid gap-5">
      <div className="flex flex-wrap items-center gap-2">
        <p className="grow text-sm text-muted">{t.metricsHint}</p>
        {places.length > 1 && (
          <div className="w-44">
            <Select
              label={t.environment}
              value={environment}
              onChange={(value) => set("environment", value)}
              options={[EVERY, ...places].map((each) => ({
                value: each,
                label: each === EVERY ? t.everyEnvironment : each,
              }))}
            />
          </div>
        )}
        <RangeSelect value={range} onChange={(value) => set("range", value)} />
        <ButtonLink size="sm" to={`${to("logs")}?worker=${encodeURIComponent(worker.name)}`}>{t.runsOf}</ButtonLink>
      </div>
      {chart.error && chart.data === undefined
        ? <ErrorNote error={chart.error} onRetry={() => void chart.refetch()} />
        : chart.data === undefined
        ? <Skeleton className="h-96" />
        : <TrafficCharts chart={chart.data} />}
      <Processes worker={worker.name} />
      <Captures
        worker={worker.name}
        environment={environment === EVERY ? places[0] ?? "production" : environment}
      />
    </div>
  );
}
