// The roles of one user: given, changed, taken away.
import { X } from "lucide-react";
import { useState } from "react";
import type { UserInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Field, Select } from "@/components/field";
import { Card } from "@/components/layout";
import { toast } from "@/components/toast";
import { RoleSelect } from "@/components/role-select";
import { messages } from "@/features/users/messages";
import { useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { type Role, useSession } from "@/lib/session/session";

const STALE = ["GET /api/v1/users", "GET /api/v1/projects/{project}/members"];

export function UserRoles({ user }: { user: UserInfo }) {
  const t = useMessages(messages);
  const { projects } = useSession();
  const give = useChange("PUT /api/v1/users/{user}/roles/{project}", {
    invalidates: STALE,
    onSuccess: () => toast.done(t.saved),
  });
  const take = useChange("DELETE /api/v1/users/{user}/roles/{project}", { invalidates: STALE });
  const [taking, setTaking] = useState<string | null>(null);
  const [role, setRole] = useState<Role>("viewer");
  const free = ["*", ...projects].filter((project) => user.roles[project] === undefined);
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const project = chosen !== undefined && free.includes(chosen) ? chosen : free.find((each) => each !== "*") ?? free[0];
  const word = (name: string) => (name === "*" ? t.everywhere : name);
  const set = (where: string, to: Role) =>
    give.mutate({ path: { user: user.name, project: where }, body: { role: to } });
  return (
    <Card title={t.roles}>
      <div className="grid gap-3">
        {Object.entries(user.roles).map(([where, held]) => (
          <div key={where} className="flex flex-wrap items-center gap-3">
            <span className="min-w-0 flex-1 truncate text-sm font-medium">{word(where)}</span>
            <RoleSelect
              label={`${t.role}: ${word(where)}`}
              value={held}
              onChange={(to) =>
                set(where, to)}
              className="w-40"
            />
            <Button
              look="quiet"
              icon={X}
              aria-label={`${t.takeRole}: ${word(where)}`}
              onClick={() =>
                setTaking(where)}
            />
          </div>
        ))}
        {Object.keys(user.roles).length === 0 && <p className="text-sm text-muted">{t.noRole}</p>}
        {give.error && <ErrorNote error={give.error} />}
        {project !== undefined && (
          <div className="flex flex-wrap items-end gap-3 border-t pt-3">
            <Field label={t.project} className="min-w-56 flex-1">
              <Select
                value={project}
                onChange={setChosen}
                options={free.map((name) => ({ value: name, label: word(name) }))}
              />
            </Field>
            <Field label={t.role} className="w-40">
              <RoleSelect value={role} onChange={setRole} />
            </Field>
            <Button busy={give.isPending} onClick={() => set(project, role)}>{t.giveRole}</Button>
          </div>
        )}
      </div>
      <Confirm
        open={taking !== null}
        onClose={() => setTaking(null)}
        title={t.takeRoleOf(user.name, word(taking ?? ""))}
        what={t.takeRoleHint}
        action={t.takeRole}
        danger
        onConfirm={() => take.mutateAsync({ path: { user: user.name, project: taking ?? "" } })}
      />
    </Card>
  );
}
