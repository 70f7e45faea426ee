import { FormDialog } from "@/components/dialog";
import { Field, Switch, Textarea } from "@/components/field";
import { toast } from "@/components/toast";
import { LevelFields, levelQuery } from "@/features/variables/components/level-fields";
import { messages } from "@/features/variables/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { useQueryClient } from "@tanstack/react-query";

const EXAMPLE = "DATABASE_URL=…\nAPI_KEY=…";

export function ImportVariables({ project, open, onClose }: { project: string; open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  const [draft, set, reset] = useDraft({ text: "", secret: true, worker: "", environment: "" });
  const client = useQueryClient();
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={t.import}
      description={t.importHint}
      submit={t.save}
      disabled={draft.text.trim() === ""}
      onSubmit={async () => {
        const told = await api("POST /api/v1/projects/{project}/variables", {
          path: { project },
          query: { ...levelQuery(draft), secret: draft.secret },
          headers: { "content-type": "text/plain" },
          body: draft.text,
        });
        await invalidate(client, ["GET /api/v1/projects/{project}/variables"]);
        toast.done(t.imported(told.set.length, told.unchanged.length));
        reset();
        onClose();
      }}
    >
      <Field label={t.file}>
        <Textarea
          rows={8}
          value={draft.text}
          onChange={(event) => set({ text: event.target.value })}
          placeholder={EXAMPLE}
          spellCheck={false}
          autoComplete="off"
        />
      </Field>
      <div className="flex items-center gap-3 text-sm">
        <Switch label={t.asSecrets} checked={draft.secret} onChange={(secret) => set({ secret })} />
        {t.asSecrets}
      </div>
      <LevelFields level={draft} onChange={set} />
    </FormDialog>
  );
}
