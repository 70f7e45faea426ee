// Where errors are forwarded to, and what comes of it; nothing where they go nowhere.
import type { ForwardingInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/errors/messages";
import { useApiList } from "@/lib/api/queries";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

export function Forwarding() {
  const t = useMessages(messages);
  const project = useProjectName();
  const list = useApiList("GET /api/v1/projects/{project}/errors/forwarding", { path: { project } }, {
    refetchInterval: 15_000,
  });
  if (!list.items?.length) return null;
  return (
    <Card flush title={t.forwarding} description={t.forwardingHint}>
      <Table<ForwardingInfo>
        label={t.forwarding}
        rows={list.items}
        more={list}
        rowKey={(each) => `${each.worker}@${each.environment}`}
        columns={[
          {
            id: "worker",
            header: t.worker,
            cell: (each) => (
              <span>
                <span className="font-medium">{each.worker}</span>
                {each.environment !== "production" && <span className="text-muted">@{each.environment}</span>}
              </span>
            ),
          },
          {
            id: "to",
            header: t.goesTo,
            from: "md",
            cell: (each) => <span className="font-mono text-xs break-all">{each.to ?? t.ofBox}</span>,
          },
          {
            id: "state",
            header: t.stateTabs,
            cell: (each) => (
              <span className="grid justify-items-start gap-0.5">
                <Badge tone={each.state === "ok" ? "ok" : each.state === "rate_limited" ? "warn" : "bad"} dot>
                  {t.forwardingStates[each.state]}
                </Badge>
                {each.problem && <span className="text-xs text-muted">{each.problem}</span>}
              </span>
            ),
          },
          {
            id: "sent",
            header: t.sent,
            align: "right",
            from: "sm",
            cell: (each) => `${formatNumber(each.sent)} / ${formatNumber(each.dropped)}`,
          },
          {
            id: "last",
            header: t.lastSent,
            align: "right",
            from: "sm",
            cell: (each) => <RelativeTime time={each.last_sent} />,
          },
        ]}
      />
    </Card>
  );
}
