// What the box says in English, in the language at hand: by the codes and values that it says beside its text.
import type { PhraseInfo } from "@/api/generated/api";
import { language } from "@/lib/i18n/language";

// Which values a code has is the box's to say: a test compares what the phrases use with what it gives.
// deno-lint-ignore no-explicit-any
type Values = Record<string, any>;

/** By code. English is not here: it is the box's own. */
export type Phrases = Readonly<Record<string, (v: Values) => string>>;

/** The box's own text where one of its parts is not known, as in a report that an older box has written. */
export function said(known: Phrases, text: string, parts: readonly PhraseInfo[]): string {
  if (language() !== "id" || parts.length === 0) return text;
  const told = parts.map(({ code, values }) => known[code]?.(values));
  return told.includes(undefined) ? text : told.join("; ");
}
