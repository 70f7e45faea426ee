// A whole row as a form: a new one, or one that there is.
import { useState } from "react";
import type { TableSchema } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Textarea } from "@/components/field";
import { toast } from "@/components/toast";
import { Cell } from "@/features/database/components/cell";
import { entered, isBlob, isNumeric, type Row, textOf } from "@/features/database/lib/values";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";

/** A value that is written, or NULL, or (`undefined`) left to the default or to what it was. */
type Draft = Record<string, string | null | undefined>;

export function RowDialog({ table, row, id, onSave, onClose }: {
  table: TableSchema;
  /** Of a row that is changed. */
  row?: Row;
  id?: string;
  onSave: (data: Row) => Promise<unknown>;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [draft, setDraft] = useState<Draft>({});
  const columns = table.columns.filter((column) => !column.generated);
  const save = async () => {
    const data: Row = {};
    for (const column of columns) {
      const value = draft[column.name];
      if (value !== undefined) data[column.name] = value === null ? null : entered(value, column, row?.[column.name]);
    }
    await onSave(data);
    toast.done(row ? t.saved : t.inserted);
    onClose();
  };
  return (
    <FormDialog
      open
      width="lg"
      onClose={onClose}
      title={row ? t.editRow(id ?? "") : t.insert}
      submit={row ? t.save : t.insertRow}
      disabled={row !== undefined && Object.values(draft).every((value) => value === undefined)}
      onSubmit={save}
    >
      {columns.map((column) => {
        const before = row?.[column.name];
        const now = draft[column.name];
        const shown = now === undefined ? before : now;
        const isNull = now === null || (now === undefined && row !== undefined && before === null);
        return (
          <div key={column.name} className="grid gap-1">
            <Field
              label={
                <>
                  {column.name} <span className="font-normal text-muted">{column.type}</span>
                </>
              }
            >
              {isBlob(shown)
                ? (
                  <p className="text-sm">
                    <Cell value={shown} />
                  </p>
                )
                : (
                  <Textarea
                    rows={textOf(shown).length > 60 || textOf(shown).includes("\n") ? 5 : 1}
                    value={textOf(shown)}
                    placeholder={isNull ? "NULL" : row === undefined ? column.default ?? "" : ""}
                    inputMode={isNumeric(column.type) ? "decimal" : undefined}
                    spellCheck={false}
                    onChange={(event) => {
                      const text = event.target.value;
                      setDraft({ ...draft, [column.name]: entered(text, column) === null ? null : text });
                    }}
                  />
                )}
            </Field>
            <span className="flex flex-wrap gap-4 text-xs text-muted">
              {column.nullable && (
                <Checkbox
                  label={t.setNull(column.name)}
                  checked={isNull}
                  onChange={(on) => setDraft({ ...draft, [column.name]: on ? null : "" })}
                />
              )}
              {row === undefined && (column.default !== null || column.primaryKey > 0) && (
                <Checkbox
                  label={t.useDefault(column.name)}
                  checked={now === undefined}
                  onChange={(on) => setDraft({ ...draft, [column.name]: on ? undefined : "" })}
                />
              )}
            </span>
          </div>
        );
      })}
    </FormDialog>
  );
}
