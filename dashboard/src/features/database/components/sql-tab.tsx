import { BookMarked, Download, Play, Route as Plan, Save, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { QueryAnswer } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { Dialog, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { Card } from "@/components/layout";
import type { monaco } from "@/components/monaco/setup";
import { Table } from "@/components/table";
import { Cell } from "@/features/database/components/cell";
import { QueryPlan } from "@/features/database/components/query-plan";
import { offer } from "@/features/database/lib/completion";
import { csvOf, download } from "@/features/database/lib/export";
import { draftOf, keepDraft, useSavedQueries } from "@/features/database/lib/saved-queries";
import { type DatabaseSchema, OF_DATABASES } from "@/features/database/lib/schema";
import { statementAt } from "@/features/database/lib/sql";
import { textOf } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";
import { useQueryClient } from "@tanstack/react-query";

interface Outcome {
  sql: string;
  plan: boolean;
  milliseconds: number;
  answer?: QueryAnswer;
  error?: unknown;
}

export default function SqlTab({ database, schema }: { database: string; schema: DatabaseSchema }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const client = useQueryClient();
  const [sql, setSql] = useState(() => draftOf(project, database) || exampleOf(schema));
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [running, setRunning] = useState(false);
  const [naming, setNaming] = useState(false);
  const [listing, setListing] = useState(false);
  const saved = useSavedQueries(project, database);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor | null>(null);
  const known = useRef(schema);
  known.current = schema;
  const offered = useRef<monaco.IDisposable | null>(null);
  useEffect(() => () => offered.current?.dispose(), []);

  const chosen = () => {
    const selection = editor.current?.getSelection();
    const model = editor.current?.getModel();
    if (selection && model && !selection.isEmpty()) return model.getValueInRange(selection);
    const position = editor.current?.getPosition();
    const text = model?.getValue() ?? sql;
    return statementAt(text, model && position ? model.getOffsetAt(position) : text.length);
  };
  const run = async (plan: boolean) => {
    if (running || !can("developer")) return;
    const statement = chosen()?.trim().replace(/;$/, "") ?? "";
    if (statement === "") return setOutcome({ sql: "", plan, milliseconds: 0, error: new Error(t.nothingToRun) });
    setRunning(true);
    const began = performance.now();
    try {
      const answer = await api("POST /admin/database/query/{database}", {
        path: { database },
        query: { project },
        body: {
          query: plan ? `EXPLAIN QUERY PLAN ${statement.replace(/^explain\s+(query\s+plan\s+)?/i, "")}` : statement,
        },
      });
      setOutcome({ sql: statement, plan, milliseconds: performance.now() - began, answer });
      if (!plan && answer.columns.length === 0) await invalidate(client, OF_DATABASES);
    } catch (error) {
      setOutcome({ sql: statement, plan, milliseconds: performance.now() - began, error });
    } finally {
      setRunning(false);
    }
  };

  return (
    <div className="grid min-w-0 gap-4">
      <section className="min-w-0 overflow-hidden rounded-lg border bg-surface shadow-low">
        <header className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
          <Button size="sm" look="primary" icon={Play} needs="developer" busy={running} onClick={() => void run(false)}>
            {t.run}
          </Button>
          <Button size="sm" icon={Plan} needs="developer" disabled={running} onClick={() => void run(true)}>
            {t.explain}
          </Button>
          <span className="text-xs text-muted max-md:hidden">{t.runHint}</span>
          <span className="grow" />
          <Button size="sm" look="quiet" icon={BookMarked} onClick={() => setListing(true)}>{t.savedQueries}</Button>
          <Button size="sm" look="quiet" icon={Save} onClick={() => setNaming(true)}>{t.saveQuery}</Button>
        </header>
        <div className="h-64">
          <CodeEditor
            label={t.sqlLabel}
            language="sql"
            value={sql}
            onChange={(text) => {
              setSql(text);
              keepDraft(project, database, text);
            }}
            onRun={() => void run(false)}
            onSave={() => setNaming(true)}
            onMount={(mounted) => {
              editor.current = mounted;
              offered.current?.dispose();
              const model = mounted.getModel();
              offered.current = model ? offer(model, () => known.current) : null;
            }}
          />
        </div>
      </section>
      <Result database={database} outcome={outcome} />
      {naming && (
        <SaveQuery
          onClose={() => setNaming(false)}
          onSave={(name) => saved.save({ name, sql })}
        />
      )}
      <Dialog open={listing} onClose={() => setListing(false)} title={t.savedQueries} width="lg">
        {saved.queries.length === 0 ? <p className="text-sm text-muted">{t.noSaved}</p> : (
          <ul>
            {saved.queries.map((query) => (
              <li key={query.name} className="flex items-center gap-2 border-b py-1.5 last:border-b-0">
                <button
                  type="button"
                  className="min-w-0 flex-1 rounded-sm text-left hover:underline"
                  onClick={() => {
                    setSql(query.sql);
                    keepDraft(project, database, query.sql);
                    setListing(false);
                  }}
                >
                  <span className="block truncate text-sm font-medium">{query.name}</span>
                  <span className="block truncate font-mono text-xs text-muted">{query.sql}</span>
                </button>
                <Button
                  size="sm"
                  look="quiet"
                  icon={Trash2}
                  aria-label={t.deleteQuery(query.name)}
                  onClick={() =>
                    saved.remove(query.name)}
                />
              </li>
            ))}
          </ul>
        )}
      </Dialog>
    </div>
  );
}

function Result({ database, outcome }: { database: string; outcome: Outcome | null }) {
  const t = useMessages(messages);
  if (outcome === null) {
    return (
      <Card title={t.result}>
        <p className="text-sm text-muted">{t.noResult}</p>
      </Card>
    );
  }
  const { answer, milliseconds } = outcome;
  if (answer === undefined) return <ErrorNote error={outcome.error} />;
  if (outcome.plan) {
    return (
      <Card title={t.plan}>
        <QueryPlan rows={answer.rows} />
      </Card>
    );
  }
  const rows = answer.rows.map((row, index) => ({ row, index }));
  return (
    <Card
      flush
      title={t.result}
      description={
        <span aria-live="polite">
          {answer.columns.length > 0 ? t.found(formatNumber(rows.length)) : t.affected(answer.rowsAffected)} ·{" "}
          {formatMilliseconds(milliseconds)}
        </span>
      }
      actions={rows.length > 0 && (
        <>
          <Button
            size="sm"
            icon={Download}
            onClick={() => download(`${database}.csv`, "text/csv", csvOf(answer.columns, answer.rows))}
          >
            {t.exportCsv}
          </Button>
          <Button
            size="sm"
            icon={Download}
            onClick={() =>
              download(`${database}.json`, "application/json", `${JSON.stringify(answer.rows, null, 2)}\n`)}
          >
            {t.exportJson}
          </Button>
        </>
      )}
    >
      <Table
        label={t.result}
        rows={rows}
        rowKey={(each) => String(each.index)}
        maxHeight="60vh"
        columns={answer.columns.map((name) => ({
          id: name,
          header: name,
          sort: (each: { row: Record<string, unknown> }) => {
            const value = each.row[name];
            return typeof value === "number" ? value : value === null ? null : textOf(value);
          },
          cell: (each: { row: Record<string, unknown> }) => (
            <span className="block max-w-96 truncate font-mono text-xs">
              <Cell value={each.row[name]} />
            </span>
          ),
        }))}
        empty={answer.columns.length > 0 ? <EmptyState title={t.noRows} /> : <EmptyState title={t.noRowsAnswered} />}
      />
    </Card>
  );
}

function SaveQuery({ onSave, onClose }: { onSave: (name: string) => void; onClose: () => void }) {
  const t = useMessages(messages);
  const [name, setName] = useState("");
  return (
    <FormDialog
      open
      width="sm"
      onClose={onClose}
      title={t.saveQuery}
      description={t.noSaved}
      submit={t.save}
      onSubmit={() => {
        onSave(name.trim());
        onClose();
        return Promise.resolve();
      }}
    >
      <Field label={t.queryName}>
        <Input value={name} onChange={(event) => setName(event.target.value)} maxLength={100} required autoFocus />
      </Field>
    </FormDialog>
  );
}

function exampleOf(schema: DatabaseSchema): string {
  const table = schema.tables[0]?.name;
  return table === undefined
    ? "SELECT sqlite_version();\n"
    : `SELECT * FROM "${table.replaceAll('"', '""')}" LIMIT 100;\n`;
}
