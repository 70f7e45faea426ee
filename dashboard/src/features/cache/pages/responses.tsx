// The response cache: how requests were answered since the box started, and throwing answers out.
import { Ellipsis, Eraser, Trash2, Zap } from "lucide-react";
import { useState } from "react";
import type { CacheUse } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Progress } from "@/components/progress";
import { Table } from "@/components/table";
import { CacheTabs } from "@/features/cache/components/cache-tabs";
import { PurgeAll, PurgeDialog, RESPONSES } from "@/features/cache/components/purge";
import { messages } from "@/features/cache/messages";
import { useApiList } from "@/lib/api/queries";
import { formatBytes, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const RESULTS = ["hit", "stale", "collapsed", "revalidated", "miss", "bypass"] as const;
const MANIFEST = `[cache]
enabled = true`;

export default function ResponsesPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const list = useApiList(RESPONSES, { path: { project } }, { refetchInterval: 5000 });
  const [asked, setAsked] = useState<{ of?: CacheUse } | "all" | null>(null);
  return (
    <Page
      title={t.responsesTab}
      description={t.responsesDescription}
      wide
      actions={
        <>
          <Menu
            items={[[{
              label: t.purgeAll,
              icon: Trash2,
              danger: true,
              disabled: !can("developer"),
              onSelect: () => setAsked("all"),
            }]]}
          >
            <Button icon={Ellipsis} aria-label={t.more} />
          </Menu>
          <Button look="primary" icon={Eraser} needs="developer" onClick={() => setAsked({})}>{t.purge}</Button>
        </>
      }
    >
      <CacheTabs />
      <Card flush>
        <Table<CacheUse>
          label={t.responsesTab}
          rows={list.items}
          error={list.error}
          onRetry={() => void list.refetch()}
          more={list}
          rowKey={(use) => `${use.kind}/${use.name}`}
          sortedBy="name"
          columns={[
            {
              id: "name",
              header: t.owner,
              sort: (use) => use.name,
              cell: (use) => (
                <span className="inline-flex items-center gap-2">
                  {use.name} <Badge>{t.kinds[use.kind] ?? use.kind}</Badge>
                </span>
              ),
            },
            { id: "share", header: t.fromCache, width: "10rem", sort: shareOf, cell: (use) => <Share use={use} /> },
            ...RESULTS.map((result) => ({
              id: result,
              header: t.results[result],
              align: "right" as const,
              from: result === "hit" || result === "miss" ? "sm" as const : "lg" as const,
              sort: (use: CacheUse) => use[result],
              cell: (use: CacheUse) => formatNumber(use[result]),
            })),
            {
              id: "held",
              header: t.held,
              align: "right",
              from: "md",
              sort: (use) => use.bytes,
              cell: (use) => (
                <span className="whitespace-nowrap">{formatNumber(use.entries)} · {formatBytes(use.bytes)}</span>
              ),
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "3.5rem",
              cell: (use) => (
                <Button
                  size="sm"
                  look="quiet"
                  icon={Eraser}
                  needs="developer"
                  aria-label={`${t.purge}: ${use.name}`}
                  onClick={() => setAsked({ of: use })}
                />
              ),
            },
          ]}
          empty={<EmptyState icon={Zap} title={t.noResponses} command={MANIFEST}>{t.noResponsesHint}</EmptyState>}
        />
      </Card>
      {asked === "all" && <PurgeAll project={project} onClose={() => setAsked(null)} />}
      {asked !== null && asked !== "all" && (
        <PurgeDialog
          project={project}
          owners={list.items ?? []}
          of={asked.of}
          onClose={() => setAsked(null)}
        />
      )}
    </Page>
  );
}

/** How many of those that the cache was asked for came from it; null: nobody asked. */
function shareOf(use: CacheUse): number | null {
  const kept = use.hit + use.stale + use.collapsed + use.revalidated;
  return kept + use.miss === 0 ? null : kept / (kept + use.miss);
}

function Share({ use }: { use: CacheUse }) {
  const t = useMessages(messages);
  const share = shareOf(use);
  if (share === null) return <span className="text-muted">–</span>;
  return (
    <span className="inline-grid w-28 gap-1">
      <span className="text-xs">{formatNumber(share, { style: "percent", maximumFractionDigits: 1 })}</span>
      <Progress value={share} label={`${use.name}: ${t.fromCache}`} />
    </span>
  );
}
