import { Check, EyeOff, RotateCcw } from "lucide-react";
import { Link, useParams } from "react-router";
import type { ErrorDetail, ExcerptInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { ErrorNote } from "@/components/error-note";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { messages } from "@/features/errors/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const STALE = ["GET /api/v1/projects/{project}/errors"];

/** One group of errors: where in the code, in which versions, in which runs. */
export default function ErrorPage() {
  const t = useMessages(messages);
  const can = useCan();
  const project = useProjectName();
  const to = useProjectPath();
  const { error: id = "" } = useParams();
  const path = { project, error_id: id };
  const found = useApi("GET /api/v1/projects/{project}/errors/{error_id}", { path }, { refetchInterval: 5_000 });
  const change = useChange("PATCH /api/v1/projects/{project}/errors/{error_id}", { invalidates: STALE });
  const move = (state: "open" | "ignored" | "resolved", days?: number) => {
    const until = days === undefined ? null : new Date(Date.now() + days * 86_400_000).toISOString();
    change.mutate({ path, body: { state, ignored_until: until } }, {
      onSuccess: () => state === "resolved" && toast.done(t.resolved),
      onError: toast.failed,
    });
  };
  const error = found.data;
  return (
    <Page
      title={error ? `${error.name}: ${error.message}` : t.title}
      crumbs={[{ label: t.title, to: to("errors") }]}
      heading={error
        ? (
          <>
            <span>{error.name}</span>
            <Badge tone={error.state === "open" || error.state === "regressed" ? "bad" : "ok"} dot>
              {t.states[error.state]}
            </Badge>
            <Badge>{t.kinds[error.kind]}</Badge>
          </>
        )
        : t.title}
      description={error?.message}
      actions={error && (
        <>
          {error.state !== "ignored" && can("developer") && (
            <Menu
              label={t.ignore}
              items={[[
                { label: t.ignoreFor.day, onSelect: () => move("ignored", 1) },
                { label: t.ignoreFor.week, onSelect: () => move("ignored", 7) },
                { label: t.ignoreFor.good, onSelect: () => move("ignored") },
              ]]}
            >
              <Button icon={EyeOff}>{t.ignore}</Button>
            </Menu>
          )}
          {error.state === "ignored" || error.state === "resolved"
            ? <Button icon={RotateCcw} needs="developer" onClick={() => move("open")}>{t.reopen}</Button>
            : (
              <Button look="primary" icon={Check} needs="developer" onClick={() => move("resolved")}>
                {t.resolve}
              </Button>
            )}
        </>
      )}
    >
      {found.error && error === undefined
        ? <ErrorNote error={found.error} onRetry={() => void found.refetch()} />
        : error === undefined
        ? <Skeleton className="h-96" />
        : <Found error={error} />}
    </Page>
  );
}

function Found({ error }: { error: ErrorDetail }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  return (
    <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="grid min-w-0 content-start gap-5">
        {error.kind === "kill" && (
          <Card>
            <Link
              className="text-sm text-accent hover:underline"
              to={`${to("kills")}?${new URLSearchParams({ worker: error.worker, reason: error.name })}`}
            >
              {t.killReports}
            </Link>
          </Card>
        )}
        {error.excerpt && (
          <Card flush title={<span className="font-mono text-sm">{error.excerpt.file}:{error.excerpt.line}</span>}>
            <Excerpt excerpt={error.excerpt} />
          </Card>
        )}
        {error.stack && (
          <Card title={t.stack}>
            <CodeBlock label={t.stack} code={error.stack} />
          </Card>
        )}
        <Card flush title={t.samples}>
          <Table
            label={t.samples}
            rows={error.samples}
            rowKey={(each) => `${each.run ?? ""}${each.at}`}
            columns={[
              {
                id: "at",
                header: t.at,
                cell: (each) => {
                  const time = <RelativeTime time={each.at} />;
                  return each.run === null
                    ? time
                    : <Link className="text-accent hover:underline" to={to("runs", each.run)}>{time}</Link>;
                },
              },
              { id: "version", header: t.version, cell: (each) => shown(each.version) },
              { id: "environment", header: t.environment, from: "sm", cell: (each) => each.environment },
              {
                id: "message",
                header: t.error,
                from: "md",
                cell: (each) => <span className="line-clamp-1">{each.message}</span>,
              },
            ]}
          />
        </Card>
      </div>
      <div className="grid content-start gap-5">
        <Card title={t.error}>
          <KeyValue
            className="grid-cols-[auto_1fr]"
            items={[
              [
                t.worker,
                <Link key="w" className="text-accent hover:underline" to={to("workers", error.worker)}>
                  {error.worker}
                </Link>,
              ],
              [t.count, formatNumber(error.count)],
              [t.firstSeen, <RelativeTime key="f" time={error.first_seen} />],
              [t.lastSeen, <RelativeTime key="l" time={error.last_seen} />],
              [t.version, t.newIn(shown(error.new_in))],
              [t.environment, error.environments.join(", ")],
              error.ignored_until !== null && [t.ignoredUntil, <RelativeTime key="u" time={error.ignored_until} />],
              error.changed_by !== "" && [t.states[error.state], t.changedBy(error.changed_by)],
            ]}
          />
        </Card>
        <Card flush title={t.versions}>
          <Table
            label={t.versions}
            rows={error.versions}
            rowKey={(each) => `${shown(each.version)}${each.environment}`}
            columns={[
              { id: "version", header: t.version, cell: (each) => shown(each.version) },
              { id: "count", header: t.count, align: "right", cell: (each) => formatNumber(each.count) },
              {
                id: "last",
                header: t.lastSeen,
                align: "right",
                cell: (each) => <RelativeTime time={each.last_seen} />,
              },
            ]}
          />
        </Card>
      </div>
    </div>
  );
}

function shown(version: { number?: number | null; id?: string }): string {
  return version.number == null ? (version.id ?? "").slice(0, 12) : `v${version.number}`;
}

function Excerpt({ excerpt }: { excerpt: ExcerptInfo }) {
  const t = useMessages(messages);
  return (
    <pre tabIndex={0} aria-label={t.code} className="overflow-auto bg-sunken py-2 font-mono text-xs leading-5">
      {excerpt.lines.map((line, index) => {
        const number = excerpt.first + index;
        const here = number === excerpt.line;
        return (
          <div key={number} className={classes("flex gap-3 px-3", here && "bg-bad-soft")}>
            <span aria-hidden className="w-8 shrink-0 text-right text-muted select-none">{number}</span>
            <span className="whitespace-pre">{line || " "}</span>
          </div>
        );
      })}
    </pre>
  );
}
