import { PanelsTopLeft, Upload } from "lucide-react";
import { useMemo, useState } from "react";
import type { SiteSummary } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { SearchInput } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { Bytes, RelativeTime } from "@/components/values";
import { SiteLink } from "@/features/pages/components/site-link";
import { messages } from "@/features/pages/messages";
import { useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

export default function SitesPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const [text, setText] = useState("");
  const sites = useApiList("GET /api/v1/projects/{project}/sites", { path: { project } }, { refetchInterval: 15_000 });
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return sites.items?.filter((site) => site.name.includes(wanted));
  }, [sites.items, text]);
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={<ButtonLink look="primary" icon={Upload} to={to("new-site")}>{t.make}</ButtonLink>}
    >
      <Card flush>
        <div className="border-b px-4 py-3">
          <SearchInput
            className="max-w-xs"
            label={t.find}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <Table
          label={t.title}
          rows={shown}
          error={sites.error}
          onRetry={() => void sites.refetch()}
          more={sites}
          rowKey={(site) => site.name}
          to={(site) => to("sites", site.name)}
          sortedBy="name"
          columns={[
            { id: "name", header: t.name, sort: (site) => site.name, cell: (site) => site.name },
            { id: "live", header: t.liveColumn, cell: (site) => <Live site={site} /> },
            { id: "address", header: t.address, from: "sm", cell: (site) => <SiteLink url={site.url} /> },
            { id: "domains", header: t.tabs.domains, from: "lg", cell: (site) => <Hosts site={site} /> },
            {
              id: "size",
              header: t.size,
              from: "md",
              align: "right",
              sort: (site) => site.bytes ?? -1,
              cell: (site) => site.bytes === null ? "–" : <Bytes value={site.bytes} />,
            },
            {
              id: "at",
              header: t.changed,
              from: "sm",
              align: "right",
              sort: (site) => site.changed_at,
              cell: (site) => <RelativeTime time={site.changed_at} />,
            },
          ]}
          empty={text !== "" ? <EmptyState title={t.noneFound} /> : (
            <EmptyState
              icon={PanelsTopLeft}
              title={t.none}
              command="v8box pages deploy dist --site blog"
              actions={<ButtonLink look="primary" icon={Upload} to={to("new-site")}>{t.make}</ButtonLink>}
            >
              {t.noneHint}
            </EmptyState>
          )}
        />
      </Card>
    </Page>
  );
}

function Live({ site }: { site: SiteSummary }) {
  const t = useMessages(messages);
  return (
    <span className="flex flex-wrap gap-1">
      {site.live_release === null ? <Badge>{t.notLive}</Badge> : <Badge tone="ok" dot>#{site.live_release}</Badge>}
      {site.from_folder && <Badge>{t.folder}</Badge>}
    </span>
  );
}

function Hosts({ site }: { site: SiteSummary }) {
  const t = useMessages(messages);
  if (site.domains.length === 0) return <span className="text-muted">–</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {site.domains.map(({ host, verified }) => (
        <Badge key={host} tone={verified ? "neutral" : "warn"}>
          {verified ? host : `${host} (${t.unverified})`}
        </Badge>
      ))}
    </span>
  );
}
