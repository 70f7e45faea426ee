// What is watched, and whom that tells.
import { useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { RuleInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { OnSwitch, RowActions } from "@/features/notifications/components/controls";
import { RuleDialog } from "@/features/notifications/components/rule-dialog";
import { Silence } from "@/features/notifications/components/silence";
import { useAct, useOwner } from "@/features/notifications/lib/owner";
import { TONES } from "@/features/notifications/lib/tones";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

export function Rules() {
  const t = useMessages(messages);
  const { at, box, project, stale, needs } = useOwner();
  const act = useAct();
  const client = useQueryClient();
  const [shown, setShown] = useState<RuleInfo | "new" | null>(null);
  const rules = useApiList(at("GET /api/v1/projects/{project}/notifications/rules"), { path: { project } });
  const channels = useApiList(at("GET /api/v1/projects/{project}/notifications/channels"), { path: { project } });
  const names = new Map(channels.items?.map(({ id, name }) => [id, name]));
  const change = ({ id }: RuleInfo, body: { enabled: boolean } | { silence_seconds: number }) =>
    act(() =>
      api(at("PATCH /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
        path: { project, rule_id: id },
        body,
      })
    );
  const remove = async ({ id }: RuleInfo) => {
    await api(at("DELETE /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
      path: { project, rule_id: id },
    });
    await invalidate(client, stale);
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
          { id: "name", header: t.rule, cell: (each) => <What rule={each} /> },
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
            cell: (each) => scope(each, box),
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
              <OnSwitch
                name={each.name}
                checked={each.enabled}
                onChange={(enabled) => void change(each, { enabled })}
              />
            ),
          },
          {
            id: "do",
            header: t.remove,
            hideHeader: true,
            align: "right",
            cell: (each) => (
              <RowActions name={each.name} onEdit={() => setShown(each)} onDelete={() => remove(each)}>
                <Silence
                  what={each.name}
                  until={each.silenced_until}
                  role="admin"
                  onChange={(hours) => void change(each, { silence_seconds: hours * 3_600 })}
                />
              </RowActions>
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
    </Card>
  );
}

function What({ rule }: { rule: RuleInfo }) {
  const t = useMessages(messages);
  return (
    <span className="grid gap-0.5">
      <span className="font-medium">{rule.name}</span>
      {rule.silenced_until !== null && (
        <span className="text-xs text-muted">
          {t.silencedUntil(formatTime(rule.silenced_until, { dateStyle: "short", timeStyle: "short" }))}
        </span>
      )}
      <span className="text-xs text-muted sm:hidden">{t.kinds[rule.kind]}{bound(rule)}</span>
    </span>
  );
}

/** Of whom; what is everything is left out. */
function scope({ projects, worker, environment }: RuleInfo, box: boolean): string {
  const whose = box ? `${projects} / ${worker}` : worker;
  return environment === "*" ? whose : `${whose} @ ${environment}`;
}

function bound({ kind, threshold }: RuleInfo): string {
  if (kind === "error_rate") return ` > ${threshold} %`;
  if (kind === "latency_p95") return ` > ${threshold} ms`;
  if (kind === "terminations") return ` ≥ ${Math.max(1, threshold)}`;
  return kind === "quota" ? ` ≥ ${threshold} %` : "";
}
