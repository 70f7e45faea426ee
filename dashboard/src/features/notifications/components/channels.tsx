// The ways by which people are told.
import { useQueryClient } from "@tanstack/react-query";
import { Plus, Send } from "lucide-react";
import { useState } from "react";
import type { ChannelInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { ChannelDialog } from "@/features/notifications/components/channel-dialog";
import { OnSwitch, RowActions } from "@/features/notifications/components/controls";
import { useAct, useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export function Channels() {
  const t = useMessages(messages);
  const { at, box, project, stale, needs } = useOwner();
  const act = useAct();
  const client = useQueryClient();
  const [shown, setShown] = useState<ChannelInfo | "new" | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const [testing, setTesting] = useState("");
  const channels = useApiList(at("GET /api/v1/projects/{project}/notifications/channels"), { path: { project } });
  const test = async (channel: ChannelInfo) => {
    setTesting(channel.id);
    await act(async () => {
      const told = await api(at("POST /api/v1/projects/{project}/notifications/channels/{channel_id}/test"), {
        path: { project, channel_id: channel.id },
      });
      const last = told.attempts.at(-1);
      if (told.state === "delivered") toast.done(t.tested);
      else toast.failed(new Error(t.notDelivered(last?.error || String(last?.status ?? ""))));
    });
    setTesting("");
  };
  const turn = (channel: ChannelInfo, enabled: boolean) =>
    act(() =>
      api(at("PATCH /api/v1/projects/{project}/notifications/channels/{channel_id}"), {
        path: { project, channel_id: channel.id },
        body: { enabled },
      })
    );
  const remove = async ({ id }: ChannelInfo) => {
    await api(at("DELETE /api/v1/projects/{project}/notifications/channels/{channel_id}"), {
      path: { project, channel_id: id },
    });
    await invalidate(client, stale);
  };
  return (
    <Card
      flush
      title={t.channels}
      actions={
        <Button size="sm" icon={Plus} needs={needs("admin")} onClick={() => setShown("new")}>{t.newChannel}</Button>
      }
    >
      <Table
        label={t.channels}
        rows={channels.items}
        error={channels.error}
        onRetry={() => void channels.refetch()}
        more={channels}
        rowKey={(each) => each.id}
        columns={[
          { id: "name", header: t.channel, cell: (each) => <What channel={each} /> },
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
            cell: (each) => <OnSwitch name={each.name} checked={each.enabled} onChange={(on) => void turn(each, on)} />,
          },
          {
            id: "do",
            header: t.test,
            hideHeader: true,
            align: "right",
            cell: (each) => (
              <RowActions name={each.name} onEdit={() => setShown(each)} onDelete={() => remove(each)}>
                <Button
                  size="sm"
                  icon={Send}
                  needs={needs("admin")}
                  busy={testing === each.id}
                  aria-label={`${t.test}: ${each.name}`}
                  onClick={() => void test(each)}
                />
              </RowActions>
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
      {shown !== null && (
        <ChannelDialog
          channel={shown === "new" ? null : shown}
          onClose={() => setShown(null)}
          onSecret={setSecret}
        />
      )}
      <SecretOnce title={t.secretTitle} secret={secret} onClose={() => setSecret(null)}>{t.secretWhat}</SecretOnce>
    </Card>
  );
}

function What({ channel }: { channel: ChannelInfo }) {
  const t = useMessages(messages);
  const { quiet_hours: quiet, failing_since: failing } = channel;
  return (
    <span className="grid gap-0.5">
      <span className="flex flex-wrap items-center gap-1.5">
        <span className="font-medium">{channel.name}</span>
        {failing !== null && (
          <Badge tone="bad">
            {t.failing} · <RelativeTime time={failing} />
          </Badge>
        )}
      </span>
      {quiet && (
        <span className="text-xs text-muted">
          {t.quietAt(`${quiet.start}–${quiet.end}`, quiet.timezone ?? "UTC")}
        </span>
      )}
      {channel.note && <span className="text-xs text-bad">{channel.note}</span>}
    </span>
  );
}
