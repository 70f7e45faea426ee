import { Link } from "react-router";
import { classes } from "@/lib/classes";
import { formatTime } from "@/lib/i18n/format";
import { useProjectPath } from "@/lib/project";

const TONE: Record<string, string> = { debug: "text-muted", info: "", warn: "text-warn", error: "text-bad" };

export interface Shown {
  time: string;
  level: string;
  worker?: string;
  run: string | null;
  text: string;
  fields: unknown;
}

/** A line of a log. All of it is text; its time leads to its run. */
export function Line({ line, date = false }: { line: Shown; date?: boolean }) {
  const to = useProjectPath();
  const fields = line.fields === null || line.fields === undefined ? "" : JSON.stringify(line.fields);
  const time = formatTime(line.time, {
    ...(date ? { month: "short", day: "numeric" } : {}),
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  });
  return (
    <li className={classes("flex gap-2 px-3 py-0.5 font-mono text-xs", TONE[line.level])}>
      {line.run === null
        ? <time dateTime={line.time} className="shrink-0 text-muted">{time}</time>
        : (
          <Link to={to("runs", line.run)} className="shrink-0 text-muted hover:text-accent hover:underline">
            <time dateTime={line.time}>{time}</time>
          </Link>
        )}
      <span className="w-10 shrink-0 uppercase">{line.level}</span>
      {line.worker !== undefined && <span className="w-24 shrink-0 truncate text-muted">{line.worker}</span>}
      <span className="min-w-0 break-words whitespace-pre-wrap">
        {line.text}
        {fields && <span className="text-muted">{` ${fields}`}</span>}
      </span>
    </li>
  );
}
