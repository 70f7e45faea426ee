import { Pause, Play, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { LogEntry, WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { SearchInput, Select } from "@/components/field";
import { Card } from "@/components/layout";
import { LogLine } from "@/features/workers/components/log-line";
import { messages } from "@/features/workers/messages";
import { apiUrl } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const MOST = 2_000;
const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

interface Shown {
  id: number;
  entry: LogEntry | null;
  missed: number;
}

/** What the worker prints, and its runs, as they come. */
export default function LogsTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [level, setLevel] = useState<Level>("debug");
  const [text, setText] = useState("");
  const [lines, setLines] = useState<readonly Shown[]>([]);
  const [paused, setPaused] = useState(false);
  const [connected, setConnected] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  const next = useRef(0);

  useEffect(() => {
    if (paused) return;
    const source = new EventSource(apiUrl("GET /api/v1/projects/{project}/workers/{worker}/logs", {
      path: { project, worker: worker.name },
      query: { follow: true, limit: 200, level: level === "debug" ? null : level, text: text || null },
    }));
    let waiting: Shown[] = [];
    let drawing = 0;
    // A burst of lines is one drawing.
    const draw = () => {
      drawing = 0;
      const come = waiting;
      waiting = [];
      setLines((all) => [...all, ...come].slice(-MOST));
    };
    const take = (shown: Omit<Shown, "id">) => {
      waiting.push({ ...shown, id: next.current++ });
      if (drawing === 0) drawing = requestAnimationFrame(draw);
    };
    const entry = (event: MessageEvent<string>) => take({ entry: JSON.parse(event.data) as LogEntry, missed: 0 });
    source.addEventListener("line", entry);
    source.addEventListener("run", entry);
    source.addEventListener("gap", (event: MessageEvent<string>) => {
      take({ entry: null, missed: (JSON.parse(event.data) as { missed?: number }).missed ?? 0 });
    });
    source.onopen = () => {
      setConnected(true);
      setLines([]);
    };
    source.onerror = () => setConnected(false);
    return () => {
      source.close();
      cancelAnimationFrame(drawing);
      setConnected(false);
    };
  }, [project, worker.name, level, text, paused]);

  useEffect(() => {
    if (atEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [lines]);

  return (
    <Card flush>
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-3">
        <SearchInput label={t.filterLines} value={text} onChange={(event) => setText(event.target.value)} />
        <div className="w-36">
          <Select<Level>
            label={t.level}
            value={level}
            onChange={setLevel}
            options={LEVELS.map((each) => ({ value: each, label: each === "debug" ? t.anyLevel : `≥ ${each}` }))}
          />
        </div>
        <span className="grow" />
        <Badge tone={paused ? "neutral" : connected ? "ok" : "warn"} dot>{paused ? t.paused : t.follow}</Badge>
        <Button size="sm" icon={paused ? Play : Pause} onClick={() => setPaused(!paused)}>
          {paused ? t.resume : t.pause}
        </Button>
        <Button size="sm" look="quiet" icon={Trash2} aria-label={t.clear} onClick={() => setLines([])} />
      </div>
      <ol
        ref={list}
        tabIndex={0}
        aria-label={t.tabs.logs}
        className="h-[60vh] overflow-auto bg-sunken py-2"
        onScroll={({ currentTarget: each }) => {
          atEnd.current = each.scrollHeight - each.scrollTop - each.clientHeight < 24;
        }}
      >
        {lines.length === 0 && <li className="px-3 py-2 text-sm text-muted">{t.waiting}</li>}
        {lines.map(({ id, entry, missed }) =>
          entry === null
            ? <li key={id} className="px-3 py-1 text-xs text-warn">{t.missed(missed)}</li>
            : <LogLine key={id} entry={entry} />
        )}
      </ol>
    </Card>
  );
}
