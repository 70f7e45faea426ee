import { X } from "lucide-react";
import { Button } from "@/components/button";
import { Field, Input, SearchInput } from "@/components/field";
import { messages } from "@/features/audit/messages";
import { useMessages } from "@/lib/i18n/language";

export const FILTERS = ["text", "actor", "action", "resource", "since", "until"] as const;
export type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

/** The API's filters: the times in UTC. */
export function asked({ since, until, ...rest }: Filters): Filters {
  return { ...rest, ...within("since", since), ...within("until", until) };
}

/** A time that is none, in an address that somebody has typed, bounds nothing. */
function within(name: "since" | "until", local: string | undefined): Filters {
  const time = new Date(local ?? "");
  return Number.isNaN(time.getTime()) ? {} : { [name]: time.toISOString() };
}

export function AuditFilters({ filters, onChange }: { filters: Filters; onChange: (change: Filters) => void }) {
  const t = useMessages(messages);
  const some = Object.keys(filters).length > 0;
  return (
    <div className="grid grid-cols-2 items-end gap-3 xl:grid-cols-[2fr_1fr_1fr_auto_auto]">
      <SearchInput
        label={t.text}
        className="col-span-2 xl:col-span-1"
        value={filters.text ?? ""}
        onChange={(event) => onChange({ text: event.target.value })}
      />
      {(["actor", "action"] as const).map((name) => (
        <Field key={name} label={t[name]}>
          <Input
            value={filters[name] ?? ""}
            placeholder={name === "action" ? "worker." : "admin"}
            onChange={(event) => onChange({ [name]: event.target.value })}
          />
        </Field>
      ))}
      {(["since", "until"] as const).map((name) => (
        <Field key={name} label={t[name]} className="max-sm:col-span-2">
          <Input
            type="datetime-local"
            value={filters[name] ?? ""}
            onChange={(event) => onChange({ [name]: event.target.value })}
          />
        </Field>
      ))}
      {some && (
        <Button
          size="sm"
          look="quiet"
          icon={X}
          className="col-span-full justify-self-start"
          onClick={() => onChange(Object.fromEntries(FILTERS.map((name) => [name, ""])))}
        >
          {t.clear}
        </Button>
      )}
    </div>
  );
}
