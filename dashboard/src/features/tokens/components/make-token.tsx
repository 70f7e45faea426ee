import type { Scope } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { messages } from "@/features/tokens/messages";
import { useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { useSession } from "@/lib/session/session";

const SCOPES: readonly Scope[] = ["read", "deploy", "data", "secrets", "admin"];
const PERIODS = ["604800", "2592000", "7776000", "31536000", "never"] as const;
const ANY = "*";

export function MakeToken({ open, onClose, onMade }: {
  open: boolean;
  onClose: () => void;
  onMade: (token: string) => void;
}) {
  const t = useMessages(messages);
  const { projects } = useSession();
  const [draft, set, reset] = useDraft({
    label: "",
    scopes: ["read", "deploy"] as Scope[],
    project: ANY,
    period: "7776000" as (typeof PERIODS)[number],
  });
  const make = useChange("POST /api/v1/tokens", { invalidates: ["GET /api/v1/tokens"] });
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={t.make}
      submit={t.create}
      disabled={draft.scopes.length === 0}
      onSubmit={async () => {
        const { label, scopes, project, period } = draft;
        const made = await make.mutateAsync({
          body: {
            label,
            scopes,
            project: project === ANY ? null : project,
            expires_in_seconds: period === "never" ? null : Number(period),
          },
        });
        reset();
        onClose();
        onMade(made.token);
      }}
    >
      <Field label={t.label} hint={t.labelHint} error={make.error?.field("label")}>
        <Input value={draft.label} onChange={(event) => set({ label: event.target.value })} required autoFocus />
      </Field>
      <fieldset className="grid gap-2">
        <legend className="mb-1 text-sm font-medium">{t.scopes}</legend>
        {SCOPES.map((scope) => (
          <Checkbox
            key={scope}
            checked={draft.scopes.includes(scope)}
            onChange={(on) =>
              set({ scopes: SCOPES.filter((each) => (each === scope ? on : draft.scopes.includes(each))) })}
            label={
              <>
                <span className="font-mono">{scope}</span> <span className="text-muted">· {t.scopeHints[scope]}</span>
              </>
            }
          />
        ))}
      </fieldset>
      <div className="grid grid-cols-2 gap-4 max-sm:grid-cols-1">
        <Field label={t.project}>
          <Select
            value={draft.project}
            onChange={(project) => set({ project })}
            options={[{ value: ANY, label: t.anyProject }, ...projects.map((name) => ({ value: name, label: name }))]}
          />
        </Field>
        <Field label={t.expires}>
          <Select
            value={draft.period}
            onChange={(period) => set({ period })}
            options={PERIODS.map((period) => ({ value: period, label: t.after[period] }))}
          />
        </Field>
      </div>
    </FormDialog>
  );
}
