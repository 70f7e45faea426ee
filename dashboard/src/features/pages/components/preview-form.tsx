import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { PreviewInfo } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, PasswordInput, Select } from "@/components/field";
import { toast } from "@/components/toast";
import { SITES } from "@/features/pages/lib/queries";
import { messages } from "@/features/pages/messages";
import { api, ApiError } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const HOUR = 3600;
const TIMES = { ever: null, hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR } as const;
type Time = keyof typeof TIMES | "same";

/** Shows a release under a name: a new one, or another release at one that is there (`preview`). */
export function PreviewForm({ site, release, preview, onClose }: {
  site: string;
  release?: number;
  preview?: PreviewInfo;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const shown = preview?.release ?? release;
  const [label, setLabel] = useState(preview?.label ?? "");
  const [number, setNumber] = useState(shown === undefined ? undefined : String(shown));
  const [password, setPassword] = useState("");
  const [open, setOpen] = useState(false);
  const [time, setTime] = useState<Time>(preview ? "same" : "week");
  const [fault, setFault] = useState("");
  const releases = useApiList("GET /api/v1/projects/{project}/sites/{site}/releases", { path: { project, site } });
  const previews = useApiList("GET /api/v1/projects/{project}/sites/{site}/previews", { path: { project, site } });
  const save = async () => {
    const taken = !preview && previews.items?.some((each) => each.label === label);
    const wrong = !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(label) ? t.badLabel : taken ? t.labelTaken : null;
    if (wrong !== null) {
      setFault(wrong);
      throw new ApiError(0, "shown", wrong);
    }
    const made = await api("PUT /api/v1/projects/{project}/sites/{site}/previews/{label}", {
      path: { project, site, label },
      // What is left out stays as it is.
      body: {
        release: Number(number),
        ...(password !== "" ? { password } : open || !preview ? { password: null } : {}),
        ...(time === "same" ? {} : { expires_in_seconds: TIMES[time] }),
      },
    });
    await invalidate(client, SITES);
    toast.done(t.previewMade(made.url));
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={preview ? t.changeOf(preview.label) : t.newPreview}
      description={t.previewHint}
      submit={preview ? t.change : t.preview}
      disabled={label === "" || number === undefined}
      onSubmit={save}
    >
      <Field label={t.label} hint={t.labelHint(site)} error={fault}>
        <Input
          autoFocus={!preview}
          readOnly={preview !== undefined}
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
      <Field label={t.password} hint={preview?.password ? t.passwordStays : t.passwordHint}>
        <PasswordInput
          value={password}
          autoComplete="new-password"
          disabled={open}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {preview?.password && <Checkbox label={t.noPassword} checked={open} onChange={setOpen} />}
      <Field label={t.ends}>
        <Select<Time>
          value={time}
          onChange={setTime}
          options={([...(preview ? ["same"] : []), ...Object.keys(TIMES)] as Time[]).map((each) => ({
            value: each,
            label: t.times[each],
          }))}
        />
      </Field>
    </FormDialog>
  );
}
