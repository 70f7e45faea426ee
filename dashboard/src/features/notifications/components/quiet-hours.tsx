// When a channel is silent.
import type { QuietHoursInfo } from "@/api/generated/api";
import { Checkbox, Field, Input } from "@/components/field";
import { messages } from "@/features/notifications/messages";
import { language, useMessages } from "@/lib/i18n/language";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

/** A night, by the clock of whoever looks. */
function night(): QuietHoursInfo {
  return {
    start: "22:00",
    end: "07:00",
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
    days: [],
    critical_passes: true,
  };
}

export function QuietHours({ hours, onChange }: {
  hours: QuietHoursInfo | null;
  onChange: (hours: QuietHoursInfo | null) => void;
}) {
  const t = useMessages(messages);
  const set = (part: Partial<QuietHoursInfo>) => hours !== null && onChange({ ...hours, ...part });
  const days = hours?.days ?? [];
  return (
    <fieldset className="grid gap-3">
      <legend className="sr-only">{t.quiet}</legend>
      <Checkbox label={t.quiet} checked={hours !== null} onChange={(on) => onChange(on ? night() : null)} />
      {hours !== null && (
        <>
          <p className="text-xs text-muted">{t.quietHint}</p>
          <div className="grid items-start gap-4 sm:grid-cols-[7rem_7rem_1fr]">
            <Field label={t.quietFrom}>
              <Input
                type="time"
                required
                value={hours.start}
                onChange={(event) => set({ start: event.target.value })}
              />
            </Field>
            <Field label={t.quietTo}>
              <Input type="time" required value={hours.end} onChange={(event) => set({ end: event.target.value })} />
            </Field>
            <Field label={t.timezone}>
              <Input
                required
                list="timezones"
                value={hours.timezone ?? "UTC"}
                onChange={(event) => set({ timezone: event.target.value })}
              />
            </Field>
            <datalist id="timezones">
              {Intl.supportedValuesOf("timeZone").map((each) => <option key={each} value={each} />)}
            </datalist>
          </div>
          <fieldset className="flex flex-wrap gap-x-4 gap-y-1.5">
            <legend className="mb-1 text-sm font-medium">{t.quietDays}</legend>
            {DAYS.map((day, index) => (
              <Checkbox
                key={day}
                label={weekday(index)}
                checked={days.includes(day)}
                onChange={(on) => set({ days: DAYS.filter((each) => each === day ? on : days.includes(each)) })}
              />
            ))}
          </fieldset>
          <Checkbox
            label={t.criticalPasses}
            checked={hours.critical_passes ?? true}
            onChange={(on) => set({ critical_passes: on })}
          />
        </>
      )}
    </fieldset>
  );
}

/** As the language calls it; 0 is Monday. */
function weekday(index: number): string {
  return new Intl.DateTimeFormat(language(), { weekday: "short", timeZone: "UTC" }).format(
    Date.UTC(2024, 0, 1 + index),
  );
}
