// Short news in the corner. What somebody has to act on does not belong here: it goes where it happened (`ErrorNote`).
// What shows them is loaded with the first one.
import { useSyncExternalStore } from "react";
import type { toast as Sonner } from "sonner";
import { messageOf } from "@/lib/api/errors";

const TO_THINK_IT_OVER_MS = 15_000;

let wanted = false;
const listeners = new Set<() => void>();
let toasterIsThere: () => void = () => {};
const shown = new Promise<void>((resolve) => {
  toasterIsThere = resolve;
});

async function show(tell: (sonner: typeof Sonner) => unknown): Promise<void> {
  wanted = true;
  for (const listener of listeners) listener();
  const { toast: sonner } = await import("sonner");
  await shown;
  tell(sonner);
}

export const toast = {
  done: (text: string, undo?: { label: string; run: () => void }): void =>
    void show((sonner) =>
      sonner.success(
        text,
        undo ? { action: { label: undo.label, onClick: undo.run }, duration: TO_THINK_IT_OVER_MS } : {},
      )
    ),
  failed: (error: unknown): void => void show((sonner) => sonner.error(messageOf(error), { duration: 10_000 })),
  told: (text: string): void => void show((sonner) => sonner(text)),
};

/** Whether there is anything to show yet. */
export function useToasterWanted(): boolean {
  return useSyncExternalStore(subscribe, () => wanted);
}

export { toasterIsThere };

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
