import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Button } from "@/components/button";
import { CodeBlock } from "@/components/code-block";
import { FormDialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { toast } from "@/components/toast";
import { ColumnFields } from "@/features/database/components/column-fields";
import { type DatabaseSchema, useStatement } from "@/features/database/lib/schema";
import { columnDraft, createTableSql } from "@/features/database/lib/sql";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

const FIRST = [
  columnDraft({ name: "id", type: "INTEGER", primaryKey: true, autoIncrement: true }),
  columnDraft({ name: "name", notNull: true }),
].map((draft, id) => ({ id, draft }));

export function CreateTable(
  { database, schema, onClose }: { database: string; schema: DatabaseSchema; onClose: () => void },
) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const navigate = useNavigate();
  const run = useStatement(database);
  const [name, setName] = useState("");
  const [columns, setColumns] = useState(FIRST);
  const sql = createTableSql(name, columns.map((column) => column.draft));
  return (
    <FormDialog
      open
      width="xl"
      onClose={onClose}
      title={t.makeTable}
      submit={t.create}
      disabled={columns.length === 0}
      onSubmit={async () => {
        await run(sql);
        toast.done(t.tableMade(name));
        onClose();
        void navigate(to("database", database, "tables", name));
      }}
    >
      <Field label={t.name}>
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
        />
      </Field>
      <fieldset className="grid gap-2">
        <legend className="mb-1 text-sm font-medium">{t.columns}</legend>
        {columns.map(({ id, draft }, index) => (
          <div key={id} className="flex items-start gap-2 rounded-md border bg-sunken p-2">
            <ColumnFields
              number={index + 1}
              draft={draft}
              tables={schema.tables}
              onChange={(change) =>
                setColumns(columns.map((each) =>
                  each.id === id ? { id, draft: { ...draft, ...change } } : each
                ))}
            />
            <Button
              look="quiet"
              size="sm"
              icon={X}
              aria-label={t.removeColumn(draft.name || String(index + 1))}
              onClick={() => setColumns(columns.filter((each) => each.id !== id))}
            />
          </div>
        ))}
        <div className="flex flex-wrap items-center gap-3">
          <Button
            size="sm"
            icon={Plus}
            onClick={() =>
              setColumns([...columns, {
                id: Math.max(-1, ...columns.map((each) => each.id)) + 1,
                draft: columnDraft(),
              }])}
          >
            {t.addColumn}
          </Button>
          <span className="text-xs text-muted">{t.defaultHint}</span>
        </div>
      </fieldset>
      <CodeBlock code={sql} />
    </FormDialog>
  );
}
