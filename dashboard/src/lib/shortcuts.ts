// Keys of a page. Plain letters mean nothing while somebody types.
import { useEffect, useRef } from "react";

/** So soon after the one before. */
const TOGETHER_MS = 900;

/** `{ "mod+k": …, "?": …, "g w": … }`; `mod` is Cmd or Ctrl, `g w` one key after the other. */
export function useShortcuts(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    let before = "";
    let at = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.isComposing) return;
      const held = event.metaKey || event.ctrlKey;
      if (!held && isTyping(event.target)) return;
      const key = (held ? "mod+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
      // When it was pressed, however late the page comes to look at it.
      if (event.timeStamp - at > TOGETHER_MS) before = "";
      const run = latest.current[before ? `${before} ${key}` : key] ?? latest.current[key];
      before = held ? "" : key;
      at = event.timeStamp;
      if (run) {
        event.preventDefault();
        before = "";
        run();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element &&
    target.closest(
        "input, textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox], .monaco-editor",
      ) !== null;
}
