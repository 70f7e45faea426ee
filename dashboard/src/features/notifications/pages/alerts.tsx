import { BellRing, Check, Clock, Plus, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { AlertInfo, ChannelInfo, RuleInfo, Severity } from "@/api/generated/api";
import { Badge, type Tone } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Switch } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { NewChannelDialog, NewRuleDialog, SecretDialog } from "@/features/notifications/components/dialogs";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const TONE: Record<Severity, Tone> = { info: "neutral", warning: "warn", critical: "bad" };
const BASE = "/api/v1/projects/{project}/notifications";
const STALE = [`GET ${BASE}`];

export default function AlertsPage() {
  const t = useMessages(messages);
  return (
    <Page title={t.title} description={t.description} wide>
      <Alerts />
      <Rules />
      <Channels />
      <Deliveries />
    </Page>
  );
}

function Alerts() {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const alerts = useApiList("GET /api/v1/projects/{project}/notifications/alerts", { path: { project } }, {
    refetchInterval: 5_000,
  });
  const act = async (alert: AlertInfo, what: "acknowledge" | "silence") => {
    const path = { project, alert_id: alert.id };
    try {
      if (what === "silence") {
        await api("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/silence", {
          path,
          body: { hours: 1 },
        });
      } else await api("POST /api/v1/projects/{project}/notifications/alerts/{alert_id}/acknowledge", { path });
      await invalidate(client, STALE);
    } catch (error) {
      toast.failed(error);
    }
  };
  return (
    <Card flush title={t.firing}>
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
                  <Badge tone={TONE[each.severity]} dot>{t.severities[each.severity]}</Badge>
                  <span className="font-medium">{each.title}</span>
                  {each.silenced_until !== null && <Badge>{t.silenced}</Badge>}
                  {each.acknowledged_at !== null && <Badge>{t.acknowledged(each.acknowledged_by)}</Badge>}
                </span>
                <span className="text-muted">{each.text} {each.advice}</span>
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
            cell: (each) => (
              <span className="flex justify-end gap-1">
                <Button size="sm" icon={Check} needs="developer" onClick={() => void act(each, "acknowledge")}>
                  {t.acknowledge}
                </Button>
                <Button
                  size="sm"
                  look="quiet"
                  icon={Clock}
                  needs="developer"
                  aria-label={t.silence}
                  onClick={() => void act(each, "silence")}
                />
              </span>
            ),
          },
        ]}
        empty={<EmptyState icon={BellRing} title={t.allWell} command="v8box notify alerts">{t.allWellHint}</EmptyState>}
      />
    </Card>
  );
}

function Rules() {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<RuleInfo | null>(null);
  const rules = useApiList("GET /api/v1/projects/{project}/notifications/rules", { path: { project } });
  const path = (rule: RuleInfo) => ({ project, rule_id: rule.id });
  const turn = async (rule: RuleInfo, enabled: boolean) => {
    try {
      await api("PATCH /api/v1/projects/{project}/notifications/rules/{rule_id}", {
        path: path(rule),
        body: { enabled },
      });
      await invalidate(client, STALE);
    } catch (error) {
      toast.failed(error);
    }
  };
  return (
    <Card
      flush
      title={t.rules}
      actions={<Button size="sm" icon={Plus} needs="admin" onClick={() => setMaking(true)}>{t.newRule}</Button>}
    >
      <Table
        label={t.rules}
        rows={rules.items}
        error={rules.error}
        more={rules}
        rowKey={(each) => each.id}
        columns={[
          { id: "name", header: t.rule, cell: (each) => <span className="font-medium">{each.name}</span> },
          {
            id: "kind",
            header: t.kind,
            from: "sm",
            cell: (each) => `${t.kinds[each.kind]}${each.threshold > 0 ? ` ≥ ${each.threshold}` : ""}`,
          },
          { id: "worker", header: "Worker", from: "md", cell: (each) => each.worker || "*" },
          {
            id: "severity",
            header: t.severity,
            from: "md",
            cell: (each) => <Badge tone={TONE[each.severity]}>{t.severities[each.severity]}</Badge>,
          },
          {
            id: "on",
            header: t.enabled,
            cell: (each) => (
              <Switch
                label={`${t.enabled}: ${each.name}`}
                checked={each.enabled}
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
              <Button
                size="sm"
                look="quiet"
                icon={Trash2}
                needs="admin"
                aria-label={`${t.remove}: ${each.name}`}
                onClick={() => setRemoving(each)}
              />
            ),
          },
        ]}
        empty={<EmptyState title={t.noRules} command="v8box notify rules">{t.allWellHint}</EmptyState>}
      />
      {making && <NewRuleDialog onClose={() => setMaking(false)} />}
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.remove}: ${removing?.name ?? ""}`}
        what={t.removeWhat}
        action={t.remove}
        danger
        onConfirm={async () => {
          if (removing === null) return;
          await api("DELETE /api/v1/projects/{project}/notifications/rules/{rule_id}", { path: path(removing) });
          await invalidate(client, STALE);
        }}
      />
    </Card>
  );
}

function Channels() {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [testing, setTesting] = useState("");
  const [removing, setRemoving] = useState<ChannelInfo | null>(null);
  const channels = useApiList("GET /api/v1/projects/{project}/notifications/channels", { path: { project } });
  const test = async (channel: ChannelInfo) => {
    setTesting(channel.id);
    try {
      const told = await api("POST /api/v1/projects/{project}/notifications/channels/{channel_id}/test", {
        path: { project, channel_id: channel.id },
      });
      const last = told.attempts.at(-1);
      if (told.state === "delivered") toast.done(t.tested);
      else toast.failed(new Error(t.notDelivered(last?.error || String(last?.status ?? ""))));
      await invalidate(client, STALE);
    } catch (error) {
      toast.failed(error);
    } finally {
      setTesting("");
    }
  };
  return (
    <Card
      flush
      title={t.channels}
      actions={<Button size="sm" icon={Plus} needs="admin" onClick={() => setMaking(true)}>{t.newChannel}</Button>}
    >
      <Table
        label={t.channels}
        rows={channels.items}
        error={channels.error}
        more={channels}
        rowKey={(each) => each.id}
        columns={[
          {
            id: "name",
            header: t.channel,
            cell: (each) => (
              <span className="flex flex-wrap items-center gap-1.5">
                <span className="font-medium">{each.name}</span>
                {!each.enabled && <Badge>{t.off}</Badge>}
                {each.failing_since !== null && <Badge tone="bad">{t.failing}</Badge>}
              </span>
            ),
          },
          { id: "kind", header: t.kind, cell: (each) => t.channelKinds[each.kind] },
          {
            id: "shows",
            header: t.shows,
            from: "md",
            cell: (each) => <span className="font-mono text-xs">{each.shows}</span>,
          },
          {
            id: "do",
            header: t.test,
            hideHeader: true,
            align: "right",
            cell: (each) => (
              <span className="flex justify-end gap-1">
                <Button size="sm" icon={Send} needs="admin" busy={testing === each.id} onClick={() => void test(each)}>
                  {t.test}
                </Button>
                <Button
                  size="sm"
                  look="quiet"
                  icon={Trash2}
                  needs="admin"
                  aria-label={`${t.remove}: ${each.name}`}
                  onClick={() => setRemoving(each)}
                />
              </span>
            ),
          },
        ]}
        empty={<EmptyState title={t.noChannels} command="v8box notify channels">{t.noChannelsHint}</EmptyState>}
      />
      {making && <NewChannelDialog onClose={() => setMaking(false)} onSecret={setSecret} />}
      <SecretDialog secret={secret} onClose={() => setSecret(null)} />
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.remove}: ${removing?.name ?? ""}`}
        what={t.removeWhat}
        action={t.remove}
        danger
        onConfirm={async () => {
          if (removing === null) return;
          await api("DELETE /api/v1/projects/{project}/notifications/channels/{channel_id}", {
            path: { project, channel_id: removing.id },
          });
          await invalidate(client, STALE);
        }}
      />
    </Card>
  );
}

function Deliveries() {
  const t = useMessages(messages);
  const project = useProjectName();
  const deliveries = useApiList("GET /api/v1/projects/{project}/notifications/deliveries", { path: { project } }, {
    refetchInterval: 10_000,
  });
  return (
    <Card flush title={t.deliveries}>
      <Table
        label={t.deliveries}
        rows={deliveries.items}
        error={deliveries.error}
        more={deliveries}
        rowKey={(each) => each.id}
        columns={[
          { id: "title", header: t.message, cell: (each) => <span className="line-clamp-1">{each.title}</span> },
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
            cell: (each) => {
              const last = each.attempts.at(-1);
              return `${each.attempts.length}${last && last.error !== "" ? ` · ${last.error}` : ""}`;
            },
          },
          {
            id: "when",
            header: t.when,
            align: "right",
            from: "sm",
            cell: (each) => <RelativeTime time={each.created_at} />,
          },
        ]}
        empty={<EmptyState title={t.noDeliveries} />}
      />
    </Card>
  );
}
