import type { LogEntry } from "@/api/generated/api";
import { classes } from "@/lib/classes";
import { formatTime } from "@/lib/i18n/format";

const TONE: Record<string, string> = { debug: "text-muted", info: "", warn: "text-warn", error: "text-bad" };

/** A line, or a run, of a log. All of it is text. */
export function LogLine({ entry }: { entry: LogEntry }) {
  const fields = entry.fields === null || entry.fields === undefined ? "" : JSON.stringify(entry.fields);
  return (
    <li className={classes("flex gap-2 px-3 py-0.5 font-mono text-xs", TONE[entry.level])}>
      <time dateTime={entry.time} className="shrink-0 text-muted">
        {formatTime(entry.time, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 })}
      </time>
      <span className="w-10 shrink-0 uppercase">{entry.kind === "run" ? "run" : entry.level}</span>
      <span className="min-w-0 break-words whitespace-pre-wrap">
        {entry.kind === "run"
          ? `${entry.method ?? ""} ${entry.path ?? ""} → ${entry.status ?? ""} ${entry.outcome ?? ""} ${
            entry.duration_ms?.toFixed(1) ?? ""
          } ms`
          : entry.text}
        {fields && <span className="text-muted">{` ${fields}`}</span>}
      </span>
    </li>
  );
}
