// The keys, on one sheet.
import { messages } from "@/app/messages";
import { useGoItems } from "@/app/shell/go-keys";
import { isMac } from "@/lib/platform";
import { Dialog } from "@/components/dialog";
import { useMessages } from "@/lib/i18n/language";

export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  const mod = isMac ? "⌘" : "Ctrl";
  const keys: [string[], string][] = [
    [[mod, "K"], t.keys.palette],
    [["/"], t.keys.palette],
    [["?"], t.keys.sheet],
    [["N"], t.keys.inbox],
    [["Esc"], t.keys.close],
    [[mod, "S"], t.keys.save],
    [[mod, "E"], t.keys.run],
    ...useGoItems().map(({ key, label }): [string[], string] => [["G", key.toUpperCase()], t.keys.go(label)]),
  ];
  return (
    <Dialog open={open} onClose={onClose} title={t.shortcuts} width="sm">
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2.5 text-sm">
        {keys.map(([pressed, meaning]) => (
          <div key={pressed.join()} className="contents">
            <dt className="flex gap-1">
              {pressed.map((key) => (
                <kbd
                  key={key}
                  className="min-w-6 rounded-sm border bg-sunken px-1.5 text-center font-sans text-xs leading-5"
                >
                  {key}
                </kbd>
              ))}
            </dt>
            <dd className="text-muted">{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
