import { Link, useParams } from "react-router";
import type { RunDetail } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { ButtonLink } from "@/components/button";
import { Code, CodeBlock, CopyButton } from "@/components/code-block";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { findingSaid } from "@/components/finding-phrases";
import { whyKilled } from "@/components/kill-phrases";
import { Card, Page } from "@/components/layout";
import { KeyValue, Skeleton } from "@/components/values";
import { Line } from "@/features/runs/components/line";
import { RunStatus } from "@/features/runs/components/status";
import { messages } from "@/features/runs/messages";
import { useApi } from "@/lib/api/queries";
import { formatBytes, formatMilliseconds, formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

/** One run: what happened, where the time went, what it printed, what it threw. */
export default function RunPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const { run: id = "" } = useParams();
  const run = useApi("GET /api/v1/projects/{project}/runs/{run}", { path: { project, run: id } }, { retry: 2 });
  const found = run.data;
  return (
    <Page
      title={t.runTitle(id)}
      crumbs={[{ label: t.title, to: to("logs") }]}
      heading={found
        ? (
          <>
            <span className="font-mono text-lg break-all">{found.method} {found.path}</span>
            <RunStatus {...found} />
          </>
        )
        : t.runTitle(id)}
      actions={found && <ButtonLink to={to("workers", found.worker)}>{t.openWorker}</ButtonLink>}
    >
      {run.error?.status === 404
        ? <EmptyState title={t.notFound} />
        : run.error
        ? <ErrorNote error={run.error} onRetry={() => void run.refetch()} />
        : found === undefined
        ? <Skeleton className="h-96" />
        : <Found run={found} />}
    </Page>
  );
}

function Found({ run }: { run: RunDetail }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  return (
    <>
      {run.error && (
        <Card
          title={<span className="text-bad">{`${run.error.name}: ${run.error.message}`}</span>}
          actions={
            <Link
              className="shrink-0 text-sm text-accent hover:underline"
              to={`${to("errors")}?${new URLSearchParams({ state: "all", worker: run.worker, q: run.error.name })}`}
            >
              {t.errorGroup}
            </Link>
          }
        >
          {run.error.stack && <CodeBlock label={t.error} code={run.error.stack} />}
        </Card>
      )}
      {run.failed && run.outcome !== "exception" && run.outcome !== "ok" && <WhyStopped run={run} />}
      {run.findings.length > 0 && (
        <Card title={t.findings}>
          <ul className="grid gap-1 text-sm">
            {run.findings.map((each, index) => (
              <li key={index} className="flex items-start gap-2">
                <Badge tone="warn">{t.kinds[each.kind] ?? each.kind}</Badge>
                <span className="min-w-0 break-words">{findingSaid(each)}</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card title={t.waterfall}>
        <Waterfall run={run} />
      </Card>
      <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <Card flush title={t.lines}>
          {run.lines.length === 0
            ? <p className="p-4 text-sm text-muted">{t.noLinesOfRun}</p>
            : (
              <ol tabIndex={0} aria-label={t.lines} className="max-h-96 overflow-auto bg-sunken py-2">
                {run.lines.map((line) => (
                  <Line key={line.id} line={{ ...line, run: null, worker: undefined as never }} />
                ))}
              </ol>
            )}
          {run.more_lines && <p className="border-t px-4 py-2 text-xs text-muted">{t.moreLines}</p>}
        </Card>
        <Card title={t.facts}>
          <KeyValue
            className="grid-cols-[auto_1fr]"
            items={[
              [t.when, formatTime(run.time)],
              [t.worker, run.worker],
              [t.version, <Code key="v">{run.version.slice(0, 12)}</Code>],
              [t.environment, run.environment],
              [t.outcome, `${run.outcome} (${run.trigger})`],
              [t.duration, formatMilliseconds(run.duration_ms)],
              run.queue_ms > 0 && [t.queue, formatMilliseconds(run.queue_ms)],
              run.cold_ms > 0 && [t.cold, formatMilliseconds(run.cold_ms)],
              [t.cpu, formatMilliseconds(run.cpu_ms)],
              run.memory_bytes > 0 && [t.memory, formatBytes(run.memory_bytes)],
              [t.bytes, `${formatBytes(run.bytes_in)} / ${formatBytes(run.bytes_out)}`],
              run.calls > 0 && [t.calls, `${run.calls} · ${formatMilliseconds(run.call_ms)}`],
              run.client !== "" && [t.client, run.client],
              [t.requestId, <Id key="r" text={run.request_id} />],
              run.trace_id !== null && [
                t.trace,
                <span key="t" className="grid">
                  <Id text={run.trace_id} />
                  <Link to={`${to("logs")}?trace=${run.trace_id}&span=all`} className="text-accent hover:underline">
                    {t.wholeTrace}
                  </Link>
                </span>,
              ],
            ]}
          />
        </Card>
      </div>
    </>
  );
}

/** What ended it has a report, a moment later. */
function WhyStopped({ run }: { run: RunDetail }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const project = useProjectName();
  const kills = useApi("GET /api/v1/projects/{project}/kills", { path: { project }, query: { run: run.id } });
  const report = kills.data?.items[0];
  return report !== undefined && (
    <Card title={<span className="text-bad">{whyKilled(report)}</span>}>
      <Link className="text-sm text-accent hover:underline" to={to("kills", report.id)}>{t.killReport}</Link>
    </Card>
  );
}

function Id({ text }: { text: string }) {
  return (
    <span className="flex min-w-0 items-center gap-1">
      <span className="min-w-0 truncate font-mono text-xs">{text}</span>
      <CopyButton text={text} className="p-0.5" />
    </span>
  );
}

const TONES: Record<string, string> = {
  db: "bg-accent",
  cache: "bg-ok",
  s3: "bg-warn",
  fetch: "bg-bad",
};

/** A bar for the start, for each call, and for the whole. */
function Waterfall({ run }: { run: RunDetail }) {
  const t = useMessages(messages);
  const before = run.queue_ms + run.cold_ms;
  const whole = Math.max(
    run.duration_ms,
    ...run.spans.map((each) => before + each.start_ms + (each.duration_ms ?? 0)),
    0.1,
  );
  const bars = [
    ...(run.queue_ms > 0 ? [{ label: t.queue, from: 0, took: run.queue_ms, tone: "bg-line-strong", error: null }] : []),
    ...(run.cold_ms > 0
      ? [{ label: t.cold, from: run.queue_ms, took: run.cold_ms, tone: "bg-line-strong", error: null }]
      : []),
    ...run.spans.map((each) => ({
      label: `${each.binding}.${each.operation}`,
      from: before + each.start_ms,
      took: each.duration_ms ?? 0,
      tone: TONES[each.binding] ?? "bg-accent",
      error: each.error,
    })),
  ];
  return (
    <div className="grid gap-1 text-xs">
      <Bar label={t.run} from={0} took={run.duration_ms} whole={whole} tone="bg-line-strong" error={null} />
      {bars.map((each, index) => <Bar key={index} whole={whole} {...each} />)}
      {bars.length === 0 && <p className="text-muted">{t.noSpans}</p>}
    </div>
  );
}

function Bar({ label, from, took, whole, tone, error }: {
  label: string;
  from: number;
  took: number;
  whole: number;
  tone: string;
  error: string | null;
}) {
  const left = Math.min(99, (from / whole) * 100);
  const width = Math.max(0.5, Math.min(100 - left, (took / whole) * 100));
  return (
    <div className="grid grid-cols-[minmax(6rem,10rem)_minmax(0,1fr)_5rem] items-center gap-3">
      <span className="truncate font-mono" title={error ?? label}>
        {label}
        {error && <span className="text-bad">{error}</span>}
      </span>
      <span aria-hidden className="relative h-3 rounded-sm bg-sunken">
        <span className={`absolute inset-y-0 rounded-sm ${tone}`} style={{ left: `${left}%`, width: `${width}%` }} />
      </span>
      <span className="tabular text-right text-muted">{formatMilliseconds(took)}</span>
    </div>
  );
}
