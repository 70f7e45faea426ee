// A rule, new or as it is.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ChannelInfo, RuleInfo, RuleKind } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { RuleScope, RuleTimes, RuleWatch } from "@/features/notifications/components/rule-fields";
import { bodyOf, draftOf, FIRST, KINDS, type RuleDraft } from "@/features/notifications/lib/rule-draft";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export function RuleDialog(
  { rule, channels, onClose }: { rule: RuleInfo | null; channels: readonly ChannelInfo[]; onClose: () => void },
) {
  const t = useMessages(messages);
  const { at, box, project, stale } = useOwner();
  const client = useQueryClient();
  const [draft, setDraft] = useState<RuleDraft>(() => draftOf(rule, box));
  const set = (part: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...part }));
  const { kind, name, threshold, channels: chosen } = draft;
  const measured = FIRST[kind] !== undefined;
  return (
    <FormDialog
      open
      onClose={onClose}
      title={rule === null ? t.newRule : `${t.edit}: ${rule.name}`}
      submit={rule === null ? t.make : t.save}
      disabled={name.trim() === "" || (measured && !(Number(threshold) > 0))}
      onSubmit={async () => {
        const body = bodyOf(draft, box);
        if (rule === null) {
          await api(at("POST /api/v1/projects/{project}/notifications/rules"), {
            path: { project },
            body: { ...body, kind },
          });
        } else {
          await api(at("PATCH /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
            path: { project, rule_id: rule.id },
            body,
          });
        }
        await invalidate(client, stale);
        onClose();
      }}
    >
      <Field label={t.name}>
        <Input autoFocus value={name} maxLength={100} onChange={(event) => set({ name: event.target.value })} />
      </Field>
      <Field label={t.kind}>
        <Select<RuleKind>
          value={kind}
          disabled={rule !== null}
          onChange={(next) => set({ kind: next, threshold: FIRST[next] ?? "" })}
          options={(box ? (["health", ...KINDS] as const) : KINDS).map((each) => ({
            value: each,
            label: t.kinds[each],
          }))}
        />
      </Field>
      <RuleWatch draft={draft} set={set} />
      <RuleScope draft={draft} set={set} />
      <RuleTimes draft={draft} set={set} />
      <fieldset className="grid gap-1.5">
        <legend className="mb-1 text-sm font-medium">{t.channels}</legend>
        {channels.map(({ id, name: channel }) => (
          <Checkbox
            key={id}
            label={channel}
            checked={chosen.includes(id)}
            onChange={(on) => set({ channels: on ? [...chosen, id] : chosen.filter((each) => each !== id) })}
          />
        ))}
        {channels.length === 0 && <p className="text-xs text-muted">{t.noChannels}</p>}
      </fieldset>
    </FormDialog>
  );
}
