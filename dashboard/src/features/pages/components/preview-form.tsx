import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FormDialog } from "@/components/dialog";
import { Field, Input, PasswordInput, Select } from "@/components/field";
import { toast } from "@/components/toast";
import { SITES } from "@/features/pages/lib/queries";
import { messages } from "@/features/pages/messages";
import { api, ApiError } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const HOUR = 3600;
const TIMES = { ever: null, hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR } as const;
type Time = keyof typeof TIMES;

/** Shows a release under a name. */
export function PreviewForm({ site, release, onClose }: { site: string; release?: number; onClose: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [label, setLabel] = useState("");
  const [number, setNumber] = useState(release === undefined ? undefined : String(release));
  const [password, setPassword] = useState("");
  const [time, setTime] = useState<Time>("week");
  const [fault, setFault] = useState("");
  const releases = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases", { path: { project, site } });
  const save = async () => {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(label)) {
      setFault(t.badLabel);
      throw new ApiError(0, "shown", t.badLabel);
    }
    const preview = await api("PUT /api/v1/projects/{project}/sites/{site}/previews/{label}", {
      path: { project, site, label },
      body: { release: Number(number), password: password || null, expires_in_seconds: TIMES[time] },
    });
    await invalidate(client, SITES);
    toast.done(t.previewMade(preview.url));
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.newPreview}
      description={t.previewHint}
      submit={t.preview}
      disabled={label === "" || number === undefined}
      onSubmit={save}
    >
      <Field label={t.label} hint={t.labelHint(site)} error={fault}>
        <Input
          autoFocus
          value={label}
          className="font-mono"
          spellCheck={false}
          onChange={(event) => {
            setLabel(event.target.value);
            setFault("");
          }}
        />
      </Field>
      <Field label={t.release}>
        <Select
          value={number}
          onChange={setNumber}
          options={(releases.items ?? []).map((each) => ({
            value: String(each.number),
            label: each.message ? `#${each.number} ${each.message.slice(0, 40)}` : `#${each.number}`,
          }))}
        />
      </Field>
      <Field label={t.password} hint={t.passwordHint}>
        <PasswordInput
          value={password}
          autoComplete="new-password"
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      <Field label={t.ends}>
        <Select<Time>
          value={time}
          onChange={setTime}
          options={(Object.keys(TIMES) as Time[]).map((each) => ({ value: each, label: t.times[each] }))}
        />
      </Field>
    </FormDialog>
  );
}
