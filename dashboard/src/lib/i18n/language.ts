// English and Bahasa Indonesia. A folder's words are one typed catalogue: what one language lacks fails the type check.
import { useSyncExternalStore } from "react";

export const LANGUAGES = { en: "English", id: "Bahasa Indonesia" } as const;
export type Language = keyof typeof LANGUAGES;

type Words = { [key: string]: Word };
// deno-lint-ignore no-explicit-any
type Word = string | ((...values: any[]) => string) | Words;
type Same<Type> = Type extends (...values: infer Values) => string ? (...values: Values) => string
  : Type extends string ? string
  : { [Key in keyof Type]: Same<Type[Key]> };

export interface Catalogue<Type> {
  en: Type;
  id: Same<Type>;
}

/** `const messages = catalogue({ en: { title: "Workers", found: (n: number) => `${n} found` }, id: { … } })`. */
export function catalogue<const Type extends Words>(words: { en: Type; id: Same<Type> }): Catalogue<Type> {
  return words;
}

const listeners = new Set<() => void>();
let current: Language = document.documentElement.lang === "id" ? "id" : "en";

export function language(): Language {
  return current;
}

export function setLanguage(chosen: Language): void {
  current = chosen;
  document.documentElement.lang = chosen;
  try {
    localStorage.setItem("v8box.language", chosen);
  } catch { /* without storage it lasts as long as the page */ }
  for (const listener of listeners) listener();
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, language);
}

/** A catalogue in the language at hand: `const t = useMessages(messages); t.title; t.found(3)`. */
export function useMessages<Type>(messages: Catalogue<Type>): Same<Type> {
  return messages[useLanguage()] as Same<Type>;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
