// What a form holds until it is sent: `const [draft, set, reset] = useDraft({ name: "" }); set({ name: "x" })`.
import { useState } from "react";

export function useDraft<Fields extends object>(
  initial: Fields,
): [Fields, (change: Partial<Fields>) => void, (to?: Fields) => void] {
  const [draft, setDraft] = useState(initial);
  return [draft, (change) => setDraft((before) => ({ ...before, ...change })), (to = initial) => setDraft(to)];
}

/** `a, b  c` as a list: what people type for names and patterns. */
export function listOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
