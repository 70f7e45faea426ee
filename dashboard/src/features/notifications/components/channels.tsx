// The ways by which people are told.
import { useQueryClient } from "@tanstack/react-query";
import { Plus, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import type { ChannelInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Switch } from "@/components/field";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { NewChannelDialog, SecretDialog } from "@/features/notifications/components/channel-dialog";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export function Channels() {
  const t = useMessages(messages);
  const { at, box, project, stale, needs } = useOwner();
  const can = useCan();
  const client = useQueryClient();
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [testing, setTesting] = useState("");
  const [removing, setRemoving] = useState<ChannelInfo | null>(null);
  const channels = useApiList(at("GET /api/v1/projects/{project}/notifications/channels"), { path: { project } });
  const test = async (channel: ChannelInfo) => {
    setTesting(channel.id);
    try {
      const told = await api(at("POST /api/v1/projects/{project}/notifications/channels/{channel_id}/test"), {
        path: { project, channel_id: channel.id },
      });
      const last = told.attempts.at(-1);
      if (told.state === "delivered") toast.done(t.tested);
      else toast.failed(new Error(t.notDelivered(last?.error || String(last?.status ?? ""))));
      await invalidate(client, stale);
    } catch (error) {
      toast.failed(error);
    } finally {
      setTesting("");
    }
  };
  const turn = async (channel: ChannelInfo, enabled: boolean) => {
    try {
      await api(at("PATCH /api/v1/projects/{project}/notifications/channels/{channel_id}"), {
        path: { project, channel_id: channel.id },
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
      title={t.channels}
      actions={
        <Button size="sm" icon={Plus} needs={needs("admin")} onClick={() => setMaking(true)}>{t.newChannel}</Button>
      }
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
                {each.failing_since !== null && <Badge tone="bad">{t.failing}</Badge>}
                {each.note && <span className="text-xs text-bad">{each.note}</span>}
              </span>
            ),
          },
          { id: "kind", header: t.channelKind, from: "sm", cell: (each) => t.channelKinds[each.kind] },
          {
            id: "shows",
            header: t.shows,
            from: "md",
            cell: (each) => <span className="font-mono text-xs">{each.shows}</span>,
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
            header: t.test,
            hideHeader: true,
            align: "right",
            cell: (each) => (
              <span className="flex justify-end gap-1">
                <Button
                  size="sm"
                  icon={Send}
                  needs={needs("admin")}
                  busy={testing === each.id}
                  onClick={() => void test(each)}
                >
                  {t.test}
                </Button>
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
          <EmptyState
            title={t.noChannels}
            command={`v8box notify channels add ops --kind slack --url-file -${box ? " --box" : ""}`}
          >
            {t.noChannelsHint}
          </EmptyState>
        }
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
          await api(at("DELETE /api/v1/projects/{project}/notifications/channels/{channel_id}"), {
            path: { project, channel_id: removing.id },
          });
          await invalidate(client, stale);
        }}
      />
    </Card>
  );
}
