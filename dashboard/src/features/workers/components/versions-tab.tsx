import { Download, GitCompare, Pin, Tag, Trash2, Undo2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useSearchParams } from "react-router";
import type { VersionShown, WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm, Dialog, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Field, Input } from "@/components/field";
import { Card } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Bytes, RelativeTime, Skeleton } from "@/components/values";
import { messages } from "@/features/workers/messages";
import { api, apiUrl } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useQueryClient } from "@tanstack/react-query";
import { MoreHorizontal } from "lucide-react";

const VersionDiff = lazy(() => import("@/features/workers/components/version-diff"));
const STALE = ["GET /api/v1/projects/{project}/workers"];

/** Every version: what is live where, tags, comparison, and the way back. */
export default function VersionsTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [search, setSearch] = useSearchParams();
  const [environment] = useState("production");
  const [back, setBack] = useState<VersionShown | null>(null);
  const [tagging, setTagging] = useState<VersionShown | null>(null);
  const [removing, setRemoving] = useState<VersionShown | null>(null);
  const [compared, setCompared] = useState<[string, string] | null>(null);
  const path = { project, worker: worker.name };
  const versions = useApiList("GET /api/v1/projects/{project}/workers/{worker}/versions", { path });

  const change = async (version: VersionShown, body: { tags?: string[]; pinned?: boolean }) => {
    await api("PATCH /api/v1/projects/{project}/workers/{worker}/versions/{ref}", {
      path: { ...path, ref: version.id },
      body,
    });
    await invalidate(client, STALE);
  };
  const rollBack = async (version: VersionShown) => {
    const before = worker.environments.find((each) => each.environment === environment)?.versions ?? [];
    const newer = before.at(-1);
    if (newer !== undefined && version.number < newer.number) await goBack(version.id); // the history says so, too
    else await live(version.id);
    const old = before[0];
    toast.done(
      t.rolledBack(version.number),
      before.length === 1 && old ? { label: `v${old.number}`, run: () => void live(old.version) } : undefined,
    );
  };
  const goBack = async (to: string | null) => {
    const deployment = await api(
      "POST /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/rollback",
      { path: { ...path, environment }, body: { to } },
    );
    await invalidate(client, STALE);
    return deployment;
  };
  const live = async (version: string) => {
    await api("PUT /api/v1/projects/{project}/workers/{worker}/deployments/{environment}", {
      path: { ...path, environment },
      body: { versions: [{ version, weight: 100 }] },
    });
    await invalidate(client, STALE);
  };
  const current = worker.environments.find((each) => each.environment === environment)?.versions[0];

  return (
    <Card flush title={t.tabs.versions}>
      {/* Asked for in the palette. */}
      <Confirm
        open={search.has("rollback") && current !== undefined}
        onClose={() => setSearch({}, { replace: true })}
        title={t.rollBackMany(1)}
        what={
          <>
            <p>{t.rollBackBefore(current?.number ?? 0)}</p>
            <p className="mt-1">{t.rollBackWhat(environment)}</p>
          </>
        }
        action={t.rollBack}
        onConfirm={async () => {
          const { versions: now } = await goBack(null);
          toast.done(t.rolledBack(now[0]?.number ?? 0), {
            label: `v${current?.number ?? ""}`,
            run: () => void (current && live(current.version)),
          });
        }}
      />
      <Table
        label={t.tabs.versions}
        rows={versions.items}
        error={versions.error}
        onRetry={() => void versions.refetch()}
        more={versions}
        rowKey={(version) => version.id}
        columns={[
          {
            id: "number",
            header: t.version,
            cell: (version) => (
              <span className="flex flex-wrap items-center gap-1.5">
                <span className="font-medium tabular-nums">v{version.number}</span>
                {version.live_in.map((each) => (
                  <Badge key={each.environment} tone="ok" dot>
                    {each.environment}
                    {each.weight < 100 && ` ${each.weight}%`}
                  </Badge>
                ))}
                {version.tags.map((tag) => <Badge key={tag} tone="accent">{tag}</Badge>)}
                {version.pinned && <Badge>{t.pinned}</Badge>}
              </span>
            ),
          },
          {
            id: "message",
            header: t.message,
            from: "md",
            cell: (version) => <span className="line-clamp-1 text-muted">{version.message || "–"}</span>,
          },
          { id: "by", header: t.by, from: "lg", cell: (version) => version.created_by },
          { id: "when", header: t.when, from: "sm", cell: (version) => <RelativeTime time={version.created_at} /> },
          {
            id: "size",
            header: t.size,
            from: "lg",
            align: "right",
            cell: (version) => <Bytes value={version.bundle_bytes} />,
          },
          {
            id: "do",
            header: t.change,
            hideHeader: true,
            align: "right",
            cell: (version) => (
              <span className="flex justify-end gap-1">
                {version.id !== current?.version && (
                  <Button
                    size="sm"
                    icon={Undo2}
                    needs="developer"
                    onClick={() => setBack(version)}
                  >
                    {current && version.number < current.number ? t.rollBack : t.makeLive}
                  </Button>
                )}
                <Menu
                  label={`v${version.number}`}
                  items={[[
                    {
                      label: t.compare,
                      icon: GitCompare,
                      disabled: current === undefined || version.id === current.version,
                      onSelect: () => current && setCompared(inOrder(version, current)),
                    },
                    {
                      label: t.download,
                      icon: Download,
                      onSelect: () =>
                        void globalThis.open(
                          apiUrl("GET /api/v1/projects/{project}/workers/{worker}/versions/{ref}/source.zip", {
                            path: { ...path, ref: version.id },
                          }),
                          "_self",
                        ),
                    },
                  ], [
                    { label: t.addTag, icon: Tag, onSelect: () => setTagging(version) },
                    {
                      label: version.pinned ? t.unpin : t.pin,
                      icon: Pin,
                      onSelect: () => void change(version, { pinned: !version.pinned }).catch(toast.failed),
                    },
                    {
                      label: t.deleteVersion,
                      icon: Trash2,
                      danger: true,
                      disabled: version.live_in.length > 0,
                      onSelect: () => setRemoving(version),
                    },
                  ]]}
                >
                  <Button size="sm" look="quiet" icon={MoreHorizontal} aria-label={`v${version.number}: ${t.change}`} />
                </Menu>
              </span>
            ),
          },
        ]}
        empty={<EmptyState title={t.noVersions} command={`v8box deploy ${worker.name}`} />}
      />
      <Confirm
        open={back !== null}
        onClose={() => setBack(null)}
        title={t.rollBackTo(back?.number ?? 0)}
        what={t.rollBackWhat(environment)}
        action={t.rollBackTo(back?.number ?? 0)}
        onConfirm={async () => {
          if (back) await rollBack(back);
        }}
      />
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.deleteVersion} v${removing?.number ?? ""}`}
        what={t.deleteVersionWhat}
        action={t.deleteVersion}
        danger
        onConfirm={async () => {
          if (!removing) return;
          await api("DELETE /api/v1/projects/{project}/workers/{worker}/versions/{ref}", {
            path: { ...path, ref: removing.id },
          });
          await invalidate(client, STALE);
        }}
      />
      {tagging && (
        <Tags
          version={tagging}
          onClose={() => setTagging(null)}
          onSave={async (tags) => {
            await change(tagging, { tags });
            setTagging(null);
          }}
        />
      )}
      <Dialog
        open={compared !== null}
        onClose={() => setCompared(null)}
        title={compared ? t.diffTitle(...compared) : ""}
        width="xl"
      >
        {compared && (
          <Suspense fallback={<Skeleton className="h-96" />}>
            <VersionDiff worker={worker.name} a={compared[0]} b={compared[1]} />
          </Suspense>
        )}
      </Dialog>
    </Card>
  );
}

function inOrder(version: VersionShown, current: { number: number }): [string, string] {
  const [a, b] = [version.number, current.number].sort((one, other) => one - other);
  return [`v${a}`, `v${b}`];
}

function Tags({ version, onClose, onSave }: {
  version: VersionShown;
  onClose: () => void;
  onSave: (tags: string[]) => Promise<void>;
}) {
  const t = useMessages(messages);
  const [text, setText] = useState(version.tags.join(" "));
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`${t.addTag} v${version.number}`}
      submit={t.apply}
      onSubmit={() => onSave(text.split(/\s+/).filter((each) => each !== ""))}
    >
      <Field label={t.tags} hint={t.tagsHint}>
        <Input autoFocus value={text} onChange={(event) => setText(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
