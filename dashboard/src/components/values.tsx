// Small things that are shown everywhere: times, bytes, names and values, and what is there before they are.
import { type ReactNode, useSyncExternalStore } from "react";
import { formatBytes, formatRelative, formatTime } from "@/lib/i18n/format";
import { useLanguage } from "@/lib/i18n/language";
import { classes } from "@/lib/classes";

let now = Date.now();
const watchers = new Set<() => void>();
let clock: ReturnType<typeof setInterval> | undefined;

/** One clock for all times of a page. */
function watchClock(watcher: () => void): () => void {
  watchers.add(watcher);
  clock ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, 10_000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) {
      clearInterval(clock);
      clock = undefined;
    }
  };
}

/** "3 minutes ago"; the whole time under the pointer. */
export function RelativeTime({ time, empty = "–" }: { time: string | number | null | undefined; empty?: ReactNode }) {
  useLanguage();
  const current = useSyncExternalStore(watchClock, () => now);
  if (time === null || time === undefined) return <>{empty}</>;
  const date = new Date(time);
  return (
    <time dateTime={date.toISOString()} title={formatTime(date)} className="whitespace-nowrap">
      {formatRelative(date, Math.max(current, date.getTime() > Date.now() ? 0 : date.getTime()))}
    </time>
  );
}

export function Bytes({ value }: { value: number | null | undefined }) {
  useLanguage();
  return (
    <span className="tabular whitespace-nowrap">
      {value === null || value === undefined ? "–" : formatBytes(value)}
    </span>
  );
}

/** Names and values, one below the other. */
export function KeyValue(
  { items, className }: { items: readonly (readonly [ReactNode, ReactNode] | false)[]; className?: string },
) {
  return (
    <dl
      className={classes(
        "grid grid-cols-[minmax(7rem,auto)_1fr] gap-x-6 gap-y-2 text-sm max-sm:grid-cols-1 max-sm:gap-y-0.5",
        className,
      )}
    >
      {items.filter((item) => item !== false).map(([name, value], index) => (
        <div key={index} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 max-sm:mb-2">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return (
    <div
      aria-hidden
      data-loading
      className={classes("animate-[shimmer_1.4s_ease-in-out_infinite] rounded-md bg-line", className)}
    />
  );
}
