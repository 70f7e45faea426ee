import { UsersRound } from "lucide-react";
import { Badge, RoleBadge } from "@/components/badge";
import { EmptyState } from "@/components/empty-state";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { messages } from "@/features/projects/messages";
import { useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export function Members({ project }: { project: string }) {
  const t = useMessages(messages);
  const can = useCan();
  const members = useApiList("GET /api/v1/projects/{project}/members", { path: { project } });
  const manages = can("admin", "*");
  return (
    <Card title={t.members} description={t.membersHint} flush>
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
            cell: (member) => <RoleBadge role={member.role} />,
            sort: (member) => member.role,
          },
          {
            id: "state",
            header: t.state,
            cell: (member) =>
              member.disabled ? <Badge tone="bad" dot>{t.disabled}</Badge> : <Badge tone="ok" dot>{t.active}</Badge>,
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
    </Card>
  );
}
