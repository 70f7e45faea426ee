// Tokens that open databases to LibSQL clients, from anywhere.
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Checkbox, Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/database/messages";
import type { Answer } from "@/lib/api/client";
import { useApi, useChange } from "@/lib/api/queries";
import { listOf, useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const TOKENS = "GET /admin/database/tokens";
const DAY = 86_400;

type TokenInfo = Answer<typeof TOKENS>[number];
type Made = Answer<"POST /admin/database/tokens">;

export default function DatabaseTokensPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const tokens = useApi(TOKENS, { query: { project } });
  const revoke = useChange("DELETE /admin/database/tokens/{token_id}", { invalidates: [TOKENS] });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<Made | null>(null);
  const [revoking, setRevoking] = useState<TokenInfo | null>(null);
  const make = <Button look="primary" icon={Plus} needs="admin" onClick={() => setMaking(true)}>{t.newToken}</Button>;
  return (
    <Page
      title={t.tokens}
      description={t.tokensDescription}
      crumbs={[{ label: t.title, to: to("database") }]}
      actions={make}
    >
      <Card flush>
        <Table<TokenInfo>
          label={t.tokens}
          rows={tokens.data}
          error={tokens.error}
          onRetry={() => void tokens.refetch()}
          rowKey={(token) => token.id}
          columns={[
            {
              id: "label",
              header: t.tokenLabel,
              sort: (token) => token.label,
              cell: (token) => (
                <>
                  <span className="font-medium">{token.label}</span>
                  <span className="block font-mono text-xs text-muted">{token.id}</span>
                </>
              ),
            },
            {
              id: "may",
              header: t.opens,
              from: "sm",
              cell: (token) => `${t.access[token.access]} · ${token.databases?.join(", ") ?? t.everyDatabase}`,
            },
            { id: "used", header: t.lastUsed, from: "md", cell: (token) => <RelativeTime time={token.last_used_at} /> },
            {
              id: "expires",
              header: t.expires,
              from: "sm",
              cell: (token) =>
                token.expired
                  ? <Badge tone="warn">{t.expired}</Badge>
                  : <RelativeTime time={token.expires_at} empty={t.never} />,
            },
            {
              id: "do",
              header: t.revoke,
              hideHeader: true,
              align: "right",
              cell: (token) => (
                <Button
                  size="sm"
                  look="quiet"
                  icon={Trash2}
                  needs="admin"
                  aria-label={`${t.revoke}: ${token.label || token.id}`}
                  onClick={() => setRevoking(token)}
                />
              ),
            },
          ]}
          empty={
            <EmptyState icon={KeyRound} title={t.noTokens} command="v8box db token create" actions={make}>
              {t.noTokensHint}
            </EmptyState>
          }
        />
      </Card>
      {making && <NewToken project={project} onMade={setMade} onClose={() => setMaking(false)} />}
      <SecretOnce title={t.token} secret={made?.token ?? null} onClose={() => setMade(null)}>
        <p className="mb-2">{t.tokenUse}</p>
        {made && <CodeBlock label={t.addresses} code={Object.values(made.urls).join("\n")} wrap />}
      </SecretOnce>
      {revoking && (
        <ConfirmByName
          open
          onClose={() => setRevoking(null)}
          title={`${t.revoke}: ${revoking.label || revoking.id}`}
          name={revoking.label || revoking.id}
          what={t.revokeWhat}
          action={t.revoke}
          onConfirm={async () => {
            await revoke.mutateAsync({ path: { token_id: revoking.id }, query: { project } });
            toast.done(t.revoked(revoking.label || revoking.id));
          }}
        />
      )}
    </Page>
  );
}

function NewToken(
  { project, onMade, onClose }: { project: string; onMade: (token: Made) => void; onClose: () => void },
) {
  const t = useMessages(messages);
  const [draft, set] = useDraft({ label: "", databases: "", days: "", readOnly: false });
  const make = useChange("POST /admin/database/tokens", { invalidates: [TOKENS] });
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newToken}
      submit={t.create}
      onSubmit={async () => {
        const databases = listOf(draft.databases);
        onMade(
          await make.mutateAsync({
            query: { project },
            body: {
              label: draft.label.trim(),
              access: draft.readOnly ? "read" : "write",
              databases: databases.length > 0 ? databases : null,
              expires_in_seconds: draft.days === "" ? null : Math.round(Number(draft.days) * DAY),
            },
          }),
        );
        onClose();
      }}
    >
      <Field label={t.tokenLabel} hint={t.tokenLabelHint}>
        <Input
          value={draft.label}
          onChange={(event) => set({ label: event.target.value })}
          maxLength={100}
          required
          autoFocus
        />
      </Field>
      <Field label={t.title} hint={t.tokenDatabasesHint}>
        <Input
          value={draft.databases}
          onChange={(event) => set({ databases: event.target.value })}
          placeholder={t.everyDatabase}
          autoCapitalize="none"
          spellCheck={false}
        />
      </Field>
      <Checkbox label={t.readOnlyToken} checked={draft.readOnly} onChange={(readOnly) => set({ readOnly })} />
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
