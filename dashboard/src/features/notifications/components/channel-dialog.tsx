// A new channel, and the secret that is shown once.
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { ChannelKind } from "@/api/generated/api";
import { CodeBlock } from "@/components/code-block";
import { Dialog, FormDialog } from "@/components/dialog";
import { Field, Input, Select } from "@/components/field";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const CHANNELS: readonly ChannelKind[] = ["email", "slack", "discord", "webhook"];

export function NewChannelDialog({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const t = useMessages(messages);
  const { at, project, stale } = useOwner();
  const client = useQueryClient();
  const [kind, setKind] = useState<ChannelKind>("slack");
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [to, setTo] = useState("");
  const addresses = to.split(/[\s,]+/).filter((each) => each !== "");
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newChannel}
      submit={t.make}
      disabled={name.trim() === "" || (kind === "email" ? addresses.length === 0 : url === "")}
      onSubmit={async () => {
        const made = await api(at("POST /api/v1/projects/{project}/notifications/channels"), {
          path: { project },
          body: { name: name.trim(), kind, ...(kind === "email" ? { email: { to: addresses } } : { url }) },
        });
        await invalidate(client, stale);
        onClose();
        if (made.signing_secret !== null) onSecret(made.signing_secret);
      }}
    >
      <Field label={t.channelKind}>
        <Select<ChannelKind>
          value={kind}
          onChange={setKind}
          options={CHANNELS.map((each) => ({ value: each, label: t.channelKinds[each] }))}
        />
      </Field>
      <Field label={t.name}>
        <Input autoFocus value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      </Field>
      {kind === "email"
        ? (
          <Field label={t.to} hint={t.toHint}>
            <Input value={to} onChange={(event) => setTo(event.target.value)} />
          </Field>
        )
        : (
          <Field label={t.url} hint={t.urlHint}>
            <Input type="url" value={url} onChange={(event) => setUrl(event.target.value)} />
          </Field>
        )}
    </FormDialog>
  );
}

export function SecretDialog({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  const t = useMessages(messages);
  return (
    <Dialog open={secret !== null} onClose={onClose} title={t.secretTitle} description={t.secretWhat}>
      <CodeBlock label={t.secretTitle} code={secret ?? ""} />
    </Dialog>
  );
}
