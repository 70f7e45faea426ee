// Panels beside what a page is about: shown or not, and how wide. Each browser remembers its own.
import { useState } from "react";

export interface Panel {
  shown: boolean;
  /** In pixels, within `least` and `most`. */
  width: number;
  least: number;
  most: number;
  show: (shown: boolean) => void;
  resize: (width: number) => void;
}

export function usePanel(
  name: string,
  { width: first, least, most }: Record<"width" | "least" | "most", number>,
): Panel {
  const [{ shown, width }, set] = useState(() => kept(name, first));
  const change = (next: { shown: boolean; width: number }) => {
    set(next);
    try {
      localStorage.setItem(keyOf(name), JSON.stringify(next));
    } catch { /* without storage it lasts as long as the page */ }
  };
  const within = (wanted: number) => Math.round(Math.min(most, Math.max(least, wanted)));
  return {
    shown,
    width: within(width),
    least,
    most,
    show: (next) => change({ shown: next, width }),
    resize: (next) => change({ shown, width: within(next) }),
  };
}

const keyOf = (name: string) => `v8box.panel.${name}`;

function kept(name: string, width: number): { shown: boolean; width: number } {
  try {
    const told = JSON.parse(localStorage.getItem(keyOf(name)) ?? "{}") as { shown?: unknown; width?: unknown } | null;
    return {
      shown: told?.shown !== false,
      width: typeof told?.width === "number" && Number.isFinite(told.width) ? told.width : width,
    };
  } catch {
    return { shown: true, width };
  }
}
