import { ArrowUpToLine, Bird, Pause, Play, SlidersHorizontal, Square, Unplug } from "lucide-react";
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { CanaryInfo, DeploymentInfo, WorkerInfo } from "@/api/generated/api";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { ConfirmByName } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { KeyValue, RelativeTime } from "@/components/values";
import { CanaryDialog, PromoteDialog, SplitDialog } from "@/features/workers/components/deployment-dialogs";
import { safeUrl } from "@/features/workers/lib/urls";
import { messages } from "@/features/workers/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApi, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useProjectName } from "@/lib/project";

const STALE = ["GET /api/v1/projects/{project}/workers"];

/** Where the worker is live, and with which versions. */
export default function DeploymentsTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const [promoting, setPromoting] = useState(false);
  if (worker.environments.length === 0) {
    return <EmptyState title={t.noDeployments} command={`v8box deploy ${worker.name}`} />;
  }
  return (
    <div className="grid gap-5">
      <div className="flex justify-end">
        <Button icon={ArrowUpToLine} needs="developer" onClick={() => setPromoting(true)}>{t.promote}</Button>
      </div>
      {worker.environments.map((each) => <Environment key={each.environment} worker={worker} deployment={each} />)}
      {promoting && <PromoteDialog worker={worker} onClose={() => setPromoting(false)} />}
    </div>
  );
}

function Environment({ worker, deployment }: { worker: WorkerInfo; deployment: DeploymentInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const { environment } = deployment;
  const [dialog, setDialog] = useState<"split" | "canary" | "off" | null>(null);
  const path = { project, worker: worker.name, environment };
  const canary = useApi("GET /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/canary", { path }, {
    retry: false,
    refetchInterval: 3_000,
  });
  const running = canary.data && (canary.data.state === "running" || canary.data.state === "paused");
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2">
          {environment}
          <a
            href={safeUrl(deployment.url)}
            target="_blank"
            rel="noreferrer"
            className="text-xs font-normal text-accent hover:underline"
          >
            {deployment.url}
          </a>
        </span>
      }
      actions={
        <>
          <Button size="sm" icon={SlidersHorizontal} needs="developer" onClick={() => setDialog("split")}>
            {t.split}
          </Button>
          {!running && (
            <Button size="sm" icon={Bird} needs="developer" onClick={() => setDialog("canary")}>{t.canary}</Button>
          )}
          <Button size="sm" look="quiet" icon={Unplug} needs="admin" onClick={() => setDialog("off")}>
            {t.takeOff}
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <Shares deployment={deployment} />
        <KeyValue
          items={[
            [t.changed, <RelativeTime key="at" time={deployment.changed_at} />],
            [t.by, deployment.changed_by],
          ]}
        />
        {canary.data && <Canary canary={canary.data} path={path} />}
        <History path={path} />
      </div>
      {dialog === "split" && <SplitDialog worker={worker} deployment={deployment} onClose={() => setDialog(null)} />}
      {dialog === "canary" && <CanaryDialog worker={worker} deployment={deployment} onClose={() => setDialog(null)} />}
      <ConfirmByName
        open={dialog === "off"}
        onClose={() => setDialog(null)}
        title={`${t.takeOff}: ${environment}`}
        name={worker.name}
        what={t.takeOffWhat(environment)}
        action={t.takeOff}
        onConfirm={async () => {
          await api("DELETE /api/v1/projects/{project}/workers/{worker}/deployments/{environment}", { path });
          toast.done(t.takenOff);
          await invalidate(client, STALE);
        }}
      />
    </Card>
  );
}

function Shares({ deployment }: { deployment: DeploymentInfo }) {
  return (
    <div>
      <div className="flex h-2 overflow-hidden rounded-full bg-sunken" aria-hidden>
        {deployment.versions.map((share, index) => (
          <div
            key={share.version}
            className={index === 0 ? "bg-accent" : "bg-ok"}
            style={{ width: `${share.weight}%` }}
          />
        ))}
      </div>
      <ul className="mt-1.5 flex flex-wrap gap-x-4 text-sm">
        {deployment.versions.map((share, index) => (
          <li key={share.version} className="flex items-center gap-1.5">
            <span aria-hidden className={`size-2 rounded-full ${index === 0 ? "bg-accent" : "bg-ok"}`} />
            <span className="font-medium">v{share.number}</span>
            <span className="text-muted">{share.weight} %</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const CANARY_TONE: Record<CanaryInfo["state"], Tone> = {
  running: "accent",
  paused: "warn",
  succeeded: "ok",
  rolled_back: "bad",
  aborted: "neutral",
  superseded: "neutral",
  failed: "bad",
};

function Canary(
  { canary, path }: { canary: CanaryInfo; path: { project: string; worker: string; environment: string } },
) {
  const t = useMessages(messages);
  const client = useQueryClient();
  const going = canary.state === "running" || canary.state === "paused";
  const act = (name: "pause" | "resume" | "stop") => async () => {
    try {
      const base = "/api/v1/projects/{project}/workers/{worker}/deployments/{environment}/canary" as const;
      if (name === "stop") await api(`DELETE ${base}`, { path });
      else if (name === "pause") await api(`POST ${base}/pause`, { path });
      else await api(`POST ${base}/resume`, { path });
      await invalidate(client, STALE);
    } catch (error) {
      toast.failed(error);
    }
  };
  return (
    <section className="grid gap-2 rounded-md border bg-sunken p-3" aria-label={t.canary}>
      <header className="flex flex-wrap items-center gap-2 text-sm">
        <Bird aria-hidden className="size-4" />
        <span className="font-medium">{t.canary}</span>
        <Badge tone={CANARY_TONE[canary.state]} dot>{t.canaryStates[canary.state]}</Badge>
        {going && <span className="text-muted">{t.canaryAt(canary.weight)}</span>}
        <span className="grow" />
        {canary.state === "running" && (
          <Button size="sm" icon={Pause} needs="developer" onClick={act("pause")}>{t.pauseCanary}</Button>
        )}
        {canary.state === "paused" && (
          <Button size="sm" icon={Play} needs="developer" onClick={act("resume")}>{t.resumeCanary}</Button>
        )}
        {going && <Button size="sm" icon={Square} needs="developer" onClick={act("stop")}>{t.stopCanary}</Button>}
      </header>
      {canary.reason && <p className="text-sm text-muted">{canary.reason}</p>}
      <table className="w-full text-sm tabular-nums">
        <thead className="text-left text-xs text-muted">
          <tr>
            <th scope="col">{t.version}</th>
            <th scope="col" className="text-right">{t.requests}</th>
            <th scope="col" className="text-right">{t.errors}</th>
            <th scope="col" className="text-right">p95</th>
          </tr>
        </thead>
        <tbody>
          {[canary.old, canary.new].map((figures) => (
            <tr key={figures.version}>
              <th scope="row" className="text-left font-medium">v{figures.number}</th>
              <td className="text-right">{formatNumber(figures.requests)}</td>
              <td className="text-right">
                {formatNumber(figures.error_rate, { style: "percent", maximumFractionDigits: 2 })}
              </td>
              <td className="text-right">{formatMilliseconds(figures.p95_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function History({ path }: { path: { project: string; worker: string; environment: string } }) {
  const t = useMessages(messages);
  const history = useApiList("GET /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/history", {
    path,
    query: { limit: 20 },
  });
  return (
    <details>
      <summary className="cursor-pointer text-sm font-medium text-muted">{t.historyTitle}</summary>
      <div className="mt-2 rounded-md border">
        <Table
          label={t.historyTitle}
          rows={history.items}
          error={history.error}
          more={history}
          rowKey={(entry) => String(entry.number)}
          columns={[
            { id: "change", header: t.change, cell: (entry) => entry.change },
            {
              id: "versions",
              header: t.version,
              cell: (entry) =>
                entry.versions.map((share) => `v${String(share.number)} ${String(share.weight)} %`).join(" · ") || "–",
            },
            { id: "message", header: t.message, from: "md", cell: (entry) => entry.message || "–" },
            { id: "by", header: t.by, from: "sm", cell: (entry) => entry.by },
            { id: "at", header: t.when, align: "right", cell: (entry) => <RelativeTime time={entry.at} /> },
          ]}
        />
      </div>
    </details>
  );
}
