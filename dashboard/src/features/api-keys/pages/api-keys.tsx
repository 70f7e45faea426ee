import { Ellipsis, KeyRound, Pencil, Plus, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import type { ApiKeyInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { ConfirmByName } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { KeyForm } from "@/features/api-keys/components/key-form";
import { RotateKey } from "@/features/api-keys/components/rotate-key";
import { messages } from "@/features/api-keys/messages";
import { useApiList, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

type Asked = { kind: "make" } | { kind: "change" | "rotate" | "delete"; of: ApiKeyInfo };

const COMMAND = 'v8box key create "the shop" --worker "shop-*"';

export default function ApiKeysPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const keys = useApiList("GET /api/v1/projects/{project}/api-keys", { path: { project } });
  const remove = useChange("DELETE /api/v1/projects/{project}/api-keys/{key_id}", {
    invalidates: ["GET /api/v1/projects/{project}/api-keys"],
  });
  const [asked, setAsked] = useState<Asked | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const close = () => setAsked(null);
  const button = (
    <Button look="primary" icon={Plus} needs="admin" onClick={() => setAsked({ kind: "make" })}>{t.make}</Button>
  );
  return (
    <Page title={t.title} description={t.description} actions={button}>
      <Card flush>
        <Table
          label={t.title}
          rows={keys.items}
          error={keys.error}
          onRetry={() => void keys.refetch()}
          more={keys}
          rowKey={(key) => key.id}
          columns={[
            {
              id: "name",
              header: t.name,
              sort: (key) => key.name,
              cell: (key) => (
                <span>
                  <span className="font-medium">{key.name}</span>
                  <span className="block font-mono text-xs text-muted">{key.begins}…</span>
                </span>
              ),
            },
            {
              id: "workers",
              header: t.workers,
              from: "sm",
              cell: (key) => key.workers.join(", ") || <span className="text-muted">{t.all}</span>,
            },
            {
              id: "environments",
              header: t.environments,
              from: "lg",
              cell: (key) => key.environments.join(", ") || <span className="text-muted">{t.all}</span>,
            },
            {
              id: "state",
              header: t.state,
              cell: (key) =>
                key.expired
                  ? <Badge tone="bad" dot>{t.expired}</Badge>
                  : key.previous_valid_until
                  ? <Badge tone="warn" dot>{t.overlapping}</Badge>
                  : <Badge tone="ok" dot>{t.good}</Badge>,
            },
            {
              id: "used",
              header: t.used,
              from: "md",
              sort: (key) => key.last_used_at ?? "",
              cell: (key) => <RelativeTime time={key.last_used_at} empty={t.never} />,
            },
            {
              id: "expires",
              header: t.expires,
              from: "md",
              sort: (key) => key.expires_at ?? "",
              cell: (key) => <RelativeTime time={key.expires_at} empty={t.never} />,
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "3.5rem",
              cell: (key) =>
                can("admin") && (
                  <Menu
                    items={[
                      [
                        { label: t.change, icon: Pencil, onSelect: () => setAsked({ kind: "change", of: key }) },
                        { label: t.rotate, icon: RefreshCw, onSelect: () => setAsked({ kind: "rotate", of: key }) },
                      ],
                      [{
                        label: t.remove,
                        icon: Trash2,
                        danger: true,
                        onSelect: () => setAsked({ kind: "delete", of: key }),
                      }],
                    ]}
                  >
                    <Button look="quiet" size="sm" icon={Ellipsis} aria-label={`${t.change}: ${key.name}`} />
                  </Menu>
                ),
            },
          ]}
          empty={
            <EmptyState
              icon={KeyRound}
              title={t.none}
              actions={button}
              command={COMMAND}
            >
              {t.noneHint}
            </EmptyState>
          }
        />
      </Card>
      {(asked?.kind === "make" || asked?.kind === "change") && (
        <KeyForm
          project={project}
          of={asked.kind === "change" ? asked.of : undefined}
          onClose={close}
          onMade={setMade}
        />
      )}
      {asked?.kind === "rotate" && <RotateKey project={project} of={asked.of} onClose={close} onMade={setMade} />}
      <ConfirmByName
        open={asked?.kind === "delete"}
        onClose={close}
        title={t.remove}
        name={asked?.kind === "delete" ? asked.of.name : ""}
        what={t.removeHint}
        onConfirm={() => remove.mutateAsync({ path: { project, key_id: asked?.kind === "delete" ? asked.of.id : "" } })}
      />
      <SecretOnce title={t.yours} secret={made} onClose={() => setMade(null)}>
        <p className="mb-2">{t.use}</p>
        <CodeBlock code="X-API-Key: v8b_live_…" />
      </SecretOnce>
    </Page>
  );
}
