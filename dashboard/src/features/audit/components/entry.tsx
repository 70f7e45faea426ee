// One entry of the timeline; what it was before and after unfolds.
import { Bot, ChevronDown, KeySquare, Server, Terminal, UserRound, UserX } from "lucide-react";
import type { EntryInfo } from "@/api/generated/api";
import { Action } from "@/components/action";
import { CodeBlock } from "@/components/code-block";
import { KeyValue, RelativeTime } from "@/components/values";
import { messages } from "@/features/audit/messages";
import { formatTime } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

const ICONS: Record<string, typeof Bot> = {
  user: UserRound,
  token: KeySquare,
  local: Terminal,
  system: Server,
  anonymous: UserX,
};

export function Entry({ entry }: { entry: EntryInfo }) {
  const t = useMessages(messages);
  const Icon = ICONS[entry.actor.kind] ?? Bot;
  return (
    <li className="border-b last:border-b-0">
      <details className="group">
        <summary className="flex cursor-pointer list-none items-start gap-3 px-4 py-2.5 outline-offset-[-2px] hover:bg-hover/60 [&::-webkit-details-marker]:hidden">
          <span
            title={t.kinds[entry.actor.kind]}
            className="mt-0.5 grid size-6 shrink-0 place-content-center rounded-full border bg-sunken text-muted"
          >
            <Icon aria-hidden className="size-3.5" />
          </span>
          <span className="flex min-w-0 flex-1 justify-between gap-x-3 text-sm max-sm:flex-col">
            <span className="min-w-0">
              <span className="font-medium">{entry.actor.name}</span> <Action action={entry.action} />{" "}
              <span className="font-mono text-xs text-muted">{entry.resource}</span>
            </span>
            <span className="shrink-0 text-xs leading-5 text-muted">
              <RelativeTime time={entry.at} />
            </span>
          </span>
          <ChevronDown
            aria-hidden
            className="mt-0.5 size-4 shrink-0 text-muted transition-transform group-open:rotate-180"
          />
        </summary>
        <div className="grid gap-3 border-t bg-sunken/50 px-4 py-3 sm:pl-13">
          <KeyValue
            items={[
              [t.at, formatTime(entry.at)],
              [t.what, <span key="w" className="font-mono text-xs">{entry.action}</span>],
              [t.actor, `${entry.actor.name} (${t.kinds[entry.actor.kind] ?? entry.actor.kind})`],
              entry.project !== null && [t.project, entry.project],
              entry.address !== null && [t.address, <span key="a" className="font-mono text-xs">{entry.address}</span>],
              entry.request_id !== null &&
              [t.request, <span key="r" className="font-mono text-xs">{entry.request_id}</span>],
              [t.number, <span key="n" className="font-mono text-xs">{entry.number} · {entry.hash.slice(0, 16)}</span>],
            ]}
          />
          <div className="grid gap-3 md:grid-cols-2">
            {([[t.before, entry.before], [t.after, entry.after]] as const).map(([name, value]) =>
              value !== null && value !== undefined && (
                <div key={name} className="min-w-0">
                  <h3 className="mb-1 text-xs font-medium text-muted">{name}</h3>
                  <CodeBlock code={JSON.stringify(value, null, 2)} label={name} />
                </div>
              )
            )}
          </div>
        </div>
      </details>
    </li>
  );
}
