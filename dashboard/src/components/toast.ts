// Short news in the corner. What somebody has to act on does not belong here: it goes where it happened (`ErrorNote`).
import { toast as show } from "sonner";
import { messageOf } from "@/lib/api/errors";

export const toast = {
  done: (text: string, undo?: { label: string; run: () => void }) =>
    void show.success(text, undo ? { action: { label: undo.label, onClick: undo.run } } : {}),
  failed: (error: unknown) => void show.error(messageOf(error), { duration: 10_000 }),
  told: (text: string) => void show(text),
};
