// The fields of one item: a hash's field, a list's item, a member with its score, a stream's entry.
import { Plus, Trash2 } from "lucide-react";
import { Button } from "@/components/button";
import { Field, Input, Select } from "@/components/field";
import { BytesField } from "@/features/cache/components/bytes-field";
import type { Collection, Draft } from "@/features/cache/lib/collections";
import { messages } from "@/features/cache/messages";
import { useMessages } from "@/lib/i18n/language";

export function ItemFields({ type, draft, onChange, editing }: {
  type: Collection;
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  /** What names the item stays. */
  editing?: boolean;
}) {
  const t = useMessages(messages);
  if (type === "stream") return <EntryFields entry={draft.entry} onChange={(entry) => onChange({ entry })} />;
  return (
    <>
      {type !== "list" && (
        <BytesField
          label={type === "hash" ? t.field : t.member}
          value={draft.name}
          onChange={(name) => onChange({ name })}
          disabled={editing ?? false}
        />
      )}
      {(type === "hash" || type === "list") && (
        <BytesField
          label={type === "hash" ? t.value : t.item}
          value={draft.value}
          onChange={(value) => onChange({ value })}
          long
        />
      )}
      {type === "list" && !editing && (
        <Field label={t.where}>
          <Select
            value={draft.end}
            onChange={(end) => onChange({ end })}
            options={[{ value: "append", label: t.atEnd }, { value: "prepend", label: t.atStart }]}
          />
        </Field>
      )}
      {type === "zset" && (
        <Field label={t.score} hint={t.scoreHint}>
          <Input
            value={draft.score}
            inputMode="decimal"
            className="w-40"
            onChange={(event) => onChange({ score: event.target.value })}
          />
        </Field>
      )}
    </>
  );
}

function EntryFields({ entry, onChange }: { entry: Draft["entry"]; onChange: (entry: Draft["entry"]) => void }) {
  const t = useMessages(messages);
  const set = (at: number, pair: Draft["entry"][number]) => onChange(entry.map((each, i) => (i === at ? pair : each)));
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 text-sm font-medium">{t.entry}</legend>
      {entry.map(([name, value], index) => (
        <div key={index} className="flex items-end gap-2">
          <div className="grid flex-1 grid-cols-2 gap-2">
            <BytesField label={t.field} value={name} onChange={(next) => set(index, [next, value])} />
            <BytesField label={t.value} value={value} onChange={(next) => set(index, [name, next])} />
          </div>
          <Button
            look="quiet"
            icon={Trash2}
            aria-label={t.removeField(index + 1)}
            disabled={entry.length === 1}
            onClick={() => onChange(entry.filter((_, i) => i !== index))}
          />
        </div>
      ))}
      <div>
        <Button size="sm" icon={Plus} onClick={() => onChange([...entry, ["", ""]])}>{t.addField}</Button>
      </div>
    </fieldset>
  );
}
