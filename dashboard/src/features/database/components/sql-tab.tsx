import { BookMarked, Download, Play, Route as Plan, Save, Square } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { QueryAnswer } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Card } from "@/components/layout";
import type { monaco } from "@/components/monaco/setup";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Cell } from "@/features/database/components/cell";
import { CellDialog } from "@/features/database/components/cell-dialog";
import { QueryPlan } from "@/features/database/components/query-plan";
import { type Opened, openQuery, SavedQueries, SaveQuery } from "@/features/database/components/saved-queries";
import { offer } from "@/features/database/lib/completion";
import { csvOf, download } from "@/features/database/lib/export";
import { type DatabaseSchema, OF_DATABASES } from "@/features/database/lib/schema";
import { statementAt } from "@/features/database/lib/sql";
import { draftOf, keepDraft } from "@/features/database/lib/sql-draft";
import { isLong, textOf } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { useFilters } from "@/lib/filters";
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
  const [view, setView] = useFilters(["query"]);
  const wanted = view.query ?? "";
  const [sql, setSql] = useState(() => draftOf(project, database).sql || exampleOf(schema));
  const [opened, setOpened] = useState<Opened | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [running, setRunning] = useState<AbortController | null>(null);
  const [naming, setNaming] = useState(false);
  const [listing, setListing] = useState(false);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor | null>(null);
  const known = useRef(schema);
  known.current = schema;
  const offered = useRef<monaco.IDisposable | null>(null);
  useEffect(() => () => offered.current?.dispose(), []);
  const write = (text: string, of = wanted) => {
    setSql(text);
    keepDraft(project, database, { sql: text, of });
  };
  // The address names the saved query, so that it can be sent to others. What was typed in it before a reload stays.
  useEffect(() => {
    if (wanted === "") return setOpened(null);
    if (opened?.query.id === wanted) return;
    const stop = new AbortController();
    openQuery(project, wanted, stop.signal).then((found) => {
      setOpened(found);
      const draft = draftOf(project, database);
      if (draft.of !== wanted || draft.sql === "") write(found.query.sql, wanted);
    }).catch((error: unknown) => {
      if (stop.signal.aborted) return;
      setView({ query: "" });
      toast.failed(error);
    });
    return () => stop.abort();
  }, [project, database, wanted]);

  const shown = (found: Opened) => {
    setOpened(found);
    write(found.query.sql, found.query.id);
  };

  const chosen = () => {
    const selection = editor.current?.getSelection();
    const model = editor.current?.getModel();
    if (selection && model && !selection.isEmpty()) return model.getValueInRange(selection);
    const position = editor.current?.getPosition();
    const text = model?.getValue() ?? sql;
    return statementAt(text, model && position ? model.getOffsetAt(position) : text.length);
  };
  const run = async (plan: boolean) => {
    if (running !== null || !can("developer")) return;
    const statement = chosen()?.trim().replace(/;$/, "") ?? "";
    if (statement === "") return setOutcome({ sql: "", plan, milliseconds: 0, error: new Error(t.nothingToRun) });
    const stop = new AbortController();
    setRunning(stop);
    const began = performance.now();
    try {
      const answer = await api("POST /admin/database/query/{database}", {
        path: { database },
        query: { project },
        signal: stop.signal,
        body: {
          query: plan ? `EXPLAIN QUERY PLAN ${statement.replace(/^explain\s+(query\s+plan\s+)?/i, "")}` : statement,
        },
      });
      setOutcome({ sql: statement, plan, milliseconds: performance.now() - began, answer });
      if (!plan && answer.columns.length === 0) await invalidate(client, OF_DATABASES);
    } catch (problem) {
      const error = stop.signal.aborted ? new Error(t.stopped) : problem;
      setOutcome({ sql: statement, plan, milliseconds: performance.now() - began, error });
    } finally {
      setRunning(null);
    }
  };

  return (
    <div className="grid min-w-0 gap-4">
      <section className="min-w-0 overflow-hidden rounded-lg border bg-surface shadow-low">
        <header className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
          {running === null
            ? (
              <Button size="sm" look="primary" icon={Play} needs="developer" onClick={() => void run(false)}>
                {t.run}
              </Button>
            )
            : <Button size="sm" icon={Square} onClick={() => running.abort()}>{t.stop}</Button>}
          <Button size="sm" icon={Plan} needs="developer" disabled={running !== null} onClick={() => void run(true)}>
            {t.explain}
          </Button>
          <span className="text-xs text-muted max-md:hidden">{t.runHint}</span>
          <span className="grow" />
          {opened && (
            <span className="flex min-w-0 items-center gap-1.5 text-xs">
              <span className="max-w-48 truncate font-medium">{opened.query.name}</span>
              {sql !== opened.query.sql && <Badge tone="warn">{t.unsaved}</Badge>}
            </span>
          )}
          <Button size="sm" look="quiet" icon={BookMarked} onClick={() => setListing(true)}>{t.savedQueries}</Button>
          <Button size="sm" look="quiet" icon={Save} needs="developer" onClick={() => setNaming(true)}>
            {t.saveQuery}
          </Button>
        </header>
        <div className="h-64">
          <CodeEditor
            label={t.sqlLabel}
            language="sql"
            value={sql}
            onChange={(text) => write(text)}
            onRun={() => void run(false)}
            onSave={() => can("developer") && setNaming(true)}
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
          {...{ database, sql, opened }}
          onSaved={(saved) => {
            setOpened(saved);
            keepDraft(project, database, { sql, of: saved.query.id });
            setView({ query: saved.query.id });
          }}
          onClose={() => setNaming(false)}
        />
      )}
      {listing && (
        <SavedQueries
          database={database}
          onOpen={(id) => {
            keepDraft(project, database, { sql: "", of: "" }); // as it is saved, whatever was typed in it before
            setOpened(null);
            if (id === wanted) void openQuery(project, id).then(shown, toast.failed);
            else setView({ query: id });
            setListing(false);
          }}
          onGone={(id) => id === wanted && setView({ query: "" })}
          onClose={() => setListing(false)}
        />
      )}
    </div>
  );
}

function Result({ database, outcome }: { database: string; outcome: Outcome | null }) {
  const t = useMessages(messages);
  const [looked, setLooked] = useState<{ name: string; value: unknown } | null>(null);
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
          cell: (each: { row: Record<string, unknown> }) =>
            isLong(each.row[name])
              ? (
                <button
                  type="button"
                  aria-label={t.showValue(name)}
                  className="block max-w-96 truncate rounded-sm text-left font-mono text-xs hover:underline"
                  onClick={() => setLooked({ name, value: each.row[name] })}
                >
                  <Cell value={each.row[name]} />
                </button>
              )
              : (
                <span className="block max-w-96 truncate font-mono text-xs">
                  <Cell value={each.row[name]} />
                </span>
              ),
        }))}
        empty={answer.columns.length > 0 ? <EmptyState title={t.noRows} /> : <EmptyState title={t.noRowsAnswered} />}
      />
      {looked && <CellDialog {...looked} onClose={() => setLooked(null)} />}
    </Card>
  );
}

function exampleOf(schema: DatabaseSchema): string {
  const table = schema.tables[0]?.name;
  return table === undefined
    ? "SELECT sqlite_version();\n"
    : `SELECT * FROM "${table.replaceAll('"', '""')}" LIMIT 100;\n`;
}
