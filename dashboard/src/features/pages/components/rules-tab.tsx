import { useState } from "react";
import type { RedirectInfo, SiteInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Checkbox } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { Skeleton } from "@/components/values";
import { Ignored } from "@/features/pages/components/ignored";
import { TryRequest } from "@/features/pages/components/try-request";
import { readable } from "@/features/pages/lib/urls";
import { useLiveRelease } from "@/features/pages/lib/queries";
import { reportOf } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { useApiList } from "@/lib/api/queries";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const HEADERS_EXAMPLE = "/assets/*\n  Cache-Control: max-age=31536000";

/** Redirects and headers of the live release: what counts, how often, what does not, and what a request would get. */
export default function RulesTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const live = useLiveRelease(site);
  if (site.live_release === null) return <EmptyState title={t.noReleases}>{t.noReleasesHint}</EmptyState>;
  if (live.error && live.data === undefined) {
    return <ErrorNote error={live.error} onRetry={() => void live.refetch()} />;
  }
  if (live.data === undefined) return <Skeleton className="h-96" />;
  const report = reportOf(live.data);
  return (
    <>
      <TryRequest site={site.name} />
      <Redirects site={site.name} />
      <Headers site={site.name} />
      <Ignored report={report} />
    </>
  );
}

function Redirects({ site }: { site: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [unused, setUnused] = useState(false);
  const rules = useApiList("GET /api/v1/projects/{project}/sites/{site}/redirects", {
    path: { project, site },
    query: unused ? { unused } : {},
  }, { refetchInterval: 10_000 });
  return (
    <Card
      flush
      title={t.redirects}
      description={t.redirectsHint}
      actions={<Checkbox checked={unused} onChange={setUnused} label={t.unused} />}
    >
      <Table
        label={t.redirects}
        rows={rules.items}
        error={rules.error}
        onRetry={() => void rules.refetch()}
        more={rules}
        rowKey={(rule) => String(rule.number)}
        columns={[
          { id: "number", header: "#", from: "sm", cell: (rule) => rule.number },
          { id: "rule", header: t.rule, cell: (rule) => <RuleText rule={rule} /> },
          {
            id: "status",
            header: t.status,
            cell: (rule) => `${rule.status}${rule.force ? "!" : ""}`,
            sort: (rule) => rule.status,
          },
          { id: "line", header: t.line, from: "md", align: "right", cell: (rule) => rule.line || "–" },
          {
            id: "hits",
            header: t.hits,
            align: "right",
            sort: (rule) => rule.hits,
            cell: (rule) => formatNumber(rule.hits),
          },
        ]}
        empty={unused ? <EmptyState title={t.allUsed} /> : (
          <EmptyState title={t.noRedirects}>
            {t.noRedirectsHint} <code className="font-mono">/old/* /new/:splat 301</code>
          </EmptyState>
        )}
      />
    </Card>
  );
}

function Headers({ site }: { site: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [unused, setUnused] = useState(false);
  const rules = useApiList("GET /api/v1/projects/{project}/sites/{site}/headers", {
    path: { project, site },
    query: unused ? { unused } : {},
  });
  return (
    <Card
      flush
      title={t.headers}
      description={t.headersHint}
      actions={<Checkbox checked={unused} onChange={setUnused} label={t.forNoFile} />}
    >
      <Table
        label={t.headers}
        rows={rules.items}
        error={rules.error}
        onRetry={() => void rules.refetch()}
        more={rules}
        rowKey={(rule) => String(rule.number)}
        columns={[
          { id: "number", header: "#", from: "sm", cell: (rule) => rule.number },
          {
            id: "from",
            header: t.path,
            cell: (rule) => <span className="font-mono text-xs break-all">{rule.from}</span>,
          },
          {
            id: "sets",
            header: t.headers,
            cell: (rule) => (
              <span className="grid gap-0.5 py-1 font-mono text-xs">
                {Object.entries(rule.sets).map(([name, value]) => (
                  <span key={name} className="break-all">
                    {name}: <span className="text-muted">{value}</span>
                  </span>
                ))}
                {rule.removes.map((name) => <span key={name} className="text-muted line-through">{name}</span>)}
              </span>
            ),
          },
          { id: "line", header: t.line, from: "md", align: "right", cell: (rule) => rule.line || "–" },
          {
            id: "files",
            header: t.files,
            align: "right",
            sort: (rule) => rule.files ?? 0,
            cell: (rule) =>
              rule.files === null ? "–" : rule.files === 0 ? <Badge tone="warn">0</Badge> : formatNumber(rule.files),
          },
        ]}
        empty={unused ? <EmptyState title={t.allForFiles} /> : (
          <EmptyState title={t.noHeaders}>
            {t.noHeadersHint} <code className="font-mono whitespace-pre">{HEADERS_EXAMPLE}</code>
          </EmptyState>
        )}
      />
    </Card>
  );
}

export function RuleText({ rule }: { rule: RedirectInfo }) {
  return (
    <span className="flex flex-wrap items-center gap-1.5 font-mono text-xs">
      <span className="break-all">{readable(rule.from)}</span>
      {Object.entries(rule.query).map(([name, value]) => <Badge key={name}>{`?${name}=${value}`}</Badge>)}
      <span aria-hidden>→</span>
      <span className="break-all">{readable(rule.to) || "–"}</span>
      {Object.entries(rule.conditions).map(([name, values]) => (
        <Badge key={name} tone="accent">{`${name}=${values.join(",")}`}</Badge>
      ))}
    </span>
  );
}
