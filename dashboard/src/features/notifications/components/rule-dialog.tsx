// A rule, new or as it is.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ChannelInfo, RuleChange, RuleInfo, RuleKind, Severity } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Checkbox, Field, Input, Select } from "@/components/field";
import { useOwner } from "@/features/notifications/lib/owner";
import { messages } from "@/features/notifications/messages";
import { api } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";

const KINDS: readonly RuleKind[] = [
  "error_rate",
  "latency_p95",
  "terminations",
  "errors",
  "quota",
  "deploy_failed",
  "canary_rolled_back",
];
/** What is measured, with a bound to begin with. */
const FIRST: Partial<Record<RuleKind, string>> = {
  error_rate: "5",
  latency_p95: "1000",
  terminations: "1",
  quota: "90",
};
const SEVERITIES: readonly Severity[] = ["info", "warning", "critical"];

export function RuleDialog(
  { rule, channels, onClose }: { rule: RuleInfo | null; channels: readonly ChannelInfo[]; onClose: () => void },
) {
  const t = useMessages(messages);
  const { at, box, project, stale } = useOwner();
  const client = useQueryClient();
  const [kind, setKind] = useState<RuleKind>(rule?.kind ?? (box ? "health" : "error_rate"));
  const [name, setName] = useState(rule?.name ?? "");
  const [threshold, setThreshold] = useState(rule === null ? FIRST[kind] ?? "" : String(rule.threshold));
  const [seconds, setSeconds] = useState(String(rule?.window_seconds ?? 300));
  const [minutes, setMinutes] = useState(String((rule?.reminder_seconds ?? 0) / 60));
  const [projects, setProjects] = useState(rule?.projects ?? "*");
  const [worker, setWorker] = useState(rule?.worker ?? "*");
  const [status, setStatus] = useState<"warn" | "fail">(rule?.status === "warn" ? "warn" : "fail");
  const [checks, setChecks] = useState(rule?.checks.join(" ") ?? "");
  const [severity, setSeverity] = useState<Severity>(rule?.severity ?? "warning");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(rule?.channels));
  const measured = FIRST[kind] !== undefined;
  const ofWorkers = kind !== "health" && kind !== "quota";
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={rule === null ? t.newRule : `${t.edit}: ${rule.name}`}
      submit={rule === null ? t.make : t.save}
      disabled={name.trim() === "" || (measured && !(Number(threshold) > 0))}
      onSubmit={async () => {
        const fields = {
          name: name.trim(),
          severity,
          channels: [...chosen],
          reminder_seconds: Math.round(Number(minutes) * 60),
          ...(box && kind !== "health" ? { projects: projects.trim() || "*" } : {}),
          ...(ofWorkers ? { worker: worker.trim() || "*" } : {}),
          ...(measured ? { threshold: Number(threshold) } : {}),
          ...(measured && kind !== "quota" ? { window_seconds: Number(seconds) } : {}),
          ...(kind === "health" ? { status, checks: checks.split(/[\s,]+/).filter((each) => each !== "") } : {}),
        } satisfies RuleChange;
        if (rule === null) {
          await api(at("POST /api/v1/projects/{project}/notifications/rules"), {
            path: { project },
            body: { ...fields, kind },
          });
        } else {
          await api(at("PATCH /api/v1/projects/{project}/notifications/rules/{rule_id}"), {
            path: { project, rule_id: rule.id },
            body: fields,
          });
        }
        await invalidate(client, stale);
        onClose();
      }}
    >
      <Field label={t.name}>
        <Input autoFocus value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.kind}>
        <Select<RuleKind>
          value={kind}
          disabled={rule !== null}
          onChange={(next) => {
            setKind(next);
            setThreshold(FIRST[next] ?? "");
          }}
          options={(box ? (["health", ...KINDS] as const) : KINDS).map((each) => ({
            value: each,
            label: t.kinds[each],
          }))}
        />
      </Field>
      {measured && (
        <div className="grid items-start gap-4 sm:grid-cols-2">
          <Field label={t.threshold} hint={t.thresholds[kind as keyof typeof t.thresholds]}>
            <Input
              type="number"
              step="any"
              min={0}
              value={threshold}
              onChange={(event) => setThreshold(event.target.value)}
            />
          </Field>
          {kind !== "quota" && (
            <Field label={t.window} hint={t.windowHint}>
              <Input type="number" min={30} value={seconds} onChange={(event) => setSeconds(event.target.value)} />
            </Field>
          )}
        </div>
      )}
      {kind === "health" && (
        <div className="grid items-start gap-4 sm:grid-cols-2">
          <Field label={t.status}>
            <Select<"warn" | "fail">
              value={status}
              onChange={setStatus}
              options={(["fail", "warn"] as const).map((each) => ({ value: each, label: t.statuses[each] }))}
            />
          </Field>
          <Field label={t.checks} hint={t.checksHint}>
            <Input value={checks} onChange={(event) => setChecks(event.target.value)} />
          </Field>
        </div>
      )}
      {(ofWorkers || (box && kind === "quota")) && (
        <div className="grid items-start gap-4 sm:grid-cols-2">
          {box && (
            <Field label={t.projects} hint={t.patternHint}>
              <Input value={projects} onChange={(event) => setProjects(event.target.value)} />
            </Field>
          )}
          {ofWorkers && (
            <Field label={t.worker} hint={t.patternHint}>
              <Input value={worker} onChange={(event) => setWorker(event.target.value)} />
            </Field>
          )}
        </div>
      )}
      <div className="grid items-start gap-4 sm:grid-cols-2">
        <Field label={t.severity}>
          <Select<Severity>
            value={severity}
            onChange={setSeverity}
            options={SEVERITIES.map((each) => ({ value: each, label: t.severities[each] }))}
          />
        </Field>
        <Field label={t.reminder} hint={t.reminderHint}>
          <Input type="number" min={0} value={minutes} onChange={(event) => setMinutes(event.target.value)} />
        </Field>
      </div>
      <fieldset className="grid gap-1.5">
        <legend className="mb-1 text-sm font-medium">{t.channels}</legend>
        {channels.map((each) => (
          <Checkbox
            key={each.id}
            label={each.name}
            checked={chosen.has(each.id)}
            onChange={(on) => choose(each.id, on)}
          />
        ))}
        {channels.length === 0 && <p className="text-xs text-muted">{t.noChannels}</p>}
      </fieldset>
    </FormDialog>
  );
}
