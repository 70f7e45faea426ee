// The bell: how much is new of what wants attention. What it opens is loaded when it is first opened.
import { Bell as BellIcon } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { messages } from "@/app/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useSession } from "@/lib/session/session";

const Inbox = lazy(() => import("@/features/inbox/components/inbox"));

/** Asked while the page is looked at, twice a minute. */
const EVERY_MILLISECONDS = 30_000;

export function Bell({ open, onOpen, onClose }: { open: boolean; onOpen: () => void; onClose: () => void }) {
  const t = useMessages(messages);
  const { user } = useSession();
  const key = `v8box.inbox.${user?.id ?? ""}`;
  const inbox = useApi("GET /api/v1/inbox", {}, { refetchInterval: EVERY_MILLISECONDS });
  const [seen, setSeen] = useState(() => lastSeen(key));
  const items = inbox.data?.items ?? [];
  const fresh = items.filter(({ at }) => at > seen).length;
  const close = () => {
    const newest = items.reduce((last, { at }) => at > last ? at : last, seen);
    rememberSeen(key, newest);
    setSeen(newest);
    onClose();
  };
  return (
    <>
      <button
        type="button"
        aria-label={t.inbox(fresh)}
        aria-haspopup="dialog"
        title={t.inbox(fresh)}
        onClick={onOpen}
        className="relative grid size-8 shrink-0 place-content-center rounded-md text-muted hover:bg-hover hover:text-text lg:ml-auto"
      >
        <BellIcon aria-hidden className="size-4.5" />
        {fresh > 0
          ? (
            <span
              aria-hidden
              className="absolute -top-0.5 -right-0.5 min-w-4 rounded-full bg-bad px-1 text-center text-[0.625rem] leading-4 font-semibold text-surface"
            >
              {fresh > 9 ? "9+" : fresh}
            </span>
          )
          : (inbox.data?.running ?? 0) > 0 && (
            <span aria-hidden className="absolute top-0.5 right-0.5 size-2 rounded-full bg-accent" />
          )}
      </button>
      <span role="status" className="sr-only">{fresh > 0 ? t.inbox(fresh) : ""}</span>
      {open && (
        <Suspense>
          <Inbox seen={seen} onClose={close} />
        </Suspense>
      )}
    </>
  );
}

function lastSeen(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function rememberSeen(key: string, at: string): void {
  try {
    localStorage.setItem(key, at);
  } catch { /* without storage everything is new at the next visit */ }
}
