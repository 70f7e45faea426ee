// The fields of a rule that its kind has: what is watched, of whom, and when it is told.
import type { Severity } from "@/api/generated/api";
import { Field, Input, Select } from "@/components/field";
import {
  FIRST,
  hasRequests,
  hasWindow,
  lasts,
  ofWorkers,
  ONLY,
  type RuleDraft,
} from "@/features/notifications/lib/rule-draft";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";

const SEVERITIES: readonly Severity[] = ["info", "warning", "critical"];
const PAIR = "grid items-start gap-4 sm:grid-cols-2";

interface Props {
  draft: RuleDraft;
  set: (part: Partial<RuleDraft>) => void;
}

/** Above which bound, and of what. */
export function RuleWatch({ draft, set }: Props) {
  const t = useMessages(messages);
  const { kind } = draft;
  const words = ONLY[kind];
  return (
    <div className={PAIR}>
      {FIRST[kind] !== undefined && (
        <Field label={t.threshold} hint={t.thresholds[kind as keyof typeof t.thresholds]}>
          <Input
            type="number"
            step="any"
            min={0}
            value={draft.threshold}
            onChange={(event) => set({ threshold: event.target.value })}
          />
        </Field>
      )}
      {hasWindow(kind) && (
        <Field label={t.window} hint={t.windowHint}>
          <Input
            type="number"
            min={30}
            max={3_600}
            value={draft.window}
            onChange={(event) => set({ window: event.target.value })}
          />
        </Field>
      )}
      {hasRequests(kind) && (
        <Field label={t.minRequests} hint={t.minRequestsHint}>
          <Input
            type="number"
            min={1}
            value={draft.minRequests}
            onChange={(event) => set({ minRequests: event.target.value })}
          />
        </Field>
      )}
      {kind === "health" && (
        <Field label={t.status}>
          <Select<"warn" | "fail">
            value={draft.status}
            onChange={(status) => set({ status })}
            options={(["fail", "warn"] as const).map((each) => ({ value: each, label: t.statuses[each] }))}
          />
        </Field>
      )}
      {words !== undefined && (
        <Field label={t.only[words]} hint={t.onlyHints[words]}>
          <Input value={draft.only} onChange={(event) => set({ only: event.target.value })} />
        </Field>
      )}
      {kind === "errors" && (
        <Field label={t.changes}>
          <Select<RuleDraft["changes"]>
            value={draft.changes}
            onChange={(changes) => set({ changes })}
            options={(["both", "new", "regressed"] as const).map((each) => ({
              value: each,
              label: t.changeKinds[each],
            }))}
          />
        </Field>
      )}
    </div>
  );
}

/** Of which projects, workers and environments. */
export function RuleScope({ draft, set }: Props) {
  const t = useMessages(messages);
  const { box } = useOwner();
  const { kind } = draft;
  const workers = ofWorkers(kind);
  if (!workers && !(box && kind === "quota")) return null;
  return (
    <div className={PAIR}>
      {box && (
        <Field label={t.projects} hint={t.patternHint}>
          <Input value={draft.projects} onChange={(event) => set({ projects: event.target.value })} />
        </Field>
      )}
      {workers && (
        <>
          <Field label={t.worker} hint={t.patternHint}>
            <Input value={draft.worker} onChange={(event) => set({ worker: event.target.value })} />
          </Field>
          <Field label={t.environment} hint={t.environmentHint}>
            <Input value={draft.environment} onChange={(event) => set({ environment: event.target.value })} />
          </Field>
        </>
      )}
    </div>
  );
}

/** How bad it is, how long it has to last, and how often it is told. */
export function RuleTimes({ draft, set }: Props) {
  const t = useMessages(messages);
  return (
    <div className={PAIR}>
      <Field label={t.severity}>
        <Select<Severity>
          value={draft.severity}
          onChange={(severity) => set({ severity })}
          options={SEVERITIES.map((each) => ({ value: each, label: t.severities[each] }))}
        />
      </Field>
      {lasts(draft.kind) && (
        <>
          <Field label={t.lasting} hint={t.lastingHint}>
            <Input
              type="number"
              min={0}
              value={draft.lasting}
              onChange={(event) => set({ lasting: event.target.value })}
            />
          </Field>
          <Field label={t.reminder} hint={t.reminderHint}>
            <Input
              type="number"
              min={0}
              value={draft.reminder}
              onChange={(event) => set({ reminder: event.target.value })}
            />
          </Field>
        </>
      )}
    </div>
  );
}
