// Who has a role in the project: admins of it give, change and take them.
import { Plus, UsersRound, X } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Field, Input } from "@/components/field";
import { Card } from "@/components/layout";
import { RoleSelect } from "@/components/role-select";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { messages } from "@/features/projects/messages";
import { useApiList, useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { type Role, useCan } from "@/lib/session/session";

const STALE = { invalidates: ["GET /api/v1/projects/{project}/members", "GET /api/v1/users"] };

export function Members({ project }: { project: string }) {
  const t = useMessages(messages);
  const can = useCan();
  const members = useApiList("GET /api/v1/projects/{project}/members", { path: { project } });
  const give = useChange("PUT /api/v1/users/{user}/roles/{project}", STALE);
  const take = useChange("DELETE /api/v1/users/{user}/roles/{project}", STALE);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<string | null>(null);
  const add = <Button size="sm" icon={Plus} needs="admin" onClick={() => setAdding(true)}>{t.addMember}</Button>;
  const manages = can("admin", "*");
  return (
    <Card title={t.members} description={t.membersHint} actions={add} flush>
      <Table
        label={t.members}
        rows={members.items}
        error={members.error}
        onRetry={() => void members.refetch()}
        more={members}
        rowKey={(member) => member.user}
        {...(manages ? { to: (member: { name: string }) => `/settings/users/${encodeURIComponent(member.name)}` } : {})}
        columns={[
          { id: "name", header: t.user, cell: (member) => member.name, sort: (member) => member.name },
          {
            id: "role",
            header: t.role,
            sort: (member) => member.role,
            cell: (member) => (
              <RoleSelect
                label={`${t.role}: ${member.name}`}
                className="w-36"
                value={member.role as Role}
                onChange={(role) =>
                  give.mutate({ path: { user: member.name, project }, body: { role } }, {
                    onSuccess: () => toast.done(t.saved),
                    onError: toast.failed,
                  })}
              />
            ),
          },
          {
            id: "state",
            header: t.state,
            from: "sm",
            cell: (member) =>
              member.disabled ? <Badge tone="bad" dot>{t.disabled}</Badge> : <Badge tone="ok" dot>{t.active}</Badge>,
          },
          {
            id: "remove",
            header: t.removeMember,
            hideHeader: true,
            align: "right",
            width: "3.5rem",
            cell: (member) => (
              <Button
                look="quiet"
                size="sm"
                icon={X}
                aria-label={`${t.removeMember}: ${member.name}`}
                onClick={() => setRemoving(member.name)}
              />
            ),
          },
        ]}
        empty={
          <EmptyState
            icon={UsersRound}
            title={t.noMembers}
            command={`v8box user role ada developer --project ${project}`}
          >
            {t.noMembersHint}
          </EmptyState>
        }
      />
      {adding && <AddMember project={project} onClose={() => setAdding(false)} />}
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`${t.removeMember}: ${removing ?? ""}`}
        what={t.removeMemberHint}
        action={t.removeMember}
        danger
        onConfirm={() => take.mutateAsync({ path: { user: removing ?? "", project } })}
      />
    </Card>
  );
}

function AddMember({ project, onClose }: { project: string; onClose: () => void }) {
  const t = useMessages(messages);
  const [draft, set] = useDraft({ user: "", role: "developer" as Role });
  const give = useChange("PUT /api/v1/users/{user}/roles/{project}", STALE);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.addMember}
      description={t.addMemberHint}
      submit={t.addMember}
      onSubmit={async () => {
        await give.mutateAsync({ path: { user: draft.user.trim(), project }, body: { role: draft.role } });
        toast.done(t.saved);
        onClose();
      }}
    >
      <div className="grid grid-cols-[1fr_11rem] gap-4 max-sm:grid-cols-1">
        <Field label={t.user}>
          <Input
            value={draft.user}
            onChange={(event) => set({ user: event.target.value })}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            required
            autoFocus
          />
        </Field>
        <Field label={t.role}>
          <RoleSelect value={draft.role} onChange={(role) => set({ role })} />
        </Field>
      </div>
    </FormDialog>
  );
}
