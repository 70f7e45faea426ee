// A word about a state. The colour says it again; it is never the only one to say it.
import type { ReactNode } from "react";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { messages } from "@/components/messages";

export type Tone = "neutral" | "accent" | "ok" | "warn" | "bad";

const TONES: Record<Tone, string> = {
  neutral: "bg-sunken text-muted border-line",
  accent: "bg-accent-soft text-accent border-accent/25",
  ok: "bg-ok-soft text-ok border-ok/25",
  warn: "bg-warn-soft text-warn border-warn/25",
  bad: "bg-bad-soft text-bad border-bad/25",
};

export function Badge({ tone = "neutral", dot, children }: { tone?: Tone; dot?: boolean; children: ReactNode }) {
  return (
    <span
      className={classes(
        "inline-flex items-center gap-1 rounded-full border px-2 text-xs font-medium whitespace-nowrap leading-5",
        TONES[tone],
      )}
    >
      {dot && <span aria-hidden className="size-1.5 rounded-full bg-current" />}
      {children}
    </span>
  );
}

/** A role, as the language calls it. */
export function RoleBadge({ role, tone = "neutral", where }: { role: string; tone?: Tone; where?: string }) {
  const { roles } = useMessages(messages);
  const name = roles[role] ?? role;
  return <Badge tone={tone}>{where === undefined ? name : `${name} · ${where}`}</Badge>;
}
