// A channel, new or as it is.
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import type { ChannelInfo, ChannelKind, EmailInfo, QuietHoursInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/dialog";
import { Field, Input, Select } from "@/components/field";
import { toast } from "@/components/toast";
import { MailServer } from "@/features/notifications/components/mail-server";
import { QuietHours } from "@/features/notifications/components/quiet-hours";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const CHANNELS: readonly ChannelKind[] = ["email", "slack", "discord", "webhook"];

export function ChannelDialog({ channel, onClose, onSecret }: {
  /** `null`: a new one. */
  channel: ChannelInfo | null;
  onClose: () => void;
  onSecret: (secret: string) => void;
}) {
  const t = useMessages(messages);
  const { at, project, stale } = useOwner();
  const client = useQueryClient();
  const [kind, setKind] = useState<ChannelKind>(channel?.kind ?? "slack");
  const [name, setName] = useState(channel?.name ?? "");
  const [url, setUrl] = useState("");
  const [email, setEmail] = useState<EmailInfo>(channel?.email ?? { to: [] });
  const [to, setTo] = useState(email.to.join(" "));
  const [quiet, setQuiet] = useState<QuietHoursInfo | null>(channel?.quiet_hours ?? null);
  const addresses = to.split(/[\s,]+/).filter((each) => each !== "");
  const rotate = async ({ id }: ChannelInfo) => {
    try {
      const made = await api(at("POST /api/v1/projects/{project}/notifications/channels/{channel_id}/rotate"), {
        path: { project, channel_id: id },
        body: {},
      });
      onClose();
      onSecret(made.signing_secret);
    } catch (error) {
      toast.failed(error);
    }
  };
  const missing = kind === "email" ? addresses.length === 0 : channel === null && url === "";
  return (
    <FormDialog
      open
      onClose={onClose}
      title={channel === null ? t.newChannel : `${t.edit}: ${channel.name}`}
      submit={channel === null ? t.make : t.save}
      disabled={name.trim() === "" || missing}
      onSubmit={async () => {
        const fields = {
          name: name.trim(),
          quiet_hours: quiet,
          ...(kind === "email" ? { email: { ...email, to: addresses } } : url === "" ? {} : { url }),
        };
        const path = { project };
        let secret: string | null = null;
        if (channel === null) {
          const made = await api(at("POST /api/v1/projects/{project}/notifications/channels"), {
            path,
            body: { ...fields, kind },
          });
          secret = made.signing_secret;
        } else {
          await api(at("PATCH /api/v1/projects/{project}/notifications/channels/{channel_id}"), {
            path: { ...path, channel_id: channel.id },
            body: fields,
          });
        }
        await invalidate(client, stale);
        onClose();
        if (secret !== null) onSecret(secret);
      }}
    >
      {channel === null && (
        <Field label={t.channelKind}>
          <Select<ChannelKind>
            value={kind}
            onChange={setKind}
            options={CHANNELS.map((each) => ({ value: each, label: t.channelKinds[each] }))}
          />
        </Field>
      )}
      <Field label={t.name}>
        <Input autoFocus value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />
      </Field>
      {kind === "email"
        ? (
          <>
            <Field label={t.to} hint={t.toHint}>
              <Input value={to} onChange={(event) => setTo(event.target.value)} />
            </Field>
            <MailServer email={email} kept={channel !== null} onChange={setEmail} />
          </>
        )
        : (
          <Field label={t.url} hint={channel === null ? t.urlHint : t.urlStays(channel.shows)}>
            <Input type="url" autoComplete="off" value={url} onChange={(event) => setUrl(event.target.value)} />
          </Field>
        )}
      <QuietHours hours={quiet} onChange={setQuiet} />
      {channel?.kind === "webhook" && (
        <div className="grid justify-items-start gap-1">
          <Button size="sm" icon={KeyRound} onClick={() => void rotate(channel)}>{t.rotate}</Button>
          <p className="text-xs text-muted">{t.rotateHint}</p>
        </div>
      )}
    </FormDialog>
  );
}
