import { KeySquare, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { v8box__features__tokens__routes__TokenInfo as TokenInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Card, Page } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { MakeToken } from "@/features/tokens/components/make-token";
import { messages } from "@/features/tokens/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export default function TokensPage() {
  const t = useMessages(messages);
  const tokens = useApi("GET /api/v1/tokens", {});
  const remove = useChange("DELETE /api/v1/tokens/{token_id}", { invalidates: ["GET /api/v1/tokens"] });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const [removing, setRemoving] = useState<TokenInfo | null>(null);
  const button = <Button look="primary" icon={Plus} onClick={() => setMaking(true)}>{t.make}</Button>;
  return (
    <Page title={t.title} description={t.description} actions={button}>
      <Card flush>
        <Table
          label={t.title}
          rows={tokens.data?.items}
          error={tokens.error}
          onRetry={() => void tokens.refetch()}
          rowKey={(token) => token.id}
          columns={[
            {
              id: "label",
              header: t.label,
              cell: (token) => <span className="font-medium">{token.label}</span>,
              sort: (token) => token.label,
            },
            {
              id: "scopes",
              header: t.scopes,
              from: "sm",
              cell: (token) => (
                <span className="flex flex-wrap gap-1">
                  {token.scopes.map((scope) => <Badge key={scope}>{scope}</Badge>)}
                </span>
              ),
            },
            {
              id: "project",
              header: t.project,
              from: "md",
              cell: (token) => token.project ?? <span className="text-muted">{t.all}</span>,
              sort: (token) => token.project ?? "",
            },
            {
              id: "used",
              header: t.used,
              from: "md",
              cell: (token) => <RelativeTime time={token.used_at} empty={t.never} />,
              sort: (token) => token.used_at ?? "",
            },
            {
              id: "expires",
              header: t.expires,
              cell: (token) => <RelativeTime time={token.expires_at} empty={t.never} />,
              sort: (token) => token.expires_at ?? "",
            },
            {
              id: "remove",
              header: t.remove,
              hideHeader: true,
              align: "right",
              width: "4rem",
              cell: (token) => (
                <Button
                  look="quiet"
                  size="sm"
                  icon={Trash2}
                  aria-label={`${t.remove}: ${token.label}`}
                  onClick={() => setRemoving(token)}
                />
              ),
            },
          ]}
          empty={
            <EmptyState
              icon={KeySquare}
              title={t.noneYet}
              actions={button}
              command="v8box token create ci --scope deploy"
            >
              {t.noneHint}
            </EmptyState>
          }
        />
      </Card>
      <MakeToken open={making} onClose={() => setMaking(false)} onMade={setMade} />
      <SecretOnce title={t.yours} secret={made} onClose={() => setMade(null)}>
        <p className="mb-2">{t.use}</p>
        <CodeBlock code={`export V8BOX_URL=${location.origin}\nexport V8BOX_TOKEN=…\nv8box list`} />
      </SecretOnce>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={t.removeAsk(removing?.label ?? "")}
        what={t.removeHint}
        action={t.remove}
        danger
        onConfirm={() => remove.mutateAsync({ path: { token_id: removing?.id ?? "" } })}
      />
    </Page>
  );
}
