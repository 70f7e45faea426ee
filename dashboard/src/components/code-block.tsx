// Text of a machine, with a button that copies it.
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { classes } from "@/lib/classes";
import { copy } from "@/lib/clipboard";
import { useMessages } from "@/lib/i18n/language";
import { messages } from "@/components/messages";

export function CopyButton({ text, className }: { text: string; className?: string }) {
  const t = useMessages(messages);
  const [done, setDone] = useState(false);
  const Icon = done ? Check : Copy;
  return (
    <button
      type="button"
      aria-label={done ? t.copied : t.copy}
      title={done ? t.copied : t.copy}
      className={classes("rounded-md p-1.5 text-muted hover:bg-hover hover:text-text", className)}
      onClick={async () => {
        await copy(text);
        setDone(true);
        setTimeout(() => setDone(false), 1500);
      }}
    >
      <Icon aria-hidden className="size-3.5" />
    </button>
  );
}

export function CodeBlock({ code, wrap, label }: { code: string; wrap?: boolean; label?: string }) {
  return (
    <div className="group relative rounded-md border bg-sunken">
      <pre
        tabIndex={0}
        aria-label={label}
        className={classes(
          "max-h-96 overflow-auto py-2 pr-10 pl-3 font-mono text-xs leading-5",
          wrap && "break-all whitespace-pre-wrap",
        )}
      >
        {code}
      </pre>
      <CopyButton text={code} className="absolute top-1 right-1 bg-sunken" />
    </div>
  );
}

export function Code({ children }: { children: string }) {
  return <code className="rounded-sm bg-sunken px-1 py-px font-mono text-[0.92em]">{children}</code>;
}
