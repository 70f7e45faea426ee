// What is watched, and whom that tells.
import { useQueryClient } from "@tanstack/react-query";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { RuleInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Switch } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RuleDialog } from "@/features/notifications/components/rule-dialog";
import { useOwner } from "@/features/notifications/lib/owner";
import { TONES } from "@/features/notifications/lib/tones";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export function Rules() {
  const t = useMessages(messages);
  const { at, box, project, stale, needs } = useOwner();
  const can = useCan();
  const client = useQueryClient();
  const [shown, setShown] = useState<RuleInfo | "new" | null>(null);
  const [removing, setRemoving] = useState<RuleInfo | null>(null);
  const rules = useApiList(at("GET /api/v1/projects/{project}/notifications/rules"), { path: { project } });
  const channels = useApiList(at("GET /api/v1/projects/{project}/notifications/channels"), { path: { project } });
  const names = new Map(channels.items?.map(({ id, name }) => [id, name]));
  const turn = async (rule: RuleInfo, enabled: boolean) => {
    try {
      await api(at("PATCH /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
        path: { project, rule_id: rule.id },
        body: { enabled },
      });
      await invalidate(client, stale);
    } catch (error) {
      toast.failed(error);
    }
  };
  return (
    <Card
      flush
      title={t.rules}
      actions={
        <Button size="sm" icon={Plus} needs={needs("admin")} onClick={() => setShown("new")}>{t.newRule}</Button>
      }
    >
      <Table
        label={t.rules}
        rows={rules.items}
        error={rules.error}
        onRetry={() => void rules.refetch()}
        more={rules}
        rowKey={(each) => each.id}
        columns={[
          {
            id: "name",
            header: t.rule,
            cell: (each) => (
              <span className="grid">
                <span className="font-medium">{each.name}</span>
                <span className="text-xs text-muted sm:hidden">{t.kinds[each.kind]}</span>
              </span>
            ),
          },
          {
            id: "kind",
            header: t.kind,
            from: "sm",
            cell: (each) => `${t.kinds[each.kind]}${bound(each)}`,
          },
          {
            id: "worker",
            header: t.worker,
            from: "lg",
            cell: (each) => box ? `${each.projects} / ${each.worker}` : each.worker,
          },
          {
            id: "tells",
            header: t.tells,
            from: "md",
            cell: (each) => each.channels.length === 0
              ? <span className="text-muted">{t.noOne}</span>
              : each.channels.map((id) => names.get(id) ?? id).join(", "),
          },
          {
            id: "severity",
            header: t.severity,
            from: "md",
            cell: (each) => <Badge tone={TONES[each.severity]}>{t.severities[each.severity]}</Badge>,
          },
          {
            id: "on",
            header: t.enabled,
            cell: (each) => (
              <Switch
                label={`${t.enabled}: ${each.name}`}
                checked={each.enabled}
                disabled={!can("admin", needs("admin").project)}
                onChange={(on) => void turn(each, on)}
              />
            ),
          },
          {
            id: "do",
            header: t.remove,
            hideHeader: true,
            align: "right",
            cell: (each) => (
              <span className="flex justify-end gap-1">
                <Button
                  size="sm"
                  look="quiet"
                  icon={Pencil}
                  needs={needs("admin")}
                  aria-label={`${t.edit}: ${each.name}`}
                  onClick={() => setShown(each)}
                />
                <Button
                  size="sm"
                  look="quiet"
                  icon={Trash2}
                  needs={needs("admin")}
                  aria-label={`${t.remove}: ${each.name}`}
                  onClick={() => setRemoving(each)}
                />
              </span>
            ),
          },
        ]}
        empty={
          <EmptyState title={t.noRules} command={`v8box notify rules list${box ? " --box" : ""}`}>
            {t.allWellHint}
          </EmptyState>
        }
      />
      {shown !== null && (
        <RuleDialog
          rule={shown === "new" ? null : shown}
          channels={channels.items ?? []}
          onClose={() => setShown(null)}
        />
      )}
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.remove}: ${removing?.name ?? ""}`}
        what={t.removeWhat}
        action={t.remove}
        danger
        onConfirm={async () => {
          if (removing === null) return;
          await api(at("DELETE /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
            path: { project, rule_id: removing.id },
          });
          await invalidate(client, stale);
        }}
      />
    </Card>
  );
}

function bound({ kind, threshold }: RuleInfo): string {
  if (kind === "error_rate") return ` > ${threshold} %`;
  if (kind === "latency_p95") return ` > ${threshold} ms`;
  if (kind === "terminations") return ` ≥ ${Math.max(1, threshold)}`;
  return kind === "quota" ? ` ≥ ${threshold} %` : "";
}
