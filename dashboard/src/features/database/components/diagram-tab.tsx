// The tables of a database and how they refer to each other. Dragged, zoomed, and a way to each table.
import { Maximize, Minus, Plus, Workflow } from "lucide-react";
import { type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Checkbox, SearchInput } from "@/components/field";
import { curve, HEAD, type Layout, layOut, LINE, type Place, WIDTH } from "@/features/database/lib/layout";
import type { DatabaseSchema } from "@/features/database/lib/schema";
import { messages } from "@/features/database/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

interface View {
  x: number;
  y: number;
  scale: number;
}

const MARGIN = 24;
const SMALLEST = 0.1;
const LARGEST = 2.5;
/** With more tables than these, all columns of all would be too small to read. */
const MANY = 20;

export default function DiagramTab({ database, schema }: { database: string; schema: DatabaseSchema }) {
  const t = useMessages(messages);
  const to = useProjectPath();
  const navigate = useNavigate();
  const tables = useMemo(() => schema.tables.filter((table) => table.type === "table"), [schema]);
  const [keysOnly, setKeysOnly] = useState(tables.length > MANY);
  const layout = useMemo(() => layOut(tables, keysOnly), [tables, keysOnly]);
  const { frame, view, zoom, fit, show, drag } = useView(layout);
  const [pointed, setPointed] = useState<string | null>(null);
  const [sought, setSought] = useState("");
  const word = sought.trim().toLowerCase();
  const found = word === "" ? [] : layout.places.filter((place) => place.table.name.toLowerCase().includes(word));
  const find = (text: string) => {
    setSought(text);
    const wanted = text.trim().toLowerCase();
    const names = layout.places.filter((place) => place.table.name.toLowerCase().includes(wanted));
    const best = names.find((place) => place.table.name.toLowerCase() === wanted) ??
      names.find((place) => place.table.name.toLowerCase().startsWith(wanted)) ?? names[0];
    if (wanted !== "" && best !== undefined) {
      show(best);
      setPointed(best.table.name);
    } else setPointed(null);
  };
  if (layout.places.length === 0) return <EmptyState icon={Workflow} title={t.noTables}>{t.noTablesHint}</EmptyState>;
  return (
    <section className="min-w-0 overflow-hidden rounded-lg border bg-surface shadow-low">
      <header className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
        <SearchInput
          label={t.findTable}
          className="w-48"
          value={sought}
          onChange={(event) => find(event.target.value)}
        />
        <Checkbox label={t.keysOnly} checked={keysOnly} onChange={setKeysOnly} />
        <span className="text-xs text-muted max-lg:hidden">{t.diagramHint}</span>
        <span className="grow" />
        <span className="flex gap-1">
          <Button size="sm" look="quiet" icon={Minus} aria-label={t.zoomOut} onClick={() => zoom(1 / 1.25)} />
          <Button size="sm" look="quiet" icon={Plus} aria-label={t.zoomIn} onClick={() => zoom(1.25)} />
          <Button size="sm" look="quiet" icon={Maximize} aria-label={t.fit} onClick={fit} />
        </span>
      </header>
      <div ref={frame} className="h-[70vh] min-h-80 cursor-grab touch-none overflow-hidden bg-sunken" {...drag}>
        <svg width="100%" height="100%" role="group" aria-label={t.diagramLabel} className="select-none">
          <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
            {layout.relations.map((relation) => {
              const near = pointed === relation.from.table.name || pointed === relation.to.table.name;
              return (
                <g key={relation.id} className={near ? "text-accent" : "text-muted"}>
                  <title>{relation.label}</title>
                  <path d={curve(relation)} fill="none" stroke="currentColor" strokeWidth={near ? 2 : 1.2} />
                  <circle
                    cx={relation.from.x >= relation.to.x + WIDTH || relation.from.x === relation.to.x
                      ? relation.to.x + WIDTH
                      : relation.to.x}
                    cy={relation.toY}
                    r={3.5}
                    fill="currentColor"
                  />
                </g>
              );
            })}
            {layout.places.map((place) => (
              <Node
                key={place.table.name}
                place={place}
                found={found.includes(place)}
                onPoint={(on) => setPointed(on ? place.table.name : null)}
                onOpen={() => void navigate(to("database", database, "tables", place.table.name, "structure"))}
              />
            ))}
          </g>
        </svg>
      </div>
    </section>
  );
}

function Node({ place, found, onOpen, onPoint }: {
  place: Place;
  /** It is looked for. */
  found: boolean;
  onOpen: () => void;
  onPoint: (on: boolean) => void;
}) {
  const t = useMessages(messages);
  const { table, columns, hidden, x, y, height } = place;
  const referring = new Set(table.foreignKeys.flatMap((key) => key.columns));
  const unique = new Set(
    table.indexes.filter((index) => index.unique).flatMap((index) => index.columns.map((c) => c.name)),
  );
  const indexed = new Set(table.indexes.flatMap((index) => index.columns.map((column) => column.name)));
  return (
    <g
      role="link"
      tabIndex={0}
      transform={`translate(${x} ${y})`}
      className="cursor-pointer outline-none [&:focus-visible>rect:first-of-type]:stroke-(--accent) [&:hover>rect:first-of-type]:stroke-(--accent)"
      onClick={onOpen}
      onKeyDown={(event) => event.key === "Enter" && onOpen()}
      onPointerEnter={() => onPoint(true)}
      onPointerLeave={() => onPoint(false)}
      onFocus={() => onPoint(true)}
      onBlur={() => onPoint(false)}
    >
      <rect
        width={WIDTH}
        height={height}
        rx={8}
        fill="var(--surface)"
        stroke={found ? "var(--accent)" : "var(--line-strong)"}
        strokeWidth={found ? 3 : 1}
      />
      <line x1={0} x2={WIDTH} y1={HEAD} y2={HEAD} stroke="var(--line)" />
      <text x={12} y={20} fontSize={13} fontWeight={600} fill="var(--text)">{cut(table.name, 26)}</text>
      {columns.map((column, index) => {
        const mark = [
          column.primaryKey > 0 && "PK",
          referring.has(column.name) && "FK",
          column.primaryKey === 0 && (unique.has(column.name) ? "U" : indexed.has(column.name) && "IX"),
        ].filter(Boolean).join(" ");
        const line = HEAD + LINE * index + 16;
        return (
          <g key={column.name} fontSize={11} fontFamily="var(--font-mono)">
            <text x={12} y={line} fill="var(--text)">{cut(column.name, 14)}</text>
            <text x={WIDTH - 62} y={line} textAnchor="end" fill="var(--muted)">
              {cut(column.type.toLowerCase(), 9)}
            </text>
            <text x={WIDTH - 10} y={line} textAnchor="end" fontWeight={600} fill="var(--accent)">{mark}</text>
          </g>
        );
      })}
      {hidden > 0 && (
        <text x={12} y={HEAD + LINE * columns.length + 16} fontSize={11} fill="var(--muted)">{t.more(hidden)}</text>
      )}
    </g>
  );
}

function useView(layout: Layout) {
  const frame = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View>({ x: MARGIN, y: MARGIN, scale: 1 });
  const held = useRef<{ x: number; y: number; moved: boolean } | null>(null);

  const fit = useCallback(() => {
    const box = frame.current?.getBoundingClientRect();
    if (box === undefined || layout.width === 0) return;
    const room = Math.min((box.width - 2 * MARGIN) / layout.width, (box.height - 2 * MARGIN) / layout.height, 1);
    const scale = Math.max(SMALLEST, room);
    setView({ scale, x: Math.max(MARGIN, (box.width - layout.width * scale) / 2), y: MARGIN });
  }, [layout]);
  // In another window all is shown anew, until somebody has chosen what to look at.
  const chosen = useRef(false);
  useEffect(() => {
    const target = frame.current;
    chosen.current = false;
    fit();
    if (target === null) return;
    const seen = new ResizeObserver(() => chosen.current || fit());
    seen.observe(target);
    return () => seen.disconnect();
  }, [fit]);

  /** Around a point of the frame; its middle if none is said. */
  const zoom = useCallback((by: number, at?: { x: number; y: number }) => {
    const box = frame.current?.getBoundingClientRect();
    chosen.current = true;
    const point = at ?? { x: (box?.width ?? 0) / 2, y: (box?.height ?? 0) / 2 };
    setView(({ x, y, scale }) => {
      const next = Math.min(LARGEST, Math.max(SMALLEST, scale * by));
      const ratio = next / scale;
      return { scale: next, x: point.x - (point.x - x) * ratio, y: point.y - (point.y - y) * ratio };
    });
  }, []);

  /** One table in the middle, large enough to be read. */
  const show = useCallback((place: Place) => {
    const box = frame.current?.getBoundingClientRect();
    if (box === undefined) return;
    chosen.current = true;
    setView({
      scale: 1,
      x: box.width / 2 - place.x - WIDTH / 2,
      y: Math.max(MARGIN, (box.height - place.height) / 2) - place.y,
    });
  }, []);

  useEffect(() => {
    const target = frame.current;
    if (target === null) return;
    // Not by React: its listener for the wheel may not keep the page from scrolling.
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const box = target.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - box.left, y: event.clientY - box.top });
      } else {
        chosen.current = true;
        setView((before) => ({ ...before, x: before.x - event.deltaX, y: before.y - event.deltaY }));
      }
    };
    target.addEventListener("wheel", turn, { passive: false });
    return () => target.removeEventListener("wheel", turn);
  }, [zoom]);

  const drag = {
    onPointerDown: (event: PointerEvent) => {
      held.current = { x: event.clientX, y: event.clientY, moved: false };
    },
    onPointerMove: (event: PointerEvent) => {
      const from = held.current;
      if (from === null) return;
      if (event.buttons === 0) {
        held.current = null;
        return;
      }
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!from.moved && Math.hypot(dx, dy) < 4) return;
      held.current = { x: event.clientX, y: event.clientY, moved: true };
      chosen.current = true;
      setView((before) => ({ ...before, x: before.x + dx, y: before.y + dy }));
    },
    // A click at the end of a drag opens nothing.
    onClickCapture: (event: { stopPropagation: () => void }) => {
      if (held.current?.moved) event.stopPropagation();
      held.current = null;
    },
  };
  return { frame, view, zoom, fit, show, drag };
}

function cut(text: string, length: number): string {
  const signs = [...text];
  return signs.length > length ? `${signs.slice(0, length - 1).join("")}…` : text;
}
