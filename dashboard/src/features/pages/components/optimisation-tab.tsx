import { useQueryClient } from "@tanstack/react-query";
import { Minimize2, X } from "lucide-react";
import { useState } from "react";
import type { SiteInfo } from "@/api/generated/api";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Select } from "@/components/field";
import { Card } from "@/components/layout";
import { Progress } from "@/components/progress";
import { Table } from "@/components/table";
import { Bytes, KeyValue, Skeleton } from "@/components/values";
import { SITES, useRelease } from "@/features/pages/lib/queries";
import { type Optimisation, reportOf } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const TONES: Record<Optimisation["state"], Tone> = {
  queued: "neutral",
  running: "accent",
  done: "ok",
  failed: "bad",
  cancelled: "warn",
};

/** What making the files of a release smaller has spared, and what was left as it is. */
export default function OptimisationTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const number = chosen === undefined ? site.live_release : Number(chosen);
  const release = useRelease(project, site.name, number);
  const releases = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases", {
    path: { project, site: site.name },
  });
  const found = reportOf(release.data).optimisation;
  const act = async (method: "POST" | "DELETE") => {
    if (number === null) return;
    setBusy(true);
    setError(null);
    try {
      await api(`${method} /api/v1/projects/{project}/sites/{site}/releases/{number}/optimise`, {
        path: { project, site: site.name, number },
      });
      await invalidate(client, SITES);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  if (number === null) return <EmptyState title={t.noReleases}>{t.noReleasesHint}</EmptyState>;
  return (
    <>
      <Card
        title={t.tabs.optimisation}
        description={t.optimisationHint}
        actions={
          <>
            <Select
              className="w-36"
              label={t.release}
              value={String(number)}
              onChange={setChosen}
              options={(releases.items ?? []).map((each) => ({
                value: String(each.number),
                label: each.live ? `#${each.number} (${t.live})` : `#${each.number}`,
              }))}
            />
            {found?.state === "queued" || found?.state === "running"
              ? (
                <Button icon={X} needs="developer" busy={busy} onClick={() => void act("DELETE")}>
                  {t.cancelOptimisation}
                </Button>
              )
              : (
                <Button icon={Minimize2} needs="developer" busy={busy} onClick={() => void act("POST")}>
                  {t.optimise}
                </Button>
              )}
          </>
        }
      >
        {error !== null && (
          <div className="mb-3">
            <ErrorNote error={error} />
          </div>
        )}
        {release.error && release.data === undefined
          ? <ErrorNote error={release.error} onRetry={() => void release.refetch()} />
          : release.data === undefined
          ? <Skeleton className="h-24" />
          : found === undefined
          ? <p className="text-sm text-muted">{t.notOptimised}</p>
          : <State found={found} />}
      </Card>
      {found?.state === "done" && found.by_type && Object.keys(found.by_type).length > 0 && (
        <Card flush title={t.byType}>
          <Table
            label={t.byType}
            rows={Object.entries(found.by_type).map(([type, each]) => ({ type, ...each }))}
            rowKey={(row) =>
              row.type}
            sortedBy="-saved"
            columns={[
              {
                id: "type",
                header: t.type,
                sort: (row) =>
                  row.type,
                cell: (row) => row.type,
              },
              { id: "files", header: t.files, from: "sm", align: "right", cell: (row) => formatNumber(row.files) },
              { id: "bytes", header: t.before, from: "sm", align: "right", cell: (row) => <Bytes value={row.bytes} /> },
              { id: "smallest", header: t.after, align: "right", cell: (row) => <Bytes value={row.smallest} /> },
              {
                id: "saved",
                header: t.saved,
                align: "right",
                sort: (row) => row.bytes - row.smallest,
                cell: (row) => <Bytes value={row.bytes - row.smallest} />,
              },
            ]}
          />
        </Card>
      )}
      {found?.left && found.left.length > 0 && (
        <Card flush title={t.leftFiles} description={t.leftHint(found.left_count ?? found.left.length)}>
          <Table
            label={t.leftFiles}
            rows={found.left}
            rowKey={(row) =>
              row.path}
            columns={[
              {
                id: "path",
                header: t.file,
                cell: (row) => <span className="font-mono text-xs break-all">{row.path}</span>,
              },
              {
                id: "reason",
                header: t.reason,
                cell: (row) =>
                  row.reason,
              },
            ]}
          />
        </Card>
      )}
    </>
  );
}

function State({ found }: { found: Optimisation }) {
  const t = useMessages(messages);
  return (
    <div className="grid gap-3">
      {found.state === "running" && (
        <Progress label={t.states.running} value={found.total ? (found.done ?? 0) / found.total : undefined} />
      )}
      <KeyValue
        items={[
          [t.state, <Badge key="state" tone={TONES[found.state]} dot>{t.states[found.state]}</Badge>],
          found.state === "running" && [t.files, `${found.done ?? 0} / ${found.total ?? "?"}`],
          found.reason !== undefined && [t.reason, found.reason],
          found.saved_bytes !== undefined && [t.saved, <Bytes key="saved" value={found.saved_bytes} />],
          found.files !== undefined && [t.files, formatNumber(found.files)],
          found.seconds !== undefined && [t.took, `${formatNumber(found.seconds, { maximumFractionDigits: 1 })} s`],
        ]}
      />
    </div>
  );
}
