import { SquareFunction } from "lucide-react";
import type { SiteInfo } from "@/api/generated/api";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { Badge } from "@/components/badge";
import { mountsOf } from "@/features/pages/lib/settings";
import { useLiveRelease } from "@/features/pages/lib/queries";
import { reportOf } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

/** The workers that answer for a site: made of its functions/, or mounted. */
export default function FunctionsTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const live = useLiveRelease(site);
  const settings = useApi("GET /api/v1/projects/{project}/sites/{site}/settings", {
    path: { project, site: site.name },
  });
  const mounts = settings.data && mountsOf(settings.data.live?.mounts);
  if (site.live_release === null) return <EmptyState title={t.noReleases}>{t.noReleasesHint}</EmptyState>;
  return (
    <>
      <Card flush title={t.tabs.functions} description={t.functionsHint}>
        <Table
          label={t.tabs.functions}
          rows={live.data && (reportOf(live.data).functions ?? [])}
          error={live.error}
          onRetry={() => void live.refetch()}
          rowKey={(made) => made.file}
          to={(made) => to("workers", made.worker)}
          columns={[
            { id: "path", header: t.path, cell: (made) => <code className="font-mono text-xs">{made.path}</code> },
            {
              id: "file",
              header: t.file,
              from: "sm",
              cell: (made) => <code className="font-mono text-xs break-all">{made.file}</code>,
            },
            { id: "worker", header: t.worker, cell: (made) => made.worker },
          ]}
          empty={<EmptyState icon={SquareFunction} title={t.noFunctions}>{t.noFunctionsHint}</EmptyState>}
        />
      </Card>
      {settings.error && !settings.data && <ErrorNote error={settings.error} />}
      {mounts && mounts.length > 0 && (
        <Card flush title={t.mounts} description={t.mountsHint}>
          <Table
            label={t.mounts}
            rows={mounts}
            rowKey={(mount) => `${mount.path} ${mount.worker}`}
            to={(mount) => to("workers", mount.worker)}
            columns={[
              { id: "path", header: t.path, cell: (mount) => <code className="font-mono text-xs">{mount.path}</code> },
              { id: "worker", header: t.worker, cell: (mount) => mount.worker },
              {
                id: "first",
                header: t.how,
                align: "right",
                cell: (mount) => <Badge>{mount.first === false ? t.afterFiles : t.beforeFiles}</Badge>,
              },
            ]}
          />
        </Card>
      )}
    </>
  );
}
