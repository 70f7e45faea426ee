import { Pause, Play, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Line, type Shown } from "@/features/runs/components/line";
import type { Filters } from "@/features/runs/lib/filters";
import { messages } from "@/features/runs/messages";
import { apiUrl } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const MOST = 2_000;

type Entry = { id: number; line: Shown } | { id: number; missed: number };

interface Told extends Partial<Shown> {
  id?: string;
  kind?: string;
  method?: string;
  path?: string;
  status?: number;
  outcome?: string;
  duration_ms?: number;
  missed?: number;
}

/** Lines and runs of the whole project as they come. The browser takes a cut connection up where it was. */
export function Live({ filters }: { filters: Filters }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [paused, setPaused] = useState(false);
  const [connected, setConnected] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const next = useRef(0);
  const { text, worker, environment, level } = filters;

  useEffect(() => {
    if (paused) return;
    const source = new EventSource(apiUrl("GET /api/v1/projects/{project}/tail", {
      path: { project },
      query: {
        worker: worker || null,
        environment: environment || null,
        text: text || null,
        level: level === "debug" ? null : level,
        limit: 100,
      },
    }));
    let waiting: Entry[] = [];
    let drawing = 0;
    const draw = () => {
      drawing = 0;
      const come = waiting;
      waiting = [];
      setEntries((all) => [...all, ...come].slice(-MOST));
    };
    const take = (entry: Entry) => {
      waiting.push(entry);
      if (drawing === 0) drawing = requestAnimationFrame(draw);
    };
    const read = (event: MessageEvent<string>) => JSON.parse(event.data) as Told;
    source.addEventListener("line", (event) => take({ id: next.current++, line: shownOf(read(event)) }));
    source.addEventListener("run", (event) => take({ id: next.current++, line: shownOf(read(event)) }));
    source.addEventListener("gap", (event) => take({ id: next.current++, missed: read(event).missed ?? 0 }));
    source.onopen = () => setConnected(true);
    source.onerror = () => setConnected(false);
    return () => {
      source.close();
      cancelAnimationFrame(drawing);
      setConnected(false);
    };
  }, [project, worker, environment, text, level, paused]);

  useEffect(() => {
    if (atEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [entries]);

  return (
    <>
      <div className="flex items-center gap-2 border-b px-4 py-2">
        <Badge tone={paused ? "neutral" : connected ? "ok" : "warn"} dot>{paused ? t.paused : t.live}</Badge>
        <span className="grow" />
        <Button size="sm" icon={paused ? Play : Pause} onClick={() => setPaused(!paused)}>
          {paused ? t.resume : t.pause}
        </Button>
        <Button size="sm" look="quiet" icon={Trash2} aria-label={t.clear} onClick={() => setEntries([])} />
      </div>
      <ol
        ref={list}
        tabIndex={0}
        aria-label={t.tabs.live}
        className="h-[60vh] overflow-auto bg-sunken py-2"
        onScroll={({ currentTarget: each }) => {
          atEnd.current = each.scrollHeight - each.scrollTop - each.clientHeight < 24;
        }}
      >
        {entries.length === 0 && <li className="px-3 py-2 text-sm text-muted">{t.waiting}</li>}
        {entries.map((entry) =>
          "line" in entry
            ? <Line key={entry.id} line={entry.line} />
            : <li key={entry.id} className="px-3 py-1 text-xs text-warn">{t.missed(entry.missed)}</li>
        )}
      </ol>
    </>
  );
}

function shownOf(told: Told): Shown {
  const run = told.kind === "run" || told.method !== undefined;
  return {
    time: told.time ?? new Date().toISOString(),
    level: told.level ?? "info",
    worker: told.worker ?? "",
    run: (run ? told.id : told.run) ?? null,
    text: run
      ? `${told.method ?? ""} ${told.path ?? ""} → ${told.status ?? ""} ${told.outcome ?? ""} ${
        told.duration_ms?.toFixed(1) ?? ""
      } ms`
      : told.text ?? "",
    fields: told.fields,
  };
}
