// How far something is: a bar, and an operation of the box with its step and a way to stop it.
import { useState } from "react";
import { useOperation } from "@/lib/api/operations";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { messages } from "@/components/messages";

/** `value` from 0 to 1; without it, it only says that something is going on. */
export function Progress(
  { value, label, tone = "accent" }: { value?: number | undefined; label: string; tone?: "accent" | "warn" | "bad" },
) {
  const known = value !== undefined;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(value * 100) : undefined}
      className="relative h-1.5 w-full overflow-hidden rounded-full bg-line"
    >
      <div
        className={classes(
          "absolute inset-y-0 rounded-full transition-[width]",
          { accent: "bg-accent", warn: "bg-warn", bad: "bg-bad" }[tone],
          !known && "w-1/3 animate-[pass_1.2s_ease-in-out_infinite]",
        )}
        style={known ? { left: 0, width: `${Math.min(100, Math.max(0, value * 100))}%` } : undefined}
      />
    </div>
  );
}

/** Follows an operation (the `id` of a 202) to its end. */
export function OperationProgress(
  { id, label, invalidates }: { id: string; label: string; invalidates?: readonly string[] },
) {
  const t = useMessages(messages);
  const { operation, error, cancel } = useOperation(id, invalidates ? { invalidates } : {});
  const [stopping, setStopping] = useState(false);
  if (error !== null) return <ErrorNote error={error} />;
  const state = operation?.state ?? "running";
  const { step, done, total } = operation?.progress ?? { step: null, done: 0, total: null };
  if (state !== "running") {
    return (
      <p className="text-sm">
        {label} <Badge tone={state === "succeeded" ? "ok" : "warn"}>{t.ended[state]}</Badge>
      </p>
    );
  }
  return (
    <div className="grid gap-1.5" aria-live="polite">
      <div className="flex items-center justify-between gap-3 text-sm">
        <span>{label}{step ? <span className="text-muted">· {step}</span> : null}</span>
        <Button
          size="sm"
          busy={stopping}
          onClick={async () => {
            setStopping(true);
            await cancel().finally(() => setStopping(false));
          }}
        >
          {t.stop}
        </Button>
      </div>
      <Progress label={label} value={total ? (done ?? 0) / total : undefined} />
    </div>
  );
}
