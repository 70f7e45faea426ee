import { useQueryClient } from "@tanstack/react-query";
import { Eye, FileStack, GitCompare, MoreHorizontal, Pin, Rocket, Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import type { Release, SiteInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm, Dialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Select } from "@/components/field";
import { Card } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Bytes, RelativeTime } from "@/components/values";
import { FileDiff } from "@/features/pages/components/file-diff";
import { PreviewForm } from "@/features/pages/components/preview-form";
import { ReleaseDiff } from "@/features/pages/components/release-diff";
import { SiteLink } from "@/features/pages/components/site-link";
import { SITES } from "@/features/pages/lib/queries";
import { reportOf } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

/** Every release: which one is live, how to get to another, and what is different in it. */
export default function ReleasesTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const client = useQueryClient();
  const navigate = useNavigate();
  const can = useCan();
  const [search, setSearch] = useSearchParams();
  const [wanted, setWanted] = useState<Release | null>(null);
  const [removing, setRemoving] = useState<Release | null>(null);
  const [previewed, setPreviewed] = useState<Release | null>(null);
  const path = { project, site: site.name };
  const releases = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases", { path }, {
    refetchInterval: 10_000,
  });
  const file = search.get("file");
  const compared = /^(\d+)\.\.(\d+)$/.exec(search.get("compare") ?? "")?.slice(1).map(Number) ?? null;
  const compare = (one: number, other: number) =>
    setSearch({ compare: `${Math.min(one, other)}..${Math.max(one, other)}` });
  const live = site.live_release;

  const goLive = async (release: number) => {
    await api("PUT /api/v1/projects/{project}/sites/{site}/live", { path, body: { release } });
    await invalidate(client, SITES);
  };
  const change = async (release: Release) => {
    if (live !== null && release.number < live) {
      await api("POST /api/v1/projects/{project}/sites/{site}/rollback", { path, body: { to: release.number } });
      await invalidate(client, SITES);
    } else await goLive(release.number);
    toast.done(
      t.isLive(release.number),
      live === null ? undefined : { label: t.backTo(live), run: () => void goLive(live).catch(toast.failed) },
    );
  };
  const back = (release: Release) => live !== null && release.number < live;

  return (
    <>
      <Card flush title={t.tabs.releases}>
        <Table
          label={t.tabs.releases}
          rows={releases.items}
          error={releases.error}
          onRetry={() => void releases.refetch()}
          more={releases}
          rowKey={(release) => String(release.number)}
          to={(release) => to("sites", site.name, "releases", String(release.number))}
          columns={[
            {
              id: "number",
              header: t.release,
              cell: (release) => (
                <span className="flex flex-wrap items-center gap-1.5">
                  <span className="tabular-nums">#{release.number}</span>
                  {release.number === live && <Badge tone="ok" dot>{t.live}</Badge>}
                  {release.pinned && <Badge>{t.pinned}</Badge>}
                  {(reportOf(release).ignored_count ?? 0) + (reportOf(release).warnings?.length ?? 0) > 0 && (
                    <Badge tone="warn">{t.warned}</Badge>
                  )}
                </span>
              ),
            },
            {
              id: "message",
              header: t.message,
              from: "md",
              cell: (release) => <span className="line-clamp-1 break-all text-muted">{release.message || "–"}</span>,
            },
            { id: "by", header: t.by, from: "lg", cell: (release) => release.created_by },
            { id: "when", header: t.when, from: "sm", cell: (release) => <RelativeTime time={release.created_at} /> },
            { id: "files", header: t.files, from: "lg", align: "right", cell: (release) => release.files },
            { id: "size", header: t.size, from: "sm", align: "right", cell: ({ bytes }) => <Bytes value={bytes} /> },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              cell: (release) => (
                <span className="flex justify-end gap-1">
                  {release.number !== live && (
                    <Button
                      size="sm"
                      icon={back(release) ? Undo2 : Rocket}
                      needs="developer"
                      onClick={() => setWanted(release)}
                    >
                      {back(release) ? t.rollBack : t.makeLive}
                    </Button>
                  )}
                  <Menu
                    label={`#${release.number}`}
                    items={[[
                      {
                        label: t.filesAndReport,
                        icon: FileStack,
                        onSelect: () => void navigate(to("sites", site.name, "releases", String(release.number))),
                      },
                      {
                        label: t.compareLive,
                        icon: GitCompare,
                        disabled: live === null || live === release.number,
                        onSelect: () => live !== null && compare(release.number, live),
                      },
                    ], [
                      {
                        label: t.preview,
                        icon: Eye,
                        disabled: !can("developer"),
                        onSelect: () => setPreviewed(release),
                      },
                      {
                        label: release.pinned ? t.unpin : t.pin,
                        icon: Pin,
                        disabled: !can("developer"),
                        onSelect: () =>
                          void api("PATCH /api/v1/projects/{project}/sites/{site}/releases/{number}", {
                            path: { ...path, number: release.number },
                            body: { pinned: !release.pinned },
                          }).then(() => invalidate(client, SITES), toast.failed),
                      },
                      {
                        label: t.deleteRelease,
                        icon: Trash2,
                        danger: true,
                        disabled: release.number === live || !can("admin"),
                        onSelect: () => setRemoving(release),
                      },
                    ]]}
                  >
                    <Button
                      size="sm"
                      look="quiet"
                      icon={MoreHorizontal}
                      aria-label={`#${release.number}: ${t.change}`}
                    />
                  </Menu>
                </span>
              ),
            },
          ]}
          empty={
            <EmptyState title={t.noReleases} command={`v8box pages deploy dist --site ${site.name}`}>
              {t.noReleasesHint}
            </EmptyState>
          }
        />
      </Card>
      <History site={site.name} />
      <Confirm
        open={wanted !== null}
        onClose={() => setWanted(null)}
        title={wanted ? (back(wanted) ? t.rollBackTo(wanted.number) : t.makeLiveOf(wanted.number)) : ""}
        what={wanted && (
          <>
            <p>{t.goLiveWhat}</p>
            <p className="mt-2">
              <SiteLink url={wanted.url} />
            </p>
          </>
        )}
        action={wanted ? (back(wanted) ? t.rollBackTo(wanted.number) : t.makeLiveOf(wanted.number)) : ""}
        onConfirm={async () => {
          if (wanted) await change(wanted);
        }}
      />
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.deleteRelease} #${removing?.number ?? ""}`}
        what={t.deleteReleaseWhat}
        action={t.deleteRelease}
        danger
        onConfirm={async () => {
          if (!removing) return;
          await api("DELETE /api/v1/projects/{project}/sites/{site}/releases/{number}", {
            path: { ...path, number: removing.number },
          });
          await invalidate(client, SITES);
        }}
      />
      {previewed && <PreviewForm site={site.name} release={previewed.number} onClose={() => setPreviewed(null)} />}
      <Dialog
        open={compared !== null}
        onClose={() => setSearch({})}
        title={t.compare}
        width="xl"
      >
        {compared && (
          <div className="grid gap-4">
            <div className="flex flex-wrap items-center gap-2 text-sm">
              {compared.map((number, side) => (
                <Select
                  key={side}
                  className="max-w-32"
                  label={side === 0 ? t.older : t.newer}
                  value={String(number)}
                  options={numbers(releases.items, compared).map((each) => ({ value: each, label: `#${each}` }))}
                  onChange={(chosen) => compare(Number(chosen), compared[1 - side] ?? 0)}
                />
              ))}
            </div>
            {compared[0] === compared[1] ? <p className="text-sm text-muted">{t.sameRelease}</p> : file !== null
              ? (
                <FileDiff
                  key={compared.join() + file}
                  site={site.name}
                  older={compared[0] ?? 0}
                  newer={compared[1] ?? 0}
                  path={file}
                  onBack={() => setSearch({ compare: compared.join("..") })}
                />
              )
              : (
                <ReleaseDiff
                  key={compared.join()}
                  site={site.name}
                  older={compared[0] ?? 0}
                  newer={compared[1] ?? 0}
                  onOpen={(path) => setSearch({ compare: compared.join(".."), file: path })}
                />
              )}
          </div>
        )}
      </Dialog>
    </>
  );
}

function numbers(releases: readonly Release[] | undefined, also: readonly number[]): string[] {
  const known = new Set([...also, ...(releases ?? []).map((each) => each.number)]);
  return [...known].sort((one, other) => other - one).map(String);
}

/** What was live when. */
function History({ site }: { site: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const history = useApiList("GET /api/v1/projects/{project}/sites/{site}/history", { path: { project, site } });
  if (history.items?.length === 0) return null;
  return (
    <Card flush title={t.history} description={t.historyHint}>
      <Table
        label={t.history}
        rows={history.items}
        error={history.error}
        onRetry={() => void history.refetch()}
        more={history}
        maxHeight="22rem"
        rowKey={(entry) => String(entry.number)}
        columns={[
          { id: "release", header: t.release, cell: (entry) => `#${entry.release}` },
          { id: "change", header: t.how, from: "sm", cell: (entry) => t.changes[entry.change] ?? entry.change },
          { id: "message", header: t.message, from: "md", cell: (entry) => entry.message || "–" },
          { id: "by", header: t.by, from: "sm", cell: (entry) => entry.by },
          { id: "at", header: t.when, align: "right", cell: (entry) => <RelativeTime time={entry.at} /> },
        ]}
      />
    </Card>
  );
}
