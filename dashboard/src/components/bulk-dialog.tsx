// The same change to many things: says to which, shows how far it is, can be stopped, and lists what was refused.
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { messages } from "@/components/bulk-messages";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { Progress } from "@/components/progress";
import { messageOf } from "@/lib/api/errors";
import { useMessages } from "@/lib/i18n/language";

const AT_ONCE = 4;

export interface BulkDialogProps {
  title: string;
  /** What will happen; a form, where something has to be said for all of them. */
  children?: ReactNode;
  /** What it is done to, by name. */
  names: readonly string[];
  action: string;
  danger?: boolean;
  /** It cannot be undone: asks for the name, or of several for how many they are. */
  ask?: boolean;
  disabled?: boolean;
  run: (name: string, signal: AbortSignal) => Promise<unknown>;
  /** Those that it was done to, once nothing runs any more. */
  onDone: (done: readonly string[]) => void;
  onClose: () => void;
}

interface Run {
  done: readonly string[];
  refused: readonly { name: string; why: string }[];
  ended: boolean;
}

/** Mounted while it is open. */
export function BulkDialog(props: BulkDialogProps) {
  const t = useMessages(messages);
  const { names, action, danger, onClose, onDone } = props;
  const [typed, setTyped] = useState("");
  const [run, setRun] = useState<Run | null>(null);
  const stopping = useRef<AbortController | null>(null);
  const word = names.length === 1 ? names[0] ?? "" : String(names.length);
  const finished = (run?.done.length ?? 0) + (run?.refused.length ?? 0);

  const start = async (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    const { signal } = stopping.current = new AbortController();
    const done: string[] = [];
    const refused: { name: string; why: string }[] = [];
    const waiting = [...names];
    const show = (ended: boolean) => setRun({ done: [...done], refused: [...refused], ended });
    show(false);
    const work = async () => {
      for (let name = waiting.shift(); name !== undefined && !signal.aborted; name = waiting.shift()) {
        try {
          await props.run(name, signal);
          done.push(name);
        } catch (error) {
          if (signal.aborted) return;
          refused.push({ name, why: error instanceof Error ? messageOf(error) : t.failed });
        }
        show(false);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    show(true);
    onDone(done);
    if (refused.length === 0 && !signal.aborted) onClose();
  };
  const close = () => {
    stopping.current?.abort();
    onClose();
  };

  return (
    <Dialog open onClose={close} title={props.title}>
      {run === null
        ? (
          <form onSubmit={(event) => void start(event)} className="grid gap-4">
            <div className="grid gap-3 text-sm text-muted">{props.children}</div>
            <ul
              tabIndex={0}
              aria-label={t.names}
              className="max-h-32 overflow-auto rounded-md border bg-sunken px-3 py-2 font-mono text-xs"
            >
              {names.slice(0, 200).map((name) => <li key={name} className="break-all">{name}</li>)}
              {names.length > 200 && <li className="text-muted">{t.others(names.length - 200)}</li>}
            </ul>
            {props.ask && (
              <Field label={t.type(word)}>
                <Input
                  autoFocus
                  autoComplete="off"
                  spellCheck={false}
                  className="font-mono"
                  value={typed}
                  onChange={(event) => setTyped(event.target.value)}
                />
              </Field>
            )}
            <div className="mt-1 flex flex-wrap justify-end gap-2">
              <Button onClick={close}>{t.cancel}</Button>
              <Button
                type="submit"
                look={danger ? "danger" : "primary"}
                disabled={(props.disabled ?? false) || (props.ask === true && typed.trim() !== word)}
              >
                {action}
              </Button>
            </div>
          </form>
        )
        : (
          <div className="grid gap-3" aria-live="polite">
            <p className="text-sm">
              {run.ended ? t.ended(run.done.length, run.refused.length) : t.progress(finished, names.length)}
            </p>
            <Progress
              label={props.title}
              value={finished / names.length}
              tone={run.refused.length > 0 ? "warn" : "accent"}
            />
            {run.refused.length > 0 && (
              <ul
                tabIndex={0}
                aria-label={t.refused}
                className="max-h-60 overflow-auto rounded-md border bg-sunken text-xs"
              >
                {run.refused.map(({ name, why }) => (
                  <li key={name} className="border-b px-3 py-2 last:border-b-0">
                    <span className="font-mono font-medium">{name}</span> <span className="text-muted">{why}</span>
                  </li>
                ))}
              </ul>
            )}
            <div className="flex justify-end">
              {run.ended
                ? <Button look="primary" onClick={close}>{t.close}</Button>
                : <Button onClick={() => stopping.current?.abort()}>{t.stop}</Button>}
            </div>
          </div>
        )}
    </Dialog>
  );
}
