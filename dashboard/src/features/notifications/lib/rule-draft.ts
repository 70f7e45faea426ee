// A rule while it is typed, and as the API takes it.
import type { RuleChange, RuleInfo, RuleKind, Severity } from "@/api/generated/api";

export const KINDS: readonly RuleKind[] = [
  "error_rate",
  "latency_p95",
  "terminations",
  "errors",
  "quota",
  "deploy_failed",
  "canary_rolled_back",
];
/** What is measured, with a bound to begin with. */
export const FIRST: Partial<Record<RuleKind, string>> = {
  error_rate: "5",
  latency_p95: "1000",
  terminations: "1",
  quota: "90",
};

export interface RuleDraft {
  kind: RuleKind;
  name: string;
  threshold: string;
  /** Seconds. */
  window: string;
  minRequests: string;
  /** Seconds. */
  lasting: string;
  /** Minutes. */
  reminder: string;
  projects: string;
  worker: string;
  environment: string;
  status: "warn" | "fail";
  /** Words: checks of health, reasons of terminations, quotas; whatever the kind has. */
  only: string;
  changes: "both" | "new" | "regressed";
  severity: Severity;
  channels: readonly string[];
}

export function draftOf(rule: RuleInfo | null, box: boolean): RuleDraft {
  const kind = rule?.kind ?? (box ? "health" : "error_rate");
  const changes = rule?.changes ?? [];
  return {
    kind,
    name: rule?.name ?? "",
    threshold: rule === null ? FIRST[kind] ?? "" : String(rule.threshold),
    window: String(rule?.window_seconds ?? 300),
    minRequests: String(rule?.min_requests ?? 20),
    lasting: String(rule?.for_seconds ?? 0),
    reminder: String((rule?.reminder_seconds ?? 0) / 60),
    projects: rule?.projects ?? "*",
    worker: rule?.worker ?? "*",
    environment: rule?.environment ?? "*",
    status: rule?.status === "warn" ? "warn" : "fail",
    only: [...(rule?.checks ?? []), ...(rule?.reasons ?? []), ...(rule?.quotas ?? [])].join(" "),
    changes: (["new", "regressed"] as const).find((each) => changes.length === 1 && changes[0] === each) ?? "both",
    severity: rule?.severity ?? "warning",
    channels: rule?.channels ?? [],
  };
}

/** Whether it looks at workers. */
export function ofWorkers(kind: RuleKind): boolean {
  return kind !== "health" && kind !== "quota";
}

/** Whether it looks back over a window. */
export function hasWindow(kind: RuleKind): boolean {
  return kind === "error_rate" || kind === "latency_p95" || kind === "terminations";
}

/** Whether it says nothing with few requests. */
export function hasRequests(kind: RuleKind): boolean {
  return kind === "error_rate" || kind === "latency_p95";
}

/** Whether it watches a state, which may have to last. */
export function lasts(kind: RuleKind): boolean {
  return FIRST[kind] !== undefined || kind === "health";
}

/** Which list of words the kind has. */
export const ONLY: Partial<Record<RuleKind, "checks" | "reasons" | "quotas">> = {
  health: "checks",
  terminations: "reasons",
  quota: "quotas",
};

/** What the kind has; the rest is left out. */
export function bodyOf(draft: RuleDraft, box: boolean) {
  const { kind } = draft;
  const words = ONLY[kind];
  return {
    name: draft.name.trim(),
    severity: draft.severity,
    channels: [...draft.channels],
    reminder_seconds: Math.round(Number(draft.reminder) * 60),
    ...(box && kind !== "health" ? { projects: draft.projects.trim() || "*" } : {}),
    ...(ofWorkers(kind) ? { worker: draft.worker.trim() || "*", environment: draft.environment.trim() || "*" } : {}),
    ...(FIRST[kind] === undefined ? {} : { threshold: Number(draft.threshold) }),
    ...(hasWindow(kind) ? { window_seconds: Number(draft.window) } : {}),
    ...(hasRequests(kind) ? { min_requests: Number(draft.minRequests) } : {}),
    ...(lasts(kind) ? { for_seconds: Number(draft.lasting) } : {}),
    ...(words === undefined ? {} : { [words]: draft.only.split(/[\s,]+/).filter((each) => each !== "") }),
    ...(kind === "health" ? { status: draft.status } : {}),
    ...(kind === "errors" ? { changes: draft.changes === "both" ? [] : [draft.changes] } : {}),
  } satisfies RuleChange;
}
