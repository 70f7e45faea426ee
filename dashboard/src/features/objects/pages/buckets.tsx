import { Archive, Ellipsis, Gauge, KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { BucketEntry } from "@/api/generated/api";
import { Button, ButtonLink } from "@/components/button";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Progress } from "@/components/progress";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Bytes, RelativeTime } from "@/components/values";
import { messages } from "@/features/objects/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { formatBytes, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const BUCKETS = "GET /admin/s3/buckets";
const MEGABYTE = 1024 * 1024;
type Asked = { kind: "make" } | { kind: "quota" | "delete"; of: BucketEntry };

export default function BucketsPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const can = useCan();
  const buckets = useApi(BUCKETS, { query: { project } });
  const remove = useChange("DELETE /admin/s3/buckets/{bucket}", { invalidates: [BUCKETS] });
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const make = (
    <Button look="primary" icon={Plus} needs="developer" onClick={() => setAsked({ kind: "make" })}>{t.make}</Button>
  );
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <>
          {can("admin") && <ButtonLink icon={KeyRound} to={to("access-keys")}>{t.keys}</ButtonLink>}
          {make}
        </>
      }
    >
      <Card flush>
        <Table<BucketEntry>
          label={t.title}
          rows={buckets.data}
          error={buckets.error}
          onRetry={() => void buckets.refetch()}
          rowKey={(bucket) => bucket.name}
          to={(bucket) => to("objects", bucket.name)}
          sortedBy="name"
          columns={[
            { id: "name", header: t.name, sort: (bucket) => bucket.name, cell: (bucket) => bucket.name },
            {
              id: "objects",
              header: t.objects,
              align: "right",
              from: "sm",
              sort: (bucket) => bucket.objects,
              cell: (bucket) => bucket.objects === null ? "–" : formatNumber(bucket.objects),
            },
            {
              id: "size",
              header: t.size,
              align: "right",
              sort: (bucket) => bucket.sizeBytes,
              cell: (bucket) => <Used bucket={bucket} />,
            },
            {
              id: "created",
              header: t.since,
              align: "right",
              from: "md",
              sort: (bucket) => bucket.created,
              cell: (bucket) => <RelativeTime time={bucket.created} />,
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "3.5rem",
              cell: (bucket) => (
                <Menu
                  items={[
                    [{
                      label: t.changeQuota,
                      icon: Gauge,
                      disabled: !can("developer"),
                      onSelect: () => setAsked({ kind: "quota", of: bucket }),
                    }],
                    [{
                      label: t.remove,
                      icon: Trash2,
                      danger: true,
                      disabled: !can("admin"),
                      onSelect: () => setAsked({ kind: "delete", of: bucket }),
                    }],
                  ]}
                >
                  <Button look="quiet" size="sm" icon={Ellipsis} aria-label={`${bucket.name}: ${t.change}`} />
                </Menu>
              ),
            },
          ]}
          empty={
            <EmptyState icon={Archive} title={t.none} command="v8box s3 create photos" actions={make}>
              {t.noneHint}
            </EmptyState>
          }
        />
      </Card>
      {(asked?.kind === "make" || asked?.kind === "quota") && (
        <BucketForm project={project} of={asked.kind === "quota" ? asked.of : undefined} onClose={close} />
      )}
      {asked?.kind === "delete" && (
        <ConfirmByName
          open
          onClose={close}
          title={`${t.remove}: ${asked.of.name}`}
          name={asked.of.name}
          what={t.removeWhat}
          onConfirm={async () => {
            await remove.mutateAsync({ path: { bucket: asked.of.name }, query: { project } });
            toast.done(t.removed(asked.of.name));
          }}
        />
      )}
    </Page>
  );
}

function Used({ bucket: { name, sizeBytes, quota } }: { bucket: BucketEntry }) {
  const t = useMessages(messages);
  if (quota === null || sizeBytes === null) return <Bytes value={sizeBytes} />;
  const share = quota > 0 ? sizeBytes / quota : 1;
  return (
    <span className="inline-grid w-32 gap-1">
      <span className="text-xs">{t.quotaOf(formatBytes(sizeBytes), formatBytes(quota))}</span>
      <Progress
        value={share}
        label={`${name}: ${t.quotaOf(formatBytes(sizeBytes), formatBytes(quota))}`}
        tone={share > 0.95 ? "bad" : share > 0.8 ? "warn" : "accent"}
      />
    </span>
  );
}

/** A new bucket, or the quota `of` one that there is. */
function BucketForm(
  { project, of, onClose }: { project: string; of: BucketEntry | undefined; onClose: () => void },
) {
  const t = useMessages(messages);
  const [name, setName] = useState("");
  const [quota, setQuota] = useState(of?.quota ? String(of.quota / MEGABYTE) : "");
  const make = useChange("POST /admin/s3/buckets", { invalidates: [BUCKETS] });
  const change = useChange("PATCH /admin/s3/buckets/{bucket}", { invalidates: [BUCKETS] });
  const bytes = quota.trim() === "" ? null : Math.round(Number(quota) * MEGABYTE);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={of ? `${t.changeQuota}: ${of.name}` : t.make}
      submit={of ? t.changeQuota : t.create}
      onSubmit={async () => {
        if (of) await change.mutateAsync({ path: { bucket: of.name }, query: { project }, body: { quota: bytes } });
        else await make.mutateAsync({ query: { project }, body: { name, quota: bytes } });
        toast.done(of ? t.quotaChanged : t.created(name));
        onClose();
      }}
    >
      {of === undefined && (
        <Field label={t.name} hint={t.nameHint}>
          <Input
            value={name}
            onChange={(event) => setName(event.target.value)}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            required
            autoFocus
          />
        </Field>
      )}
      <Field label={t.quota} hint={t.quotaHint}>
        <Input
          type="number"
          min={0}
          step="any"
          value={quota}
          onChange={(event) => setQuota(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}
