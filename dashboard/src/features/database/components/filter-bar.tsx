import { Filter as FilterIcon, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { ColumnEntry } from "@/api/generated/api";
import { Button } from "@/components/button";
import { Input, Select } from "@/components/field";
import { type Comparison, COMPARISONS, type Filter } from "@/features/database/lib/sql";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";

export function FilterBar({ columns, filters, onChange }: {
  columns: readonly ColumnEntry[];
  filters: readonly Filter[];
  onChange: (filters: Filter[]) => void;
}) {
  const t = useMessages(messages);
  const [open, setOpen] = useState(false);
  const [place, setPlace] = useState("0");
  const [how, setHow] = useState<Comparison>("=");
  const [value, setValue] = useState("");
  const wordOf = (each: Comparison) =>
    ({ contains: t.contains, begins: t.begins, null: t.isNullOp, notnull: t.notNullOp } as Record<string, string>)[
      each
    ] ??
      each;
  const bare = how === "null" || how === "notnull";
  const add = (event: FormEvent) => {
    event.preventDefault();
    const column = columns[Number(place)]?.name;
    if (column === undefined) return;
    onChange([...filters, { column, how, value: bare ? "" : value }]);
    setValue("");
    setOpen(false);
  };
  return (
    <>
      {filters.map((filter, index) => {
        const text = `${filter.column} ${wordOf(filter.how)} ${filter.value}`.trim();
        return (
          <span
            key={index}
            className="inline-flex max-w-80 items-center gap-1 rounded-full border bg-accent-soft py-0.5 pr-1 pl-2.5 text-xs text-accent"
          >
            <span className="truncate">{text}</span>
            <button
              type="button"
              aria-label={t.removeFilter(text)}
              className="rounded-full p-0.5 hover:bg-hover"
              onClick={() => onChange(filters.filter((each) => each !== filter))}
            >
              <X aria-hidden className="size-3" />
            </button>
          </span>
        );
      })}
      {open
        ? (
          <form onSubmit={add} className="flex flex-wrap items-center gap-2">
            <Select
              className="w-36"
              label={t.filterColumn}
              value={place}
              onChange={setPlace}
              options={columns.map((column, index) => ({ value: String(index), label: column.name }))}
            />
            <Select<Comparison>
              className="w-32"
              label={t.filterHow}
              value={how}
              onChange={setHow}
              options={COMPARISONS.map((each) => ({ value: each, label: wordOf(each) }))}
            />
            {!bare && (
              <Input
                className="w-40"
                aria-label={t.filterValue}
                value={value}
                onChange={(event) => setValue(event.target.value)}
                autoFocus
              />
            )}
            <Button type="submit" size="sm" look="primary">{t.addFilter}</Button>
            <Button size="sm" look="quiet" icon={X} aria-label={t.filter} onClick={() => setOpen(false)} />
          </form>
        )
        : <Button size="sm" icon={FilterIcon} onClick={() => setOpen(true)}>{t.filter}</Button>}
    </>
  );
}
