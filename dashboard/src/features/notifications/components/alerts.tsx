// What fires now, and what did.
import { BellRing, Check } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import type { AlertInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Checkbox } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { Silence } from "@/features/notifications/components/silence";
import { useAct, useOwner } from "@/features/notifications/lib/owner";
import { placeOf } from "@/features/notifications/lib/place";
import { TONES } from "@/features/notifications/lib/tones";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { useApiList } from "@/lib/api/queries";
import { formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const SHORT: Intl.DateTimeFormatOptions = { dateStyle: "short", timeStyle: "short" };

export function Alerts() {
  const t = useMessages(messages);
  const { at, box, project } = useOwner();
  const [all, setAll] = useState(false);
  const alerts = useApiList(
    at("GET /api/v1/projects/{project}/notifications/alerts"),
    { path: { project }, query: { state: all ? "all" : "firing" } },
    { refetchInterval: 5_000 },
  );
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
                  <Title alert={each} />
                  {each.state === "resolved" && <Badge tone="ok">{t.over}</Badge>}
                  {each.silenced_until !== null && (
                    <Badge>{t.silencedUntil(formatTime(each.silenced_until, SHORT))}</Badge>
                  )}
                  {each.acknowledged_at !== null && <Badge>{t.acknowledged(each.acknowledged_by)}</Badge>}
                </span>
                <span lang="en" className="break-words text-muted">{each.text}</span>
                {each.advice && <span className="break-words text-xs text-muted">{t.toDo(each.advice)}</span>}
                <span className="sm:hidden">
                  <Actions alert={each} />
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
            cell: (each) => <Actions alert={each} />,
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

/** It leads to what it is about. */
function Title({ alert }: { alert: AlertInfo }) {
  const to = placeOf(alert);
  return to === null
    ? <span lang="en" className="font-medium">{alert.title}</span>
    : <Link lang="en" to={to} className="font-medium hover:underline">{alert.title}</Link>;
}

function Actions({ alert }: { alert: AlertInfo }) {
  const t = useMessages(messages);
  const { at, project, needs } = useOwner();
  const act = useAct();
  const path = { project, alert_id: alert.id };
  return alert.state === "firing" && (
    <span className="flex gap-1 sm:justify-end">
      {alert.acknowledged_at === null && (
        <Button
          size="sm"
          icon={Check}
          needs={needs("developer")}
          onClick={() =>
            void act(() =>
              api(at("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/acknowledge"), { path })
            )}
        >
          {t.acknowledge}
        </Button>
      )}
      <Silence
        what={alert.title}
        until={alert.silenced_until}
        role="developer"
        onChange={(hours) =>
          void act(() =>
            api(at("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/silence"), {
              path,
              body: { hours },
            })
          )}
      />
    </span>
  );
}
