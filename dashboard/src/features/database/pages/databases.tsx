import { Database, Ellipsis, KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { DatabaseEntry } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button, ButtonLink } from "@/components/button";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Bytes } from "@/components/values";
import { OF_DATABASES } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { useApi, useChange } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const MIB = 1_048_576;

export default function DatabasesPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const can = useCan();
  const databases = useApi("GET /admin/database/databases", { query: { project } });
  const remove = useChange("DELETE /admin/database/databases/{database}", { invalidates: OF_DATABASES });
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<DatabaseEntry | null>(null);
  const make = <Button look="primary" icon={Plus} needs="developer" onClick={() => setMaking(true)}>{t.make}</Button>;
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <>
          {can("admin") && <ButtonLink icon={KeyRound} to={to("database-tokens")}>{t.tokens}</ButtonLink>}
          {make}
        </>
      }
    >
      <Card flush>
        <Table
          label={t.title}
          rows={databases.data}
          error={databases.error}
          onRetry={() => void databases.refetch()}
          rowKey={(each) => each.name}
          to={(each) => to("database", each.name)}
          sortedBy="name"
          columns={[
            { id: "name", header: t.name, sort: (each) => each.name, cell: (each) => each.name },
            {
              id: "default",
              header: t.isDefault,
              hideHeader: true,
              cell: (each) => each.default && <Badge tone="accent">{t.isDefault}</Badge>,
            },
            {
              id: "size",
              header: t.size,
              align: "right",
              sort: (each) => each.sizeBytes,
              cell: (each) => <Bytes value={each.sizeBytes} />,
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "3.5rem",
              cell: (each) => (
                <Menu
                  items={[[{
                    label: t.remove,
                    icon: Trash2,
                    danger: true,
                    disabled: !can("admin"),
                    onSelect: () => setRemoving(each),
                  }]]}
                >
                  <Button look="quiet" size="sm" icon={Ellipsis} aria-label={`${each.name}: ${t.change}`} />
                </Menu>
              ),
            },
          ]}
          empty={
            <EmptyState icon={Database} title={t.none} command="v8box db create crm" actions={make}>
              {t.noneHint}
            </EmptyState>
          }
        />
      </Card>
      <Room project={project} />
      <NewDatabase project={project} open={making} onClose={() => setMaking(false)} />
      {removing !== null && (
        <ConfirmByName
          open
          onClose={() => setRemoving(null)}
          title={`${t.remove}: ${removing.name}`}
          name={removing.name}
          what={removing.default ? t.emptyWhat : t.removeWhat}
          onConfirm={async () => {
            await remove.mutateAsync({ path: { database: removing.name }, query: { project } });
            toast.done(t.removed(removing.name));
          }}
        />
      )}
    </Page>
  );
}

/** What the project's quotas leave, where it has any. */
function Room({ project }: { project: string }) {
  const t = useMessages(messages);
  const { data } = useApi("GET /api/v1/projects/{project}/usage", { path: { project }, query: { days: 1 } });
  if (data === undefined) return null;
  const { storage_mb: storage, databases } = data;
  const full = storage.limit !== null && storage.used >= storage.limit;
  return (
    <p className={classes("mt-3 text-sm", full ? "font-medium text-bad" : "text-muted")}>
      {t.storage(
        formatBytes(storage.used * MIB),
        storage.limit === null ? null : formatBytes(storage.limit * MIB),
      )}
      {databases.limit !== null && ` ${t.databasesOf(databases.used, databases.limit)}`}
      {full && ` ${t.storageFull}`}
    </p>
  );
}

function NewDatabase({ project, open, onClose }: { project: string; open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  const [name, setName] = useState("");
  const make = useChange("POST /admin/database/databases", { invalidates: OF_DATABASES });
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={t.make}
      submit={t.create}
      onSubmit={async () => {
        await make.mutateAsync({ query: { project }, body: { name } });
        toast.done(t.created(name));
        setName("");
        onClose();
      }}
    >
      <Field label={t.name} hint={t.nameHint}>
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          pattern="[a-z0-9_\-]{1,63}"
          title={t.nameHint}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
        />
      </Field>
    </FormDialog>
  );
}
