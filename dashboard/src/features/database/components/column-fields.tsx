// One column in a form: of a new table, or one that is added.
import { Checkbox, Input, Select } from "@/components/field";
import type { TableSchema } from "@/features/database/lib/schema";
import { type ColumnDraft, TYPES } from "@/features/database/lib/sql";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";

const NONE = "-";

export function ColumnFields({ number, draft, tables, added = false, onChange }: {
  number: number;
  draft: ColumnDraft;
  tables: readonly TableSchema[];
  /** To a table that there is: neither a key nor unique can be added. */
  added?: boolean;
  onChange: (change: Partial<ColumnDraft>) => void;
}) {
  const t = useMessages(messages);
  return (
    <div className="grid min-w-0 flex-1 gap-2">
      <div className="grid grid-cols-2 gap-2 md:grid-cols-4">
        <Input
          aria-label={t.columnName(number)}
          placeholder={t.name}
          value={draft.name}
          onChange={(event) => onChange({ name: event.target.value })}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          required
        />
        <Select
          label={t.columnType(number)}
          value={draft.type}
          onChange={(type) => onChange({ type })}
          options={TYPES.map((type) => ({ value: type as string, label: type }))}
        />
        <Input
          aria-label={t.columnDefault(number)}
          placeholder={t.defaultValue}
          value={draft.defaultValue}
          onChange={(event) => onChange({ defaultValue: event.target.value })}
          autoComplete="off"
          spellCheck={false}
        />
        <Select
          label={t.columnReference(number)}
          value={draft.references === "" ? NONE : `t:${draft.references}`}
          onChange={(chosen) => onChange({ references: chosen === NONE ? "" : chosen.slice(2) })}
          options={[
            { value: NONE, label: t.noReference },
            ...tables.filter((table) => table.type === "table").map((table) => ({
              value: `t:${table.name}`,
              label: `→ ${table.name}`,
            })),
          ]}
        />
      </div>
      <div className="flex flex-wrap gap-x-4 gap-y-1">
        {!added && (
          <Checkbox
            label={t.primaryKey}
            checked={draft.primaryKey}
            onChange={(primaryKey) => onChange({ primaryKey, autoIncrement: false })}
          />
        )}
        {draft.primaryKey && draft.type === "INTEGER" && (
          <Checkbox
            label={t.autoIncrement}
            checked={draft.autoIncrement}
            onChange={(autoIncrement) => onChange({ autoIncrement })}
          />
        )}
        {!draft.primaryKey && (
          <Checkbox
            label={t.notNull}
            checked={draft.notNull}
            onChange={(notNull) => onChange({ notNull })}
          />
        )}
        {!draft.primaryKey && !added && (
          <Checkbox
            label={t.unique}
            checked={draft.unique}
            onChange={(unique) => onChange({ unique })}
          />
        )}
      </div>
    </div>
  );
}
