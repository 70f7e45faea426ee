import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { KeyInfo, NewKey } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Checkbox, Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/objects/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { listOf, useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const KEYS = "GET /admin/s3/keys";
const PERMISSIONS = ["read", "write", "list"] as const;
const DAY = 86_400;

export default function AccessKeysPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const keys = useApi(KEYS, { query: { project } });
  const revoke = useChange("DELETE /admin/s3/keys/{key_id}", { invalidates: [KEYS] });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<NewKey | null>(null);
  const [revoking, setRevoking] = useState<KeyInfo | null>(null);
  const make = <Button look="primary" icon={Plus} needs="admin" onClick={() => setMaking(true)}>{t.newKey}</Button>;
  return (
    <Page
      title={t.keys}
      description={t.keysDescription}
      crumbs={[{ label: t.title, to: to("objects") }]}
      actions={make}
    >
      <Card flush>
        <Table<KeyInfo>
          label={t.keys}
          rows={keys.data}
          error={keys.error}
          onRetry={() => void keys.refetch()}
          rowKey={(key) => key.id}
          columns={[
            {
              id: "label",
              header: t.label,
              sort: (key) => key.label,
              cell: (key) => (
                <>
                  <span className="font-medium">{key.label}</span>
                  <span className="block font-mono text-xs text-muted">{key.id}</span>
                </>
              ),
            },
            {
              id: "may",
              header: t.permissions,
              from: "sm",
              cell: (key) =>
                `${key.permissions.map((each) => t[each]).join(", ")} · ${key.buckets?.join(", ") ?? t.everyBucket}`,
            },
            { id: "used", header: t.lastUsed, from: "md", cell: (key) => <RelativeTime time={key.last_used_at} /> },
            {
              id: "expires",
              header: t.expires,
              from: "sm",
              cell: (key) =>
                key.revoked_at !== null
                  ? <Badge tone="bad">{t.revoked}</Badge>
                  : key.usable
                  ? <RelativeTime time={key.expires_at} empty={t.never} />
                  : <Badge tone="warn">{t.expired}</Badge>,
            },
            {
              id: "do",
              header: t.revoke,
              hideHeader: true,
              align: "right",
              cell: (key) =>
                key.usable && (
                  <Button
                    size="sm"
                    look="quiet"
                    icon={Trash2}
                    needs="admin"
                    aria-label={`${t.revoke}: ${key.label}`}
                    onClick={() => setRevoking(key)}
                  />
                ),
            },
          ]}
          empty={<EmptyState icon={KeyRound} title={t.noKeys} command="v8box s3 key create">{t.noKeysHint}</EmptyState>}
        />
      </Card>
      {making && <NewKeyForm project={project} onMade={setMade} onClose={() => setMaking(false)} />}
      <SecretOnce title={t.secret} secret={made?.secret ?? null} onClose={() => setMade(null)}>
        <p className="break-all">{made && t.howToUse(made.id, made.endpoint, made.region)}</p>
        <p className="mt-2 break-all">{t.presign}</p>
      </SecretOnce>
      {revoking && (
        <ConfirmByName
          open
          onClose={() => setRevoking(null)}
          title={`${t.revoke}: ${revoking.label}`}
          name={revoking.label}
          what={t.revokeWhat}
          action={t.revoke}
          onConfirm={async () => {
            await revoke.mutateAsync({ path: { key_id: revoking.id }, query: { project } });
            toast.done(`${revoking.label}: ${t.revoked}`);
          }}
        />
      )}
    </Page>
  );
}

function NewKeyForm(
  { project, onMade, onClose }: { project: string; onMade: (key: NewKey) => void; onClose: () => void },
) {
  const t = useMessages(messages);
  const [draft, set] = useDraft({ label: "", buckets: "", days: "", read: true, write: true, list: true });
  const make = useChange("POST /admin/s3/keys", { invalidates: [KEYS] });
  const permissions = PERMISSIONS.filter((each) => draft[each]);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newKey}
      submit={t.create}
      disabled={permissions.length === 0}
      onSubmit={async () => {
        const buckets = listOf(draft.buckets);
        onMade(
          await make.mutateAsync({
            query: { project },
            body: {
              label: draft.label,
              permissions,
              buckets: buckets.length > 0 ? buckets : null,
              expires_in_seconds: draft.days === "" ? null : Math.round(Number(draft.days) * DAY),
            },
          }),
        );
        onClose();
      }}
    >
      <Field label={t.label} hint={t.labelHint}>
        <Input value={draft.label} onChange={(event) => set({ label: event.target.value })} required autoFocus />
      </Field>
      <fieldset className="flex flex-wrap gap-4">
        <legend className="mb-1 text-sm font-medium">{t.permissions}</legend>
        {PERMISSIONS.map((each) => (
          <Checkbox
            key={each}
            label={t[each]}
            checked={draft[each]}
            onChange={(on) => set({ [each]: on })}
          />
        ))}
      </fieldset>
      <Field label={t.buckets} hint={t.bucketsHint}>
        <Input value={draft.buckets} onChange={(event) => set({ buckets: event.target.value })} spellCheck={false} />
      </Field>
      <Field label={t.expiresIn}>
        <Input
          type="number"
          min={1}
          value={draft.days}
          placeholder={t.never}
          onChange={(event) => set({ days: event.target.value })}
        />
      </Field>
    </FormDialog>
  );
}
