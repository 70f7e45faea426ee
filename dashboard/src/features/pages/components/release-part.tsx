import { GitCompare } from "lucide-react";
import { useState } from "react";
import { useParams } from "react-router";
import type { SiteInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { ButtonLink } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { SearchInput } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { Bytes, KeyValue, RelativeTime, Skeleton } from "@/components/values";
import { Ignored } from "@/features/pages/components/ignored";
import { SiteLink } from "@/features/pages/components/site-link";
import { fileUrl, safeUrl } from "@/features/pages/lib/urls";
import { useRelease, useReleaseFiles } from "@/features/pages/lib/queries";
import { reportOf } from "@/features/pages/lib/report";
import { messages } from "@/features/pages/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

/** One release: what its deploy had to say, and every file of it. */
export default function ReleasePart({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const number = Number(useParams().number);
  const [text, setText] = useState("");
  const found = useRelease(project, site.name, Number.isInteger(number) ? number : 0);
  const { files, error, refetch } = useReleaseFiles(site.name, Number.isInteger(number) ? number : 0);
  const release = found.data;
  if (found.error && release === undefined) {
    return <ErrorNote error={found.error} onRetry={() => void found.refetch()} />;
  }
  if (release === undefined) return <Skeleton className="h-96" />;
  return (
    <>
      <Card
        title={`${t.release} #${release.number}`}
        actions={release.live ? <Badge tone="ok" dot>{t.live}</Badge> : site.live_release !== null && (
          <ButtonLink
            size="sm"
            icon={GitCompare}
            to={`${to("sites", site.name)}?compare=${
              [release.number, site.live_release].sort((one, other) => one - other).join("..")
            }`}
          >
            {t.compareLive}
          </ButtonLink>
        )}
      >
        <KeyValue
          items={[
            [t.address, <SiteLink key="url" url={release.url} copy />],
            [t.message, release.message || "–"],
            [t.by, release.created_by],
            [t.when, <RelativeTime key="at" time={release.created_at} />],
            [
              t.size,
              <span key="size">
                {t.filesFound(release.files)} · <Bytes value={release.bytes} />
              </span>,
            ],
          ]}
        />
      </Card>
      <Ignored report={reportOf(release)} quiet />
      <Card
        flush
        title={t.files}
        actions={<SearchInput label={t.findFile} value={text} onChange={(event) => setText(event.target.value)} />}
      >
        <Table
          label={t.files}
          rows={files?.filter((file) => file.path.toLowerCase().includes(text.trim().toLowerCase()))}
          error={error}
          onRetry={() => void refetch()}
          rowKey={(file) => file.path}
          columns={[
            {
              id: "path",
              header: t.file,
              sort: (file) => file.path,
              cell: (file) => (
                <a
                  href={safeUrl(fileUrl(release.url, file.path))}
                  target="_blank"
                  rel="noreferrer"
                  className="font-mono text-xs break-all text-accent hover:underline"
                >
                  {file.path}
                </a>
              ),
            },
            { id: "type", header: t.type, from: "md", sort: (file) => file.type, cell: (file) => file.type },
            {
              id: "smallest",
              header: t.smallest,
              from: "sm",
              align: "right",
              cell: (file) => <Bytes value={Math.min(file.bytes, ...Object.values(file.encodings))} />,
            },
            {
              id: "bytes",
              header: t.size,
              align: "right",
              sort: (file) => file.bytes,
              cell: (file) => <Bytes value={file.bytes} />,
            },
          ]}
        />
      </Card>
    </>
  );
}
