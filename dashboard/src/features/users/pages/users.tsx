import { Plus } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { NoMatch } from "@/components/empty-state";
import { SearchInput } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { SecretOnce } from "@/components/secret-once";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { AddUser } from "@/features/users/components/add-user";
import { Roles } from "@/features/users/components/roles";
import { messages } from "@/features/users/messages";
import { useApiList, useRest } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

export default function UsersPage() {
  const t = useMessages(messages);
  const users = useApiList("GET /api/v1/users", {});
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<{ name: string; password: string } | null>(null);
  const [sought, setSought] = useState("");
  const looking = sought.trim() !== "";
  useRest(users, looking);
  const found = users.items?.filter((user) =>
    `${user.name} ${user.email ?? ""}`.toLowerCase().includes(sought.trim().toLowerCase())
  );
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <Button
          look="primary"
          icon={Plus}
          needs={{ role: "admin", project: "*" }}
          onClick={() => setAdding(true)}
        >
          {t.add}
        </Button>
      }
    >
      <SearchInput
        label={t.find}
        className="max-w-sm"
        value={sought}
        onChange={(event) => setSought(event.target.value)}
      />
      <Card flush>
        <Table
          label={t.title}
          rows={found?.length === 0 && looking && users.isFetching ? undefined : found}
          error={users.error}
          onRetry={() => void users.refetch()}
          more={users}
          rowKey={(user) => user.id}
          to={(user) => `/settings/users/${encodeURIComponent(user.name)}`}
          sortedBy="name"
          columns={[
            {
              id: "name",
              header: t.name,
              cell: (user) => <span className="break-all">{user.name}</span>,
              sort: (user) => user.name,
            },
            { id: "roles", header: t.roles, cell: (user) => <Roles roles={user.roles} /> },
            {
              id: "state",
              header: t.state,
              from: "md",
              sort: (user) => Number(user.disabled),
              cell: (user) =>
                user.disabled
                  ? <Badge tone="bad" dot>{t.disabled}</Badge>
                  : user.password_is_temporary
                  ? <Badge tone="warn" dot>{t.temporary}</Badge>
                  : <Badge tone="ok" dot>{t.active}</Badge>,
            },
            { id: "factor", header: t.secondFactor, from: "lg", cell: (user) => (user.second_factor ? t.on : t.off) },
            {
              id: "seen",
              header: t.seen,
              from: "sm",
              align: "right",
              sort: (user) => user.seen_at ?? "",
              cell: (user) => <RelativeTime time={user.seen_at} empty={t.never} />,
            },
          ]}
          empty={<NoMatch />}
        />
      </Card>
      <AddUser
        open={adding}
        onClose={() => setAdding(false)}
        onMade={(name, password) => setMade({ name, password })}
      />
      <SecretOnce
        title={made ? t.passwordOf(made.name) : ""}
        secret={made?.password ?? null}
        onClose={() => setMade(null)}
      >
        {t.passwordHint}
      </SecretOnce>
    </Page>
  );
}
