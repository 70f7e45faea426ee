import { useQueryClient } from "@tanstack/react-query";
import { Eye, Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { PreviewInfo, SiteInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { PreviewForm } from "@/features/pages/components/preview-form";
import { SiteLink } from "@/features/pages/components/site-link";
import { SITES } from "@/features/pages/lib/queries";
import { safeUrl } from "@/features/pages/lib/urls";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** Releases that are shown under a name. */
export default function PreviewsTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [changing, setChanging] = useState<PreviewInfo | null>(null);
  const [removing, setRemoving] = useState<PreviewInfo | null>(null);
  const path = { project, site: site.name };
  const previews = useApiList("GET /api/v1/projects/{project}/sites/{site}/previews", { path });
  const make = <Button size="sm" icon={Plus} needs="developer" onClick={() => setMaking(true)}>{t.newPreview}</Button>;
  return (
    <>
      <Card flush title={t.tabs.previews} description={t.previewsHint} actions={make}>
        <Table
          label={t.tabs.previews}
          rows={previews.items}
          error={previews.error}
          onRetry={() => void previews.refetch()}
          more={previews}
          rowKey={(preview) => preview.label}
          columns={[
            {
              id: "label",
              header: t.label,
              cell: (preview) => (
                <span className="flex flex-wrap items-center gap-1.5 font-medium">
                  <a
                    href={safeUrl(preview.url)}
                    target="_blank"
                    rel="noreferrer"
                    className="rounded-sm text-accent hover:underline"
                  >
                    {preview.label}
                  </a>
                  {preview.password && <Badge tone="accent">{t.withPassword}</Badge>}
                </span>
              ),
            },
            { id: "release", header: t.release, cell: (preview) => `#${preview.release}` },
            { id: "url", header: t.address, from: "sm", cell: (preview) => <SiteLink url={preview.url} copy /> },
            {
              id: "ends",
              header: t.ends,
              from: "md",
              cell: (preview) => <RelativeTime time={preview.expires_at} empty={t.times.ever} />,
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              cell: (preview) => (
                <span className="flex justify-end gap-1">
                  <Button
                    size="sm"
                    look="quiet"
                    icon={Pencil}
                    needs="developer"
                    aria-label={t.changeOf(preview.label)}
                    onClick={() => setChanging(preview)}
                  />
                  <Button
                    size="sm"
                    look="quiet"
                    icon={Trash2}
                    needs="developer"
                    aria-label={t.removeOf(preview.label)}
                    onClick={() => setRemoving(preview)}
                  />
                </span>
              ),
            },
          ]}
          empty={<EmptyState icon={Eye} title={t.noPreviews}>{t.noPreviewsHint}</EmptyState>}
        />
      </Card>
      {making && (
        <PreviewForm
          site={site.name}
          {...(site.live_release === null ? {} : { release: site.live_release })}
          onClose={() => setMaking(false)}
        />
      )}
      {changing && <PreviewForm site={site.name} preview={changing} onClose={() => setChanging(null)} />}
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={t.removeOf(removing?.label ?? "")}
        what={t.removePreviewWhat}
        action={t.remove}
        danger
        onConfirm={async () => {
          if (!removing) return;
          await api("DELETE /api/v1/projects/{project}/sites/{site}/previews/{label}", {
            path: { ...path, label: removing.label },
          });
          await invalidate(client, SITES);
        }}
      />
    </>
  );
}
