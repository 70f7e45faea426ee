import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { ChannelKind, RuleKind, Severity } from "@/api/generated/api";
import { CodeBlock } from "@/components/code-block";
import { Dialog, FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const STALE = ["GET /api/v1/projects/{project}/notifications"];
const RULES: readonly RuleKind[] = [
  "error_rate",
  "latency_p95",
  "terminations",
  "errors",
  "quota",
  "deploy_failed",
  "canary_rolled_back",
];
const FIRST: Partial<Record<RuleKind, string>> = {
  error_rate: "0.05",
  latency_p95: "1000",
  terminations: "1",
  quota: "0.9",
};
const CHANNELS: readonly ChannelKind[] = ["email", "slack", "discord", "webhook"];
const SEVERITIES: readonly Severity[] = ["info", "warning", "critical"];

export function NewRuleDialog({ onClose }: { onClose: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const channels = useApiList("GET /api/v1/projects/{project}/notifications/channels", { path: { project } });
  const [kind, setKind] = useState<RuleKind>("error_rate");
  const [name, setName] = useState("");
  const [threshold, setThreshold] = useState("0.05");
  const [seconds, setSeconds] = useState("300");
  const [worker, setWorker] = useState("");
  const [severity, setSeverity] = useState<Severity>("warning");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const measured = FIRST[kind] !== undefined;
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newRule}
      submit={t.make}
      disabled={name.trim() === "" || (measured && !(Number(threshold) > 0))}
      onSubmit={async () => {
        await api("POST /api/v1/projects/{project}/notifications/rules", {
          path: { project },
          body: {
            name: name.trim(),
            kind,
            severity,
            channels: [...chosen],
            ...(worker === "" ? {} : { worker }),
            ...(measured ? { threshold: Number(threshold) } : {}),
            ...(measured && kind !== "quota" ? { window_seconds: Number(seconds) } : {}),
          },
        });
        await invalidate(client, STALE);
        onClose();
      }}
    >
      <Field label={t.name}>
        <Input autoFocus value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.kind}>
        <Select<RuleKind>
          value={kind}
          onChange={(next) => {
            setKind(next);
            setThreshold(FIRST[next] ?? "");
          }}
          options={RULES.map((each) => ({ value: each, label: t.kinds[each] }))}
        />
      </Field>
      {measured && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t.threshold} hint={t.thresholds[kind as keyof typeof t.thresholds]}>
            <Input
              type="number"
              step="any"
              min={0}
              value={threshold}
              onChange={(event) => setThreshold(event.target.value)}
            />
          </Field>
          {kind !== "quota" && (
            <Field label={t.window}>
              <Input type="number" min={10} value={seconds} onChange={(event) => setSeconds(event.target.value)} />
            </Field>
          )}
        </div>
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Worker" hint="*">
          <Input value={worker} onChange={(event) => setWorker(event.target.value)} />
        </Field>
        <Field label={t.severity}>
          <Select<Severity>
            value={severity}
            onChange={setSeverity}
            options={SEVERITIES.map((each) => ({ value: each, label: t.severities[each] }))}
          />
        </Field>
      </div>
      <fieldset className="grid gap-1.5">
        <legend className="mb-1 text-sm font-medium">{t.channels}</legend>
        {(channels.items ?? []).map((each) => (
          <Checkbox
            key={each.id}
            label={each.name}
            checked={chosen.has(each.id)}
            onChange={(on) =>
              setChosen((all) => {
                const next = new Set(all);
                if (on) next.add(each.id);
                else next.delete(each.id);
                return next;
              })}
          />
        ))}
        {channels.items?.length === 0 && <p className="text-xs text-muted">{t.noChannels}</p>}
      </fieldset>
    </FormDialog>
  );
}

export function NewChannelDialog({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
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
        const made = await api("POST /api/v1/projects/{project}/notifications/channels", {
          path: { project },
          body: { name: name.trim(), kind, ...(kind === "email" ? { email: { to: addresses } } : { url }) },
        });
        await invalidate(client, STALE);
        onClose();
        if (made.signing_secret !== null) onSecret(made.signing_secret);
      }}
    >
      <Field label={t.kind}>
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
