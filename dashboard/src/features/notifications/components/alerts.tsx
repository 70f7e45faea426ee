// What fires now, and what did.
import { useQueryClient } from "@tanstack/react-query";
import { BellRing, Check, Clock } from "lucide-react";
import { useState } from "react";
import type { AlertInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Checkbox } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { useOwner } from "@/features/notifications/lib/owner";
import { TONES } from "@/features/notifications/lib/tones";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export function Alerts() {
  const t = useMessages(messages);
  const { at, box, project, stale } = useOwner();
  const client = useQueryClient();
  const [all, setAll] = useState(false);
  const alerts = useApiList(
    at("GET /api/v1/projects/{project}/notifications/alerts"),
    { path: { project }, query: { state: all ? "all" : "firing" } },
    { refetchInterval: 5_000 },
  );
  const act: Act = async (alert, what) => {
    const path = { project, alert_id: alert.id };
    try {
      if (what === "silence") {
        await api(at("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/silence"), {
          path,
          body: { hours: 1 },
        });
      } else await api(at("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/acknowledge"), { path });
      await invalidate(client, stale);
    } catch (error) {
      toast.failed(error);
    }
  };
  return (
    <Card flush title={t.firing} actions={<Checkbox label={t.alsoOver} checked={all} onChange={setAll} />}>
      <Table
        label={t.firing}
        rows={alerts.items}
        error={alerts.error}
        onRetry={() => void alerts.refetch()}
        more={alerts}
        rowKey={(each) => each.id}
        columns={[
          {
            id: "alert",
            header: t.alert,
            cell: (each) => (
              <span className="grid gap-0.5 py-1">
                <span className="flex flex-wrap items-center gap-1.5">
                  <Badge tone={each.state === "firing" ? TONES[each.severity] : "neutral"} dot>
                    {t.severities[each.severity]}
                  </Badge>
                  <span className="font-medium">{each.title}</span>
                  {each.state === "resolved" && <Badge tone="ok">{t.over}</Badge>}
                  {each.silenced_until !== null && <Badge>{t.silenced}</Badge>}
                  {each.acknowledged_at !== null && <Badge>{t.acknowledged(each.acknowledged_by)}</Badge>}
                </span>
                <span className="break-words text-muted">{each.text}</span>
                {each.advice && <span className="break-words text-xs text-muted">{t.toDo(each.advice)}</span>}
                <span className="sm:hidden">
                  <Actions alert={each} act={act} />
                </span>
              </span>
            ),
          },
          {
            id: "since",
            header: t.since,
            from: "sm",
            width: "9rem",
            cell: (each) => <RelativeTime time={each.fired_at} />,
          },
          {
            id: "do",
            header: t.acknowledge,
            hideHeader: true,
            align: "right",
            from: "sm",
            cell: (each) => <Actions alert={each} act={act} />,
          },
        ]}
        empty={
          <EmptyState icon={BellRing} title={t.allWell} command={`v8box notify alerts${box ? " --box" : ""}`}>
            {t.allWellHint}
          </EmptyState>
        }
      />
    </Card>
  );
}

type Act = (alert: AlertInfo, what: "acknowledge" | "silence") => Promise<void>;

function Actions({ alert, act }: { alert: AlertInfo; act: Act }) {
  const t = useMessages(messages);
  const { needs } = useOwner();
  return alert.state === "firing" && (
    <span className="flex gap-1 sm:justify-end">
      {alert.acknowledged_at === null && (
        <Button
          size="sm"
          icon={Check}
          needs={needs("developer")}
          onClick={() => void act(alert, "acknowledge")}
        >
          {t.acknowledge}
        </Button>
      )}
      <Button
        size="sm"
        look="quiet"
        icon={Clock}
        needs={needs("developer")}
        aria-label={`${t.silence}: ${alert.title}`}
        onClick={() => void act(alert, "silence")}
      />
    </span>
  );
}
