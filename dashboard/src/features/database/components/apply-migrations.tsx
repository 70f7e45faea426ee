// Migrations from files: chosen, tried on a copy, applied.
import { useRef, useState } from "react";
import type { MigrationReport } from "@/api/generated/api";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { OF_DATABASES } from "@/features/database/lib/schema";
import { readMigrations } from "@/features/database/lib/migrations";
import { messages } from "@/features/database/messages";
import { api } from "@/lib/api/client";
import { useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const MIGRATE = "POST /admin/database/databases/{database}/migrations";

export function ApplyMigrations({ project, database, onClose }: {
  project: string;
  database: string;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const picker = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<Awaited<ReturnType<typeof readMigrations>> | null>(null);
  const [tried, setTried] = useState<MigrationReport | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const apply = useChange(MIGRATE, { invalidates: OF_DATABASES });
  const choose = async (files: readonly File[]) => {
    if (files.length === 0) return;
    setBusy(true);
    setTried(null);
    setError(null);
    try {
      const read = await readMigrations(files);
      setChosen(read);
      if (read.migrations.length === 0) throw new Error(t.noMigrationFiles);
      setTried(
        await api(MIGRATE, {
          path: { database },
          query: { project },
          body: { migrations: read.migrations, dryRun: true },
        }),
      );
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const pending = tried?.migrations ?? [];
  return (
    <FormDialog
      open
      width="lg"
      onClose={onClose}
      title={t.applyMigrations}
      description={t.applyMigrationsHint}
      submit={t.applyPending(pending.length)}
      disabled={pending.length === 0}
      onSubmit={async () => {
        const done = await apply.mutateAsync({
          path: { database },
          query: { project },
          body: { migrations: chosen?.migrations ?? [], dryRun: false },
        });
        toast.done(t.migrated(done.migrations.length));
        onClose();
      }}
    >
      <div
        className="flex flex-wrap items-center gap-3 rounded-md border border-dashed bg-sunken px-4 py-3"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          void choose([...event.dataTransfer.files]);
        }}
      >
        <input
          ref={picker}
          type="file"
          multiple
          accept=".sql"
          className="hidden"
          aria-label={t.chooseMigrations}
          onChange={(event) => {
            void choose([...event.target.files ?? []]);
            event.target.value = "";
          }}
        />
        <Button size="sm" onClick={() => picker.current?.click()}>{t.chooseMigrations}</Button>
        <span className="text-sm text-muted">{t.dropMigrations}</span>
      </div>
      {busy && <Skeleton className="h-16" />}
      {error !== null && <ErrorNote error={error} />}
      {chosen !== null && chosen.strange.length > 0 && (
        <p className="text-sm text-warn break-all">{t.strangeFiles(chosen.strange.join(", "))}</p>
      )}
      {tried !== null && (pending.length === 0
        ? <p className="text-sm">{t.nothingPending}</p>
        : (
          <div className="grid gap-3 text-sm" aria-live="polite">
            <div>
              <p className="font-medium">{t.pending}</p>
              <ul className="mt-1 font-mono text-xs break-all">{pending.map((file) => <li key={file}>{file}</li>)}</ul>
            </div>
            <div>
              <p className="font-medium">{t.wouldChange}</p>
              {tried.schemaChanges?.length
                ? (
                  <ul className="mt-1 font-mono text-xs break-all">
                    {tried.schemaChanges.map((each) => (
                      <li key={`${each.type}/${each.name}`}>{each.type} {each.name}: {t.changes[each.change]}</li>
                    ))}
                  </ul>
                )
                : <p className="text-muted">{t.nothingChanges}</p>}
            </div>
          </div>
        ))}
    </FormDialog>
  );
}
