// The mail server of a channel's own, where it has one; else the box's.
import { useState } from "react";
import type { EmailInfo } from "@/api/generated/api";
import { Checkbox, Field, Input, PasswordInput, Select } from "@/components/field";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";

type Security = NonNullable<EmailInfo["security"]>;

export function MailServer({ email, kept, onChange }: {
  email: EmailInfo;
  /** There is a password already, perhaps. */
  kept: boolean;
  onChange: (email: EmailInfo) => void;
}) {
  const t = useMessages(messages);
  const { host = "", port = 587, security = "starttls", username = "", password, sender } = email;
  const [own, setOwn] = useState(host !== "");
  const set = (part: Partial<EmailInfo>) => onChange({ ...email, ...part });
  return (
    <fieldset className="grid gap-3">
      <legend className="sr-only">{t.mailServer}</legend>
      <Checkbox
        label={t.mailServer}
        checked={own}
        onChange={(on) => {
          setOwn(on);
          if (!on) onChange({ to: email.to, sender: sender ?? null });
        }}
      />
      {own && (
        <>
          <div className="grid items-start gap-4 sm:grid-cols-[1fr_6rem]">
            <Field label={t.host}>
              <Input required value={host} maxLength={253} onChange={(event) => set({ host: event.target.value })} />
            </Field>
            <Field label={t.port}>
              <Input
                type="number"
                min={1}
                max={65_535}
                value={port}
                onChange={(event) => set({ port: Number(event.target.value) })}
              />
            </Field>
          </div>
          <Field label={t.security}>
            <Select<Security>
              value={security}
              onChange={(value) => set({ security: value })}
              options={(["starttls", "tls", "none"] as const).map((each) => ({
                value: each,
                label: t.securities[each],
              }))}
            />
          </Field>
          <div className="grid items-start gap-4 sm:grid-cols-2">
            <Field label={t.username}>
              <Input
                autoComplete="off"
                value={username}
                onChange={(event) => set({ username: event.target.value })}
              />
            </Field>
            <Field label={t.password} hint={kept && t.passwordHint}>
              <PasswordInput
                autoComplete="new-password"
                value={password ?? ""}
                onChange={(event) => set({ password: event.target.value || null })}
              />
            </Field>
          </div>
          <Field label={t.sender}>
            <Input
              type="email"
              value={sender ?? ""}
              onChange={(event) => set({ sender: event.target.value || null })}
            />
          </Field>
        </>
      )}
    </fieldset>
  );
}
