// An empty list teaches: what belongs here, how the first one is made, and the same on the command line.
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { CodeBlock } from "@/components/code-block";
import { messages } from "@/components/messages";
import { useMessages } from "@/lib/i18n/language";

/** A list that has something, but nothing of what is looked for. */
export function NoMatch() {
  const t = useMessages(messages);
  return <p className="px-4 py-10 text-center text-sm text-muted">{t.noMatch}</p>;
}

export function EmptyState({ icon: Icon, title, children, actions, command, page }: {
  icon?: LucideIcon;
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  /** It is all that there is on a page: its heading is the page's. */
  page?: boolean;
  /** A command that does the same. */
  command?: string;
}) {
  const Heading = page ? "h1" : "h2";
  return (
    <div className="mx-auto grid max-w-md grid-cols-[minmax(0,1fr)] justify-items-center gap-2 px-4 py-14 text-center">
      {Icon && (
        <span className="mb-1 grid size-10 place-content-center rounded-xl border bg-surface text-muted shadow-low">
          <Icon aria-hidden className="size-5" />
        </span>
      )}
      <Heading className="text-base font-semibold">{title}</Heading>
      {children && <div className="text-sm text-muted">{children}</div>}
      {actions && <div className="mt-2 flex flex-wrap justify-center gap-2">{actions}</div>}
      {command && (
        <div className="mt-2 w-full min-w-0 text-left">
          <CodeBlock code={command} />
        </div>
      )}
    </div>
  );
}
