// Another user, with one role to begin with.
import { FormDialog } from "@/components/dialog";
import { Field, Input, Select } from "@/components/field";
import { RoleSelect } from "@/components/role-select";
import { messages } from "@/features/users/messages";
import { useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { firstProject } from "@/lib/project";
import { type Role, useSession } from "@/lib/session/session";

export function AddUser({ open, onClose, onMade }: {
  open: boolean;
  onClose: () => void;
  onMade: (name: string, password: string) => void;
}) {
  const t = useMessages(messages);
  const { projects } = useSession();
  const [draft, set, reset] = useDraft({
    name: "",
    email: "",
    project: firstProject(projects) ?? "*",
    role: "developer" as Role,
  });
  const make = useChange("POST /api/v1/users", { invalidates: ["GET /api/v1/users"] });
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={t.add}
      description={t.addHint}
      submit={t.add}
      onSubmit={async () => {
        const { name, email, project, role } = draft;
        const made = await make.mutateAsync({
          body: { name, roles: { [project]: role }, ...(email ? { email } : {}) },
        });
        reset();
        onClose();
        onMade(made.name, made.temporary_password ?? "");
      }}
    >
      <Field label={t.name} hint={t.nameHint} error={make.error?.field("name")}>
        <Input
          value={draft.name}
          onChange={(event) => set({ name: event.target.value })}
          autoComplete="off"
          autoCapitalize="none"
          required
          autoFocus
        />
      </Field>
      <Field label={t.email} hint={t.optional} error={make.error?.field("email")}>
        <Input
          type="email"
          value={draft.email}
          onChange={(event) => set({ email: event.target.value })}
          autoComplete="off"
        />
      </Field>
      <div className="grid grid-cols-2 gap-4">
        <Field label={t.project}>
          <Select
            value={draft.project}
            onChange={(project) => set({ project })}
            options={[...projects.map((name) => ({ value: name, label: name })), { value: "*", label: t.everywhere }]}
          />
        </Field>
        <Field label={t.role}>
          <RoleSelect value={draft.role} onChange={(role) => set({ role })} />
        </Field>
      </div>
    </FormDialog>
  );
}
