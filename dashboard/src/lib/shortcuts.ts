// Keys of a page. Plain letters mean nothing while somebody types.
import { useEffect, useRef } from "react";

/** `{ "mod+k": …, "?": …, "g w": … }`; `mod` is Cmd or Ctrl, `g w` one key after the other. */
export function useShortcuts(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    let before = "";
    let forget: ReturnType<typeof setTimeout> | undefined;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.isComposing) return;
      const held = event.metaKey || event.ctrlKey;
      if (!held && isTyping(event.target)) return;
      const key = (held ? "mod+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
      const run = latest.current[before ? `${before} ${key}` : key] ?? latest.current[key];
      clearTimeout(forget);
      before = held ? "" : key;
      forget = setTimeout(() => {
        before = "";
      }, 900);
      if (run) {
        event.preventDefault();
        before = "";
        run();
      }
    };
    addEventListener("keydown", onKey);
    return () => {
      clearTimeout(forget);
      removeEventListener("keydown", onKey);
    };
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element &&
    target.closest(
        "input, textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox], .monaco-editor",
      ) !== null;
}
