// The keys, on one sheet.
import { messages } from "@/app/messages";
import { useGoItems } from "@/app/shell/go-keys";
import { isMac } from "@/lib/platform";
import { Dialog } from "@/components/dialog";
import { useMessages } from "@/lib/i18n/language";

export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  const mod = isMac ? "⌘" : "Ctrl";
  const everywhere: Key[] = [
    { presses: [[mod, "K"], ["/"]], meaning: t.keys.palette },
    { presses: [["N"]], meaning: t.keys.inbox },
    { presses: [["?"]], meaning: t.keys.sheet },
    { presses: [["Esc"]], meaning: t.keys.close },
  ];
  const editor: Key[] = [
    { presses: [[mod, "S"]], meaning: t.keys.save },
    { presses: [[mod, "E"]], meaning: t.keys.run },
    { presses: [[mod, "Enter"]], meaning: t.keys.runSql },
  ];
  const go = useGoItems().map(({ key, label }): Key => ({ presses: [["G", key.toUpperCase()]], meaning: label }));
  return (
    <Dialog open={open} onClose={onClose} title={t.shortcuts} width="lg">
      <div className="grid gap-x-10 gap-y-5 sm:grid-cols-2">
        <div className="grid content-start gap-5">
          <Keys title={t.keys.everywhere} keys={everywhere} />
          <Keys title={t.keys.inEditor} keys={editor} />
        </div>
        <Keys title={t.goTo} keys={go} />
      </div>
    </Dialog>
  );
}

interface Key {
  /** Each of them does it: keys that are held together, or come one after the other. */
  presses: string[][];
  meaning: string;
}

function Keys({ title, keys }: { title: string; keys: readonly Key[] }) {
  return (
    <section>
      <h3 className="mb-1.5 text-xs font-medium text-muted">{title}</h3>
      <dl className="grid text-sm">
        {keys.map(({ presses, meaning }) => (
          <div key={meaning} className="flex items-center justify-between gap-4 py-1">
            <dt>{meaning}</dt>
            <dd className="flex gap-2">
              {presses.map((pressed) => (
                <span key={pressed.join()} className="flex gap-1">
                  {pressed.map((key) => (
                    <kbd
                      key={key}
                      className="min-w-6 rounded-sm border bg-sunken px-1.5 text-center font-sans text-xs leading-5"
                    >
                      {key}
                    </kbd>
                  ))}
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
