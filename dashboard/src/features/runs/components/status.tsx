import { Badge } from "@/components/badge";

/** How a run ended: its status, and its outcome where that says more. */
export function RunStatus({ status, outcome, failed }: { status: number; outcome: string; failed: boolean }) {
  return (
    <span className="flex flex-wrap gap-1">
      <Badge tone={failed ? "bad" : status >= 400 ? "warn" : "ok"}>{status || "–"}</Badge>
      {outcome !== "ok" && <Badge tone={failed ? "bad" : "neutral"}>{outcome}</Badge>}
    </span>
  );
}
