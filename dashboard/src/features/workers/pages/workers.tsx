import { Plus, SquareFunction, Trash2 } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button, ButtonLink } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { SearchInput, Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/workers/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

type Source = WorkerInfo["source"] | "any";

export default function WorkersPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const client = useQueryClient();
  const [text, setText] = useState("");
  const [source, setSource] = useState<Source>("any");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [deleting, setDeleting] = useState(false);
  const workers = useApiList("GET /api/v1/projects/{project}/workers", { path: { project }, query: { limit: 200 } }, {
    refetchInterval: 15_000,
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = workers;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage(); // all of them: the search is over names
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return workers.items?.filter((worker) =>
      (wanted === "" || worker.name.includes(wanted)) && (source === "any" || worker.source === source)
    );
  }, [workers.items, text, source]);

  const deleteChosen = async () => {
    for (const worker of chosen) {
      await api("DELETE /api/v1/projects/{project}/workers/{worker}", { path: { project, worker } });
    }
    toast.done(t.deleted(chosen.size));
    setChosen(new Set());
    await invalidate(client, ["GET /api/v1/projects/{project}/workers"]);
  };

  return (
    <Page
      title={t.title}
      description={t.description}
      actions={<ButtonLink look="primary" icon={Plus} to={to("new-worker")}>{t.make}</ButtonLink>}
    >
      <Card flush>
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-3">
          <SearchInput label={t.find} value={text} onChange={(event) => setText(event.target.value)} />
          <div className="w-40">
            <Select<Source>
              label={t.source}
              value={source}
              onChange={setSource}
              options={[
                { value: "any", label: t.anySource },
                { value: "folder", label: t.folder },
                { value: "api", label: t.api },
                { value: "site", label: t.site },
              ]}
            />
          </div>
          {chosen.size > 0 && (
            <span className="ml-auto flex items-center gap-2">
              <span className="text-sm text-muted">{t.selected(chosen.size)}</span>
              <Button size="sm" icon={Trash2} needs="admin" onClick={() => setDeleting(true)}>{t.deleteChosen}</Button>
            </span>
          )}
        </div>
        <Table
          label={t.title}
          rows={shown}
          error={workers.error}
          onRetry={() => void workers.refetch()}
          more={workers}
          rowKey={(worker) => worker.name}
          to={(worker) => to("workers", worker.name)}
          selected={chosen}
          onSelect={setChosen}
          sortedBy="name"
          columns={[
            { id: "name", header: t.name, sort: (worker) => worker.name, cell: (worker) => <Name worker={worker} /> },
            { id: "live", header: t.live, cell: (worker) => <Live worker={worker} /> },
            {
              id: "newest",
              header: t.newest,
              from: "md",
              align: "right",
              sort: (worker) => worker.newest?.number,
              cell: (worker) => worker.newest === null ? "–" : `v${worker.newest.number}`,
            },
            { id: "source", header: t.source, from: "md", sort: (worker) => worker.source, cell: (w) => t[w.source] },
            {
              id: "at",
              header: t.changed,
              from: "sm",
              align: "right",
              sort: (worker) => worker.deployed_at,
              cell: (worker) => <RelativeTime time={worker.deployed_at} />,
            },
          ]}
          empty={text !== "" || source !== "any" ? <EmptyState title={t.noneFound} /> : (
            <EmptyState
              icon={SquareFunction}
              title={t.none}
              command="v8box init hello && v8box deploy hello"
              actions={<ButtonLink look="primary" icon={Plus} to={to("new-worker")}>{t.make}</ButtonLink>}
            >
              {t.noneHint}
            </EmptyState>
          )}
        />
      </Card>
      <Confirm
        open={deleting}
        onClose={() => setDeleting(false)}
        title={t.deleteTitle(chosen.size)}
        what={
          <>
            <p>{t.deleteWhat}</p>
            <p className="mt-2 max-h-40 overflow-auto font-mono text-xs">{[...chosen].join(", ")}</p>
          </>
        }
        action={t.deleteChosen}
        danger
        onConfirm={deleteChosen}
      />
    </Page>
  );
}

function Name({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  return (
    <span className="flex items-center gap-2">
      <span className="font-medium">{worker.name}</span>
      {worker.error !== null && <Badge tone="bad">{t.broken}</Badge>}
    </span>
  );
}

function Live({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  if (worker.environments.length === 0) return <Badge>{t.notLive}</Badge>;
  return (
    <span className="flex flex-wrap gap-1">
      {worker.environments.map((each) => (
        <Badge key={each.environment} tone={each.environment === "production" ? "ok" : "neutral"}>
          {each.environment} {each.versions.map((share) =>
            each.versions.length > 1 ? `v${share.number} ${share.weight}%` : `v${share.number}`
          ).join(" · ")}
        </Badge>
      ))}
    </span>
  );
}
