// Light, dark, or what the system says. `boot.js` has set it before the first paint.
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";

const KEY = "v8box.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let chosen: Theme = stored();

system.addEventListener("change", apply);

export function setTheme(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch { /* without storage it lasts as long as the page */ }
  apply();
}

export function useTheme(): { theme: Theme; shown: "light" | "dark" } {
  return { theme: useSyncExternalStore(subscribe, () => chosen), shown: useSyncExternalStore(subscribe, shown) };
}

function shown(): "light" | "dark" {
  return chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
}

function apply(): void {
  document.documentElement.dataset.theme = shown();
  document.querySelector("meta[name=theme-color]")?.setAttribute("content", shown() === "dark" ? "#0c0d10" : "#ffffff");
  for (const listener of listeners) listener();
}

function stored(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "dark" || theme === "light" ? theme : "system";
  } catch {
    return "system";
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
