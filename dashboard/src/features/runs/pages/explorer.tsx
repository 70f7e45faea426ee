import { Download, ScrollText, X } from "lucide-react";
import { useDeferredValue } from "react";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Field, Input, SearchInput, Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { RelativeTime, Skeleton } from "@/components/values";
import { Line } from "@/features/runs/components/line";
import { Live } from "@/features/runs/components/live";
import { RunStatus } from "@/features/runs/components/status";
import {
  type Filters,
  isTrace,
  type Level,
  LEVELS,
  sinceOf,
  type Span,
  SPANS,
  useFilters,
} from "@/features/runs/lib/filters";
import { messages } from "@/features/runs/messages";
import { apiUrl } from "@/lib/api/client";
import { useApiList } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatMilliseconds, formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const STATUSES = ["any", "failed", "2xx", "3xx", "4xx", "5xx"] as const;

export default function ExplorerPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const [filters, set] = useFilters();
  const asked = useDeferredValue(filters);
  return (
    <Page
      title={t.title}
      description={t.description}
      wide
      actions={
        <Button icon={Download} onClick={() => globalThis.open(exportUrl(project, filters), "_self")}>
          {t.export}
        </Button>
      }
    >
      <Card flush>
        <div role="tablist" aria-label={t.tabs.label} className="flex gap-1 border-b px-2">
          {(["runs", "lines", "live"] as const).map((show) => (
            <button
              key={show}
              type="button"
              role="tab"
              aria-selected={filters.show === show}
              className={classes(
                "-mb-px border-b-2 px-3 py-2 text-sm font-medium",
                filters.show === show ? "border-accent" : "border-transparent text-muted hover:text-text",
              )}
              onClick={() => set({ show })}
            >
              {t.tabs[show]}
            </button>
          ))}
        </div>
        <Bar filters={filters} set={set} />
        {asked.show === "runs" && <Runs filters={asked} />}
        {asked.show === "lines" && <Lines filters={asked} />}
        {asked.show === "live" && <Live filters={asked} />}
      </Card>
    </Page>
  );
}

function Bar({ filters, set }: { filters: Filters; set: (part: Partial<Filters>) => void }) {
  const t = useMessages(messages);
  return (
    <div className="flex flex-wrap items-end gap-2 border-b px-4 py-3 max-sm:grid max-sm:grid-cols-2 max-sm:*:w-full">
      <SearchInput
        label={filters.show === "runs" ? t.findRuns : t.findLines}
        className="min-w-72 flex-1 max-sm:col-span-2 max-sm:min-w-0"
        value={filters.text}
        onChange={(event) => set({ text: event.target.value })}
      />
      <Field label={t.worker} hideLabel className="w-32">
        <Input
          placeholder={t.worker}
          value={filters.worker}
          onChange={(event) => set({ worker: event.target.value })}
        />
      </Field>
      <Field label={t.environment} hideLabel className="w-32">
        <Input
          placeholder={t.environment}
          value={filters.environment}
          onChange={(event) => set({ environment: event.target.value })}
        />
      </Field>
      {filters.show !== "live" && filters.from !== "" && (
        <Button
          icon={X}
          className="max-sm:col-span-2"
          aria-label={`${t.anyTime}: ${stretchOf(filters)}`}
          onClick={() => set({ from: "", to: "" })}
        >
          {stretchOf(filters)}
        </Button>
      )}
      {filters.show !== "live" && filters.from === "" && (
        <div className="w-40">
          <Select<Span>
            label={t.since}
            value={filters.span}
            onChange={(span) => set({ span, from: "", to: "" })}
            options={(Object.keys(SPANS) as Span[]).map((each) => ({ value: each, label: t.spans[each] }))}
          />
        </div>
      )}
      {filters.show === "runs"
        ? (
          <>
            <div className="w-40">
              <Select
                label={t.statusClass}
                value={filters.status}
                onChange={(status) => set({ status })}
                options={STATUSES.map((each) => ({
                  value: each,
                  label: each === "any" ? `${t.status}: ${t.any}` : each === "failed" ? t.failed : each,
                }))}
              />
            </div>
            <Field label={t.minMs} hideLabel className="w-36">
              <Input
                type="number"
                min={0}
                placeholder={t.minMs}
                value={filters.minMs}
                onChange={(event) => set({ minMs: event.target.value })}
              />
            </Field>
            <Field label={t.id} hideLabel className="w-60 max-sm:col-span-2">
              <Input
                placeholder={t.id}
                value={filters.trace || filters.request}
                maxLength={128}
                spellCheck={false}
                className="font-mono text-xs"
                onChange={(event) => {
                  const id = event.target.value.trim();
                  set(isTrace(id) ? { trace: id, request: "" } : { trace: "", request: id });
                }}
              />
            </Field>
          </>
        )
        : (
          <div className="w-36">
            <Select<Level>
              label={t.level}
              value={filters.level}
              onChange={(level) => set({ level })}
              options={LEVELS.map((each) => ({ value: each, label: each === "debug" ? t.anyLevel : `≥ ${each}` }))}
            />
          </div>
        )}
    </div>
  );
}

/** The moments that a chart has chosen. */
function stretchOf({ from, to }: Filters): string {
  const first = formatTime(from, { dateStyle: "short", timeStyle: "medium" });
  return to === "" ? first : `${first} – ${formatTime(to, { timeStyle: "medium" })}`;
}

function queryOf(filters: Filters) {
  return {
    worker: filters.worker || null,
    environment: filters.environment || null,
    request_id: filters.request || null,
    since: filters.request === "" ? sinceOf(filters) : null,
    until: filters.to || null,
    text: filters.text || null,
    ...(filters.status === "failed" ? { failed: true } : filters.status === "any" ? {} : { status: filters.status }),
    ...(isTrace(filters.trace) ? { trace_id: filters.trace } : {}),
    ...(filters.minMs === "" ? {} : { min_ms: Number(filters.minMs) }),
  };
}

function exportUrl(project: string, filters: Filters): string {
  return apiUrl("GET /api/v1/projects/{project}/runs/export", { path: { project }, query: queryOf(filters) });
}

function Runs({ filters }: { filters: Filters }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const refetchInterval = filters.to === "" ? 10_000 : false;
  const found = useApiList("GET /api/v1/projects/{project}/runs", { path: { project }, query: queryOf(filters) }, {
    refetchInterval,
  });
  // What looks like a trace may be the id that a client gave its request.
  const request = { ...filters, trace: "", request: filters.trace };
  const perhapsNamed = isTrace(filters.trace) && found.items?.length === 0;
  const named = useApiList("GET /api/v1/projects/{project}/runs", { path: { project }, query: queryOf(request) }, {
    enabled: perhapsNamed,
  });
  const runs = perhapsNamed && named.items?.length ? named : found;
  return (
    <>
      <Table
        label={t.tabs.runs}
        rows={runs.items}
        error={runs.error}
        onRetry={() => void runs.refetch()}
        rowKey={(run) => run.id}
        to={(run) => to("runs", run.id)}
        columns={[
          { id: "at", header: t.when, width: "9rem", cell: (run) => <RelativeTime time={run.time} /> },
          {
            id: "worker",
            header: t.worker,
            cell: (run) => (
              <span>
                <span className="font-medium">{run.worker}</span>
                {run.environment !== "production" && <span className="text-muted">@{run.environment}</span>}
              </span>
            ),
          },
          {
            id: "request",
            header: t.request,
            from: "sm",
            cell: (run) => <span className="line-clamp-1 font-mono text-xs break-all">{run.method} {run.path}</span>,
          },
          { id: "status", header: t.status, cell: (run) => <RunStatus {...run} /> },
          {
            id: "took",
            header: t.duration,
            from: "sm",
            align: "right",
            cell: (run) => <span className="tabular">{formatMilliseconds(run.duration_ms)}</span>,
          },
        ]}
        empty={<EmptyState icon={ScrollText} title={t.none} command="v8box runs --since 7d">{t.noneHint}</EmptyState>}
      />
      <Further list={runs} />
    </>
  );
}

function Lines({ filters }: { filters: Filters }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const lines = useApiList("GET /api/v1/projects/{project}/lines", {
    path: { project },
    query: {
      worker: filters.worker || null,
      environment: filters.environment || null,
      since: sinceOf(filters),
      until: filters.to || null,
      text: filters.text || null,
      level: filters.level === "debug" ? null : filters.level,
    },
  }, { refetchInterval: filters.to === "" ? 10_000 : false });
  if (lines.error && !lines.items) {
    return (
      <div className="p-4">
        <ErrorNote error={lines.error} />
      </div>
    );
  }
  if (!lines.items) {
    return (
      <div className="p-4">
        <Skeleton className="h-64" />
      </div>
    );
  }
  if (lines.items.length === 0) {
    return (
      <>
        <EmptyState icon={ScrollText} title={t.noLines} command="v8box logs <worker> -f">{t.noneHint}</EmptyState>
        <Further list={lines} />
      </>
    );
  }
  return (
    <>
      <ol tabIndex={0} aria-label={t.tabs.lines} className="max-h-[65vh] overflow-auto bg-sunken py-2">
        {lines.items.map((line) => <Line key={line.id} line={line} date />)}
      </ol>
      <Further list={lines} />
    </>
  );
}

/** The next page; where the search stopped for time, it says how far it came. */
function Further({ list }: {
  list: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => unknown;
    data?: { pages: readonly unknown[] } | undefined;
  };
}) {
  const t = useMessages(messages);
  if (!list.hasNextPage) return null;
  const last = list.data?.pages.at(-1) as { searched_until?: string | null } | undefined;
  return (
    <footer className="flex flex-wrap items-center justify-center gap-3 border-t px-4 py-3 text-sm text-muted">
      {last?.searched_until && <span>{t.searchedUntil(formatTime(last.searched_until))}</span>}
      <Button size="sm" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.further}</Button>
    </footer>
  );
}
