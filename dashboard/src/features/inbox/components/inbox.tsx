// What wants attention, and long work, in a sheet at the side.
import { Dialog as Radix } from "radix-ui";
import { BellRing, Bug, CircleCheck, CircleX, X } from "lucide-react";
import { Link } from "react-router";
import type { NoticeInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Tabs } from "@/components/tabs";
import { RelativeTime, Skeleton } from "@/components/values";
import { LongWork } from "@/features/inbox/components/long-work";
import { messages as workMessages } from "@/components/work-messages";
import { messages } from "@/features/inbox/messages";
import { useApi } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { giveFocusBack } from "@/lib/focus";
import { useMessages } from "@/lib/i18n/language";
import { projectPath, useProjectName } from "@/lib/project";

const ICONS = { alert: BellRing, error: Bug, operation: CircleX } as const;

export default function Inbox({ seen, onClose }: { seen: string; onClose: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const inbox = useApi("GET /api/v1/inbox", {}, { refetchInterval: 5_000 });
  const running = inbox.data?.running ?? 0;
  const notices = inbox.error
    ? <ErrorNote error={inbox.error} onRetry={() => void inbox.refetch()} />
    : inbox.data === undefined
    ? <Skeleton className="h-40" />
    : inbox.data.items.length === 0
    ? <EmptyState icon={CircleCheck} title={t.nothing}>{t.nothingHint}</EmptyState>
    : (
      <ul className="-mx-4 border-t">
        {inbox.data.items.map((each) => (
          <li key={`${each.kind} ${each.id}`} className="border-b">
            <Notice notice={each} fresh={each.at > seen} onGo={onClose} />
          </li>
        ))}
      </ul>
    );
  return (
    <Radix.Root open onOpenChange={(next) => next || onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-[rgb(10_10_14/0.45)] animate-[fade_0.12s]" />
        <Radix.Content
          onCloseAutoFocus={giveFocusBack}
          aria-describedby={undefined}
          className="fixed inset-y-0 right-0 z-40 flex w-110 max-w-[94vw] flex-col border-l bg-surface shadow-high animate-[appear_0.12s]"
        >
          <div className="flex h-13 shrink-0 items-center justify-between gap-3 pr-12 pl-4">
            <Radix.Title className="font-semibold">{t.title}</Radix.Title>
            <ButtonLink size="sm" look="quiet" to={`${projectPath(project)}/alerts`} onClick={onClose}>
              {t.toAlerts}
            </ButtonLink>
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto px-4 pb-4">
            <Tabs
              label={t.title}
              tabs={[
                { value: "attention", label: t.attention, content: notices },
                {
                  value: "operations",
                  label: running > 0 ? `${t.operations} (${running})` : t.operations,
                  content: <LongWork />,
                },
              ]}
            />
          </div>
          <Radix.Close
            aria-label={t.close}
            className="absolute top-2.5 right-2.5 rounded-md p-2 text-muted hover:bg-hover"
          >
            <X aria-hidden className="size-4" />
          </Radix.Close>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Notice({ notice, fresh, onGo }: { notice: NoticeInfo; fresh: boolean; onGo: () => void }) {
  const t = useMessages(messages);
  const { works } = useMessages(workMessages);
  const Icon = ICONS[notice.kind];
  const to = placeOf(notice);
  const body = (
    <>
      <Icon
        aria-hidden
        className={classes("mt-0.5 size-4 shrink-0", notice.severity === "critical" ? "text-bad" : "text-warn")}
      />
      <span className="grid min-w-0 flex-1 gap-0.5">
        <span className="flex flex-wrap items-center gap-x-2 font-medium">
          <span className="min-w-0 break-words">
            <span className="sr-only">{`${t.kinds[notice.kind]}, ${t.severities[notice.severity]}: `}</span>
            {notice.kind === "operation" ? works[notice.title] ?? notice.title : notice.title}
          </span>
          {fresh && <Badge tone="accent">{t.isNew}</Badge>}
        </span>
        {notice.text && <span className="line-clamp-3 break-words text-muted">{notice.text}</span>}
        <span className="text-xs text-muted">
          {notice.project ?? t.ofBox} · <RelativeTime time={notice.at} />
        </span>
      </span>
    </>
  );
  const look = "flex w-full items-start gap-3 px-4 py-2.5 text-left text-sm";
  return to === null
    ? <div className={look}>{body}</div>
    : <Link to={to} onClick={onGo} className={classes(look, "outline-offset-[-2px] hover:bg-hover")}>{body}</Link>;
}

/** Where one sees more of it. */
function placeOf({ kind, id, project }: NoticeInfo): string | null {
  if (kind === "error" && project !== null) return `${projectPath(project)}/errors/${encodeURIComponent(id)}`;
  if (kind === "alert") return project === null ? "/settings/alerts" : `${projectPath(project)}/alerts`;
  return null;
}
