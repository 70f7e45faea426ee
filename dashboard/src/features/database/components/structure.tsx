import { Pencil, Plus, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useNavigate } from "react-router";
import type { ColumnEntry, IndexEntry } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { Confirm, ConfirmByName, FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input } from "@/components/field";
import { Card, DangerZone } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { ColumnFields } from "@/features/database/components/column-fields";
import { type DatabaseSchema, type TableSchema, useStatement } from "@/features/database/lib/schema";
import { columnDraft, columnSql, quoted } from "@/features/database/lib/sql";
import { messages } from "@/features/database/messages";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

type Asked =
  | { kind: "add-column" | "add-index" | "rename" | "drop" }
  | { kind: "rename-column" | "drop-column"; column: ColumnEntry }
  | { kind: "drop-index"; index: IndexEntry };

interface Props {
  database: string;
  schema: DatabaseSchema;
  table: TableSchema;
}

export function Structure({ database, schema, table }: Props) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const navigate = useNavigate();
  const run = useStatement(database);
  const [view, setView] = useFilters(["index"]); // who sorts by a column that has none is led here
  const [asked, setAsked] = useState<Asked | null>(() => view.index === undefined ? null : { kind: "add-index" });
  const close = () => {
    setAsked(null);
    if (view.index !== undefined) setView({ index: "" });
  };
  const changeable = table.type === "table";
  const triggers = schema.triggers.filter((trigger) => trigger.table === table.name);
  const kind = table.type === "view" ? "VIEW" : "TABLE";
  return (
    <div className="grid min-w-0 gap-4">
      <Card
        flush
        title={t.columns}
        actions={changeable && (
          <Button
            size="sm"
            icon={Plus}
            needs="developer"
            onClick={() => setAsked({ kind: "add-column" })}
          >
            {t.addColumn}
          </Button>
        )}
      >
        <Table<ColumnEntry>
          label={t.columns}
          rows={table.columns}
          rowKey={(column) => column.name}
          columns={[
            {
              id: "name",
              header: t.name,
              cell: (column) => <span className="font-mono text-xs break-all">{column.name}</span>,
            },
            { id: "type", header: t.type, cell: (column) => <span className="font-mono text-xs">{column.type}</span> },
            {
              id: "is",
              header: t.key,
              cell: (column) => (
                <span className="flex flex-wrap gap-1">
                  {column.primaryKey > 0 && <Badge tone="accent">{t.primaryKey}</Badge>}
                  {!column.nullable && column.primaryKey === 0 && <Badge>{t.notNull}</Badge>}
                  {column.generated && <Badge>{t.generated}</Badge>}
                </span>
              ),
            },
            {
              id: "default",
              header: t.defaultValue,
              from: "sm",
              cell: (column) => <span className="font-mono text-xs text-muted">{column.default}</span>,
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              cell: (column) =>
                changeable && (
                  <span className="inline-flex gap-1 max-sm:-mr-2 max-sm:gap-0">
                    <Button
                      look="quiet"
                      size="sm"
                      icon={Pencil}
                      needs="developer"
                      aria-label={t.renameColumn(column.name)}
                      onClick={() => setAsked({ kind: "rename-column", column })}
                    />
                    <Button
                      look="quiet"
                      size="sm"
                      icon={Trash2}
                      needs="developer"
                      aria-label={t.dropColumnTitle(column.name)}
                      onClick={() => setAsked({ kind: "drop-column", column })}
                    />
                  </span>
                ),
            },
          ]}
        />
      </Card>
      {changeable && (
        <Card
          flush
          title={t.indexes}
          actions={
            <Button size="sm" icon={Plus} needs="developer" onClick={() => setAsked({ kind: "add-index" })}>
              {t.addIndex}
            </Button>
          }
        >
          <Lines empty={t.noIndexes}>
            {table.indexes.map((index) => (
              <li
                key={index.name}
                className="flex flex-wrap items-center gap-2 border-b px-4 py-2 text-sm last:border-b-0"
              >
                <span className="font-mono text-xs break-all">{index.name}</span>
                <span className="text-muted">
                  ({index.columns.map((part) => (part.name ?? t.expression) + (part.descending ? " ↓" : "")).join(
                    ", ",
                  )})
                </span>
                {index.unique && <Badge>{t.unique}</Badge>}
                {index.partial && <Badge>{t.partial}</Badge>}
                <span className="grow" />
                {index.origin === "c" && (
                  <Button
                    look="quiet"
                    size="sm"
                    icon={Trash2}
                    needs="developer"
                    aria-label={t.dropIndexTitle(index.name)}
                    onClick={() => setAsked({ kind: "drop-index", index })}
                  />
                )}
              </li>
            ))}
          </Lines>
        </Card>
      )}
      {table.foreignKeys.length > 0 && (
        <Card flush title={t.foreignKeys}>
          <Lines empty="">
            {table.foreignKeys.map((key, index) => (
              <li key={index} className="flex flex-wrap gap-2 border-b px-4 py-2 font-mono text-xs last:border-b-0">
                <span>
                  {key.columns.join(", ")} → {key.table} ({key.references.map((each) =>
                    each ?? "…"
                  ).join(", ")})
                </span>
                <span className="text-muted">ON DELETE {key.onDelete} · ON UPDATE {key.onUpdate}</span>
              </li>
            ))}
          </Lines>
        </Card>
      )}
      {triggers.length > 0 && (
        <Card title={t.triggers}>
          <div className="grid gap-3">{triggers.map((each) => <CodeBlock key={each.name} code={each.sql} />)}</div>
        </Card>
      )}
      {table.sql !== null && (
        <Card title={t.preview}>
          <CodeBlock code={table.sql} />
        </Card>
      )}
      {table.type !== "virtual" && (
        <DangerZone
          title={t.dropTable}
          actions={
            <>
              {changeable && <Button needs="developer" onClick={() => setAsked({ kind: "rename" })}>{t.rename}</Button>}
              <Button look="danger" icon={Trash2} needs="developer" onClick={() => setAsked({ kind: "drop" })}>
                {t.dropTable}
              </Button>
            </>
          }
        >
          {t.dropTableWhat}
        </DangerZone>
      )}
      {asked?.kind === "add-column" && <AddColumn {...{ database, schema, table }} onClose={close} />}
      {asked?.kind === "add-index" && <AddIndex {...{ database, schema, table }} first={view.index} onClose={close} />}
      {asked?.kind === "rename-column" && (
        <Rename
          title={t.renameColumn(asked.column.name)}
          name={asked.column.name}
          onClose={close}
          onRename={(name) =>
            run(`ALTER TABLE ${quoted(table.name)} RENAME COLUMN ${quoted(asked.column.name)} TO ${quoted(name)}`)}
        />
      )}
      {asked?.kind === "rename" && (
        <Rename
          title={t.rename}
          name={table.name}
          onClose={close}
          onRename={async (name) => {
            await run(`ALTER TABLE ${quoted(table.name)} RENAME TO ${quoted(name)}`);
            void navigate(to("database", database, "tables", name, "structure"));
          }}
        />
      )}
      {asked?.kind === "drop-column" && (
        <ConfirmByName
          open
          onClose={close}
          title={t.dropColumnTitle(asked.column.name)}
          name={asked.column.name}
          what={t.dropColumnWhat}
          action={t.dropColumn}
          onConfirm={async () => {
            await run(`ALTER TABLE ${quoted(table.name)} DROP COLUMN ${quoted(asked.column.name)}`);
            toast.done(t.columnDropped(asked.column.name));
          }}
        />
      )}
      {asked?.kind === "drop-index" && (
        <Confirm
          open
          danger
          onClose={close}
          title={t.dropIndexTitle(asked.index.name)}
          what={t.dropIndexWhat}
          action={t.dropColumn}
          onConfirm={async () => {
            await run(`DROP INDEX ${quoted(asked.index.name)}`);
            toast.done(t.dropped(asked.index.name));
          }}
        />
      )}
      {asked?.kind === "drop" && (
        <ConfirmByName
          open
          onClose={close}
          title={t.dropTableTitle(table.name)}
          name={table.name}
          what={t.dropTableWhat}
          action={t.dropTable}
          onConfirm={async () => {
            await run(`DROP ${kind} ${quoted(table.name)}`);
            toast.done(t.dropped(table.name));
            void navigate(to("database", database, "tables"));
          }}
        />
      )}
    </div>
  );
}

function Lines({ children, empty }: { children: ReactNode[]; empty: string }) {
  return children.length === 0 ? <p className="px-4 py-3 text-sm text-muted">{empty}</p> : <ul>{children}</ul>;
}

function AddColumn({ database, schema, table, onClose }: Props & { onClose: () => void }) {
  const t = useMessages(messages);
  const run = useStatement(database);
  const [draft, setDraft] = useState(columnDraft());
  const sql = `ALTER TABLE ${quoted(table.name)} ADD COLUMN ${columnSql(draft, true)}`;
  return (
    <FormDialog
      open
      width="lg"
      onClose={onClose}
      title={t.addColumn}
      submit={t.addColumn}
      onSubmit={async () => {
        await run(sql);
        toast.done(t.columnAdded(draft.name));
        onClose();
      }}
    >
      <ColumnFields
        number={1}
        added
        draft={draft}
        tables={schema.tables}
        onChange={(change) => setDraft({ ...draft, ...change })}
      />
      <p className="text-xs text-muted">{t.defaultHint}</p>
      <CodeBlock code={sql} />
    </FormDialog>
  );
}

function AddIndex({ database, table, first, onClose }: Props & { first: string | undefined; onClose: () => void }) {
  const t = useMessages(messages);
  const run = useStatement(database);
  const [columns, setColumns] = useState<readonly string[]>(() =>
    table.columns.filter((column) => column.name === first).map((column) => column.name)
  );
  const [unique, setUnique] = useState(false);
  const [written, setWritten] = useState<string | null>(null);
  const name = written ?? `${table.name}_${columns.join("_") || "…"}`;
  const sql = `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quoted(name)} ON ${quoted(table.name)} (${
    columns.map(quoted).join(", ")
  })`;
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.addIndex}
      submit={t.addIndex}
      disabled={columns.length === 0}
      onSubmit={async () => {
        await run(sql);
        toast.done(t.indexAdded(name));
        onClose();
      }}
    >
      <fieldset className="grid gap-1">
        <legend className="mb-1 text-sm font-medium">{t.columns}</legend>
        {table.columns.map((column) => (
          <Checkbox
            key={column.name}
            label={column.name}
            checked={columns.includes(column.name)}
            onChange={(on) =>
              setColumns(on ? [...columns, column.name] : columns.filter((each) => each !== column.name))}
          />
        ))}
      </fieldset>
      <Checkbox label={t.unique} checked={unique} onChange={setUnique} />
      <Field label={t.name}>
        <Input value={name} onChange={(event) => setWritten(event.target.value)} spellCheck={false} required />
      </Field>
      <CodeBlock code={sql} />
    </FormDialog>
  );
}

function Rename({ title, name, onRename, onClose }: {
  title: string;
  name: string;
  onRename: (name: string) => Promise<void>;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [draft, setDraft] = useState(name);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={title}
      submit={t.rename}
      disabled={draft === name}
      onSubmit={async () => {
        await onRename(draft);
        toast.done(t.renamed);
        onClose();
      }}
    >
      <Field label={t.newName}>
        <Input value={draft} onChange={(event) => setDraft(event.target.value)} spellCheck={false} required autoFocus />
      </Field>
    </FormDialog>
  );
}
