// For which worker and environment a value is.
import { Field, Input } from "@/components/field";
import { messages } from "@/features/variables/messages";
import { useMessages } from "@/lib/i18n/language";

export interface Level {
  worker: string;
  environment: string;
}

/** The level as the API's query has it. */
export function levelQuery({ worker, environment }: Level): { worker?: string; environment?: string } {
  return { ...(worker ? { worker } : {}), ...(environment ? { environment } : {}) };
}

export function LevelFields({ level, onChange, disabled }: {
  level: Level;
  onChange: (change: Partial<Level>) => void;
  disabled?: boolean;
}) {
  const t = useMessages(messages);
  return (
    <div className="grid grid-cols-2 gap-4">
      <Field label={t.worker} hint={t.workerHint}>
        <Input
          value={level.worker}
          disabled={disabled}
          placeholder={t.everyWorker}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => onChange({ worker: event.target.value.trim() })}
        />
      </Field>
      <Field label={t.environment} hint={t.environmentHint}>
        <Input
          value={level.environment}
          disabled={disabled}
          placeholder={t.everyEnvironment}
          list="environments"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => onChange({ environment: event.target.value.trim() })}
        />
      </Field>
      <datalist id="environments">
        <option value="production" />
        <option value="staging" />
      </datalist>
    </div>
  );
}
