import { Link, useParams } from "react-router";
import type { KillReport } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Chart } from "@/components/chart";
import { Code, CodeBlock } from "@/components/code-block";
import { ErrorNote } from "@/components/error-note";
import { advisedIn, whyKilled } from "@/components/kill-phrases";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { usedOf } from "@/features/kills/lib/used";
import { messages } from "@/features/kills/messages";
import { useApi } from "@/lib/api/queries";
import { formatBytes, formatMilliseconds, formatNumber, formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

/** Why a worker was stopped, and what to do. */
export default function KillPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const { kill: id = "" } = useParams();
  const report = useApi("GET /api/v1/projects/{project}/kills/{kill_id}", { path: { project, kill_id: id } });
  const found = report.data;
  return (
    <Page
      title={found ? `${found.worker}: ${found.reason}` : t.title}
      crumbs={[{ label: t.title, to: to("kills") }]}
      heading={found && (
        <>
          {found.worker} <Badge tone="bad" dot>{found.reason}</Badge>
        </>
      )}
      description={found && whyKilled(found)}
    >
      {report.error
        ? <ErrorNote error={report.error} onRetry={() => void report.refetch()} />
        : found === undefined
        ? <Skeleton className="h-96" />
        : <Report report={found} />}
    </Page>
  );
}

function Report({ report }: { report: KillReport }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const end = Date.parse(report.at) / 1000;
  const last = report.curve.at(-1)?.at_ms ?? 0;
  const times = report.curve.map((each) => end + (each.at_ms - last) / 1000);
  return (
    <>
      <div className="grid gap-5 lg:grid-cols-2">
        <Card title={t.advice}>
          <ul className="grid list-disc gap-1.5 pl-4 text-sm">
            {advisedIn(report).map((each, index) => <li key={index}>{each.replaceAll("`", "")}</li>)}
          </ul>
          {report.suggestion && (
            <div className="mt-3 grid gap-1">
              <h3 className="text-xs font-medium text-muted">{t.suggestion}</h3>
              <CodeBlock label={t.suggestion} code={report.suggestion.manifest} />
            </div>
          )}
        </Card>
        <Card>
          <KeyValue
            items={[
              [
                t.worker,
                <Link key="w" className="text-accent hover:underline" to={to("workers", report.worker)}>
                  {report.worker}
                </Link>,
              ],
              [t.when, <RelativeTime key="a" time={report.at} />],
              [t.count, formatNumber(report.count)],
              [t.environment, report.environment],
              [t.version, <Code key="v">{report.version.slice(0, 12)}</Code>],
              [t.ended, report.whole ? t.process : t.oneRun],
              report.limit !== null && [t.used, usedOf(report)],
              report.limit_name !== null && [t.limit, <Code key="l">{`limits.${report.limit_name}`}</Code>],
              report.exit_code !== null && [t.exitCode, String(report.exit_code)],
              report.signal !== null && [t.signal, String(report.signal)],
              [t.memory, formatBytes(report.peak_memory_bytes)],
              [t.cpu, formatMilliseconds(report.cpu_seconds * 1000)],
            ]}
          />
        </Card>
      </div>
      {times.length > 1 && (
        <Card title={t.curve}>
          <div className="grid gap-5 lg:grid-cols-2">
            <Chart
              label={t.memory}
              times={times}
              format={formatBytes}
              series={[{
                label: t.memory,
                tone: "accent",
                values: report.curve.map((each) => each.memory_bytes),
                fill: true,
              }]}
            />
            <Chart
              label={t.cpu}
              times={times}
              format={(value) => formatNumber(value, { style: "percent" })}
              series={[{ label: t.cpu, tone: "warn", values: report.curve.map((each) => each.cpu), fill: true }]}
            />
          </div>
        </Card>
      )}
      {report.stack && (
        <Card title={t.stack}>
          <CodeBlock label={t.stack} code={report.stack} />
        </Card>
      )}
      {report.runs.length > 0 && (
        <Card
          flush
          title={report.run_count > report.runs.length ? `${t.going} (${formatNumber(report.run_count)})` : t.going}
        >
          <Table
            label={t.going}
            rows={report.runs}
            rowKey={(each) => each.id}
            to={(each) => to("runs", each.id)}
            columns={[
              {
                id: "request",
                header: t.request,
                cell: (each) => <span className="font-mono text-xs">{each.method} {each.path}</span>,
              },
              { id: "elapsed", header: t.elapsed, align: "right", cell: (each) => formatMilliseconds(each.elapsed_ms) },
              { id: "cpu", header: t.cpu, align: "right", from: "sm", cell: (each) => formatMilliseconds(each.cpu_ms) },
              {
                id: "waiting",
                header: t.waitingFor,
                from: "sm",
                cell: (each) => <span className="font-mono text-xs">{each.waiting_for.join(", ") || "–"}</span>,
              },
            ]}
          />
        </Card>
      )}
      {report.lines.length > 0 && (
        <Card flush title={t.lines}>
          <ol tabIndex={0} aria-label={t.lines} className="max-h-80 overflow-auto bg-sunken py-2 font-mono text-xs">
            {report.lines.map((line, index) => (
              <li key={index} className="flex gap-2 px-3 py-0.5">
                <time dateTime={line.time} className="shrink-0 text-muted">
                  {formatTime(line.time, { hour: "2-digit", minute: "2-digit", second: "2-digit" })}
                </time>
                <span className="w-10 shrink-0 uppercase">{line.level}</span>
                <span className="min-w-0 break-words whitespace-pre-wrap">{line.text}</span>
              </li>
            ))}
          </ol>
        </Card>
      )}
      {report.last_output && (
        <Card title={t.output}>
          <CodeBlock label={t.output} code={report.last_output} wrap />
        </Card>
      )}
    </>
  );
}
