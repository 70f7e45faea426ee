import { FileUp, ListOrdered, Undo2 } from "lucide-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { AppliedEntry, MigrationReport } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { ConfirmByName } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { ApplyMigrations } from "@/features/database/components/apply-migrations";
import { OF_DATABASES } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { api, type ApiError } from "@/lib/api/client";
import { useApi, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

export default function MigrationsTab({ database }: { database: string }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [asking, setAsking] = useState(false);
  const [applying, setApplying] = useState(false);
  const applied = useApi("GET /admin/database/databases/{database}/migrations", {
    path: { database },
    query: { project },
  });
  const newest = applied.data?.at(-1);
  return (
    <>
      <Card
        flush
        title={t.tabs.migrations}
        actions={
          <>
            {newest?.reversible && (
              <Button size="sm" icon={Undo2} needs="developer" onClick={() => setAsking(true)}>{t.rollback}</Button>
            )}
            <Button size="sm" icon={FileUp} needs="developer" onClick={() => setApplying(true)}>
              {t.applyMigrations}
            </Button>
          </>
        }
      >
        <Table<AppliedEntry>
          label={t.tabs.migrations}
          rows={applied.data}
          error={applied.error}
          onRetry={() => void applied.refetch()}
          rowKey={(each) => String(each.number)}
          sortedBy="-number"
          columns={[
            { id: "number", header: t.number, width: "6rem", sort: (each) => each.number, cell: (each) => each.number },
            { id: "name", header: t.name, sort: (each) => each.name, cell: (each) => each.name },
            {
              id: "down",
              header: t.reversible,
              hideHeader: true,
              from: "sm",
              cell: (each) => <Badge>{each.reversible ? t.reversible : t.irreversible}</Badge>,
            },
            {
              id: "at",
              header: t.applied,
              align: "right",
              sort: (each) => each.appliedAt,
              cell: (each) => <RelativeTime time={each.appliedAt} />,
            },
          ]}
          empty={
            <EmptyState
              icon={ListOrdered}
              title={t.noMigrations}
              command={`v8box db migrate -d ${database}`}
            >
              {t.noMigrationsHint}
            </EmptyState>
          }
        />
      </Card>
      {applying && <ApplyMigrations {...{ project, database }} onClose={() => setApplying(false)} />}
      {asking && newest && (
        <Rollback
          project={project}
          database={database}
          newest={newest}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function Rollback({ project, database, newest, onClose }: {
  project: string;
  database: string;
  newest: AppliedEntry;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const undo = useChange("POST /admin/database/databases/{database}/migrations/rollback", {
    invalidates: OF_DATABASES,
  });
  const tried = useQuery<MigrationReport, ApiError>({
    queryKey: ["rollback", project, database, newest.number],
    gcTime: 0,
    queryFn: ({ signal }) =>
      api("POST /admin/database/databases/{database}/migrations/rollback", {
        path: { database },
        query: { project },
        body: { steps: 1, dryRun: true },
        signal,
      }),
  });
  return (
    <ConfirmByName
      open
      onClose={onClose}
      title={`${t.rollback}: ${newest.number} ${newest.name}`}
      name={newest.name}
      action={t.rollback}
      what={
        <div className="grid gap-2">
          <p>{t.rollbackWhat}</p>
          {tried.error
            ? <ErrorNote error={tried.error} />
            : tried.data === undefined
            ? <p>{t.looking}</p>
            : tried.data.schemaChanges?.length
            ? (
              <ul className="font-mono text-xs">
                {tried.data.schemaChanges.map((each) => (
                  <li key={`${each.type}/${each.name}`}>{each.type} {each.name}: {t.changes[each.change]}</li>
                ))}
              </ul>
            )
            : <p>{t.nothingChanges}</p>}
        </div>
      }
      onConfirm={async () => {
        await undo.mutateAsync({ path: { database }, query: { project }, body: { steps: 1, dryRun: false } });
        toast.done(t.rolledBack);
      }}
    />
  );
}
