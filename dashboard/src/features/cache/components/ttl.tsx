// When a key expires: counting down, and as a part of a form.
import { useState, useSyncExternalStore } from "react";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { messages } from "@/features/cache/messages";
import { formatNumber, formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

let now = Date.now();
const watchers = new Set<() => void>();
let clock: ReturnType<typeof setInterval> | undefined;

function watchSeconds(watcher: () => void): () => void {
  watchers.add(watcher);
  now = Date.now();
  clock ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, 1000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(clock);
    clock = undefined;
  };
}

/** `seconds` were left `at` that time; null: it does not expire. */
export function Countdown({ seconds, at }: { seconds: number | null; at: number }) {
  const t = useMessages(messages);
  const current = useSyncExternalStore(watchSeconds, () => now);
  if (seconds === null) return <span className="text-muted">{t.never}</span>;
  const end = at + seconds * 1000;
  const left = Math.ceil((end - current) / 1000);
  if (left <= 0) return <span className="text-muted">{t.expired}</span>;
  return (
    <time dateTime={new Date(end).toISOString()} title={formatTime(end)} className="tabular whitespace-nowrap">
      {short(left)}
    </time>
  );
}

const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const;

/** The two largest units: `2h 5m`. */
function short(seconds: number): string {
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  return UNITS.slice(first, first + 2).flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count > 0 ? [formatNumber(count, { style: "unit", unit, unitDisplay: "narrow" })] : [];
  }).join(" ");
}

export interface Lasting {
  expires: boolean;
  count: string;
  unit: Unit;
}

type Unit = "s" | "m" | "h" | "d";
const SIZES: Record<Unit, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

export function lastingOf(seconds: number | null): Lasting {
  if (seconds === null) return { expires: false, count: "1", unit: "h" };
  const unit = (["d", "h", "m"] as const).find((each) => seconds >= SIZES[each] && seconds % SIZES[each] === 0) ?? "s";
  return { expires: true, count: String(Math.max(1, Math.round(seconds / SIZES[unit]))), unit };
}

export function secondsOf(lasting: Lasting): number | null {
  return lasting.expires ? Number(lasting.count) * SIZES[lasting.unit] : null;
}

export function LastingFields({ value, onChange }: { value: Lasting; onChange: (value: Lasting) => void }) {
  const t = useMessages(messages);
  return (
    <div className="grid gap-2">
      <Checkbox
        label={t.expires}
        checked={value.expires}
        onChange={(expires) => onChange({ ...value, expires })}
      />
      {value.expires && (
        <div className="flex items-end gap-2">
          <Field label={t.after} className="w-32">
            <Input
              type="number"
              min={1}
              max={1_000_000_000}
              required
              value={value.count}
              onChange={(event) => onChange({ ...value, count: event.target.value })}
            />
          </Field>
          <div className="w-32">
            <Select<Unit>
              label={t.unit}
              value={value.unit}
              onChange={(unit) => onChange({ ...value, unit })}
              options={(["s", "m", "h", "d"] as const).map((unit) => ({ value: unit, label: t.units[unit] }))}
            />
          </div>
        </div>
      )}
    </div>
  );
}

export function TtlDialog({ name, seconds, onSubmit, onClose }: {
  name: string;
  seconds: number | null;
  onSubmit: (seconds: number | null) => Promise<unknown>;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [lasting, setLasting] = useState(() => lastingOf(seconds === null ? null : Math.ceil(seconds)));
  return (
    <FormDialog
      open
      width="sm"
      onClose={onClose}
      title={t.changeTtl}
      description={<span className="font-mono break-all">{name}</span>}
      submit={t.save}
      onSubmit={async () => {
        await onSubmit(secondsOf(lasting));
        onClose();
      }}
    >
      <LastingFields value={lasting} onChange={setLasting} />
    </FormDialog>
  );
}
