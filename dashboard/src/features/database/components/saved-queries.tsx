// SQL under a name, shared by the project's members: chosen from a list, kept, renamed, deleted.
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { SavedQueryInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Dialog, FormDialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Field, Input, SearchInput } from "@/components/field";
import { toast } from "@/components/toast";
import { RelativeTime, Skeleton } from "@/components/values";
import { messages } from "@/features/database/messages";
import { api, apiWithHead } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

export const SAVED = "GET /api/v1/projects/{project}/saved-queries";

/** A query as it was opened; `etag` guards what somebody else saves meanwhile. */
export interface Opened {
  query: SavedQueryInfo;
  etag: string | null;
}

export async function openQuery(project: string, id: string, signal?: AbortSignal): Promise<Opened> {
  const { data, etag } = await apiWithHead("GET /api/v1/projects/{project}/saved-queries/{query_id}", {
    path: { project, query_id: id },
    signal,
  });
  return { query: data, etag };
}

export function SavedQueries({ database, onOpen, onGone, onClose }: {
  database: string;
  onOpen: (id: string) => void;
  onGone: (id: string) => void;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [sought, setSought] = useState("");
  const saved = useApiList(SAVED, { path: { project }, query: { database, limit: 200 } });
  const word = sought.trim().toLowerCase();
  const found = saved.items?.filter((each) => each.name.toLowerCase().includes(word) || each.sql.includes(word));
  const remove = async ({ id, name, sql }: SavedQueryInfo) => {
    await api("DELETE /api/v1/projects/{project}/saved-queries/{query_id}", { path: { project, query_id: id } });
    onGone(id);
    await invalidate(client, [SAVED]);
    toast.done(t.queryDeleted(name), {
      label: t.undo,
      run: () =>
        void api("POST /api/v1/projects/{project}/saved-queries", { path: { project }, body: { database, name, sql } })
          .then(() => invalidate(client, [SAVED]), toast.failed),
    });
  };
  return (
    <Dialog open onClose={onClose} title={t.savedQueries} description={t.savedHint} width="lg">
      {saved.error && <ErrorNote error={saved.error} onRetry={() => void saved.refetch()} />}
      {saved.items === undefined
        ? saved.error === null && <Skeleton className="h-24" />
        : saved.items.length === 0
        ? <p className="text-sm text-muted">{t.noSaved}</p>
        : (
          <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
            {saved.items.length > 8 && (
              <SearchInput
                label={t.findQuery}
                value={sought}
                onChange={(event) => setSought(event.target.value)}
              />
            )}
            <ul aria-label={t.savedQueries}>
              {found?.map((query) => (
                <li key={query.id} className="flex items-center gap-2 border-b py-1.5 last:border-b-0">
                  <button
                    type="button"
                    className="min-w-0 flex-1 rounded-sm text-left hover:underline"
                    onClick={() =>
                      onOpen(query.id)}
                  >
                    <span className="block truncate text-sm font-medium">{query.name}</span>
                    <span className="block truncate font-mono text-xs text-muted">{query.sql}</span>
                  </button>
                  <span className="text-right text-xs text-muted max-sm:hidden">
                    {query.updated_by}
                    <br />
                    <RelativeTime time={query.updated_at} />
                  </span>
                  <Button
                    size="sm"
                    look="quiet"
                    icon={Trash2}
                    needs="developer"
                    aria-label={t.deleteQuery(query.name)}
                    onClick={() =>
                      void remove(query).catch(toast.failed)}
                  />
                </li>
              ))}
            </ul>
            {saved.hasNextPage && <Button onClick={() => void saved.fetchNextPage()}>{t.next}</Button>}
          </div>
        )}
    </Dialog>
  );
}

/** Keeps the SQL: under its own name again, or under another one as a query of its own. */
export function SaveQuery({ database, sql, opened, onSaved, onClose }: {
  database: string;
  sql: string;
  opened: Opened | null;
  onSaved: (saved: Opened) => void;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [name, setName] = useState(opened?.query.name ?? "");
  const again = opened !== null && name.trim() === opened.query.name;
  const save = async () => {
    const { data, etag } = again
      ? await apiWithHead("PATCH /api/v1/projects/{project}/saved-queries/{query_id}", {
        path: { project, query_id: opened.query.id },
        body: { sql },
        ifMatch: opened.etag,
      })
      : await apiWithHead("POST /api/v1/projects/{project}/saved-queries", {
        path: { project },
        body: { database, name: name.trim(), sql },
      });
    await invalidate(client, [SAVED]);
    onSaved({ query: data, etag });
    toast.done(t.querySaved(data.name));
    onClose();
  };
  return (
    <FormDialog
      open
      width="sm"
      onClose={onClose}
      title={t.saveQuery}
      description={t.savedHint}
      submit={t.save}
      disabled={sql.trim() === ""}
      onSubmit={save}
    >
      <Field label={t.queryName} hint={again ? t.querySavedAgain : undefined}>
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={100}
          autoComplete="off"
          required
          autoFocus
        />
      </Field>
    </FormDialog>
  );
}
