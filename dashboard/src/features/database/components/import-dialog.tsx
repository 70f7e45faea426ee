// A file into a table: chosen, looked at, its columns laid out, sent, followed to its end.
import { FileUp } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import type { Preview } from "@/api/generated/api";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { Dialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { OperationProgress, Progress } from "@/components/progress";
import { Skeleton } from "@/components/values";
import { type Laid, Layout, layOut, planOf } from "@/features/database/components/import-columns";
import { type Format, formatOf, preview, type Reading, sendImport, tableName } from "@/features/database/lib/imports";
import { type DatabaseSchema, OF_DATABASES } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { useOperation } from "@/lib/api/operations";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const NEW = "\u0000new";
const DELIMITERS = [",", ";", "\t", "|"] as const;

export function ImportDialog({ database, schema, into, onClose }: {
  database: string;
  schema: DatabaseSchema;
  /** The table that is suggested; without it, a new one. */
  into?: string;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [file, setFile] = useState<File | null>(null);
  const [reading, setReading] = useState<Reading>({ format: "csv", header: true });
  const [found, setFound] = useState<Preview | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [target, setTarget] = useState(into ?? NEW);
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const [laid, setLaid] = useState<readonly Laid[]>([]);
  const [emptyIsNull, setEmptyIsNull] = useState(true);
  const [skipUnknown, setSkipUnknown] = useState(false);
  const [sent, setSent] = useState<number | null>(null);
  const [operation, setOperation] = useState<string | null>(null);
  const sending = useRef<AbortController | null>(null);
  const table = schema.tables.find((each) => each.name === target);
  const isSql = reading.format === "sql";
  const isNew = target === NEW;

  useEffect(() => {
    if (file === null) return;
    const stop = new AbortController();
    setFound(null);
    setError(null);
    preview(project, database, file, reading, stop.signal).then(
      setFound,
      (problem: unknown) => stop.signal.aborted || setError(problem),
    );
    return () => stop.abort();
  }, [project, database, file, reading]);
  useEffect(() => {
    if (found) setLaid(layOut(found, isNew ? undefined : table));
  }, [found, isNew, table]);
  useEffect(() => () => sending.current?.abort(), []);

  const choose = (chosen: File | undefined) => {
    if (chosen === undefined) return;
    setFile(chosen);
    setReading({ format: formatOf(chosen.name), header: true });
    setName(tableName(chosen.name));
    setKey("");
  };
  const start = async () => {
    if (file === null || found === null) return;
    const stop = sending.current = new AbortController();
    setError(null);
    setSent(0);
    const options = isSql ? { format: "sql" } : {
      format: reading.format,
      ...(reading.format === "csv" ? { delimiter: found.delimiter, header: reading.header } : {}),
      table: isNew ? name : target,
      create: isNew,
      columns: planOf(laid),
      primaryKey: isNew && key !== "" ? laid.find((each) => each.source === key)?.target ?? null : null,
      emptyIsNull,
      unknown: skipUnknown ? "skip" : "refuse",
    };
    try {
      setOperation((await sendImport(project, database, file, options, stop.signal, setSent)).id);
    } catch (problem) {
      if (!stop.signal.aborted) setError(problem);
    } finally {
      setSent(null);
    }
  };

  if (operation !== null) {
    return (
      <Following
        id={operation}
        database={database}
        table={isSql ? null : isNew ? name : target}
        onAgain={() => setOperation(null)}
        onClose={onClose}
      />
    );
  }
  const ready = found !== null && sent === null &&
    (isSql || (laid.some((each) => each.target !== null) && (!isNew || name.trim() !== "")));
  return (
    <Dialog
      open
      width="xl"
      onClose={onClose}
      title={t.importTitle}
      description={t.importHint}
      footer={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button look="primary" icon={FileUp} disabled={!ready} busy={sent !== null} onClick={() => void start()}>
            {t.import}
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <Drop file={file} onChoose={choose} />
        {file !== null && (
          <div className="grid gap-3 sm:grid-cols-3">
            <Field label={t.format}>
              <Select<Format>
                value={reading.format}
                onChange={(format) => setReading({ ...reading, format })}
                options={(["csv", "json", "jsonl", "sql"] as const).map((value) => ({
                  value,
                  label: t.formats[value],
                }))}
              />
            </Field>
            {reading.format === "csv" && (
              <Field label={t.delimiter}>
                <Select
                  value={reading.delimiter ?? found?.delimiter ?? ","}
                  onChange={(delimiter) => setReading({ ...reading, delimiter })}
                  options={DELIMITERS.map((value) => ({ value, label: t.delimiters[value] }))}
                />
              </Field>
            )}
            {!isSql && (
              <Field label={t.intoTable}>
                <Select
                  value={target}
                  onChange={setTarget}
                  options={[
                    { value: NEW, label: t.newTable },
                    ...schema.tables.filter((each) => each.type === "table").map((each) => ({
                      value: each.name,
                      label: each.name,
                    })),
                  ]}
                />
              </Field>
            )}
            {!isSql && isNew && (
              <>
                <Field label={t.tableName}>
                  <Input
                    value={name}
                    onChange={(event) => setName(event.target.value)}
                    maxLength={128}
                    spellCheck={false}
                  />
                </Field>
                <Field label={t.keyColumn}>
                  <Select
                    value={key === "" ? NEW : key}
                    onChange={(next) => setKey(next === NEW ? "" : next)}
                    options={[
                      { value: NEW, label: t.noPrimaryKey },
                      ...laid.filter((each) => each.target !== null).map((each) => ({
                        value: each.source,
                        label: each.target ?? "",
                      })),
                    ]}
                  />
                </Field>
              </>
            )}
          </div>
        )}
        {reading.format === "csv" && file !== null && (
          <div className="flex flex-wrap gap-x-6 gap-y-2">
            <Checkbox
              label={t.hasHeader}
              checked={reading.header}
              onChange={(header) => setReading({ ...reading, header })}
            />
            <Checkbox label={t.emptyIsNull} checked={emptyIsNull} onChange={setEmptyIsNull} />
          </div>
        )}
        {(reading.format === "json" || reading.format === "jsonl") && (
          <Checkbox label={t.skipUnknown} checked={skipUnknown} onChange={setSkipUnknown} />
        )}
        {error !== null && <ErrorNote error={error} />}
        {file !== null && found === null && error === null && <Skeleton className="h-40" />}
        {found !== null && (isSql
          ? <CodeBlock label={t.firstStatements} code={found.statements.join("\n") || t.noStatements} />
          : <Layout found={found} laid={laid} table={isNew ? undefined : table} onChange={setLaid} />)}
        {sent !== null && (
          <div className="grid gap-1" aria-live="polite">
            <span className="text-sm">{t.sending}</span>
            <Progress value={sent} label={t.sending} />
          </div>
        )}
      </div>
    </Dialog>
  );
}

function Drop({ file, onChoose }: { file: File | null; onChoose: (file: File | undefined) => void }) {
  const t = useMessages(messages);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <div
      className="flex flex-wrap items-center gap-3 rounded-md border border-dashed bg-sunken px-4 py-3"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        onChoose(event.dataTransfer.files[0]);
      }}
    >
      <input
        ref={picker}
        type="file"
        className="hidden"
        aria-label={t.chooseFile}
        accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson,.sql"
        onChange={(event) => {
          onChoose(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      <Button size="sm" onClick={() => picker.current?.click()}>{t.chooseFile}</Button>
      <span className="min-w-0 flex-1 truncate text-sm text-muted">
        {file === null ? t.dropFile : `${file.name} · ${formatBytes(file.size)}`}
      </span>
    </div>
  );
}

function Following({ id, database, table, onAgain, onClose }: {
  id: string;
  database: string;
  table: string | null;
  onAgain: () => void;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const navigate = useNavigate();
  const { operation } = useOperation(id, { invalidates: OF_DATABASES });
  const state = operation?.state ?? "running";
  const rows = (operation?.result as { rows?: number } | null | undefined)?.rows;
  return (
    <Dialog
      open
      onClose={onClose}
      title={t.importTitle}
      footer={
        <>
          {(state === "failed" || state === "cancelled") && <Button onClick={onAgain}>{t.back}</Button>}
          {state === "succeeded" && table !== null && (
            <Button
              look="primary"
              onClick={() => {
                onClose();
                void navigate(to("database", database, "tables", table));
              }}
            >
              {t.openTable}
            </Button>
          )}
          <Button onClick={onClose}>{state === "running" ? t.goOnBehind : t.close}</Button>
        </>
      }
    >
      <div className="grid gap-3">
        <OperationProgress id={id} label={t.importing} invalidates={OF_DATABASES} />
        {state === "succeeded" && <p className="text-sm">{t.importedRows(rows ?? 0)}</p>}
        {(state === "failed" || state === "cancelled") && <p className="text-sm text-muted">{t.nothingImported}</p>}
      </div>
    </Dialog>
  );
}
