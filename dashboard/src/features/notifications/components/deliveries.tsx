// What was sent, and how that went.
import { RotateCw } from "lucide-react";
import { useState } from "react";
import type { AttemptInfo, DeliveryInfo, DeliveryState } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Select } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { useAct, useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const STATES: readonly DeliveryState[] = ["pending", "delivered", "failed"];

export function Deliveries() {
  const t = useMessages(messages);
  const { at, project, needs } = useOwner();
  const act = useAct();
  const [channel, setChannel] = useState("*");
  const [state, setState] = useState<DeliveryState | "*">("*");
  const channels = useApiList(at("GET /api/v1/projects/{project}/notifications/channels"), { path: { project } });
  const deliveries = useApiList(
    at("GET /api/v1/projects/{project}/notifications/deliveries"),
    {
      path: { project },
      query: { ...(channel === "*" ? {} : { channel }), ...(state === "*" ? {} : { state }) },
    },
    { refetchInterval: 10_000 },
  );
  const again = (delivery: DeliveryInfo) =>
    act(async () => {
      await api(at("POST /api/v1/projects/{project}/notifications/deliveries/{delivery_id}/redeliver"), {
        path: { project, delivery_id: delivery.id },
      });
      toast.done(t.sentAgain);
    });
  return (
    <Card
      flush
      title={t.deliveries}
      description={t.deliveriesHint}
      actions={
        <span className="flex flex-wrap gap-2">
          <Select
            className="w-40"
            label={t.channel}
            value={channel}
            onChange={setChannel}
            options={[
              { value: "*", label: t.allChannels },
              ...(channels.items ?? []).map(({ id, name }) => ({ value: id, label: name })),
            ]}
          />
          <Select<DeliveryState | "*">
            className="w-40"
            label={t.state}
            value={state}
            onChange={setState}
            options={[
              { value: "*", label: t.allStates },
              ...STATES.map((each) => ({ value: each, label: t.states[each] })),
            ]}
          />
        </span>
      }
    >
      <Table
        label={t.deliveries}
        rows={deliveries.items}
        error={deliveries.error}
        onRetry={() => void deliveries.refetch()}
        more={deliveries}
        rowKey={(each) => each.id}
        columns={[
          { id: "title", header: t.message, cell: (each) => <span className="line-clamp-2">{each.title}</span> },
          { id: "channel", header: t.channel, from: "sm", cell: (each) => each.channel ?? "–" },
          {
            id: "state",
            header: t.state,
            cell: (each) => (
              <Badge tone={each.state === "delivered" ? "ok" : each.state === "failed" ? "bad" : "neutral"}>
                {t.states[each.state]}
              </Badge>
            ),
          },
          {
            id: "attempts",
            header: t.attempts,
            from: "md",
            cell: (each) => (
              <span>
                {each.attempts.length}
                <Why attempt={each.attempts.at(-1)} />
              </span>
            ),
          },
          { id: "when", header: t.when, from: "sm", cell: (each) => <RelativeTime time={each.created_at} /> },
          {
            id: "again",
            header: t.again,
            hideHeader: true,
            align: "right",
            cell: (each) =>
              each.state !== "pending" && (
                <Button
                  size="sm"
                  look="quiet"
                  icon={RotateCw}
                  needs={needs("developer")}
                  aria-label={`${t.again}: ${each.title}`}
                  onClick={() => void again(each)}
                />
              ),
          },
        ]}
        empty={<EmptyState title={t.noDeliveries}>{t.noDeliveriesHint}</EmptyState>}
      />
    </Card>
  );
}

/** What came of an attempt. */
function Why({ attempt }: { attempt: AttemptInfo | undefined }) {
  const t = useMessages(messages);
  const told = attempt?.error || (attempt?.status ? t.answered(attempt.status) : "");
  return told ? <span className="text-muted">· {told}</span> : null;
}
