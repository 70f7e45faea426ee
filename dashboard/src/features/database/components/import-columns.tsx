// Which column of a file goes where, with the first values of each.
import type { Preview, TableSchema } from "@/api/generated/api";
import { Checkbox, Input, Select } from "@/components/field";
import { Cell } from "@/features/database/components/cell";
import { TYPES } from "@/features/database/lib/sql";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";

export interface Laid {
  source: string;
  /** The table's column; null: left out. */
  target: string | null;
  type: string;
}

const OUT = "\u0000out";
const EXAMPLES = 3;

/** As the columns are called: into the table's one of that name, if there is one. */
export function layOut(found: Preview, table: TableSchema | undefined): Laid[] {
  const free = table?.columns.filter((column) => !column.generated);
  return found.columns.map(({ name, type }) => ({
    source: name,
    target: free === undefined
      ? name.trim().slice(0, 128)
      : free.find((column) => column.name.toLowerCase() === name.trim().toLowerCase())?.name ?? null,
    type,
  }));
}

/** As the API takes it. */
export function planOf(laid: readonly Laid[]): Laid[] {
  return laid.map(({ source, target, type }) => ({ source, target: target?.trim() || null, type }));
}

export function Layout({ found, laid, table, onChange }: {
  found: Preview;
  laid: readonly Laid[];
  /** The table that is there; without it, one is made. */
  table: TableSchema | undefined;
  onChange: (laid: Laid[]) => void;
}) {
  const t = useMessages(messages);
  const set = (index: number, change: Partial<Laid>) =>
    onChange(laid.map((each, place) => place === index ? { ...each, ...change } : each));
  return (
    <div className="max-h-[45vh] overflow-auto rounded-md border">
      <table aria-label={t.columns} className="w-full border-collapse text-sm">
        <thead className="sticky top-0 z-10 bg-surface text-left text-xs shadow-[0_1px_0_var(--line)]">
          <tr>
            <th scope="col" className="px-3 py-2 font-medium">{t.inFile}</th>
            <th scope="col" className="px-3 py-2 font-medium">{t.inTable}</th>
            {table === undefined && <th scope="col" className="px-3 py-2 font-medium">{t.type}</th>}
            <th scope="col" className="px-3 py-2 font-medium max-md:hidden">{t.firstValues}</th>
          </tr>
        </thead>
        <tbody>
          {laid.map(({ source, target, type }, index) => (
            <tr key={source} className="border-b last:border-b-0">
              <td className="max-w-48 px-3 py-1.5 break-all">{source}</td>
              <td className="px-3 py-1.5">
                {table === undefined
                  ? (
                    <span className="flex items-center gap-2">
                      <Checkbox
                        label={t.takeColumn(source)}
                        hideLabel
                        checked={target !== null}
                        onChange={(on) => set(index, { target: on ? source.trim().slice(0, 128) : null })}
                      />
                      <Input
                        className="min-w-28"
                        aria-label={t.targetOf(source)}
                        value={target ?? ""}
                        disabled={target === null}
                        maxLength={128}
                        spellCheck={false}
                        onChange={(event) => set(index, { target: event.target.value })}
                      />
                    </span>
                  )
                  : (
                    <Select
                      className="min-w-32"
                      label={t.targetOf(source)}
                      value={target ?? OUT}
                      onChange={(next) => set(index, { target: next === OUT ? null : next })}
                      options={[
                        { value: OUT, label: t.leftOut },
                        ...table.columns.filter((column) => !column.generated).map((column) => ({
                          value: column.name,
                          label: column.name,
                        })),
                      ]}
                    />
                  )}
              </td>
              {table === undefined && (
                <td className="px-3 py-1.5">
                  <Select
                    className="w-28"
                    label={t.typeOf(source)}
                    value={type}
                    disabled={target === null}
                    onChange={(next) => set(index, { type: next })}
                    options={TYPES.map((each) => ({ value: each as string, label: each }))}
                  />
                </td>
              )}
              <td className="max-w-64 truncate px-3 py-1.5 font-mono text-xs text-muted max-md:hidden">
                {found.rows.slice(0, EXAMPLES).map((row, place) => (
                  <span key={place}>
                    {place > 0 && " · "}
                    <Cell value={row[index]} />
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
