import type { VariableInfo } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Field, Input, Switch, Textarea } from "@/components/field";
import { toast } from "@/components/toast";
import { LevelFields, levelQuery } from "@/features/variables/components/level-fields";
import { messages } from "@/features/variables/messages";
import { useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";

/** `of`: the variable that gets another value; without it, a new one. */
export function SetVariable(
  { project, of, onClose }: { project: string; of: VariableInfo | undefined; onClose: () => void },
) {
  const t = useMessages(messages);
  const [draft, set] = useDraft({
    name: of?.name ?? "",
    value: of?.value ?? "",
    secret: of?.secret ?? true,
    worker: of?.worker ?? "",
    environment: of?.environment ?? "",
  });
  const change = useChange("PUT /api/v1/projects/{project}/variables/{name}", {
    invalidates: ["GET /api/v1/projects/{project}/variables"],
  });
  return (
    <FormDialog
      open
      onClose={onClose}
      title={of ? `${t.change}: ${of.name}` : t.set}
      submit={t.save}
      disabled={of?.secret === true && draft.value === ""} // nobody means to empty what they only looked at
      onSubmit={async () => {
        const { name, value, secret } = draft;
        await change.mutateAsync({ path: { project, name }, query: levelQuery(draft), body: { value, secret } });
        toast.done(t.saved(name));
        onClose();
      }}
    >
      {of === undefined && (
        <Field label={t.name} hint={t.nameHint}>
          <Input
            value={draft.name}
            onChange={(event) => set({ name: event.target.value })}
            autoCapitalize="characters"
            autoComplete="off"
            spellCheck={false}
            pattern="[A-Za-z_][A-Za-z0-9_]*"
            required
            autoFocus
            className="font-mono"
          />
        </Field>
      )}
      <Field label={t.value} error={change.error?.field("value")}>
        <Textarea
          value={draft.value}
          onChange={(event) => set({ value: event.target.value })}
          placeholder={of?.secret ? t.newValue : undefined}
          spellCheck={false}
          autoComplete="off"
        />
      </Field>
      <div className="flex items-start gap-3">
        <Switch label={t.secret} checked={draft.secret} onChange={(secret) => set({ secret })} />
        <div className="text-sm">
          <span className="font-medium">{t.secret}</span>
          <p className="text-xs text-muted">{t.secretHint}</p>
        </div>
      </div>
      <LevelFields level={draft} onChange={set} disabled={of !== undefined} />
    </FormDialog>
  );
}
